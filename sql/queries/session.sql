-- The transfer of a session's answers to a user. The order of the steps makes it exact with concurrent writers: lock the session
-- against new answers; lock the URLs against deletion, by id; copy, with a snapshot taken after that; delete; recount the
-- queue; delete the session last.

-- name: AnonymousSessionLock :execrows
-- Waits for answers of the session that are being stored, and blocks later ones until the end of the transaction. No rows: the
-- session is unknown.
SELECT FROM anonymous_sessions WHERE id = @session_id FOR UPDATE;

-- name: AnonymousURLLockMany :exec
-- Locks the URLs that the session annotated against deletion.
SELECT FROM urls
WHERE urls.id IN (SELECT a.url_id FROM anonymous_url_annotations a WHERE a.session_id = @session_id)
ORDER BY urls.id
FOR KEY SHARE;

-- name: AnonymousAnnotationTransfer :many
-- Copies the session's answers to the user, URL by URL, with their times. Returns every URL of the session, and a second time, as
-- transferred, each URL whose answer was copied. It is not copied when the user has a row for the URL in any of the four
-- tables. For one stored concurrently, the key of the URL types decides, because every answer has a type. The reference lets a
-- session give a URL several types: the latest is copied, and of several at one time the first of the enum. Parts that the
-- rules of an answer do not allow with the type are not copied.
-- The size of a session is not known in advance. So the tables are read URL by URL, and OFFSET 0 and LIMIT keep the planner from
-- joining them in another order: it would expect a few rows and choose nested loops over all of them.
-- @sqlc-vet-disable many-without-limit
WITH answered AS MATERIALIZED (
    SELECT DISTINCT a.url_id FROM anonymous_url_annotations a WHERE a.session_id = @session_id
), unanswered AS MATERIALIZED (
    SELECT answered.url_id, given.url_type, given.created_at
    FROM answered
    LEFT JOIN LATERAL (
        SELECT a.url_type, a.created_at
        FROM annotation__url_type__anon a
        WHERE a.session_id = @session_id AND a.url_id = answered.url_id
        ORDER BY a.created_at DESC, a.url_type
        LIMIT 1
    ) AS given ON true
    WHERE NOT EXISTS (
        SELECT FROM user_url_annotations own WHERE own.user_id = @user_id AND own.url_id = answered.url_id OFFSET 0
    )
), stored_type AS (
    INSERT INTO annotation__url_type__user (url_id, user_id, type, created_at)
    SELECT unanswered.url_id, @user_id, unanswered.url_type, unanswered.created_at
    FROM unanswered
    WHERE unanswered.url_type IS NOT NULL
    ORDER BY unanswered.url_id
    ON CONFLICT ON CONSTRAINT annotation__url_type__user_pkey DO NOTHING
    RETURNING url_id, type
), copied AS (
    SELECT
        stored_type.url_id,
        stored_type.type NOT IN ('meta url', 'individual record', 'not relevant') AS with_record_type,
        stored_type.type <> 'not relevant' AS with_entities
    FROM stored_type
    UNION ALL
    SELECT unanswered.url_id, true, true FROM unanswered WHERE unanswered.url_type IS NULL
), stored_record_type AS (
    INSERT INTO annotation__record_type__user (url_id, user_id, record_type, created_at)
    SELECT copied.url_id, @user_id, given.record_type, given.created_at
    FROM copied
    CROSS JOIN LATERAL (
        SELECT a.record_type, a.created_at
        FROM annotation__record_type__anon a
        WHERE a.session_id = @session_id AND a.url_id = copied.url_id
        ORDER BY a.created_at DESC, a.record_type
        LIMIT 1
    ) AS given
    WHERE copied.with_record_type
    ORDER BY copied.url_id
    ON CONFLICT ON CONSTRAINT annotation__record_type__user_pkey DO NOTHING
), stored_agencies AS (
    INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
    SELECT copied.url_id, @user_id, agencies.id
    FROM copied
    CROSS JOIN LATERAL (
        SELECT a.agency_id
        FROM annotation__agency__anon a
        WHERE a.session_id = @session_id AND a.url_id = copied.url_id
        OFFSET 0
    ) AS given
    JOIN agencies ON agencies.id = given.agency_id
    WHERE copied.with_entities
    ORDER BY copied.url_id, agencies.id
    FOR KEY SHARE OF agencies -- waits for a concurrent deletion, and leaves a deleted agency out
    ON CONFLICT ON CONSTRAINT annotation__agency__user_agency_id_url_id_user_id_key DO NOTHING
), stored_locations AS (
    INSERT INTO annotation__location__user (url_id, user_id, location_id, created_at)
    SELECT copied.url_id, @user_id, locations.id, given.created_at
    FROM copied
    CROSS JOIN LATERAL (
        SELECT a.location_id, a.created_at
        FROM annotation__location__anon a
        WHERE a.session_id = @session_id AND a.url_id = copied.url_id
        OFFSET 0
    ) AS given
    JOIN locations ON locations.id = given.location_id
    WHERE copied.with_entities
    ORDER BY copied.url_id, locations.id
    FOR KEY SHARE OF locations
    ON CONFLICT ON CONSTRAINT annotation__location__user_pkey DO NOTHING
)
SELECT result.url_id::integer AS url_id, result.transferred::boolean AS transferred
FROM (
    SELECT answered.url_id, false AS transferred FROM answered
    UNION ALL
    SELECT copied.url_id, true FROM copied
) AS result
ORDER BY result.url_id, result.transferred;

-- name: AnonymousAnnotationDelete :exec
-- Deletes all annotations of the session.
WITH url_type AS (
    DELETE FROM annotation__url_type__anon a WHERE a.session_id = @session_id
), record_type AS (
    DELETE FROM annotation__record_type__anon a WHERE a.session_id = @session_id
), agency AS (
    DELETE FROM annotation__agency__anon a WHERE a.session_id = @session_id
)
DELETE FROM annotation__location__anon a WHERE a.session_id = @session_id;

-- name: AnonymousSessionDelete :exec
-- Deletes the session, which has no annotations.
DELETE FROM anonymous_sessions WHERE id = @session_id;
