-- Batches as shown to those who entered or collected them. Everything is counted when it is read.

-- name: BatchListPage :many
-- A page of batches by id, of a strategy and of a status of their URLs if these are given. Parameters that are not an object are
-- NULL. OFFSET 0 prevents the planner from evaluating a condition for all batches before it reads the first one.
SELECT
    b.id, b.strategy, b.status, b.user_id, b.compute_time, b.date_generated,
    (CASE WHEN json_typeof(b.parameters) = 'object' THEN b.parameters END)::json AS parameters
FROM batches b
WHERE (sqlc.narg('strategy')::batch_strategy IS NULL OR b.strategy = sqlc.narg('strategy')::batch_strategy)
    AND CASE sqlc.narg('url_status')::text
        WHEN 'Error' THEN b.status = 'error'
        WHEN 'No URLs' THEN b.status <> 'error'
            AND NOT EXISTS (SELECT FROM link_batches__urls link WHERE link.batch_id = b.id OFFSET 0)
        WHEN 'Labeling Complete' THEN b.status <> 'error'
            AND EXISTS (SELECT FROM link_batches__urls link WHERE link.batch_id = b.id OFFSET 0)
            AND NOT EXISTS (
                SELECT FROM link_batches__urls link
                WHERE link.batch_id = b.id
                    AND NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = link.url_id)
                OFFSET 0
            )
        WHEN 'Has Unlabeled URLs' THEN b.status <> 'error'
            AND EXISTS (
                SELECT FROM link_batches__urls link
                WHERE link.batch_id = b.id
                    AND NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = link.url_id)
                OFFSET 0
            )
        ELSE true
    END
ORDER BY b.id
LIMIT 100 OFFSET @skip::bigint;

-- name: BatchGet :one
-- A batch. No rows: there is none.
SELECT
    b.id, b.strategy, b.status, b.user_id, b.compute_time, b.date_generated,
    (CASE WHEN json_typeof(b.parameters) = 'object' THEN b.parameters END)::json AS parameters
FROM batches b
WHERE b.id = @id;

-- name: BatchURLCountMany :many
-- The numbers of URLs of batches, by batch id; a batch without URLs has no row. The sizes of batches differ by a factor of ten
-- thousand, so the statement needs a custom plan.
-- No limit: there are no more rows than batches were given.
-- @sqlc-vet-disable many-without-limit
SELECT
    link.batch_id,
    count(*)::integer AS total,
    count(*) FILTER (WHERE flag.url_id IS NULL)::integer AS pending,
    count(*) FILTER (WHERE flag.type = 'not relevant')::integer AS not_relevant,
    count(outward.url_id)::integer AS submitted,
    count(*) FILTER (WHERE EXISTS (SELECT FROM url_task_error e WHERE e.url_id = link.url_id))::integer AS errored
FROM link_batches__urls link
LEFT JOIN flag_url_validated flag ON flag.url_id = link.url_id
LEFT JOIN ds_app_link_data_source outward ON outward.url_id = link.url_id
WHERE link.batch_id = ANY(@ids::integer[])
GROUP BY link.batch_id
ORDER BY link.batch_id;

-- name: BatchURLListPage :many
-- A page of URLs of a batch by id. Metadata that are not an object are NULL.
SELECT
    u.id, coalesce(u.url, '')::text AS url, u.source, u.name, u.created_at, u.updated_at,
    (SELECT state.status FROM url_status_view state WHERE state.url_id = u.id)::text AS status,
    (CASE WHEN json_typeof(u.collector_metadata) = 'object' THEN u.collector_metadata END)::json AS collector_metadata
FROM (
    SELECT link.url_id FROM link_batches__urls link
    WHERE link.batch_id = @batch_id
    ORDER BY link.url_id
    LIMIT 100 OFFSET @skip::bigint
) AS page
JOIN urls u ON u.id = page.url_id
ORDER BY u.id;

-- name: BatchDuplicateListPage :many
-- A page of the URLs that the collector of a batch found and that were in a batch already, with the parameters of both batches.
-- They are ordered by id, and each is returned as often as it was found. Parameters that are not an object are NULL.
SELECT
    page.original_url_id, page.original_batch_id, coalesce(u.url, '')::text AS source_url,
    -- One by one: for a page at once the planner might read all batches, at nearly the same estimated cost.
    (
        SELECT CASE WHEN json_typeof(b.parameters) = 'object' THEN b.parameters END
        FROM batches b WHERE b.id = page.batch_id
    )::json AS parameters,
    (
        SELECT CASE WHEN json_typeof(original.parameters) = 'object' THEN original.parameters END
        FROM batches original WHERE original.id = page.original_batch_id
    )::json AS original_parameters
FROM (
    SELECT met.batch_id, met.original_url_id, link.batch_id AS original_batch_id
    FROM duplicates met
    JOIN link_batches__urls link ON link.url_id = met.original_url_id
    WHERE met.batch_id = @batch_id
    ORDER BY met.original_url_id
    LIMIT 100 OFFSET @skip::bigint
) AS page
JOIN urls u ON u.id = page.original_url_id
ORDER BY page.original_url_id;

-- name: BatchLogList :many
-- The log of the collector of a batch, by time.
-- No limit: the list has no pages, and logs are deleted after a week.
-- @sqlc-vet-disable many-without-limit
SELECT logs.id, logs.log, logs.created_at FROM logs WHERE logs.batch_id = @batch_id ORDER BY logs.created_at, logs.id;

-- name: BatchAbort :execrows
-- Aborts a batch that is being collected.
UPDATE batches SET status = 'aborted' WHERE batches.id = @id AND batches.status = 'in-process';
