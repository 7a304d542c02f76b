-- Agencies that users propose, and what was decided about them.

CREATE TABLE proposal__agencies (
    id serial NOT NULL,
    name varchar NOT NULL,
    agency_type agency_type_enum NOT NULL,
    jurisdiction_type jurisdiction_type_enum NOT NULL,
    proposing_user_id integer,
    promoted_agency_id integer,
    proposal_status proposal_status_enum NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT proposal__agencies_pkey PRIMARY KEY (id),
    CONSTRAINT proposal__agencies_promoted_agency_id_fkey
        FOREIGN KEY (promoted_agency_id) REFERENCES agencies (id) ON DELETE SET NULL,
    CONSTRAINT proposal__agencies_promoted_agency_id_check
        CHECK (promoted_agency_id IS NULL OR proposal_status = 'approved')
);

COMMENT ON COLUMN proposal__agencies.promoted_agency_id IS
    'The agency that the approval created; null before that, and after the agency was deleted.';

CREATE INDEX proposal__agencies_promoted_agency_id_idx ON proposal__agencies (promoted_agency_id);

CREATE TABLE proposal__agencies__decision_info (
    proposal_agency_id integer NOT NULL,
    deciding_user_id integer,
    rejection_reason varchar,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT proposal__agencies__decision_info_pkey PRIMARY KEY (proposal_agency_id),
    CONSTRAINT proposal__agencies__decision_info_proposal_agency_id_fkey
        FOREIGN KEY (proposal_agency_id) REFERENCES proposal__agencies (id)
);

CREATE TABLE proposal__link__agencies__locations (
    proposal_agency_id integer NOT NULL,
    location_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT proposal__link__agencies__locations_pkey PRIMARY KEY (proposal_agency_id, location_id),
    CONSTRAINT proposal__link__agencies__locations_proposal_agency_id_fkey
        FOREIGN KEY (proposal_agency_id) REFERENCES proposal__agencies (id),
    CONSTRAINT proposal__link__agencies__locations_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id)
);

CREATE INDEX proposal__link__agencies__locations_location_id_idx ON proposal__link__agencies__locations (location_id);
