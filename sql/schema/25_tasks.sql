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

CREATE TABLE task_runs (
    task_id integer NOT NULL,
    job text NOT NULL,
    job_id bigint,
    started_at timestamp NOT NULL DEFAULT now(),
    finished_at timestamp,
    result text,
    CONSTRAINT task_runs_pkey PRIMARY KEY (task_id),
    CONSTRAINT task_runs_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

COMMENT ON TABLE task_runs IS 'What Docket knows of its own tasks beyond what the table tasks has columns for.';
COMMENT ON COLUMN task_runs.job_id IS 'The job of River that did the run; null when a process did it without one.';
COMMENT ON COLUMN task_runs.result IS 'What the run did, in words; null until it has succeeded.';

CREATE INDEX task_runs_job_id_idx ON task_runs (job_id);

CREATE TABLE task_schedule (
    job text NOT NULL,
    next_run_at timestamp NOT NULL,
    CONSTRAINT task_schedule_pkey PRIMARY KEY (job)
);

COMMENT ON TABLE task_schedule IS
    'When each periodic job is due. The instance that moves next_run_at forward inserts the job in the same transaction.';
