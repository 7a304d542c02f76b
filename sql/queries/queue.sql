-- Upkeep of the queue by all writers except single answers, which update it themselves (submit.sql). The order of the steps makes
-- it exact with concurrent writers: lock the URLs against deletion, by id; lock their rows of the queue, by id; recount
-- with a snapshot taken after that; then the done rows; the batches last, by id. A concurrent answer that waits for one of the
-- rows adds its annotations to the new count afterwards.

-- name: QueueInsertMany :exec
-- Locks the URLs against deletion, and inserts the missing rows, not eligible and with zero counts, for the recount to
-- fill.
INSERT INTO annotation_queue (
    url_id, eligible, followed, manual, user_url_type_count, anon_url_type_count, auto_url_type_count, batch_id,
    user_agency_count, changed_xid
)
SELECT urls.id, false, false, false, 0, 0, 0, NULL, 0, 0
FROM urls
WHERE urls.id = ANY(@url_ids::integer[])
ORDER BY urls.id
FOR KEY SHARE
ON CONFLICT ON CONSTRAINT annotation_queue_pkey DO NOTHING;

-- name: QueueLockMany :exec
-- Blocks answers about the URLs, and other recounts of them, until the end of the transaction.
SELECT FROM annotation_queue WHERE url_id = ANY(@url_ids::integer[]) ORDER BY url_id FOR UPDATE;

-- name: QueueRecountMany :many
-- Sets the rows of the URLs to a recount, and their changed_xid to the transaction. Ends the reservations of those that are not
-- eligible: the caller holds the locks on their rows, so that no claim of them can follow. Returns the changes of the progress of
-- batches, by batch id, for BatchProgressAddMany; at most two rows for each URL.
-- @sqlc-vet-disable many-without-limit
WITH before AS (
    SELECT url_id, batch_id, user_agency_count FROM annotation_queue WHERE url_id = ANY(@url_ids::integer[])
), after AS MATERIALIZED (
    SELECT * FROM annotation_queue_recount WHERE url_id = ANY(@url_ids::integer[])
), updated AS (
    UPDATE annotation_queue q
    SET eligible = after.eligible,
        followed = after.followed,
        manual = after.manual,
        user_url_type_count = after.user_url_type_count,
        anon_url_type_count = after.anon_url_type_count,
        auto_url_type_count = after.auto_url_type_count,
        batch_id = after.batch_id,
        user_agency_count = after.user_agency_count,
        changed_xid = pg_current_xact_id()::text::bigint,
        reserved = false
    FROM after
    WHERE q.url_id = after.url_id
), released AS (
    DELETE FROM url_reservations r
    WHERE r.url_id = ANY(@url_ids::integer[])
        AND EXISTS (SELECT FROM after WHERE after.url_id = r.url_id AND NOT after.eligible)
)
SELECT
    change.batch_id::integer AS batch_id,
    sum(change.total)::integer AS total,
    sum(change.annotated)::integer AS annotated
FROM (
    SELECT batch_id, -1 AS total, CASE WHEN user_agency_count > 0 THEN -1 ELSE 0 END AS annotated FROM before
    UNION ALL
    SELECT batch_id, 1, CASE WHEN user_agency_count > 0 THEN 1 ELSE 0 END FROM after
) AS change
WHERE change.batch_id IS NOT NULL
GROUP BY change.batch_id
HAVING sum(change.total) <> 0 OR sum(change.annotated) <> 0
ORDER BY change.batch_id;

-- name: UserDoneDeleteMany :exec
-- Deletes done rows of URLs that are not eligible or not among those that the user has passed.
DELETE FROM user_url_done d
WHERE d.url_id = ANY(@url_ids::integer[])
    AND NOT EXISTS (
        SELECT FROM user_passed_urls a
        JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible
        WHERE a.url_id = d.url_id AND a.user_id = d.user_id
            AND a.url_id = ANY(@url_ids::integer[]) AND q.url_id = ANY(@url_ids::integer[])
    );

-- name: UserDoneInsertMany :exec
-- Inserts the missing done rows of the eligible URLs.
INSERT INTO user_url_done (user_id, url_id)
SELECT DISTINCT a.user_id, a.url_id
FROM user_passed_urls a
JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible
WHERE a.url_id = ANY(@url_ids::integer[]) AND q.url_id = ANY(@url_ids::integer[])
ON CONFLICT ON CONSTRAINT user_url_done_pkey DO NOTHING;

-- name: AnonymousDoneDeleteMany :exec
-- Deletes done rows of URLs that are not eligible or not among those that the session has passed.
DELETE FROM anonymous_url_done d
WHERE d.url_id = ANY(@url_ids::integer[])
    AND NOT EXISTS (
        SELECT FROM anonymous_passed_urls a
        JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible
        WHERE a.url_id = d.url_id AND a.session_id = d.session_id
            AND a.url_id = ANY(@url_ids::integer[]) AND q.url_id = ANY(@url_ids::integer[])
    );

-- name: AnonymousDoneInsertMany :exec
-- Inserts the missing done rows of the eligible URLs.
INSERT INTO anonymous_url_done (session_id, url_id)
SELECT DISTINCT a.session_id, a.url_id
FROM anonymous_passed_urls a
JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible
WHERE a.url_id = ANY(@url_ids::integer[]) AND q.url_id = ANY(@url_ids::integer[])
ON CONFLICT ON CONSTRAINT anonymous_url_done_pkey DO NOTHING;

-- name: BatchProgressAddMany :exec
-- Adds changes to the progress of batches, in the given order, which must be by batch id.
INSERT INTO batch_progress (batch_id, total, annotated)
SELECT change.batch_id, change.total, change.annotated
FROM (
    SELECT
        unnest(@batch_ids::integer[]) AS batch_id,
        unnest(@totals::integer[]) AS total,
        unnest(@annotated::integer[]) AS annotated
) AS change
ON CONFLICT ON CONSTRAINT batch_progress_pkey
    DO UPDATE SET total = batch_progress.total + excluded.total, annotated = batch_progress.annotated + excluded.annotated;

-- name: URLLockMany :exec
-- Blocks writers that store something about URLs which the transaction will delete. It must be the first lock of the URLs.
SELECT FROM urls WHERE id = ANY(@url_ids::integer[]) ORDER BY id FOR UPDATE;

-- name: QueueForgetMany :many
-- Removes URLs that the transaction will delete from the queue, and their reservations. The caller holds the locks on their rows.
-- Returns the changes of the progress of batches, by batch id.
-- @sqlc-vet-disable many-without-limit
WITH forgotten AS (
    DELETE FROM annotation_queue WHERE url_id = ANY(@url_ids::integer[])
    RETURNING batch_id, user_agency_count
), released AS (
    DELETE FROM url_reservations WHERE url_id = ANY(@url_ids::integer[])
)
SELECT
    batch_id::integer AS batch_id,
    -count(*)::integer AS total,
    -(count(*) FILTER (WHERE user_agency_count > 0))::integer AS annotated
FROM forgotten
WHERE batch_id IS NOT NULL
GROUP BY batch_id
ORDER BY batch_id;

-- name: URLRangeGet :one
-- The last of the next URL ids after an id, at most a given number of them; 0 when there are none.
SELECT coalesce(max(part.id), 0)::integer AS upto
FROM (SELECT urls.id FROM urls WHERE urls.id > @after ORDER BY urls.id LIMIT @most::integer) AS part;

-- name: QueueDifferenceList :many
-- The differences of the queue and its done rows from a recount, for a range of URL ids, in one snapshot. The annotator of a
-- done row is a user id or a session.
-- @sqlc-vet-disable many-without-limit
WITH want AS MATERIALIZED (
    SELECT * FROM annotation_queue_recount WHERE url_id > @after::integer AND url_id <= @upto::integer
), have AS MATERIALIZED (
    SELECT * FROM annotation_queue WHERE url_id > @after::integer AND url_id <= @upto::integer
), user_want AS (
    SELECT DISTINCT a.user_id::text AS annotator, a.url_id
    FROM user_passed_urls a
    JOIN want ON want.url_id = a.url_id AND want.eligible
    WHERE a.url_id > @after::integer AND a.url_id <= @upto::integer
    UNION ALL
    SELECT DISTINCT a.session_id::text, a.url_id
    FROM anonymous_passed_urls a
    JOIN want ON want.url_id = a.url_id AND want.eligible
    WHERE a.url_id > @after::integer AND a.url_id <= @upto::integer
), user_have AS (
    SELECT d.user_id::text AS annotator, d.url_id
    FROM user_url_done d
    WHERE d.url_id > @after::integer AND d.url_id <= @upto::integer
    UNION ALL
    SELECT d.session_id::text, d.url_id
    FROM anonymous_url_done d
    WHERE d.url_id > @after::integer AND d.url_id <= @upto::integer
), difference AS (
    SELECT want.url_id, 'missing' AS kind, '' AS annotator, '' AS have, CASE WHEN want.eligible THEN 'eligible' ELSE 'not eligible' END AS want
    FROM want LEFT JOIN have ON have.url_id = want.url_id
    WHERE have.url_id IS NULL OR (want.eligible AND NOT have.eligible)
    UNION ALL
    SELECT want.url_id, 'surplus', '', 'eligible', ''
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.eligible AND NOT want.eligible
    UNION ALL
    SELECT want.url_id, 'wrong follow', '', have.followed::text, want.followed::text
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.followed <> want.followed
    UNION ALL
    SELECT want.url_id, 'wrong source', '', have.manual::text, want.manual::text
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.manual <> want.manual
    UNION ALL
    SELECT want.url_id, 'wrong count of user URL types', '', have.user_url_type_count::text, want.user_url_type_count::text
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.user_url_type_count <> want.user_url_type_count
    UNION ALL
    SELECT want.url_id, 'wrong count of anonymous URL types', '', have.anon_url_type_count::text, want.anon_url_type_count::text
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.anon_url_type_count <> want.anon_url_type_count
    UNION ALL
    SELECT want.url_id, 'wrong count of automatic URL types', '', have.auto_url_type_count::text, want.auto_url_type_count::text
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.auto_url_type_count <> want.auto_url_type_count
    UNION ALL
    SELECT want.url_id, 'wrong batch', '', coalesce(have.batch_id::text, 'none'), coalesce(want.batch_id::text, 'none')
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.batch_id IS DISTINCT FROM want.batch_id
    UNION ALL
    SELECT want.url_id, 'wrong count of user agencies', '', have.user_agency_count::text, want.user_agency_count::text
    FROM want JOIN have ON have.url_id = want.url_id
    WHERE have.user_agency_count <> want.user_agency_count
    UNION ALL
    (SELECT user_want.url_id, 'missing done row', user_want.annotator, '', 'done' FROM user_want
    EXCEPT SELECT user_have.url_id, 'missing done row', user_have.annotator, '', 'done' FROM user_have)
    UNION ALL
    (SELECT user_have.url_id, 'surplus done row', user_have.annotator, 'done', '' FROM user_have
    EXCEPT SELECT user_want.url_id, 'surplus done row', user_want.annotator, 'done', '' FROM user_want)
)
SELECT
    difference.url_id::integer AS url_id,
    difference.kind::text AS kind,
    difference.annotator::text AS annotator,
    difference.have::text AS have,
    difference.want::text AS want
FROM difference
ORDER BY difference.url_id, difference.kind, difference.annotator;

-- name: ReservationsReadable :one
-- Whether statements can read url_reservations: a standby has no unlogged tables.
SELECT (NOT pg_is_in_recovery())::boolean AS readable;

-- name: ReservedDifferenceList :many
-- Reserved URLs on which no annotator works. It fails on a standby: ReservationsReadable.
-- @sqlc-vet-disable many-without-limit
SELECT q.url_id, q.changed_xid
FROM annotation_queue q
WHERE q.reserved
    AND NOT EXISTS (SELECT FROM url_reservations r WHERE r.url_id = q.url_id AND r.expires_at > now())
ORDER BY q.url_id;

-- name: BatchProgressDifferenceList :many
-- Batches whose progress differs from a recount, in one snapshot; -1 stands for a missing row.
-- @sqlc-vet-disable many-without-limit
SELECT
    want.batch_id,
    coalesce(have.total, -1)::integer AS have_total,
    coalesce(have.annotated, -1)::integer AS have_annotated,
    want.total AS want_total,
    want.annotated AS want_annotated
FROM batch_progress_recount want
LEFT JOIN batch_progress have ON have.batch_id = want.batch_id
WHERE coalesce(have.total, 0) <> want.total OR coalesce(have.annotated, 0) <> want.annotated
ORDER BY want.batch_id;

-- name: BatchProgressLock :exec
-- Blocks answers that add to the progress of a batch, and inserts its row if it has none.
INSERT INTO batch_progress (batch_id, total, annotated)
SELECT batches.id, 0, 0 FROM batches WHERE batches.id = @batch_id
ON CONFLICT ON CONSTRAINT batch_progress_pkey DO UPDATE SET total = batch_progress.total;

-- name: BatchProgressRecount :exec
-- Sets the progress of a batch to a recount. The caller holds the lock on its row.
UPDATE batch_progress p
SET total = want.total, annotated = want.annotated
FROM batch_progress_recount want
WHERE p.batch_id = @batch_id AND want.batch_id = @batch_id;

-- name: QueueAvailableGet :one
-- How many URLs are offered to annotators, and the age in seconds of the one with the lowest id, 0 without any. Reads only the first
-- @most URLs in the order of the queue, from the index, so that its time does not grow with the queue: with more, the number is
-- @most, and the age is that of the oldest of these.
WITH available AS (
    SELECT q.url_id
    FROM annotation_queue q
    WHERE q.eligible AND NOT q.reserved
    ORDER BY q.priority, q.url_id
    LIMIT @most
), summed AS (
    SELECT count(*) AS urls, min(available.url_id) AS oldest FROM available
)
SELECT
    summed.urls,
    coalesce(
        (SELECT greatest(0, extract(epoch FROM now() - urls.created_at)) FROM urls WHERE urls.id = summed.oldest), 0
    )::float8 AS oldest_seconds
FROM summed;
