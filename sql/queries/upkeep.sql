-- Periodic works: the backlog, the names from titles of pages, and the deletion of what is old. Those that delete or change many
-- rows first list them by id, some thousand at a time, and then handle them in transactions of their own. A statement that changes
-- rows repeats a condition that may have changed since they were listed. No index on times is needed for it: each run reads the
-- primary key of the table once.

-- name: BacklogSnapshotInsert :one
-- Stores how many URLs are not validated now, and returns that number.
INSERT INTO backlog_snapshot (count_pending_total)
SELECT count(*) FROM unvalidated_url_view
RETURNING count_pending_total;

-- name: TitleNameList :many
-- The names that the titles of pages give, by URL, for a range of URL ids: the title without white space around it, cut to 100
-- characters. Left out are blank titles, URLs that have a name from a title, and names that a user or a session has suggested
-- already.
-- No limit: there is at most one row for each URL of the range.
-- @sqlc-vet-disable many-without-limit
SELECT page.url_id, name.suggestion::text AS suggestion
FROM url_html_content page
CROSS JOIN LATERAL (
    SELECT btrim(page.content, E' \t\n\u000B\f\r\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009'
        '\u200A\u2028\u2029\u202F\u205F\u3000') AS text
) AS title
CROSS JOIN LATERAL (
    SELECT CASE WHEN char_length(title.text) > 100 THEN left(title.text, 97) || '...' ELSE title.text END AS suggestion
) AS name
WHERE page.url_id > @after::integer AND page.url_id <= @upto::integer
    AND page.content_type = 'Title'
    AND name.suggestion <> ''
    AND NOT EXISTS (
        SELECT FROM annotation__name__suggestions known
        WHERE known.url_id > @after::integer AND known.url_id <= @upto::integer
            AND known.url_id = page.url_id
            AND (known.source = 'HTML Metadata Title' OR known.suggestion = name.suggestion)
    )
ORDER BY page.url_id;

-- name: TaskUpdateManyNeverCompleted :execrows
-- Gives tasks in process that have not been updated for a time the status never-completed. A run of Docket may take as long as its
-- job allows, and a run of an unknown job as long as the longest of them.
UPDATE tasks
SET task_status = 'never-completed', updated_at = now()
WHERE tasks.task_status = 'in-process'
    AND tasks.updated_at < now() - make_interval(secs => @older_seconds::double precision)
    AND NOT EXISTS (
        SELECT FROM task_runs run
        LEFT JOIN (
            SELECT unnest(@jobs::text[]) AS job, unnest(@allowed_seconds::double precision[]) AS seconds
        ) AS allowed ON allowed.job = run.job
        WHERE run.task_id = tasks.id
            AND run.started_at >= now() - make_interval(secs => coalesce(allowed.seconds, @longest_seconds::double precision))
    );

-- name: TaskListOld :many
-- Tasks after an id that have not been updated for a time, by id. Those that searches of robots are part of are left out: with the
-- task, the suggestions of the search would be deleted.
SELECT tasks.id
FROM tasks
WHERE tasks.id > @after::integer
    AND tasks.updated_at < now() - make_interval(secs => @older_seconds::double precision)
    AND NOT EXISTS (SELECT FROM annotation__agency__auto__subtasks s WHERE s.task_id = tasks.id AND s.task_id > @after::integer)
    AND NOT EXISTS (SELECT FROM annotation__location__auto__subtasks s WHERE s.task_id = tasks.id AND s.task_id > @after::integer)
ORDER BY tasks.id
LIMIT @most::integer;

-- name: TaskLockMany :exec
-- Locks tasks, by id. Robots cannot add searches to them until the end of the transaction.
SELECT FROM tasks WHERE id = ANY(@task_ids::integer[]) ORDER BY id FOR UPDATE;

-- name: TaskDeleteManyOld :execrows
-- Deletes those of the tasks that TaskListOld would still list, with their links, errors and runs. The caller has locked them by
-- TaskLockMany, in an earlier statement of the transaction, so that no search is missed. OFFSET 0 has each task looked up
-- by index: a join may read all searches.
DELETE FROM tasks
WHERE tasks.id = ANY(@task_ids::integer[])
    AND tasks.updated_at < now() - make_interval(secs => @older_seconds::double precision)
    AND NOT EXISTS (SELECT FROM annotation__agency__auto__subtasks s WHERE s.task_id = tasks.id OFFSET 0)
    AND NOT EXISTS (SELECT FROM annotation__location__auto__subtasks s WHERE s.task_id = tasks.id OFFSET 0);

-- name: LogListOld :many
-- Logs of batches after an id that are older than a time, by id.
SELECT logs.id
FROM logs
WHERE logs.id > @after::integer AND logs.created_at < now() - make_interval(secs => @older_seconds::double precision)
ORDER BY logs.id
LIMIT @most::integer;

-- name: LogDeleteMany :execrows
-- Deletes logs of batches.
DELETE FROM logs WHERE id = ANY(@log_ids::integer[]);

-- name: StaleScreenshotList :many
-- The validated URLs that have a screenshot, by id, of a range of URL ids.
-- No limit: there is at most one row for each URL of the range.
-- @sqlc-vet-disable many-without-limit
SELECT screenshot.url_id
FROM url_screenshot screenshot
JOIN flag_url_validated validated ON validated.url_id = screenshot.url_id
WHERE screenshot.url_id > @after::integer AND screenshot.url_id <= @upto::integer
    AND validated.url_id > @after::integer AND validated.url_id <= @upto::integer
ORDER BY screenshot.url_id;

-- name: URLKeyLockMany :exec
-- Keeps URLs from being deleted until the end of the transaction.
SELECT FROM urls WHERE id = ANY(@url_ids::integer[]) ORDER BY id FOR KEY SHARE;

-- name: StaleScreenshotDeleteMany :execrows
-- Deletes the screenshots of those of the URLs that are validated. The caller has locked the URLs by URLKeyLockMany.
DELETE FROM url_screenshot screenshot
WHERE screenshot.url_id = ANY(@url_ids::integer[])
    AND EXISTS (
        SELECT FROM flag_url_validated validated
        WHERE validated.url_id = screenshot.url_id AND validated.url_id = ANY(@url_ids::integer[])
    );
