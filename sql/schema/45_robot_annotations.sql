-- Suggestions by robots. The scale of confidence differs by column: see the checks and comments.

CREATE TABLE url_auto_agency_id_subtasks (
    id serial NOT NULL,
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    type agency_auto_suggestion_method NOT NULL,
    agencies_found boolean NOT NULL,
    detail agency_id_subtask_detail_code NOT NULL DEFAULT 'no details',
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_auto_agency_id_subtasks_pkey PRIMARY KEY (id),
    CONSTRAINT url_auto_agency_id_subtasks_task_id_fkey
        FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT url_auto_agency_id_subtasks_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX url_auto_agency_id_subtasks_task_id_idx ON url_auto_agency_id_subtasks (task_id);
CREATE INDEX url_auto_agency_id_subtasks_url_id_idx ON url_auto_agency_id_subtasks (url_id);

CREATE TABLE agency_id_subtask_suggestions (
    id serial NOT NULL,
    subtask_id integer NOT NULL,
    agency_id integer NOT NULL,
    confidence integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT agency_id_subtask_suggestions_pkey PRIMARY KEY (id),
    CONSTRAINT agency_id_subtask_suggestions_subtask_id_fkey
        FOREIGN KEY (subtask_id) REFERENCES url_auto_agency_id_subtasks (id) ON DELETE CASCADE,
    CONSTRAINT agency_id_subtask_suggestions_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE,
    CONSTRAINT agency_id_subtask_suggestions_confidence_check CHECK (confidence BETWEEN 0 AND 100)
);

CREATE INDEX agency_id_subtask_suggestions_subtask_id_idx ON agency_id_subtask_suggestions (subtask_id);
CREATE INDEX agency_id_subtask_suggestions_agency_id_idx ON agency_id_subtask_suggestions (agency_id);

CREATE TABLE auto_location_id_subtasks (
    id serial NOT NULL,
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    type auto_location_id_subtask_type NOT NULL,
    locations_found boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT auto_location_id_subtasks_pkey PRIMARY KEY (id),
    CONSTRAINT auto_location_id_subtasks_url_id_type_key UNIQUE (url_id, type),
    CONSTRAINT auto_location_id_subtasks_task_id_fkey
        FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT auto_location_id_subtasks_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX auto_location_id_subtasks_task_id_idx ON auto_location_id_subtasks (task_id);

CREATE TABLE location_id_subtask_suggestions (
    subtask_id integer NOT NULL,
    location_id bigint NOT NULL,
    confidence double precision NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT location_id_subtask_suggestions_pkey PRIMARY KEY (subtask_id, location_id),
    CONSTRAINT location_id_subtask_suggestions_subtask_id_fkey
        FOREIGN KEY (subtask_id) REFERENCES auto_location_id_subtasks (id) ON DELETE CASCADE,
    CONSTRAINT location_id_subtask_suggestions_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

COMMENT ON COLUMN location_id_subtask_suggestions.confidence IS
    '0 to 100 by convention; not checked, because other writers have stored fractions and larger numbers.';

CREATE INDEX location_id_subtask_suggestions_location_id_idx ON location_id_subtask_suggestions (location_id);

CREATE TABLE auto_record_type_suggestions (
    url_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT auto_record_type_suggestions_pkey PRIMARY KEY (url_id),
    CONSTRAINT auto_record_type_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE auto_relevant_suggestions (
    url_id integer NOT NULL,
    relevant boolean NOT NULL,
    confidence double precision,
    model_name varchar,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT auto_relevant_suggestions_pkey PRIMARY KEY (url_id),
    CONSTRAINT auto_relevant_suggestions_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT auto_relevant_suggestions_confidence_check CHECK (confidence BETWEEN 0 AND 1)
);
