-- URLs that annotators put off. A skip is no vote. Each statement locks the row of the queue before rows of url_skips and before
-- done rows, as answers and recounts do.
--
-- An answer deletes the skip of its annotator, and a skip after an answer is refused. When one annotator sends both at the same
-- time, the second one does not see the first one, and the skip stays in both orders. It then has no effect: every statement that
-- looks for what was put off leaves out what the annotator has answered. It is deleted with the answer.

-- name: SkipUpsert :one
-- Puts a URL off for a user, again if the user has put it off before. Ends the user's reservation of the URL. Nothing is stored
-- when the URL is unknown, or when the user has answered it; the row reports which. A repetition adds nothing to the history.
WITH url AS (
    -- Locked first, as a transaction that deletes the URL does, so that the two do not deadlock.
    SELECT urls.id FROM urls WHERE urls.id = @url_id FOR KEY SHARE
), accepted AS (
    SELECT url.id AS url_id
    FROM url
    WHERE NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = @user_id::integer AND a.url_id = @url_id)
), before AS (
    SELECT s.reason, s.note FROM url_skips s WHERE s.user_id = @user_id AND s.url_id = @url_id AND s.active
), queue AS (
    -- Also of a URL that is not eligible: a concurrent recount that makes it eligible waits, and then sees the skip.
    UPDATE annotation_queue q
    SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
    FROM accepted
    WHERE q.url_id = accepted.url_id
    RETURNING q.url_id, q.eligible
), done AS (
    INSERT INTO user_url_done (user_id, url_id)
    SELECT @user_id, queue.url_id FROM queue WHERE queue.eligible
    ON CONFLICT ON CONSTRAINT user_url_done_pkey DO NOTHING
), reservation AS (
    DELETE FROM url_reservations r
    USING queue
    WHERE r.annotator = (@user_id::integer)::text AND r.url_id = queue.url_id
), skip AS (
    -- The join is only for the order of the locks. A URL that another program has stored may have no row in the queue.
    INSERT INTO url_skips (url_id, user_id, reason, note, returns_at)
    SELECT
        accepted.url_id,
        @user_id,
        @reason,
        sqlc.narg('note')::text,
        now() + nullif(@seconds::float8, 0) * interval '1 second'
    FROM accepted LEFT JOIN queue ON true
    ON CONFLICT ON CONSTRAINT url_skips_user_id_url_id_key DO UPDATE
        SET reason = excluded.reason, note = excluded.note, active = true, created_at = excluded.created_at,
            returns_at = excluded.returns_at
    RETURNING url_id, user_id, reason, note
), history AS (
    INSERT INTO url_history (url_id, event, user_id, detail)
    SELECT
        skip.url_id, 'skipped', skip.user_id, jsonb_strip_nulls(jsonb_build_object('reason', skip.reason, 'note', skip.note))
    FROM skip
    WHERE NOT EXISTS (
        SELECT FROM before WHERE before.reason = skip.reason AND before.note IS NOT DISTINCT FROM skip.note
    )
)
SELECT EXISTS (SELECT FROM skip)::boolean AS stored, EXISTS (SELECT FROM url)::boolean AS url_known;

-- name: AnonymousSkipUpsert :one
-- SkipUpsert for an anonymous session, which is stored with its first skip as with its first answer.
WITH url AS (
    SELECT urls.id FROM urls WHERE urls.id = @url_id FOR KEY SHARE
), session AS (
    -- Locked before the queue, as a transfer of the session to a user does.
    SELECT anonymous_sessions.id FROM anonymous_sessions WHERE anonymous_sessions.id = @session_id FOR SHARE
), acceptable AS (
    SELECT url.id AS url_id
    FROM url
    WHERE NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.session_id = @session_id AND a.url_id = @url_id)
), new_session AS (
    INSERT INTO anonymous_sessions (id)
    SELECT @session_id FROM acceptable WHERE NOT EXISTS (SELECT FROM session)
    ON CONFLICT ON CONSTRAINT anonymous_sessions_pkey DO UPDATE SET created_at = anonymous_sessions.created_at
    RETURNING id
), accepted AS (
    SELECT acceptable.url_id, stored.id AS session_id
    FROM acceptable
    CROSS JOIN (SELECT id FROM session UNION ALL SELECT id FROM new_session) AS stored
), before AS (
    SELECT s.reason, s.note FROM url_skips s WHERE s.session_id = @session_id AND s.url_id = @url_id AND s.active
), queue AS (
    UPDATE annotation_queue q
    SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
    FROM accepted
    WHERE q.url_id = accepted.url_id
    RETURNING q.url_id, q.eligible
), done AS (
    INSERT INTO anonymous_url_done (session_id, url_id)
    SELECT @session_id, queue.url_id FROM queue WHERE queue.eligible
    ON CONFLICT ON CONSTRAINT anonymous_url_done_pkey DO NOTHING
), reservation AS (
    DELETE FROM url_reservations r
    USING queue
    WHERE r.annotator = (@session_id::uuid)::text AND r.url_id = queue.url_id
), skip AS (
    INSERT INTO url_skips (url_id, session_id, reason, note, returns_at)
    SELECT
        accepted.url_id,
        accepted.session_id,
        @reason,
        sqlc.narg('note')::text,
        now() + nullif(@seconds::float8, 0) * interval '1 second'
    FROM accepted LEFT JOIN queue ON true
    ON CONFLICT ON CONSTRAINT url_skips_session_id_url_id_key DO UPDATE
        SET reason = excluded.reason, note = excluded.note, active = true, created_at = excluded.created_at,
            returns_at = excluded.returns_at
    RETURNING url_id, session_id, reason, note
), history AS (
    INSERT INTO url_history (url_id, event, session_id, detail)
    SELECT
        skip.url_id, 'skipped', skip.session_id,
        jsonb_strip_nulls(jsonb_build_object('reason', skip.reason, 'note', skip.note))
    FROM skip
    WHERE NOT EXISTS (
        SELECT FROM before WHERE before.reason = skip.reason AND before.note IS NOT DISTINCT FROM skip.note
    )
)
SELECT EXISTS (SELECT FROM skip)::boolean AS stored, EXISTS (SELECT FROM url)::boolean AS url_known;

-- name: SkipNextGet :one
-- The URL that a user gets who has nothing else left: an eligible one that the user has put off, in the batch if one is given.
-- Those that are not reserved come first, then the oldest skip. No rows: there is none. The cost grows with the skips of the
-- user. OFFSET 0 keeps the planner from reading all of the queue, or all annotations of the user.
SELECT next.url_id, next.changed_xid, next.reserved, urls.url, urls.scheme, urls.trailing_slash
FROM (
    SELECT q.url_id, q.changed_xid, q.reserved
    FROM url_skips s
    CROSS JOIN LATERAL (SELECT q.* FROM annotation_queue q WHERE q.url_id = s.url_id OFFSET 0) AS q
    WHERE s.user_id = @user_id::integer
        AND s.active
        AND q.eligible
        AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer)
        AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = @user_id AND a.url_id = s.url_id OFFSET 0)
    ORDER BY q.reserved, s.created_at, s.id
    LIMIT 1
) AS next
JOIN urls ON urls.id = next.url_id;

-- name: AnonymousSkipNextGet :one
-- SkipNextGet for an anonymous session.
SELECT next.url_id, next.changed_xid, next.reserved, urls.url, urls.scheme, urls.trailing_slash
FROM (
    SELECT q.url_id, q.changed_xid, q.reserved
    FROM url_skips s
    CROSS JOIN LATERAL (SELECT q.* FROM annotation_queue q WHERE q.url_id = s.url_id OFFSET 0) AS q
    WHERE s.session_id = @session_id::uuid
        AND s.active
        AND q.eligible
        AND NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.session_id = @session_id AND a.url_id = s.url_id OFFSET 0)
    ORDER BY q.reserved, s.created_at, s.id
    LIMIT 1
) AS next
JOIN urls ON urls.id = next.url_id;

-- name: SkipFirstExpiry :one
-- In how many seconds the first reservation ends of a URL that the annotator has put off; 0 without one. The cost grows with the
-- skips of the annotator. OFFSET 0 keeps the planner from reading the skips or the reservations of all annotators.
SELECT coalesce(
    extract(epoch FROM min(held.expires_at) - coalesce(sqlc.narg('now')::timestamptz, now())), 0
)::double precision AS seconds
FROM (
    SELECT s.url_id FROM url_skips s WHERE s.user_id = sqlc.narg('user_id')::integer AND s.active
    UNION ALL
    SELECT s.url_id FROM url_skips s WHERE s.session_id = sqlc.narg('session_id')::uuid AND s.active
) AS skipped
CROSS JOIN LATERAL (SELECT q.* FROM annotation_queue q WHERE q.url_id = skipped.url_id OFFSET 0) AS q
CROSS JOIN LATERAL (SELECT r.expires_at FROM url_reservations r WHERE r.url_id = skipped.url_id OFFSET 0) AS held
WHERE q.eligible
    AND q.reserved
    AND (sqlc.narg('batch_id')::integer IS NULL OR q.batch_id = sqlc.narg('batch_id')::integer);

-- name: SkipLockDueMany :many
-- Locks the rows of the queue of URLs with skips whose time is over, by id, so that SkipEndMany sees what concurrent writers have
-- stored. URLs that another writer has locked are left out. A URL without a row in the queue is returned too.
WITH due AS (
    SELECT DISTINCT part.url_id
    FROM (
        SELECT s.url_id
        FROM url_skips s
        WHERE s.active AND s.returns_at <= now()
        ORDER BY s.returns_at, s.id
        LIMIT @at_most::bigint
    ) AS part
), locked AS (
    SELECT q.url_id
    FROM annotation_queue q
    WHERE q.url_id IN (SELECT due.url_id FROM due)
    ORDER BY q.url_id
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT locked.url_id FROM locked
UNION ALL
SELECT due.url_id FROM due WHERE NOT EXISTS (SELECT FROM annotation_queue q WHERE q.url_id = due.url_id)
ORDER BY url_id
LIMIT @at_most::bigint;

-- name: SkipEndMany :one
-- Ends the skips of URLs whose time is over, so that their annotators are offered the URLs again, and returns their number. The
-- caller holds the locks of SkipLockDueMany. Cursors rely on changed_xid.
WITH ended AS (
    UPDATE url_skips s
    SET active = false
    WHERE s.url_id = ANY(@url_ids::integer[]) AND s.active AND s.returns_at <= now()
    RETURNING s.url_id, s.user_id, s.session_id
), user_done AS (
    DELETE FROM user_url_done d
    USING ended
    WHERE d.user_id = ended.user_id
        AND d.url_id = ended.url_id
        AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = d.user_id AND a.url_id = d.url_id OFFSET 0)
), session_done AS (
    DELETE FROM anonymous_url_done d
    USING ended
    WHERE d.session_id = ended.session_id
        AND d.url_id = ended.url_id
        AND NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.session_id = d.session_id AND a.url_id = d.url_id OFFSET 0)
), queue AS (
    UPDATE annotation_queue q
    SET changed_xid = pg_current_xact_id()::text::bigint
    WHERE q.url_id IN (SELECT ended.url_id FROM ended)
)
SELECT count(*)::integer AS ended FROM ended;
