-- Background tasks. Their links to URLs are in 60_bookkeeping.sql.

CREATE TABLE tasks (
    id serial NOT NULL,
    task_type task_type NOT NULL,
    task_status task_status_enum NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT tasks_pkey PRIMARY KEY (id)
);

CREATE TABLE task_errors (
    task_id integer NOT NULL,
    error text NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT task_errors_pkey PRIMARY KEY (task_id),
    CONSTRAINT task_errors_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE TABLE tasks__log (
    task_id integer NOT NULL,
    log text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT tasks__log_pkey PRIMARY KEY (task_id),
    CONSTRAINT tasks__log_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
);
