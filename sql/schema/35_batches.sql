-- Batches: how URLs were added.

CREATE TABLE batches (
    id serial NOT NULL,
    strategy batch_strategy NOT NULL,
    user_id integer,
    status batch_status NOT NULL,
    date_generated timestamp NOT NULL DEFAULT now(),
    compute_time double precision,
    parameters json,
    CONSTRAINT batches_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN batches.user_id IS 'Who started the batch; null for an anonymous submission.';
COMMENT ON COLUMN batches.compute_time IS 'Seconds.';

CREATE INDEX batches_user_id_idx ON batches (user_id);

CREATE TABLE link_batches__urls (
    id serial NOT NULL,
    batch_id integer NOT NULL,
    url_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_batches__urls_pkey PRIMARY KEY (id),
    CONSTRAINT link_batches__urls_url_id_key UNIQUE (url_id),
    CONSTRAINT link_batches__urls_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE,
    CONSTRAINT link_batches__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_batches__urls_batch_id_idx ON link_batches__urls (batch_id, url_id);

CREATE TABLE link_batches__locations (
    batch_id integer NOT NULL,
    location_id bigint NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_batches__locations_pkey PRIMARY KEY (batch_id, location_id),
    CONSTRAINT link_batches__locations_batch_id_fkey
        FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE,
    CONSTRAINT link_batches__locations_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

COMMENT ON TABLE link_batches__locations IS 'Every change runs within ranking.ChangeFollows, as one of follows does.';

CREATE INDEX link_batches__locations_location_id_idx ON link_batches__locations (location_id);

CREATE TABLE flag_batch_suggestions_hidden (
    batch_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT flag_batch_suggestions_hidden_pkey PRIMARY KEY (batch_id),
    CONSTRAINT flag_batch_suggestions_hidden_batch_id_fkey
        FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE
);

COMMENT ON TABLE flag_batch_suggestions_hidden IS 'Batches whose URLs are shown to annotators without suggestions.';

CREATE TABLE link_agencies__batches (
    batch_id integer NOT NULL,
    agency_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT link_agencies__batches_pkey PRIMARY KEY (batch_id, agency_id),
    CONSTRAINT link_agencies__batches_batch_id_fkey
        FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE,
    CONSTRAINT link_agencies__batches_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE
);

CREATE INDEX link_agencies__batches_agency_id_idx ON link_agencies__batches (agency_id);

CREATE TABLE duplicates (
    batch_id integer NOT NULL,
    original_url_id integer NOT NULL,
    CONSTRAINT duplicates_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id),
    CONSTRAINT duplicates_original_url_id_fkey FOREIGN KEY (original_url_id) REFERENCES urls (id) ON DELETE CASCADE
);

COMMENT ON TABLE duplicates IS 'One row each time a batch contained a URL that was already known; repeated rows are intended.';

CREATE INDEX duplicates_batch_id_idx ON duplicates (batch_id, original_url_id);
CREATE INDEX duplicates_original_url_id_idx ON duplicates (original_url_id);

CREATE TABLE logs (
    id serial NOT NULL,
    batch_id integer NOT NULL,
    log text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT logs_pkey PRIMARY KEY (id),
    CONSTRAINT logs_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id)
);

CREATE INDEX logs_batch_id_idx ON logs (batch_id);

CREATE TABLE missing (
    id serial NOT NULL,
    place_id integer NOT NULL,
    record_type varchar NOT NULL,
    batch_id integer,
    strategy_used text NOT NULL,
    date_searched timestamp NOT NULL DEFAULT now(),
    CONSTRAINT missing_pkey PRIMARY KEY (id),
    CONSTRAINT missing_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id)
);

CREATE INDEX missing_batch_id_idx ON missing (batch_id);

CREATE TABLE backlog_snapshot (
    id serial NOT NULL,
    count_pending_total integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT backlog_snapshot_pkey PRIMARY KEY (id)
);
