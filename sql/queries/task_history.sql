-- Reading the history of tasks. tasks.sql writes it.

-- name: TaskListPage :many
-- A page of tasks by id, of a type and of a status if these are given.
SELECT tasks.id, tasks.task_type, tasks.task_status, tasks.updated_at
FROM tasks
WHERE (sqlc.narg('task_type')::task_type IS NULL OR tasks.task_type = sqlc.narg('task_type')::task_type)
    AND (sqlc.narg('task_status')::task_status_enum IS NULL OR tasks.task_status = sqlc.narg('task_status')::task_status_enum)
ORDER BY tasks.id
LIMIT 100 OFFSET @skip::bigint;

-- name: TaskListNewest :many
-- The ids of the newest tasks, the last one first, of a type and of a status if these are given, at most @most.
SELECT tasks.id
FROM tasks
WHERE (sqlc.narg('task_type')::task_type IS NULL OR tasks.task_type = sqlc.narg('task_type')::task_type)
    AND (sqlc.narg('task_status')::task_status_enum IS NULL OR tasks.task_status = sqlc.narg('task_status')::task_status_enum)
ORDER BY tasks.id DESC
LIMIT @most::integer;

-- name: TaskGetMany :many
-- Tasks by id. An id without a task has no row. A task that Docket did not run has no job.
-- No limit: there are no more rows than ids were given.
-- @sqlc-vet-disable many-without-limit
SELECT
    tasks.id, tasks.task_type, tasks.task_status, tasks.updated_at, failed.error,
    run.job, run.job_id, run.started_at, run.finished_at, run.result
FROM tasks
LEFT JOIN task_runs run ON run.task_id = tasks.id
LEFT JOIN task_errors failed ON failed.task_id = tasks.id
WHERE tasks.id = ANY(@ids::integer[])
ORDER BY tasks.id;

-- name: TaskURLCountMany :many
-- The numbers of URLs and of errors about URLs of tasks, by task id; a task without either has no row. The sizes of tasks differ by
-- a factor of a million, so the statement needs a custom plan.
-- No limit: there are no more rows than tasks were given.
-- @sqlc-vet-disable many-without-limit
SELECT counted.task_id, sum(counted.urls)::integer AS urls, sum(counted.errors)::integer AS errors
FROM (
    SELECT link.task_id, count(*) AS urls, 0 AS errors
    FROM link_tasks__urls link
    WHERE link.task_id = ANY(@ids::integer[])
    GROUP BY link.task_id
    UNION ALL
    SELECT failed.task_id, 0, count(*)
    FROM url_task_error failed
    WHERE failed.task_id = ANY(@ids::integer[])
    GROUP BY failed.task_id
) AS counted
GROUP BY counted.task_id
ORDER BY counted.task_id;

-- name: TaskURLListPage :many
-- A page of the URLs of a task by id. Metadata that are not an object are NULL.
SELECT
    u.id, link.batch_id, coalesce(u.url, '')::text AS url, u.updated_at,
    (CASE WHEN json_typeof(u.collector_metadata) = 'object' THEN u.collector_metadata END)::json AS collector_metadata
FROM (
    SELECT about.url_id FROM link_tasks__urls about
    WHERE about.task_id = @task_id
    ORDER BY about.url_id
    LIMIT 100 OFFSET @skip::bigint
) AS page
JOIN urls u ON u.id = page.url_id
LEFT JOIN link_batches__urls link ON link.url_id = u.id
ORDER BY u.id;

-- name: TaskURLErrorListPage :many
-- A page of the errors of a task about URLs by URL id.
SELECT failed.url_id, failed.error, failed.created_at
FROM url_task_error failed
WHERE failed.task_id = @task_id
ORDER BY failed.url_id
LIMIT 100 OFFSET @skip::bigint;

-- name: TaskGetRunning :one
-- The type of the task in process that began last. No row: none is in process.
SELECT tasks.task_type FROM tasks WHERE tasks.task_status = 'in-process' ORDER BY tasks.id DESC LIMIT 1;

-- name: TaskRunListLast :many
-- The last task of each job that has run, by the name of the job, without the tasks of what is done at once, which are of no job. All
-- runs are read one time: a search for the last one of each job would read all of them for each job that has not run.
-- No limit: there are no more rows than jobs.
-- @sqlc-vet-disable many-without-limit
SELECT run.job, max(run.task_id)::integer AS task_id FROM task_runs run
WHERE run.job_id IS NOT NULL
GROUP BY run.job
ORDER BY run.job;

-- name: TaskRunGetLast :one
-- The last task of a job of River; 0 if it has none.
SELECT coalesce(max(run.task_id), 0)::integer AS task_id FROM task_runs run WHERE run.job_id = @job_id::bigint;
