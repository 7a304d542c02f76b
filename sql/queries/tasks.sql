-- The history of tasks: a row for each run, the URLs it was about, and its errors. task_history.sql reads it.

-- name: TaskInsert :one
-- Stores a run that begins now.
WITH task AS (
    INSERT INTO tasks (task_type, task_status) VALUES (@task_type, 'in-process') RETURNING id
), run AS (
    INSERT INTO task_runs (task_id, job, job_id) SELECT task.id, @job, sqlc.narg('job_id') FROM task
)
SELECT task.id FROM task;

-- name: TaskFinish :execrows
-- Stores that a run in process has ended, with what it did, or with its error and status error. No row: it had ended before, or is
-- unknown.
WITH task AS (
    UPDATE tasks
    SET task_status = (CASE WHEN sqlc.narg('error')::text IS NULL THEN 'complete' ELSE 'error' END)::task_status_enum,
        updated_at = now()
    WHERE id = @task_id AND task_status = 'in-process'
    RETURNING id
), error AS (
    INSERT INTO task_errors (task_id, error)
    SELECT task.id, sqlc.narg('error')::text FROM task WHERE sqlc.narg('error')::text IS NOT NULL
)
UPDATE task_runs run
SET finished_at = now(), result = sqlc.narg('result')::text
FROM task
WHERE run.task_id = task.id;

-- name: TaskExtend :execrows
-- Stores what a run that has succeeded has done by now, since it did more. No row: it is unknown.
WITH task AS (
    UPDATE tasks SET updated_at = now() WHERE id = @task_id AND task_status = 'complete' RETURNING id
)
UPDATE task_runs run
SET finished_at = now(), result = @result::text
FROM task
WHERE run.task_id = task.id;

-- name: TaskURLInsertMany :exec
-- Links URLs to a run.
INSERT INTO link_tasks__urls (task_id, url_id)
SELECT @task_id::integer, given.url_id FROM unnest(@url_ids::integer[]) AS given (url_id)
ON CONFLICT ON CONSTRAINT link_tasks__urls_pkey DO NOTHING;

-- name: TaskURLErrorUpsertMany :exec
-- Stores the errors of a run about those of the URLs that exist, one for each, in place of those that earlier runs of its type had
-- about them.
WITH known AS MATERIALIZED (
    SELECT urls.id FROM urls WHERE urls.id = ANY(@url_ids::integer[]) ORDER BY urls.id FOR KEY SHARE
)
INSERT INTO url_task_error AS earlier (url_id, task_id, task_type, error)
SELECT given.url_id, tasks.id, tasks.task_type, given.error
FROM (SELECT unnest(@url_ids::integer[]) AS url_id, unnest(@errors::text[]) AS error) AS given
JOIN known ON known.id = given.url_id
CROSS JOIN tasks
WHERE tasks.id = @task_id::integer
ON CONFLICT ON CONSTRAINT url_task_error_pkey DO UPDATE
SET task_id = excluded.task_id, error = excluded.error, created_at = now();
