-- Suggestions by robots. The scale of confidence differs by column: see the checks and comments.

CREATE TABLE annotation__agency__auto__subtasks (
    id serial NOT NULL,
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    type agency_auto_suggestion_method NOT NULL,
    agencies_found boolean NOT NULL,
    detail agency_id_subtask_detail_code NOT NULL DEFAULT 'no details',
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__agency__auto__subtasks_pkey PRIMARY KEY (id),
    CONSTRAINT annotation__agency__auto__subtasks_task_id_fkey
        FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT annotation__agency__auto__subtasks_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX annotation__agency__auto__subtasks_task_id_idx ON annotation__agency__auto__subtasks (task_id);
CREATE INDEX annotation__agency__auto__subtasks_url_id_idx ON annotation__agency__auto__subtasks (url_id);

CREATE TABLE annotation__agency__auto__suggestions (
    id serial NOT NULL,
    subtask_id integer NOT NULL,
    agency_id integer NOT NULL,
    confidence integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__agency__auto__suggestions_pkey PRIMARY KEY (id),
    CONSTRAINT annotation__agency__auto__suggestions_subtask_id_fkey
        FOREIGN KEY (subtask_id) REFERENCES annotation__agency__auto__subtasks (id) ON DELETE CASCADE,
    CONSTRAINT annotation__agency__auto__suggestions_agency_id_fkey
        FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE,
    CONSTRAINT annotation__agency__auto__suggestions_confidence_check CHECK (confidence BETWEEN 0 AND 100)
);

CREATE INDEX annotation__agency__auto__suggestions_subtask_id_idx ON annotation__agency__auto__suggestions (subtask_id);
CREATE INDEX annotation__agency__auto__suggestions_agency_id_idx ON annotation__agency__auto__suggestions (agency_id);

CREATE TABLE annotation__location__auto__subtasks (
    id serial NOT NULL,
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    type auto_location_id_subtask_type NOT NULL,
    locations_found boolean NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__location__auto__subtasks_pkey PRIMARY KEY (id),
    CONSTRAINT annotation__location__auto__subtasks_url_id_type_key UNIQUE (url_id, type),
    CONSTRAINT annotation__location__auto__subtasks_task_id_fkey
        FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT annotation__location__auto__subtasks_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX annotation__location__auto__subtasks_task_id_idx ON annotation__location__auto__subtasks (task_id);

CREATE TABLE annotation__location__auto__suggestions (
    subtask_id integer NOT NULL,
    location_id bigint NOT NULL,
    confidence double precision NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__location__auto__suggestions_pkey PRIMARY KEY (subtask_id, location_id),
    CONSTRAINT annotation__location__auto__suggestions_subtask_id_fkey
        FOREIGN KEY (subtask_id) REFERENCES annotation__location__auto__subtasks (id) ON DELETE CASCADE,
    CONSTRAINT annotation__location__auto__suggestions_location_id_fkey
        FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE CASCADE
);

COMMENT ON COLUMN annotation__location__auto__suggestions.confidence IS
    '0 to 100 by convention; not checked, because other writers have stored fractions and larger numbers.';

CREATE INDEX annotation__location__auto__suggestions_location_id_idx ON annotation__location__auto__suggestions (location_id);

CREATE TABLE annotation__record_type__auto (
    url_id integer NOT NULL,
    record_type record_type NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__record_type__auto_pkey PRIMARY KEY (url_id),
    CONSTRAINT annotation__record_type__auto_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE TABLE annotation__url_type__auto (
    url_id integer NOT NULL,
    relevant boolean NOT NULL,
    confidence double precision,
    model_name varchar,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT annotation__url_type__auto_pkey PRIMARY KEY (url_id),
    CONSTRAINT annotation__url_type__auto_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT annotation__url_type__auto_confidence_check CHECK (confidence BETWEEN 0 AND 1)
);
