-- Lists of URLs, and their deletion. submissions.sql and imports.sql store URLs.

-- name: URLListPage :many
-- A page of URLs by id, or of those with a task error, or of those that often_skipped_urls lists for a reason, each once for each
-- of its errors by task type; once without an error if it has none. Metadata that are not an object are NULL.
-- Without a reason, no plan reads the skips. Errors are looked up: PostgreSQL would read all of them for an EXISTS after OR.
SELECT
    u.id, link.batch_id, u.url, u.scheme, u.trailing_slash, u.created_at, u.updated_at,
    (SELECT state.status FROM url_status_view state WHERE state.url_id = u.id)::text AS status,
    (CASE WHEN json_typeof(u.collector_metadata) = 'object' THEN u.collector_metadata END)::json AS collector_metadata,
    e.task_type, e.error, e.created_at AS failed_at
FROM (
    (
        SELECT urls.id FROM urls
        WHERE NOT @with_errors::boolean AND sqlc.narg('skipped')::skip_reason IS NULL
        ORDER BY urls.id
        LIMIT 100 OFFSET @skip::bigint
    ) UNION ALL (
        SELECT DISTINCT failed.url_id FROM url_task_error failed
        WHERE @with_errors::boolean AND sqlc.narg('skipped')::skip_reason IS NULL
        ORDER BY failed.url_id
        LIMIT 100 OFFSET @skip::bigint
    ) UNION ALL (
        SELECT often.url_id FROM often_skipped_urls often
        WHERE sqlc.narg('skipped')::skip_reason IS NOT NULL AND often.reason = sqlc.narg('skipped')::skip_reason
            AND (NOT @with_errors::boolean OR (SELECT true FROM url_task_error failed WHERE failed.url_id = often.url_id LIMIT 1))
        ORDER BY often.url_id
        LIMIT 100 OFFSET @skip::bigint
    )
) AS page
JOIN urls u ON u.id = page.id
LEFT JOIN link_batches__urls link ON link.url_id = u.id
LEFT JOIN url_task_error e ON e.url_id = u.id
ORDER BY u.id, e.task_type;

-- name: URLFormListAfter :many
-- The next URLs after an id, at most @most, by id.
SELECT urls.id, coalesce(urls.url, '')::text AS url, urls.scheme, urls.trailing_slash
FROM urls
WHERE urls.id > @after_id::integer AND urls.url IS NOT NULL
ORDER BY urls.id
LIMIT @most::integer;

-- name: URLScreenshotGet :one
-- The screenshot of a URL. No rows: there is none.
SELECT url_screenshot.content FROM url_screenshot WHERE url_screenshot.url_id = @url_id;

-- name: URLGetDuplicate :one
-- The URL with an id form, what it was validated as, and its status. No rows: it is new. The view has too many tables for the
-- planner to reorder them all: without OFFSET 0 it would compute the status of every URL first.
SELECT urls.id, state.validated_as AS url_type, state.status::text AS status
FROM urls
CROSS JOIN LATERAL (
    SELECT v.validated_as, v.status FROM url_status_view v WHERE v.url_id = urls.id OFFSET 0
) AS state
WHERE urls.url = @url::text;

-- name: URLOutwardDelete :exec
-- Marks the data source and the meta URL of a URL for deletion in the outward application, if they are known there.
WITH data_source AS (
    INSERT INTO flag_ds_delete_data_source (ds_data_source_id)
    SELECT link.ds_data_source_id FROM ds_app_link_data_source link WHERE link.url_id = @url_id::integer
    ON CONFLICT ON CONSTRAINT flag_ds_delete_data_source_pkey DO NOTHING
)
INSERT INTO flag_ds_delete_meta_url (ds_meta_url_id)
SELECT link.ds_meta_url_id FROM ds_app_link_meta_url link WHERE link.url_id = @url_id::integer
ON CONFLICT ON CONSTRAINT flag_ds_delete_meta_url_pkey DO NOTHING;

-- name: URLDataSourceUnlink :one
-- Unlinks the outward data source of a URL, and returns the row before and after. No rows: it has none.
WITH before AS (
    SELECT link.* FROM ds_app_link_data_source link WHERE link.url_id = @url_id::integer FOR UPDATE
), changed AS (
    UPDATE ds_app_link_data_source link SET url_id = NULL
    FROM before
    WHERE link.ds_data_source_id = before.ds_data_source_id
    RETURNING link.*
)
SELECT before.id, to_jsonb(before)::jsonb AS old_data, to_jsonb(changed)::jsonb AS new_data
FROM before
JOIN changed ON changed.ds_data_source_id = before.ds_data_source_id;

-- name: URLAgencyDelete :many
-- Deletes the agreed agencies of a URL, and returns the deleted rows by id.
-- No limit: all of them are deleted.
-- @sqlc-vet-disable many-without-limit
WITH deleted AS (
    DELETE FROM link_agencies__urls link WHERE link.url_id = @url_id RETURNING link.*
)
SELECT deleted.id, to_jsonb(deleted)::jsonb AS old_data FROM deleted ORDER BY deleted.id;

-- name: URLDelete :one
-- Deletes a URL with everything that is stored about it, except outward links, which are kept without it. No rows: there is none.
WITH deleted AS (
    DELETE FROM urls WHERE urls.id = @id RETURNING urls.*
)
SELECT to_jsonb(deleted)::jsonb AS old_data FROM deleted;
