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

CREATE INDEX proposal__agencies_pending_idx ON proposal__agencies (id) WHERE proposal_status = 'pending';

-- agency_identity below defines the form in which names are compared. A B-tree cannot hold the longest names; a hash index holds
-- 32 bits of each. \u00a0 is the non-breaking space, which \s does not match with every locale.
CREATE INDEX agencies_name_form_idx ON agencies USING hash (lower(btrim(regexp_replace(name, '[\s\u00a0]+', ' ', 'g'))));
CREATE INDEX proposal__agencies_name_form_idx ON proposal__agencies
    USING hash (lower(btrim(regexp_replace(name, '[\s\u00a0]+', ' ', 'g')))) WHERE proposal_status = 'pending';

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

-- The planner uses the indexes on the name only because neither half has a WHERE: a condition on proposal_status is the reader's.
CREATE VIEW agency_identity AS
SELECT
    a.id AS agency_id,
    NULL::integer AS proposal_id,
    NULL::proposal_status_enum AS proposal_status,
    lower(btrim(regexp_replace(a.name, '[\s\u00a0]+', ' ', 'g'))) AS name_form,
    a.agency_type,
    a.jurisdiction_type,
    ARRAY(
        SELECT link.location_id FROM link_agencies__locations link WHERE link.agency_id = a.id ORDER BY link.location_id
    ) AS location_ids
FROM agencies a
UNION ALL
SELECT
    NULL,
    p.id,
    p.proposal_status,
    lower(btrim(regexp_replace(p.name, '[\s\u00a0]+', ' ', 'g'))),
    p.agency_type,
    p.jurisdiction_type,
    ARRAY(
        SELECT link.location_id::bigint FROM proposal__link__agencies__locations link
        WHERE link.proposal_agency_id = p.id ORDER BY link.location_id
    )
FROM proposal__agencies p;

COMMENT ON VIEW agency_identity IS
    'What makes agencies and proposals of agencies equal: name_form, both types and all locations. agency_id is null for a '
    'proposal; proposal_id and proposal_status are null for an agency.';
