-- Results of annotations: validated facts, suspensions, and links to rows of the outward application.

CREATE TABLE flag_url_validated (
    url_id integer NOT NULL,
    type url_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_validated_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_validated_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE flag_url_auto_validated (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_auto_validated_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_auto_validated_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE flag_url_auto_validated IS 'Validated by agreement of annotators, not manually.';

CREATE TABLE flag_url_suspended (
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_suspended_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_suspended_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE url_record_type (
    url_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_record_type_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_record_type_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE url_record_type IS 'The agreed record type, not a suggestion.';

CREATE TABLE link_agencies__urls (
    id serial NOT NULL,
    url_id integer NOT NULL,
    agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_agencies__urls_pkey PRIMARY KEY (id),
    CONSTRAINT link_agencies__urls_url_id_agency_id_key UNIQUE (url_id, agency_id),
    CONSTRAINT link_agencies__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT link_agencies__urls_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE
);

COMMENT ON TABLE link_agencies__urls IS 'The agreed agencies, not suggestions.';

CREATE INDEX link_agencies__urls_agency_id_idx ON link_agencies__urls (agency_id);

CREATE TABLE link_locations__urls (
    url_id integer NOT NULL,
    location_id bigint NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_locations__urls_pkey PRIMARY KEY (url_id, location_id),
    CONSTRAINT link_locations__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT link_locations__urls_location_id_fkey FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

COMMENT ON TABLE link_locations__urls IS 'The agreed locations, not suggestions. The reference stores them nowhere.';

CREATE INDEX link_locations__urls_location_id_idx ON link_locations__urls (location_id);

CREATE TABLE consensus_facts (
    url_id integer NOT NULL,
    rule_version integer NOT NULL,
    threshold double precision NOT NULL,
    anonymous_weight double precision NOT NULL,
    url_type url_type NOT NULL,
    record_type record_type,
    agency_id integer,
    location_id bigint,
    name text,
    users integer NOT NULL,
    sessions integer NOT NULL,
    votes jsonb NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT consensus_facts_pkey PRIMARY KEY (url_id),
    CONSTRAINT consensus_facts_url_id_fkey FOREIGN KEY (url_id) REFERENCES flag_url_validated (url_id) ON DELETE CASCADE
);

COMMENT ON TABLE consensus_facts IS
    'Why a URL was validated automatically: what was decided, by which rule, and the votes at that moment. It is never changed.';
COMMENT ON COLUMN consensus_facts.agency_id IS 'No foreign key: the record stays when the agency is deleted.';
COMMENT ON COLUMN consensus_facts.location_id IS 'No foreign key: the record stays when the location is deleted.';
COMMENT ON COLUMN consensus_facts.users IS 'How many users had voted about the URL.';
COMMENT ON COLUMN consensus_facts.sessions IS 'How many anonymous sessions had voted about the URL.';
COMMENT ON COLUMN consensus_facts.votes IS 'For each attribute, for each value: {"users": n, "sessions": n}.';

CREATE INDEX consensus_facts_created_at_idx ON consensus_facts (created_at, url_id);

CREATE TABLE consensus_due (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT consensus_due_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE consensus_due IS
    'URLs whose votes may complete a consensus, until a process has decided about them. A row is added in the transaction of the vote.';
COMMENT ON COLUMN consensus_due.url_id IS
    'No foreign key, which would slow down answers: the row of a deleted URL is removed like any other.';
COMMENT ON COLUMN consensus_due.attempts IS 'How many decisions about the URL have failed.';

CREATE TABLE ds_app_link_data_source (
    id serial NOT NULL,
    url_id integer,
    ds_data_source_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT ds_app_link_data_source_pkey PRIMARY KEY (ds_data_source_id),
    CONSTRAINT ds_app_link_data_source_url_id_key UNIQUE (url_id),
    CONSTRAINT ds_app_link_data_source_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE SET NULL
);

COMMENT ON COLUMN ds_app_link_data_source.url_id IS 'Null once the URL is deleted here.';

CREATE TABLE ds_app_link_meta_url (
    url_id integer,
    ds_meta_url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT ds_app_link_meta_url_pkey PRIMARY KEY (ds_meta_url_id),
    CONSTRAINT ds_app_link_meta_url_url_id_key UNIQUE (url_id),
    CONSTRAINT ds_app_link_meta_url_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE SET NULL
);

COMMENT ON COLUMN ds_app_link_meta_url.url_id IS 'Null once the URL is deleted here.';

CREATE TABLE ds_app_link_agency (
    agency_id integer,
    ds_agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    last_synced_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT ds_app_link_agency_pkey PRIMARY KEY (ds_agency_id),
    CONSTRAINT ds_app_link_agency_agency_id_key UNIQUE (agency_id),
    CONSTRAINT ds_app_link_agency_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE SET NULL
);

COMMENT ON COLUMN ds_app_link_agency.agency_id IS 'Null once the agency is deleted here.';

CREATE TABLE flag_ds_delete_data_source (
    ds_data_source_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_ds_delete_data_source_pkey PRIMARY KEY (ds_data_source_id),
    CONSTRAINT flag_ds_delete_data_source_ds_data_source_id_fkey
        FOREIGN KEY (ds_data_source_id) REFERENCES ds_app_link_data_source (ds_data_source_id) ON DELETE CASCADE
);

CREATE TABLE flag_ds_delete_meta_url (
    ds_meta_url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_ds_delete_meta_url_pkey PRIMARY KEY (ds_meta_url_id),
    CONSTRAINT flag_ds_delete_meta_url_ds_meta_url_id_fkey
        FOREIGN KEY (ds_meta_url_id) REFERENCES ds_app_link_meta_url (ds_meta_url_id) ON DELETE CASCADE
);

CREATE TABLE flag_ds_delete_agency (
    ds_agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_ds_delete_agency_pkey PRIMARY KEY (ds_agency_id),
    CONSTRAINT flag_ds_delete_agency_ds_agency_id_fkey
        FOREIGN KEY (ds_agency_id) REFERENCES ds_app_link_agency (ds_agency_id) ON DELETE CASCADE
);
