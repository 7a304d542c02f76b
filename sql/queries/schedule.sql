-- The schedule: when each periodic job is due. The clock is that of the database, the same for all instances.

-- name: TaskScheduleEnsure :exec
-- Adds the jobs that have no row yet, each due after its own delay in seconds.
INSERT INTO task_schedule (job, next_run_at)
SELECT given.job, now() + make_interval(secs => given.delay)
FROM (SELECT unnest(@jobs::text[]) AS job, unnest(@delays::float8[]) AS delay) AS given
ON CONFLICT ON CONSTRAINT task_schedule_pkey DO NOTHING;

-- name: TaskScheduleShorten :exec
-- Moves the jobs that are due later than one interval from now to that time, because their interval was shortened.
UPDATE task_schedule
SET next_run_at = now() + make_interval(secs => given.seconds)
FROM (SELECT unnest(@jobs::text[]) AS job, unnest(@seconds::float8[]) AS seconds) AS given
WHERE task_schedule.job = given.job AND task_schedule.next_run_at > now() + make_interval(secs => given.seconds);

-- name: TaskScheduleClaimDue :many
-- Returns the given jobs that are due, in the order in which they became due, and moves them to the next time on their grid that is
-- in the future: periods that were missed are run once, together. The rows stay locked until the end of the transaction. Rows that
-- another transaction claims are skipped.
WITH given AS (
    SELECT unnest(@jobs::text[]) AS job, unnest(@seconds::float8[]) AS seconds
), due AS (
    SELECT task_schedule.job, task_schedule.next_run_at, given.seconds
    FROM task_schedule
    JOIN given ON given.job = task_schedule.job
    WHERE task_schedule.next_run_at <= now()
    ORDER BY task_schedule.job
    FOR UPDATE OF task_schedule SKIP LOCKED
    LIMIT 1000
), moved AS (
    UPDATE task_schedule
    SET next_run_at = due.next_run_at + make_interval(secs => due.seconds
        * (1 + floor(extract(epoch FROM now() - due.next_run_at)::float8 / due.seconds)))
    FROM due
    WHERE task_schedule.job = due.job
    RETURNING task_schedule.job, due.next_run_at AS due_at
)
SELECT moved.job, moved.due_at FROM moved ORDER BY moved.due_at, moved.job;

-- name: TaskSchedulePutBack :exec
-- Makes a claimed job due again, since when it was. The caller claimed it in the same transaction.
UPDATE task_schedule SET next_run_at = @due_at WHERE job = @job;

-- name: TaskScheduleList :many
-- Returns when each job is due, and for how many seconds it has been; less than 0 for the future. Sorted by job.
SELECT job, next_run_at, extract(epoch FROM now() - next_run_at)::float8 AS overdue_seconds
FROM task_schedule
ORDER BY job
LIMIT 1000;

-- name: TaskRunHasSucceeded :one
-- Reports whether a run for a job of River has succeeded. The ids of River begin again when its tables are made anew, so that only
-- runs since the job was inserted count.
SELECT EXISTS (SELECT FROM task_runs WHERE job_id = @job_id::bigint AND result IS NOT NULL AND started_at >= @since::timestamp);

-- name: TaskRunAbandon :execrows
-- Stores that earlier runs for a job of River were never completed: their process has ended. The caller holds the lock of the job.
UPDATE tasks
SET task_status = 'never-completed', updated_at = now()
FROM task_runs run
WHERE run.task_id = tasks.id AND run.job_id = @job_id::bigint AND tasks.task_status = 'in-process';

-- name: TaskRunLastSuccessList :many
-- Returns when the last successful run of each job ended, in seconds since 1970. A job that has not succeeded within the time that the
-- history is kept has no row. Sorted by job.
SELECT run.job, extract(epoch FROM max(run.finished_at))::float8 AS finished_at
FROM task_runs run
WHERE run.result IS NOT NULL AND run.finished_at IS NOT NULL
GROUP BY run.job
ORDER BY run.job
LIMIT 1000;
