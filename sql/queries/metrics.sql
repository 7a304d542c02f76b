-- Counts of URLs and batches by their states. Each statement counts in the tables, because the materialized views are as old as
-- their last refresh. It reads some tables whole, once, and joins only sources with one row for each URL, so that no URL is
-- counted twice.

-- name: BatchCountByStrategy :many
-- The number of batches and of their URLs for every strategy that the database has, including zeros. A URL with several task errors
-- counts once.
-- No limit: there is one row for each value of the enum.
-- @sqlc-vet-disable many-without-limit
SELECT
    strategy.value::batch_strategy AS strategy,
    count(b.id)::integer AS batches,
    (count(*) FILTER (WHERE b.status = 'ready to label'))::integer AS successful,
    (count(*) FILTER (WHERE b.status = 'error'))::integer AS failed,
    coalesce(sum(of_batch.urls), 0)::integer AS urls,
    coalesce(sum(of_batch.validated), 0)::integer AS validated,
    coalesce(sum(of_batch.rejected), 0)::integer AS rejected,
    coalesce(sum(of_batch.submitted), 0)::integer AS submitted,
    coalesce(sum(of_batch.errors), 0)::integer AS errors
FROM unnest(enum_range(NULL::batch_strategy)) AS strategy (value)
LEFT JOIN batches b ON b.strategy = strategy.value
LEFT JOIN (
    SELECT
        link.batch_id,
        count(*) AS urls,
        count(flag.url_id) AS validated,
        count(*) FILTER (WHERE flag.type = 'not relevant') AS rejected,
        count(source.url_id) AS submitted,
        count(failed.url_id) AS errors
    FROM link_batches__urls link
    LEFT JOIN flag_url_validated flag ON flag.url_id = link.url_id
    LEFT JOIN ds_app_link_data_source source ON source.url_id = link.url_id
    LEFT JOIN (SELECT DISTINCT e.url_id FROM url_task_error e) AS failed ON failed.url_id = link.url_id
    GROUP BY link.batch_id
) AS of_batch ON of_batch.batch_id = b.id
GROUP BY strategy.value
ORDER BY strategy.value;

-- name: BatchBreakdownList :many
-- A page of batches, the oldest first, then by id, with the numbers of their URLs. A URL with several task errors counts once.
WITH page AS MATERIALIZED (
    SELECT b.id, b.strategy, b.status, b.date_generated
    FROM batches b
    ORDER BY b.date_generated, b.id
    LIMIT @page_size::bigint OFFSET @skip::bigint
)
SELECT
    page.id,
    page.strategy,
    page.status,
    page.date_generated,
    coalesce(of_batch.urls, 0)::integer AS urls,
    coalesce(of_batch.validated, 0)::integer AS validated,
    coalesce(of_batch.rejected, 0)::integer AS rejected,
    coalesce(of_batch.submitted, 0)::integer AS submitted,
    coalesce(of_batch.errors, 0)::integer AS errors
FROM page
LEFT JOIN (
    SELECT
        link.batch_id,
        count(*) AS urls,
        count(flag.url_id) AS validated,
        count(*) FILTER (WHERE flag.type = 'not relevant') AS rejected,
        count(source.url_id) AS submitted,
        count(failed.url_id) AS errors
    FROM link_batches__urls link
    LEFT JOIN flag_url_validated flag ON flag.url_id = link.url_id
    LEFT JOIN ds_app_link_data_source source ON source.url_id = link.url_id
    LEFT JOIN (SELECT DISTINCT e.url_id FROM url_task_error e) AS failed ON failed.url_id = link.url_id
    WHERE link.batch_id IN (SELECT page.id FROM page)
    GROUP BY link.batch_id
) AS of_batch ON of_batch.batch_id = page.id
ORDER BY page.date_generated, page.id;

-- name: URLCountByStatus :many
-- The number of URLs by status and by validated type, which is null for a URL that is not validated. Pairs without URLs are left
-- out.
SELECT
    state.status::text AS status,
    state.validated_as AS type,
    count(*)::integer AS urls
FROM url_status_view state
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 11;

-- name: URLCountByRecordType :many
-- The number of URLs by confirmed record type.
SELECT record_type, count(*)::integer AS urls
FROM url_record_type
GROUP BY record_type
ORDER BY record_type
LIMIT 35;

-- name: URLGetOldestPending :one
-- The oldest URL that is not validated, with any status; of several the one with the smallest id. No row: every URL is
-- validated.
SELECT urls.id, urls.created_at
FROM urls
WHERE NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = urls.id)
ORDER BY urls.created_at, urls.id
LIMIT 1;

-- name: PendingURLCountByMonth :many
-- The number of URLs that are not validated, by the month of their creation, the oldest first, and by the kinds of
-- votes they have: the sum of 1 for a type, 2 for a record type and 4 for an agency, even one without an id. Sums without URLs
-- are left out.
-- No limit: a month has at most eight sums.
-- @sqlc-vet-disable many-without-limit
SELECT
    date_trunc('month', urls.created_at)::timestamp AS month,
    coalesce(by_users.said, 0)::integer AS said,
    count(*)::integer AS urls
FROM urls
LEFT JOIN (
    SELECT annotation.url_id, bit_or(annotation.said) AS said
    FROM (
        SELECT url_id, 1 AS said FROM annotation__url_type__user
        UNION ALL SELECT url_id, 2 FROM annotation__record_type__user
        UNION ALL SELECT url_id, 4 FROM annotation__agency__user
    ) AS annotation
    GROUP BY annotation.url_id
) AS by_users ON by_users.url_id = urls.id
WHERE NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = urls.id)
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: SubmittedURLCountByMonth :many
-- The number of links to outward data sources by the month of their creation, the oldest first, including those of URLs that were
-- deleted later.
-- No limit: there is one row a month.
-- @sqlc-vet-disable many-without-limit
SELECT date_trunc('month', created_at)::timestamp AS month, count(*)::integer AS urls
FROM ds_app_link_data_source
GROUP BY 1
ORDER BY 1;

-- name: BacklogListByMonth :many
-- The last snapshot of the backlog in each month, the oldest month first. Of several at the same time, the one with the largest id.
-- No limit: there is one row a month.
-- @sqlc-vet-disable many-without-limit
SELECT DISTINCT ON (date_trunc('month', created_at)) date_trunc('month', created_at)::timestamp AS month, count_pending_total
FROM backlog_snapshot
ORDER BY date_trunc('month', created_at), created_at DESC, id DESC;

-- name: SkipCountByReason :many
-- The number of skips for every reason, and of the URLs that often_skipped_urls lists for it. Ended skips are included. So is one
-- that was stored at the same time as the answer of its annotator: finding these would read the annotations of all skips.
-- No limit: there is one row for each value of the enum.
-- @sqlc-vet-disable many-without-limit
SELECT
    reason.value::skip_reason AS reason,
    coalesce(skipped.skips, 0)::integer AS skips,
    coalesce(often.urls, 0)::integer AS urls
FROM unnest(enum_range(NULL::skip_reason)) AS reason (value)
LEFT JOIN (SELECT s.reason, count(*) AS skips FROM url_skips s GROUP BY s.reason) AS skipped ON skipped.reason = reason.value
LEFT JOIN (SELECT o.reason, count(*) AS urls FROM often_skipped_urls o GROUP BY o.reason) AS often ON often.reason = reason.value
ORDER BY reason.value;
