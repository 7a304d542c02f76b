-- Agencies and their locations.

CREATE TABLE agencies (
    id serial NOT NULL,
    name varchar NOT NULL,
    agency_type agency_type_enum NOT NULL DEFAULT 'unknown',
    jurisdiction_type jurisdiction_type_enum NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT agencies_pkey PRIMARY KEY (id)
);

-- Names are searched by their beginning, ignoring case, and by trigrams, nearest first. A beginning is a range of code points;
-- COLLATE "C" would do as well, but Atlas loses the collation of an expression. A signature of 256 bytes distinguishes names that
-- share common words such as "police"; the default of twelve bytes does not.
CREATE INDEX agencies_name_lower_idx ON agencies (lower(name) text_pattern_ops);
CREATE INDEX agencies_name_trgm_idx ON agencies USING gist (name gist_trgm_ops (siglen = 256));

-- Smaller ids are those of agencies that the outward application has numbered.
ALTER SEQUENCE agencies_id_seq START WITH 23191 RESTART;

CREATE TABLE us_states (
    id bigint GENERATED ALWAYS AS IDENTITY,
    state_iso text NOT NULL,
    state_name text,
    CONSTRAINT us_states_pkey PRIMARY KEY (id),
    CONSTRAINT us_states_state_iso_key UNIQUE (state_iso)
);

CREATE TABLE counties (
    id bigint GENERATED ALWAYS AS IDENTITY,
    fips varchar NOT NULL,
    name text,
    state_id integer,
    lat double precision,
    lng double precision,
    population bigint,
    agencies text,
    CONSTRAINT counties_pkey PRIMARY KEY (id),
    CONSTRAINT counties_fips_key UNIQUE (fips),
    CONSTRAINT counties_fips_state_id_key UNIQUE (fips, state_id),
    CONSTRAINT counties_name_state_id_key UNIQUE (name, state_id),
    CONSTRAINT counties_state_id_fkey FOREIGN KEY (state_id) REFERENCES us_states (id)
);

CREATE INDEX counties_name_lower_idx ON counties (lower(name) text_pattern_ops);
CREATE INDEX counties_name_trgm_idx ON counties USING gist (name gist_trgm_ops (siglen = 256));

CREATE TABLE localities (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name varchar(255) NOT NULL,
    county_id integer NOT NULL,
    CONSTRAINT localities_pkey PRIMARY KEY (id),
    CONSTRAINT localities_name_county_id_key UNIQUE (name, county_id),
    CONSTRAINT localities_county_id_fkey FOREIGN KEY (county_id) REFERENCES counties (id),
    CONSTRAINT localities_name_check CHECK (name NOT LIKE '%,%')
);

CREATE INDEX localities_county_id_idx ON localities (county_id);
CREATE INDEX localities_name_lower_idx ON localities (lower(name) text_pattern_ops);
CREATE INDEX localities_name_trgm_idx ON localities USING gist (name gist_trgm_ops (siglen = 256));

CREATE TABLE locations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    type location_type NOT NULL,
    state_id bigint,
    county_id bigint,
    locality_id bigint,
    lat double precision,
    lng double precision,
    CONSTRAINT locations_pkey PRIMARY KEY (id),
    CONSTRAINT locations_id_type_state_id_county_id_locality_id_key
        UNIQUE (id, type, state_id, county_id, locality_id),
    CONSTRAINT locations_state_id_fkey FOREIGN KEY (state_id) REFERENCES us_states (id) ON DELETE CASCADE,
    CONSTRAINT locations_county_id_fkey FOREIGN KEY (county_id) REFERENCES counties (id) ON DELETE CASCADE,
    CONSTRAINT locations_locality_id_fkey FOREIGN KEY (locality_id) REFERENCES localities (id) ON DELETE CASCADE,
    CONSTRAINT locations_type_check CHECK (
        (type = 'National' AND state_id IS NULL AND county_id IS NULL AND locality_id IS NULL)
        OR (type = 'State' AND county_id IS NULL AND locality_id IS NULL)
        OR (type = 'County' AND county_id IS NOT NULL AND locality_id IS NULL)
        OR (type = 'Locality' AND county_id IS NOT NULL AND locality_id IS NOT NULL)
    )
);

COMMENT ON TABLE locations IS
    'A state, county or locality as a location. A writer that inserts one of these must insert its location too.';

CREATE INDEX locations_state_id_idx ON locations (state_id);
CREATE INDEX locations_county_id_idx ON locations (county_id);
CREATE INDEX locations_locality_id_idx ON locations (locality_id);
-- Few of the locations in a state are the state itself.
CREATE INDEX locations_type_state_id_idx ON locations (type, state_id) WHERE type IN ('National', 'State');

CREATE TABLE link_agencies__locations (
    agency_id integer NOT NULL,
    location_id bigint NOT NULL,
    CONSTRAINT link_agencies__locations_pkey PRIMARY KEY (agency_id, location_id),
    CONSTRAINT link_agencies__locations_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE,
    CONSTRAINT link_agencies__locations_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

CREATE INDEX link_agencies__locations_location_id_idx ON link_agencies__locations (location_id);
