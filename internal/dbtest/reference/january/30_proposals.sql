-- The check is upside down: promoted_agency_id can be filled only before the approval.

CREATE TYPE proposal_status_enum AS ENUM ('pending', 'approved', 'rejected');

CREATE TABLE proposal__agencies (
    id serial PRIMARY KEY,
    name varchar NOT NULL,
    agency_type agency_type_enum NOT NULL,
    jurisdiction_type jurisdiction_type_enum NOT NULL,
    proposing_user_id integer,
    promoted_agency_id integer REFERENCES agencies (id),
    proposal_status proposal_status_enum NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CHECK (promoted_agency_id IS NULL OR proposal_status = 'pending')
);

CREATE TABLE proposal__link__agencies__locations (
    proposal_agency_id integer NOT NULL REFERENCES proposal__agencies (id),
    location_id integer NOT NULL REFERENCES locations (id),
    created_at timestamp NOT NULL DEFAULT now(),
    PRIMARY KEY (proposal_agency_id, location_id)
);

CREATE TABLE proposal__agencies__decision_info (
    proposal_agency_id integer NOT NULL PRIMARY KEY REFERENCES proposal__agencies (id),
    deciding_user_id integer,
    rejection_reason varchar,
    created_at timestamp NOT NULL DEFAULT now()
);
UPDATE alembic_version SET version_num = '30ee666f15d1';
