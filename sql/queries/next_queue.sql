-- Ranking by the live queue: the URLs that are eligible and not reserved. Below, such a URL is available. The order that all
-- annotators share is (priority, url_id). Three statements find the first URL in it that an annotator has not done, and one
-- helps to choose between the first two. Done are the URLs that the annotator has answered, and those put off.
--
-- GetCold starts at the front: it returns the first row of the queue that the annotator has not done. Its cost grows with the
-- number of done rows, which it hashes, so it reads only indexes until it has found the row.
--
-- GetWarm starts at a cursor: a position, a horizon and undone_before, the rows before the position that the annotator has not
-- done. In the snapshot that set the cursor, undone_before had all of these rows, and no running transaction was older than the
-- horizon. Only a transaction that is not older than the horizon can have moved a row before the position, or made one there
-- available or undone, and it has written its id to changed_xid. So the next URL is the first of: the undone rows from the
-- position on, the undone rows before it that were changed since, and those of undone_before. All of these are available rows:
-- a row that becomes reserved leaves undone_before, and the transaction that makes it available again writes its id to
-- changed_xid. The statement reads at most 256 rows from the position on and at most 256 changed rows (readAtMost in
-- internal/ranking). The limits are literals because the planner assumes 10 % of the table for a parameter. Beyond these limits
-- too_far is true and the rest of the row must be ignored. OFFSET 0 keeps the planner from merging a sub-select into a join:
-- the rows of undone_before are found by their key, not among all rows before the position.
--
-- GetByID checks one URL. It may be reserved, or put off: the caller has asked for it.
--
-- DoneCount is for annotators with so few done rows that GetCold is faster than GetWarm.
--
-- Every row is checked against the tables, so a cursor is only a hint. It is wrong only in another database.
--
-- GetCold and GetWarm have three copies each: for a user among all URLs, for a user in a batch, and for an anonymous session.
-- An optional batch or one table of done rows would cost more than it saves: docs/decisions/one-text-for-the-next-url.md. The
-- copies are derived from the first by substitution, which TestCopiesOfNextQueue checks.
--
-- For a user among all URLs, those of the batches that the user follows come before all others. followed_batches has these
-- batches. The copies for a user report its changed_xid as follows_xid; -1 means that the user follows nothing, and that the
-- URL returned is the next one. Three statements find the first followed URL:
--
-- FollowedGetCold merges the batches. It returns a window: the first 64 undone URLs, and the position where they end.
--
-- FollowedGetWarm starts at a window, by the argument of GetWarm: only a transaction that is not older than the window's
-- horizon can have moved a URL before the end of the window, made one there available or undone, or done or reserved one of the
-- window. So a URL of the window that is not among the changed ones needs no check, and the next URL is the first of these or
-- of the undone, changed ones before the end. The changed ones include those that are not available any more, so the index on
-- changed_xid covers all rows. The statement returns how the window has changed. If too many rows have changed, or if the URL
-- found is deleted, stale is true and the rest of the row must be ignored. If follows_xid is not that of the window, the user
-- follows other batches.
--
-- FollowedGetColdFrom continues when all URLs of the window are done. It starts at the window's end, so that it does not hash
-- what the user has done.
--
-- When all followed URLs are done or reserved, GetWarm for a user is enough: followed_changed is true if one of the changed
-- rows is an undone followed URL. This needs a cursor whose horizon is not younger than that of the window.
--
-- GetSkipping finds the URL after a number of others. It neither needs nor sets a cursor or a window.

-- name: QueueNextGetCold :one
-- The next URL for a user among all; url_id 0 when none is left.
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    coalesce((SELECT f.changed_xid FROM followed_batches f WHERE f.user_id = @user_id), -1)::bigint AS follows_xid
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM annotation_queue q
    WHERE q.eligible
        AND NOT q.reserved
        AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)
    ORDER BY q.priority, q.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetColdInBatch :one
-- The next URL for a user among those of a batch; url_id 0 when none is left.
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    (-1)::bigint AS follows_xid
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM annotation_queue q
    WHERE q.eligible
        AND NOT q.reserved
        AND q.batch_id = @batch_id::integer
        AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)
    ORDER BY q.priority, q.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetColdAnonymous :one
-- The next URL for an anonymous session among all; url_id 0 when none is left.
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.priority, 0)::bigint AS priority,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    (-1)::bigint AS follows_xid
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM annotation_queue q
    WHERE q.eligible
        AND NOT q.reserved
        AND q.url_id NOT IN (SELECT d.url_id FROM anonymous_url_done d WHERE d.session_id = @session_id)
    ORDER BY q.priority, q.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetWarm :one
-- As QueueNextGetCold, from a cursor.
WITH from_position AS MATERIALIZED (
    SELECT w.url_id, w.priority, w.changed_xid
    FROM (
        SELECT q.url_id, q.priority, q.changed_xid
        FROM annotation_queue q
        WHERE q.eligible
            AND NOT q.reserved
            AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
        ORDER BY q.priority, q.url_id
        LIMIT 256
    ) AS w
    WHERE NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = w.url_id OFFSET 0)
    ORDER BY w.priority, w.url_id
    LIMIT 1
), changed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid, q.batch_id, q.eligible AND NOT q.reserved AS available
    FROM annotation_queue q
    WHERE q.changed_xid >= @horizon::bigint
    ORDER BY q.changed_xid
    LIMIT 256
), before_position AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM (
        SELECT url_id, priority, changed_xid, batch_id FROM changed WHERE available
        UNION
        SELECT * FROM (
            SELECT url_id, priority, changed_xid, batch_id FROM annotation_queue
            WHERE eligible AND NOT reserved AND url_id = ANY(@undone_before::integer[])
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
    coalesce(follows.changed_xid, -1)::bigint AS follows_xid,
    EXISTS (
        SELECT FROM changed
        WHERE changed.available
            AND changed.batch_id = ANY(follows.batch_ids)
            AND NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = changed.url_id OFFSET 0)
    )::boolean AS followed_changed,
    coalesce(from_position.priority, @priority::bigint)::bigint AS cursor_priority,
    coalesce(from_position.url_id, @url_id::integer)::integer AS cursor_url_id,
    ARRAY(SELECT before_position.url_id FROM before_position)::integer[] AS undone_before,
    CASE
        WHEN (SELECT count(*) FROM changed) = 256 THEN true
        WHEN from_position.url_id IS NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.eligible
                AND NOT q.reserved
                AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
            ORDER BY q.priority, q.url_id
            LIMIT 1 OFFSET 255
        )
        ELSE false
    END::boolean AS too_far
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN followed_batches follows ON follows.user_id = @user_id
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
            AND NOT q.reserved
            AND q.batch_id = @batch_id::integer
            AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
        ORDER BY q.priority, q.url_id
        LIMIT 256
    ) AS w
    WHERE NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = w.url_id OFFSET 0)
    ORDER BY w.priority, w.url_id
    LIMIT 1
), changed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid, q.batch_id, q.eligible AND NOT q.reserved AS available
    FROM annotation_queue q
    WHERE q.changed_xid >= @horizon::bigint
    ORDER BY q.changed_xid
    LIMIT 256
), before_position AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM (
        SELECT url_id, priority, changed_xid, batch_id FROM changed WHERE available
        UNION
        SELECT * FROM (
            SELECT url_id, priority, changed_xid, batch_id FROM annotation_queue
            WHERE eligible AND NOT reserved AND url_id = ANY(@undone_before::integer[])
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
    (-1)::bigint AS follows_xid,
    false::boolean AS followed_changed,
    coalesce(from_position.priority, @priority::bigint)::bigint AS cursor_priority,
    coalesce(from_position.url_id, @url_id::integer)::integer AS cursor_url_id,
    ARRAY(SELECT before_position.url_id FROM before_position)::integer[] AS undone_before,
    CASE
        WHEN (SELECT count(*) FROM changed) = 256 THEN true
        WHEN from_position.url_id IS NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.eligible
                AND NOT q.reserved
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
            AND NOT q.reserved
            AND (q.priority, q.url_id) >= (@priority::bigint, @url_id::integer)
        ORDER BY q.priority, q.url_id
        LIMIT 256
    ) AS w
    WHERE NOT EXISTS (SELECT FROM anonymous_url_done d WHERE d.session_id = @session_id AND d.url_id = w.url_id OFFSET 0)
    ORDER BY w.priority, w.url_id
    LIMIT 1
), changed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid, q.batch_id, q.eligible AND NOT q.reserved AS available
    FROM annotation_queue q
    WHERE q.changed_xid >= @horizon::bigint
    ORDER BY q.changed_xid
    LIMIT 256
), before_position AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM (
        SELECT url_id, priority, changed_xid, batch_id FROM changed WHERE available
        UNION
        SELECT * FROM (
            SELECT url_id, priority, changed_xid, batch_id FROM annotation_queue
            WHERE eligible AND NOT reserved AND url_id = ANY(@undone_before::integer[])
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
    (-1)::bigint AS follows_xid,
    false::boolean AS followed_changed,
    coalesce(from_position.priority, @priority::bigint)::bigint AS cursor_priority,
    coalesce(from_position.url_id, @url_id::integer)::integer AS cursor_url_id,
    ARRAY(SELECT before_position.url_id FROM before_position)::integer[] AS undone_before,
    CASE
        WHEN (SELECT count(*) FROM changed) = 256 THEN true
        WHEN from_position.url_id IS NULL THEN EXISTS (
            SELECT FROM annotation_queue q
            WHERE q.eligible
                AND NOT q.reserved
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
-- The URL with an id, if it is eligible, not annotated by the user and, where a batch is given, in that batch. It may be reserved,
-- or put off by the user. The optional batch does not spoil the plan: there is one candidate, found by its key.
SELECT q.url_id, q.priority, q.changed_xid, urls.url, urls.scheme, urls.trailing_slash
FROM annotation_queue q
JOIN urls ON urls.id = q.url_id
WHERE q.url_id = @url_id
    AND q.eligible
    AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
    AND (
        NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = q.url_id)
        OR EXISTS (SELECT FROM url_skips s WHERE s.user_id = @user_id AND s.url_id = q.url_id AND s.active)
        AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = @user_id AND a.url_id = q.url_id)
    );

-- name: QueueFollowedGetCold :one
-- The next URL for a user among those of the batches that the user follows, and a window: the first 64 of these URLs that the user
-- has not done, in order, or all of them if complete is true. url_id 0 when none is left, follows_xid -1 when the user follows
-- no batch. No URL of these is undone at or before the end of the window, except those of the window.
WITH follows AS MATERIALIZED (
    SELECT f.batch_ids, f.changed_xid FROM followed_batches f WHERE f.user_id = @user_id
), examined AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM follows
    CROSS JOIN LATERAL unnest(follows.batch_ids) AS followed (batch_id)
    CROSS JOIN LATERAL (
        SELECT q.url_id, q.priority, q.changed_xid
        FROM annotation_queue q
        WHERE q.batch_id = followed.batch_id
            AND q.eligible
            AND NOT q.reserved
            AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)
        ORDER BY q.priority, q.url_id
        LIMIT 64
    ) AS q
    ORDER BY q.priority, q.url_id
    LIMIT 64
), undone AS MATERIALIZED (
    SELECT e.url_id, e.priority, e.changed_xid
    FROM examined e
    ORDER BY e.priority, e.url_id
)
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    coalesce(follows.changed_xid, -1)::bigint AS follows_xid,
    ARRAY(SELECT undone.url_id FROM undone)::integer[] AS window_url_ids,
    ARRAY(SELECT undone.priority FROM undone)::bigint[] AS window_priorities,
    coalesce(last.url_id, 0)::integer AS end_url_id,
    coalesce(last.priority, 0)::bigint AS end_priority,
    ((SELECT count(*) FROM examined) < 64)::boolean AS complete
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN follows ON true
LEFT JOIN (SELECT undone.url_id, undone.changed_xid FROM undone LIMIT 1) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id
LEFT JOIN (SELECT e.url_id, e.priority FROM examined e ORDER BY e.priority DESC, e.url_id DESC LIMIT 1) AS last ON true;

-- name: QueueFollowedGetColdFrom :one
-- As QueueFollowedGetCold, after a position. The window has those of 64 URLs that the user has not done, so it can be empty while
-- complete is false.
WITH follows AS MATERIALIZED (
    SELECT f.batch_ids, f.changed_xid FROM followed_batches f WHERE f.user_id = @user_id
), examined AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM follows
    CROSS JOIN LATERAL unnest(follows.batch_ids) AS followed (batch_id)
    CROSS JOIN LATERAL (
        SELECT q.url_id, q.priority, q.changed_xid
        FROM annotation_queue q
        WHERE q.batch_id = followed.batch_id
            AND q.eligible
            AND NOT q.reserved
            AND (q.priority, q.url_id) > (@end_priority::bigint, @end_url_id::integer)
        ORDER BY q.priority, q.url_id
        LIMIT 64
    ) AS q
    ORDER BY q.priority, q.url_id
    LIMIT 64
), undone AS MATERIALIZED (
    SELECT e.url_id, e.priority, e.changed_xid
    FROM examined e
    WHERE NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = e.url_id OFFSET 0)
    ORDER BY e.priority, e.url_id
)
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    coalesce(follows.changed_xid, -1)::bigint AS follows_xid,
    ARRAY(SELECT undone.url_id FROM undone)::integer[] AS window_url_ids,
    ARRAY(SELECT undone.priority FROM undone)::bigint[] AS window_priorities,
    coalesce(last.url_id, 0)::integer AS end_url_id,
    coalesce(last.priority, 0)::bigint AS end_priority,
    ((SELECT count(*) FROM examined) < 64)::boolean AS complete
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN follows ON true
LEFT JOIN (SELECT undone.url_id, undone.changed_xid FROM undone LIMIT 1) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id
LEFT JOIN (SELECT e.url_id, e.priority FROM examined e ORDER BY e.priority DESC, e.url_id DESC LIMIT 1) AS last ON true;

-- name: QueueFollowedGetWarm :one
-- As QueueFollowedGetCold, from a window. Returns the changes of the window too: the URLs of it that were changed since the
-- horizon, which must be removed, and then those that must be added, in order.
WITH follows AS MATERIALIZED (
    SELECT f.batch_ids, f.changed_xid FROM followed_batches f WHERE f.user_id = @user_id
), changed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid, q.batch_id, q.eligible AND NOT q.reserved AS available
    FROM annotation_queue q
    WHERE q.changed_xid >= @horizon::bigint
    ORDER BY q.changed_xid
    LIMIT 256
), entered AS MATERIALIZED (
    SELECT c.url_id, c.priority, c.changed_xid
    FROM follows
    JOIN changed c ON c.batch_id = ANY(follows.batch_ids)
    WHERE c.available
        AND (c.priority, c.url_id) <= (@end_priority::bigint, @end_url_id::integer)
        AND NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = c.url_id OFFSET 0)
    ORDER BY c.priority, c.url_id
), unchanged AS MATERIALIZED (
    SELECT w.url_id
    FROM unnest(@window_url_ids::integer[]) WITH ORDINALITY AS w (url_id, place)
    WHERE w.url_id NOT IN (SELECT changed.url_id FROM changed)
    ORDER BY w.place
    LIMIT 1
), confirmed AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM follows
    CROSS JOIN unchanged
    JOIN annotation_queue q ON q.url_id = unchanged.url_id
    WHERE q.eligible
        AND NOT q.reserved
        AND q.batch_id = ANY(follows.batch_ids)
        AND NOT EXISTS (SELECT FROM user_url_done d WHERE d.user_id = @user_id AND d.url_id = q.url_id OFFSET 0)
)
SELECT
    coalesce(next.url_id, 0)::integer AS url_id,
    coalesce(next.changed_xid, 0)::bigint AS changed_xid,
    urls.url,
    urls.scheme,
    coalesce(urls.trailing_slash, false)::boolean AS trailing_slash,
    snapshot.horizon::bigint AS horizon,
    coalesce(follows.changed_xid, -1)::bigint AS follows_xid,
    ARRAY(SELECT changed.url_id FROM changed WHERE changed.url_id = ANY(@window_url_ids::integer[]))::integer[] AS removed_url_ids,
    ARRAY(SELECT entered.url_id FROM entered)::integer[] AS entered_url_ids,
    ARRAY(SELECT entered.priority FROM entered)::bigint[] AS entered_priorities,
    (
        (SELECT count(*) FROM changed) = 256
        OR (EXISTS (SELECT FROM unchanged) AND NOT EXISTS (SELECT FROM confirmed))
    )::boolean AS stale
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS snapshot
LEFT JOIN follows ON true
LEFT JOIN (
    SELECT c.url_id, c.changed_xid
    FROM (SELECT * FROM entered UNION ALL SELECT * FROM confirmed) AS c
    ORDER BY c.priority, c.url_id
    LIMIT 1
) AS next ON true
LEFT JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetSkipping :one
-- The next URL for a user after some URLs to skip: among all, own follows first, or in a batch, whose followers follow all its
-- URLs. The caller passes skip + 1 as at_most. No rows when none is left. The cost grows with the number of skipped URLs.
WITH preferred AS MATERIALIZED (
    SELECT q.url_id, q.priority, q.changed_xid
    FROM unnest(
        CASE
            WHEN sqlc.narg('batch_id')::integer IS NULL
            THEN (SELECT f.batch_ids FROM followed_batches f WHERE f.user_id = @user_id)
            ELSE ARRAY[sqlc.narg('batch_id')::integer]
        END
    ) AS p (batch_id)
    CROSS JOIN LATERAL (
        SELECT q.url_id, q.priority, q.changed_xid
        FROM annotation_queue q
        WHERE q.batch_id = p.batch_id
            AND q.eligible
            AND NOT q.reserved
            AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)
        ORDER BY q.priority, q.url_id
        LIMIT @at_most::bigint
    ) AS q
    ORDER BY q.priority, q.url_id
    LIMIT @at_most::bigint
), others AS (
    -- Read only if preferred has all the undone URLs of the batches.
    SELECT q.url_id, q.priority, q.changed_xid
    FROM annotation_queue q
    WHERE sqlc.narg('batch_id')::integer IS NULL
        AND (SELECT count(*) FROM preferred) < @at_most::bigint
        AND q.eligible
        AND NOT q.reserved
        AND q.url_id NOT IN (SELECT preferred.url_id FROM preferred)
        AND q.url_id NOT IN (SELECT d.url_id FROM user_url_done d WHERE d.user_id = @user_id)
    ORDER BY q.priority, q.url_id
    LIMIT @at_most::bigint
)
SELECT next.url_id, urls.url, urls.scheme, urls.trailing_slash, next.changed_xid
FROM (
    SELECT c.url_id, c.changed_xid
    FROM (
        SELECT 1 AS part, preferred.* FROM preferred
        UNION ALL
        SELECT 2, others.* FROM others
    ) AS c
    ORDER BY c.part, c.priority, c.url_id
    LIMIT 1 OFFSET @skip::bigint
) AS next
JOIN urls ON urls.id = next.url_id;

-- name: QueueNextGetSkippingAnonymous :one
-- The next URL for an anonymous session after some URLs to skip. No rows when none is left.
SELECT next.url_id, urls.url, urls.scheme, urls.trailing_slash, next.changed_xid
FROM (
    SELECT q.url_id, q.changed_xid
    FROM annotation_queue q
    WHERE q.eligible
        AND NOT q.reserved
        AND q.url_id NOT IN (SELECT d.url_id FROM anonymous_url_done d WHERE d.session_id = @session_id)
    ORDER BY q.priority, q.url_id
    LIMIT 1 OFFSET @skip::bigint
) AS next
JOIN urls ON urls.id = next.url_id;
