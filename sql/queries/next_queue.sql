-- Ranking by the live queue. Three statements find the next URL of an annotator, and one helps to choose between the first two:
--
-- GetCold starts at the front: it returns the first row of the queue that the annotator has not done. Its cost grows with the
-- number of done rows, which it hashes, so it reads only indexes until it has found the row.
--
-- GetWarm starts at a cursor: a position, a horizon and undone_before, the rows before the position that the annotator has not
-- done. In the snapshot that set the cursor, undone_before had all of these rows, and no running transaction was older than the
-- horizon. Only a transaction that is not older than the horizon can have moved a row before the position or made one there
-- undone, and it has written its id to changed_xid. So the next URL is the first of: the undone rows from the position on, the
-- undone rows before it that were changed since, and those of undone_before. The statement reads at most 256 rows from the
-- position on and at most 256 changed rows (readAtMost in internal/ranking). The limits are literals because the planner assumes
-- 10 % of the table for a parameter. Beyond these limits too_far is true and the rest of the row must be ignored. OFFSET 0 keeps
-- the planner from merging a sub-select into a join: the rows of undone_before are found by their key, not among all rows before
-- the position.
--
-- GetByID checks one URL.
--
-- DoneCount is for annotators with so few done rows that GetCold is faster than GetWarm.
--
-- Every row is checked against the tables, so a cursor is only a hint. It is wrong only in another database.
--
-- GetCold and GetWarm have three copies each: for a user among all URLs, for a user in a batch, and for an anonymous session. An
-- optional batch or one table of done rows would cost more than it saves: docs/decisions/one-text-for-the-next-url.md. The
-- copies are derived from the first by substitution, which TestCopiesOfNextQueue checks.

-- name: QueueNextGetCold :one
-- The next URL for a user among all; url_id 0 when none is left.
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(q.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN (
    SELECT q.url_id, q.priority
    FROM annotation_queue q
    WHERE q.eligible
        AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)
    ORDER BY q.priority, q.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN annotation_queue q ON q.url_id = next.url_id
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetColdInBatch :one
-- The next URL for a user among those of a batch; url_id 0 when none is left.
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(q.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN (
    SELECT q.url_id, q.priority
    FROM annotation_queue q
    WHERE q.eligible
        AND q.batch_id = @batch_id::integer
        AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)
    ORDER BY q.priority, q.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN annotation_queue q ON q.url_id = next.url_id
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetColdAnonymous :one
-- The next URL for an anonymous session among all; url_id 0 when none is left.
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(q.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN (
    SELECT q.url_id, q.priority
    FROM annotation_queue q
    WHERE q.eligible
        AND q.url_id NOT IN (SELECT d.url_id FROM anonymous_url_done d WHERE d.session_id = @session_id)
    ORDER BY q.priority, q.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN annotation_queue q ON q.url_id = next.url_id
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetWarm :one
-- As QueueNextGetCold, from a cursor.
WITH from_position AS MATERIALIZED (
    SELECT w.url_id, w.priority, w.changed_xid
    FROM (
        SELECT q.url_id, q.priority, q.changed_xid
        FROM annotation_queue q
        WHERE q.eligible
            AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
        ORDER BY q.priority, q.url_id
        LIMIT 256
    ) AS w
    WHERE NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = w.url_id OFFSET 0)
    ORDER BY w.priority, w.url_id
    LIMIT 1
), changed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid, q.batch_id
    FROM annotation_queue q
    WHERE q.eligible AND q.changed_xid >= @horizon::bigint
    ORDER BY q.changed_xid
    LIMIT 256
), before_position AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM (
        SELECT url_id, priority, changed_xid, batch_id FROM changed
        UNION
        SELECT * FROM (
            SELECT url_id, priority, changed_xid, batch_id FROM annotation_queue
            WHERE eligible AND url_id = ANY(@undone_before::integer[])
            OFFSET 0
        ) AS k
    ) AS q
    WHERE (q.priority, q.url_id) < (@priority::bigint, @url_id::integer)
        AND NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = q.url_id OFFSET 0)
)
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    coalesce(from_position.priority, @priority::bigint)::bigint AS cursor_priority,
    coalesce(from_position.url_id, @url_id::integer)::integer AS cursor_url_id,
    ARRAY(SELECT before_position.url_id FROM before_position)::integer[] AS undone_before,
    CASE
        WHEN (SELECT count(*) FROM changed) = 256 THEN true
        WHEN from_position.url_id IS NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.eligible
                AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
            ORDER BY q.priority, q.url_id
            LIMIT 1 OFFSET 255
        )
        ELSE false
    END::boolean AS too_far
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN from_position ON true
LEFT JOIN (
    SELECT c.url_id, c.priority, c.changed_xid
    FROM (SELECT * FROM before_position UNION ALL SELECT * FROM from_position) AS c
    ORDER BY c.priority, c.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetWarmInBatch :one
-- As QueueNextGetColdInBatch, from a cursor.
WITH from_position AS MATERIALIZED (
    SELECT w.url_id, w.priority, w.changed_xid
    FROM (
        SELECT q.url_id, q.priority, q.changed_xid
        FROM annotation_queue q
        WHERE q.eligible
            AND q.batch_id = @batch_id::integer
            AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
        ORDER BY q.priority, q.url_id
        LIMIT 256
    ) AS w
    WHERE NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = w.url_id OFFSET 0)
    ORDER BY w.priority, w.url_id
    LIMIT 1
), changed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid, q.batch_id
    FROM annotation_queue q
    WHERE q.eligible AND q.changed_xid >= @horizon::bigint
    ORDER BY q.changed_xid
    LIMIT 256
), before_position AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM (
        SELECT url_id, priority, changed_xid, batch_id FROM changed
        UNION
        SELECT * FROM (
            SELECT url_id, priority, changed_xid, batch_id FROM annotation_queue
            WHERE eligible AND url_id = ANY(@undone_before::integer[])
            OFFSET 0
        ) AS k
    ) AS q
    WHERE (q.priority, q.url_id) < (@priority::bigint, @url_id::integer)
        AND q.batch_id = @batch_id::integer
        AND NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = q.url_id OFFSET 0)
)
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    coalesce(from_position.priority, @priority::bigint)::bigint AS cursor_priority,
    coalesce(from_position.url_id, @url_id::integer)::integer AS cursor_url_id,
    ARRAY(SELECT before_position.url_id FROM before_position)::integer[] AS undone_before,
    CASE
        WHEN (SELECT count(*) FROM changed) = 256 THEN true
        WHEN from_position.url_id IS NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.eligible
                AND q.batch_id = @batch_id::integer
                AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
            ORDER BY q.priority, q.url_id
            LIMIT 1 OFFSET 255
        )
        ELSE false
    END::boolean AS too_far
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN from_position ON true
LEFT JOIN (
    SELECT c.url_id, c.priority, c.changed_xid
    FROM (SELECT * FROM before_position UNION ALL SELECT * FROM from_position) AS c
    ORDER BY c.priority, c.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetWarmAnonymous :one
-- As QueueNextGetColdAnonymous, from a cursor.
WITH from_position AS MATERIALIZED (
    SELECT w.url_id, w.priority, w.changed_xid
    FROM (
        SELECT q.url_id, q.priority, q.changed_xid
        FROM annotation_queue q
        WHERE q.eligible
            AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
        ORDER BY q.priority, q.url_id
        LIMIT 256
    ) AS w
    WHERE NOT EXISTS (SELECT FROM anonymous_url_done d WHERE d.session_id = @session_id AND d.url_id = w.url_id OFFSET 0)
    ORDER BY w.priority, w.url_id
    LIMIT 1
), changed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid, q.batch_id
    FROM annotation_queue q
    WHERE q.eligible AND q.changed_xid >= @horizon::bigint
    ORDER BY q.changed_xid
    LIMIT 256
), before_position AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM (
        SELECT url_id, priority, changed_xid, batch_id FROM changed
        UNION
        SELECT * FROM (
            SELECT url_id, priority, changed_xid, batch_id FROM annotation_queue
            WHERE eligible AND url_id = ANY(@undone_before::integer[])
            OFFSET 0
        ) AS k
    ) AS q
    WHERE (q.priority, q.url_id) < (@priority::bigint, @url_id::integer)
        AND NOT EXISTS (SELECT FROM anonymous_url_done d WHERE d.session_id = @session_id AND d.url_id = q.url_id OFFSET 0)
)
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    coalesce(from_position.priority, @priority::bigint)::bigint AS cursor_priority,
    coalesce(from_position.url_id, @url_id::integer)::integer AS cursor_url_id,
    ARRAY(SELECT before_position.url_id FROM before_position)::integer[] AS undone_before,
    CASE
        WHEN (SELECT count(*) FROM changed) = 256 THEN true
        WHEN from_position.url_id IS NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.eligible
                AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
            ORDER BY q.priority, q.url_id
            LIMIT 1 OFFSET 255
        )
        ELSE false
    END::boolean AS too_far
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN from_position ON true
LEFT JOIN (
    SELECT c.url_id, c.priority, c.changed_xid
    FROM (SELECT * FROM before_position UNION ALL SELECT * FROM from_position) AS c
    ORDER BY c.priority, c.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueDoneCount :one
-- How many URLs a user has done, counted up to a limit.
SELECT count(*)::integer AS done
FROM (SELECT FROM user_url_done d WHERE d.user_id = @user_id LIMIT @count_to::bigint) AS d;

-- name: QueueDoneCountAnonymous :one
-- How many URLs an anonymous session has done, counted up to a limit.
SELECT count(*)::integer AS done
FROM (SELECT FROM anonymous_url_done d WHERE d.session_id = @session_id LIMIT @count_to::bigint) AS d;

-- name: QueueNextGetByID :one
-- The URL with an id, if it is eligible, not done by the user and, where a batch is given, in that batch. The optional batch
-- does not spoil the plan: there is one candidate, found by its key.
SELECT q.url_id, q.priority, q.changed_xid, urls.url, urls.scheme, urls.trailing_slash
FROM annotation_queue q
JOIN urls ON urls.id = q.url_id
WHERE q.url_id = @url_id
    AND q.eligible
    AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
    AND NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = q.url_id);
