-- Why an annotator is offered a URL, or none. Nothing here writes, and nothing sets a cursor. An annotator is a user or an
-- anonymous session; the other parameter is null, and finds no row.

-- name: EmptyReasonGet :one
-- Why a choice has found no URL. Reserved: the filter leaves a URL that the annotator has not passed and that is reserved.
-- Eligible: it leaves a URL that annotators are offered. Reserved or skipped by the annotator without filter: without it there is
-- such a URL. Each part is one look-up in an index, or reads the reserved URLs, or those that the annotator has skipped. Only the
-- branch of the CASE that applies is executed.
SELECT
    EXISTS (SELECT FROM urls)::boolean AS imported,
    (CASE
        WHEN sqlc.narg('url_id')::integer IS NOT NULL THEN false -- a URL that was asked for by its id may be reserved
        WHEN sqlc.narg('batch_id')::integer IS NOT NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.batch_id = sqlc.narg('batch_id')::integer
                AND q.eligible
                AND q.reserved
                AND NOT EXISTS (
                    SELECT FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer AND d.url_id = q.url_id OFFSET 0)
        )
        ELSE reserved.found
    END)::boolean AS reserved,
    (CASE
        WHEN sqlc.narg('url_id')::integer IS NOT NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.url_id = sqlc.narg('url_id')::integer
                AND q.eligible
                AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
        )
        WHEN sqlc.narg('batch_id')::integer IS NOT NULL THEN EXISTS (
            SELECT FROM annotation_queue q WHERE q.batch_id = sqlc.narg('batch_id')::integer AND q.eligible
        )
        ELSE reserved.eligible OR EXISTS (
            SELECT FROM (
                SELECT FROM annotation_queue q
                WHERE q.eligible AND NOT q.reserved
                ORDER BY q.priority, q.url_id
                LIMIT 1
            ) AS first
        )
    END)::boolean AS eligible,
    reserved.found::boolean AS reserved_without_filter,
    EXISTS (
        SELECT FROM (
            SELECT s.url_id FROM url_skips s WHERE s.user_id = sqlc.narg('user_id')::integer AND s.active
            UNION ALL
            SELECT s.url_id FROM url_skips s WHERE s.session_id = sqlc.narg('session_id')::uuid AND s.active
        ) AS skipped
        JOIN annotation_queue q ON q.url_id = skipped.url_id
        WHERE q.eligible
            AND NOT EXISTS (
                SELECT FROM user_url_annotations a
                WHERE a.user_id = sqlc.narg('user_id')::integer AND a.url_id = skipped.url_id
                OFFSET 0
            )
            AND NOT EXISTS (
                SELECT FROM anonymous_url_annotations a
                WHERE a.session_id = sqlc.narg('session_id')::uuid AND a.url_id = skipped.url_id
                OFFSET 0
            )
    )::boolean AS skipped_without_filter
FROM (
    SELECT
        count(*) > 0 AS eligible,
        count(*) FILTER (
            WHERE NOT EXISTS (
                SELECT FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer AND d.url_id = r.url_id OFFSET 0
            )
            AND NOT EXISTS (
                SELECT FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid AND d.url_id = r.url_id OFFSET 0
            )
        ) > 0 AS found
    FROM (SELECT q.url_id FROM annotation_queue q WHERE q.reserved AND q.eligible) AS r
) AS reserved;

-- name: ExplainStateGet :one
-- What an explanation must know first: during recovery unlogged tables cannot be read.
SELECT
    pg_is_in_recovery() AS in_recovery,
    (
        sqlc.narg('batch_id')::integer IS NULL
        OR EXISTS (SELECT FROM batches WHERE batches.id = sqlc.narg('batch_id')::integer)
    )::boolean AS batch_known;

-- name: ExplainURLGet :one
-- What decides whether an annotator is offered a URL, and where in the order. Queued is false if the queue has no row of it. No
-- rows: the URL is unknown.
SELECT
    urls.id,
    urls.url,
    urls.scheme,
    urls.trailing_slash,
    EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id) AS validated,
    EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id) AS suspended,
    (q.url_id IS NOT NULL)::boolean AS queued,
    coalesce(q.eligible, false)::boolean AS eligible,
    coalesce(q.reserved, false)::boolean AS reserved,
    coalesce(q.followed, false)::boolean AS followed,
    coalesce(q.manual, false)::boolean AS manual,
    coalesce(q.user_url_type_count, 0)::integer AS users,
    coalesce(q.anon_url_type_count, 0)::integer AS sessions,
    coalesce(q.auto_url_type_count, 0)::integer AS robots,
    coalesce(q.priority, 0)::bigint AS priority,
    q.batch_id,
    coalesce(q.batch_id = ANY(follows.batch_ids), false)::boolean AS own_follow,
    ARRAY(
        SELECT coalesce(expanded.full_display_name, 'location ' || link.location_id)
        FROM link_batches__locations link
        JOIN link__locations__user_follows follow ON follow.location_id = link.location_id
        LEFT JOIN locations_expanded expanded ON expanded.id = link.location_id
        WHERE link.batch_id = q.batch_id AND follow.user_id = sqlc.narg('user_id')::integer
        ORDER BY 1
    )::text[] AS own_locations,
    coalesce(follows.batch_ids, '{}')::integer[] AS own_batches,
    (
        EXISTS (SELECT FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer AND d.url_id = urls.id)
        OR EXISTS (SELECT FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid AND d.url_id = urls.id)
    )::boolean AS passed,
    skip.reason AS skip_reason,
    skip.created_at AS skipped_at,
    skip.returns_at
FROM urls
LEFT JOIN annotation_queue q ON q.url_id = urls.id
LEFT JOIN followed_batches follows ON follows.user_id = sqlc.narg('user_id')::integer
LEFT JOIN url_skips skip ON skip.url_id = urls.id
    AND skip.active
    AND (skip.user_id = sqlc.narg('user_id')::integer OR skip.session_id = sqlc.narg('session_id')::uuid)
    AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = skip.user_id AND a.url_id = @url_id)
    AND NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.session_id = skip.session_id AND a.url_id = @url_id)
WHERE urls.id = @url_id;

-- name: ExplainBeforeCount :one
-- How many URLs before a position the annotator can be offered.
SELECT count(*) AS before
FROM annotation_queue q
WHERE q.eligible
    AND NOT q.reserved
    AND (q.priority, q.url_id) < (@priority::bigint, @url_id::integer)
    AND q.url_id NOT IN (
        SELECT d.url_id FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer
        UNION ALL SELECT d.url_id FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid
    );

-- name: ExplainBeforeCountInBatches :one
-- How many URLs of some batches the annotator can be offered, before a position and in all.
SELECT
    count(*) FILTER (WHERE (q.priority, q.url_id) < (@priority::bigint, @url_id::integer)) AS before,
    count(*) AS total
FROM annotation_queue q
WHERE q.batch_id = ANY(@batch_ids::integer[])
    AND q.eligible
    AND NOT q.reserved
    AND q.url_id NOT IN (
        SELECT d.url_id FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer
        UNION ALL SELECT d.url_id FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid
    );

-- name: ExplainCauseCount :one
-- What the numbers of URLs by cause follow from. Inside: those of the queue that are in the batch, or all without one. Of these,
-- ineligible are not offered to annotators, flagged are so because of their validation or suspension. Passed, and skipped of these,
-- are those of the annotator. Reserved leaves out passed ones, and the one that the annotator has reserved.
--
-- A join of all tables, which gives each URL its cause, takes twice the time: it spills to disk.
WITH scope AS (
    SELECT
        count(*) AS queued,
        count(*) FILTER (
            WHERE sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer
        ) AS inside,
        count(*) FILTER (
            WHERE NOT q.eligible
                AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
        ) AS ineligible,
        count(*) FILTER (
            WHERE q.eligible AND q.reserved AND q.url_id IS DISTINCT FROM sqlc.narg('own_url_id')::integer
                AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
        ) AS reserved
    FROM annotation_queue q
), passed AS (
    SELECT
        count(*) AS passed,
        count(skipped.url_id) AS skipped,
        count(*) FILTER (WHERE q.reserved AND q.url_id IS DISTINCT FROM sqlc.narg('own_url_id')::integer) AS reserved
    FROM (
        SELECT d.url_id FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer
        UNION ALL SELECT d.url_id FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid
    ) AS done
    JOIN annotation_queue q ON q.url_id = done.url_id
    LEFT JOIN (
        SELECT s.url_id FROM url_skips s
        WHERE s.user_id = sqlc.narg('user_id')::integer
            AND s.active
            AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = s.user_id AND a.url_id = s.url_id OFFSET 0)
        UNION ALL
        SELECT s.url_id FROM url_skips s
        WHERE s.session_id = sqlc.narg('session_id')::uuid
            AND s.active
            AND NOT EXISTS (
                SELECT FROM anonymous_url_annotations a WHERE a.session_id = s.session_id AND a.url_id = s.url_id OFFSET 0
            )
    ) AS skipped ON skipped.url_id = done.url_id
    WHERE q.eligible AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
), flagged AS (
    SELECT count(*) AS flagged, count(*) FILTER (WHERE flag.validated) AS validated
    FROM (
        SELECT f.url_id, true AS validated FROM flag_url_validated f
        UNION ALL SELECT f.url_id, false FROM flag_url_suspended f
        WHERE NOT EXISTS (SELECT FROM flag_url_validated v WHERE v.url_id = f.url_id)
    ) AS flag
    JOIN annotation_queue q ON q.url_id = flag.url_id
    WHERE NOT q.eligible AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
)
SELECT
    (SELECT count(*) FROM urls) AS total,
    scope.queued, scope.inside, scope.ineligible, flagged.flagged, flagged.validated, passed.passed, passed.skipped,
    (scope.reserved - passed.reserved)::bigint AS reserved
FROM scope
CROSS JOIN passed
CROSS JOIN flagged;

-- name: ExplainReservationList :many
-- The live reservations of a URL, by expiry. Must not be executed during recovery. now is the clock of tests.
-- No limit: an explanation lists all.
-- @sqlc-vet-disable many-without-limit
SELECT r.annotator, r.slot, r.expires_at
FROM url_reservations r
WHERE r.url_id = @url_id AND r.expires_at > coalesce(sqlc.narg('now')::timestamptz, now())
ORDER BY r.expires_at, r.annotator;

-- name: ExplainReservationGet :one
-- The live reservation of an annotator. No rows: there is none. Must not be executed during recovery.
SELECT r.url_id, r.slot, r.expires_at
FROM url_reservations r
WHERE r.annotator = @annotator AND r.expires_at > coalesce(sqlc.narg('now')::timestamptz, now());

-- name: ExplainExpiredList :many
-- The URLs that a sweep offers again to the annotator, in the order of the annotator: a reservation of them has expired, or they
-- have none. Must not be executed during recovery.
SELECT q.url_id
FROM annotation_queue q
WHERE q.eligible
    AND q.reserved
    AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
    AND NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer AND d.url_id = q.url_id)
    AND NOT EXISTS (SELECT FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid AND d.url_id = q.url_id)
    AND NOT (
        EXISTS (SELECT FROM url_reservations r WHERE r.url_id = q.url_id)
        AND NOT EXISTS (
            SELECT FROM url_reservations r
            WHERE r.url_id = q.url_id AND r.expires_at <= coalesce(sqlc.narg('now')::timestamptz, now())
        )
    )
ORDER BY
    coalesce(q.batch_id = ANY((
        SELECT f.batch_ids FROM followed_batches f WHERE f.user_id = sqlc.narg('user_id')::integer
    )::integer[]), false) DESC,
    q.priority,
    q.url_id
LIMIT 64;

-- name: ExplainSkippedList :many
-- The URLs that the annotator has put off, in the order of SkipNextGet and AnonymousSkipNextGet.
SELECT s.url_id, q.reserved
FROM url_skips s
JOIN annotation_queue q ON q.url_id = s.url_id
WHERE (s.user_id = sqlc.narg('user_id')::integer OR s.session_id = sqlc.narg('session_id')::uuid)
    AND s.active
    AND q.eligible
    AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
    AND NOT EXISTS (
        SELECT FROM user_url_annotations a
        WHERE a.user_id = sqlc.narg('user_id')::integer AND a.url_id = s.url_id
        OFFSET 0
    )
    AND NOT EXISTS (
        SELECT FROM anonymous_url_annotations a
        WHERE a.session_id = sqlc.narg('session_id')::uuid AND a.url_id = s.url_id
        OFFSET 0
    )
ORDER BY q.reserved, s.created_at, s.id
LIMIT 64;

-- name: ExplainBeforeCountMatview :one
-- As ExplainBeforeCount, for the ranking by the count view, in a batch if one is given; and the counts of the URL by which it is
-- ranked. The URL must be one that the annotator can be offered. The time is that of a choice by the count view.
SELECT r.users, r.sessions, r.robots, r.before::bigint AS before
FROM (
    SELECT
        e.url_id,
        coalesce(counts.user_url_type_count, 0)::integer AS users,
        coalesce(counts.anon_url_type_count, 0)::integer AS sessions,
        coalesce(counts.auto_url_type_count, 0)::integer AS robots,
        row_number() OVER (
            ORDER BY
                coalesce(followed.own, false) DESC,
                (followed.batch_id IS NOT NULL) DESC,
                e.manual DESC,
                coalesce(counts.user_url_type_count, 0) DESC,
                coalesce(counts.anon_url_type_count, 0) DESC,
                coalesce(counts.auto_url_type_count, 0) DESC,
                e.url_id
        ) - 1 AS before
    FROM eligible_urls e
    LEFT JOIN link_batches__urls link ON link.url_id = e.url_id
    LEFT JOIN (
        SELECT f.batch_id, bool_or(f.user_id = sqlc.narg('user_id')::integer) AS own FROM batch_followers f GROUP BY f.batch_id
    ) AS followed ON followed.batch_id = link.batch_id
    LEFT JOIN url_annotation_count_view counts ON counts.url_id = e.url_id
    WHERE (sqlc.narg('batch_id')::integer IS NULL OR link.batch_id = sqlc.narg('batch_id')::integer)
        AND e.url_id NOT IN (
            SELECT d.url_id FROM user_url_done d WHERE d.user_id = sqlc.narg('user_id')::integer
            UNION ALL SELECT d.url_id FROM anonymous_url_done d WHERE d.session_id = sqlc.narg('session_id')::uuid
        )
) AS r
WHERE r.url_id = @url_id::integer;
