-- Which task processed which URL, the change log, and what was sent to the outward application.

CREATE TABLE link_tasks__urls (
    task_id integer NOT NULL,
    url_id integer NOT NULL,
    CONSTRAINT link_tasks__urls_pkey PRIMARY KEY (task_id, url_id),
    CONSTRAINT link_tasks__urls_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT link_tasks__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
);

CREATE INDEX link_tasks__urls_url_id_idx ON link_tasks__urls (url_id);

CREATE TABLE url_task_error (
    url_id integer NOT NULL,
    task_id integer NOT NULL,
    task_type task_type NOT NULL,
    error varchar NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT url_task_error_pkey PRIMARY KEY (url_id, task_type),
    CONSTRAINT url_task_error_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT url_task_error_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE INDEX url_task_error_task_id_idx ON url_task_error (task_id);

CREATE TABLE change_log (
    id serial NOT NULL,
    operation_type operation_type NOT NULL,
    table_name varchar NOT NULL,
    affected_id integer NOT NULL,
    old_data jsonb,
    new_data jsonb,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT change_log_pkey PRIMARY KEY (id)
);

CREATE TABLE sync_log (
    resource_type resource_type_enum NOT NULL,
    sync_type sync_type_enum NOT NULL,
    count integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT sync_log_pkey PRIMARY KEY (resource_type, sync_type, created_at)
);

CREATE TABLE huggingface_upload_state (
    id serial NOT NULL,
    last_upload_at timestamp NOT NULL,
    CONSTRAINT huggingface_upload_state_pkey PRIMARY KEY (id)
);
