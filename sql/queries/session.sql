-- A session's answers become a user's. The order of the steps makes it exact beside any other writer: hold off the session's
-- own answers; keep the URLs from being deleted, by id; look, with a snapshot taken after that, and hand over; recount the
-- queue; close the session last.

-- name: AnonymousSessionLock :execrows
-- Waits for answers of the session that are being stored, and holds off later ones to the end of the transaction. No rows:
-- the session is unknown.
SELECT FROM anonymous_sessions WHERE id = @session_id FOR UPDATE;

-- name: AnonymousURLLockMany :exec
-- Keeps what the session annotated from being deleted to the end of the transaction.
SELECT FROM urls
WHERE urls.id IN (SELECT a.url_id FROM anonymous_url_annotations a WHERE a.session_id = @session_id)
ORDER BY urls.id
FOR KEY SHARE;

-- name: AnonymousAnnotationTransfer :many
-- Copies what the session said to the user, URL by URL, with its time. Returns every URL of the session, and once more, as
-- migrated, those that were handed over. A URL is not when the user has a row for it in any of the four tables, be it one stored
-- a moment ago: the key of the url types decides, since every answer has one. Of several types of one URL, which the reference
-- lets a session have, the last one counts, and of several at one time the first of the enum. What the rules of an answer do not
-- allow beside the type is left behind.
-- Nobody knows beforehand how much a session said. So the tables are asked URL by URL, which OFFSET 0 and LIMIT keep the planner
-- from turning around: expecting a handful, it would compare everything with everything.
-- @sqlc-vet-disable many-without-limit
WITH answered AS MATERIALIZED (
    SELECT DISTINCT a.url_id FROM anonymous_url_annotations a WHERE a.session_id = @session_id
), free AS MATERIALIZED (
    SELECT answered.url_id, said.url_type, said.created_at
    FROM answered
    LEFT JOIN LATERAL (
        SELECT a.url_type, a.created_at
        FROM anonymous_annotation_url_type a
        WHERE a.session_id = @session_id AND a.url_id = answered.url_id
        ORDER BY a.created_at DESC, a.url_type
        LIMIT 1
    ) AS said ON true
    WHERE NOT EXISTS (
        SELECT FROM user_url_annotations own WHERE own.user_id = @user_id AND own.url_id = answered.url_id OFFSET 0
    )
), stored_type AS (
    INSERT INTO user_url_type_suggestions (url_id, user_id, type, created_at)
    SELECT free.url_id, @user_id, free.url_type, free.created_at
    FROM free
    WHERE free.url_type IS NOT NULL
    ORDER BY free.url_id
    ON CONFLICT ON CONSTRAINT user_url_type_suggestions_pkey DO NOTHING
    RETURNING url_id, type
), taken AS (
    SELECT
        stored_type.url_id,
        stored_type.type NOT IN ('meta url', 'individual record', 'not relevant') AS with_record_type,
        stored_type.type <> 'not relevant' AS with_entities
    FROM stored_type
    UNION ALL
    SELECT free.url_id, true, true FROM free WHERE free.url_type IS NULL
), stored_record_type AS (
    INSERT INTO user_record_type_suggestions (url_id, user_id, record_type, created_at)
    SELECT taken.url_id, @user_id, said.record_type, said.created_at
    FROM taken
    CROSS JOIN LATERAL (
        SELECT a.record_type, a.created_at
        FROM anonymous_annotation_record_type a
        WHERE a.session_id = @session_id AND a.url_id = taken.url_id
        ORDER BY a.created_at DESC, a.record_type
        LIMIT 1
    ) AS said
    WHERE taken.with_record_type
    ORDER BY taken.url_id
    ON CONFLICT ON CONSTRAINT user_record_type_suggestions_pkey DO NOTHING
), stored_agencies AS (
    INSERT INTO user_url_agency_suggestions (url_id, user_id, agency_id)
    SELECT taken.url_id, @user_id, agencies.id
    FROM taken
    CROSS JOIN LATERAL (
        SELECT a.agency_id
        FROM anonymous_annotation_agency a
        WHERE a.session_id = @session_id AND a.url_id = taken.url_id
        OFFSET 0
    ) AS said
    JOIN agencies ON agencies.id = said.agency_id
    WHERE taken.with_entities
    ORDER BY taken.url_id, agencies.id
    FOR KEY SHARE OF agencies -- one that is being deleted is waited for, and left out
    ON CONFLICT ON CONSTRAINT user_url_agency_suggestions_agency_id_url_id_user_id_key DO NOTHING
), stored_locations AS (
    INSERT INTO user_location_suggestions (url_id, user_id, location_id, created_at)
    SELECT taken.url_id, @user_id, locations.id, said.created_at
    FROM taken
    CROSS JOIN LATERAL (
        SELECT a.location_id, a.created_at
        FROM anonymous_annotation_location a
        WHERE a.session_id = @session_id AND a.url_id = taken.url_id
        OFFSET 0
    ) AS said
    JOIN locations ON locations.id = said.location_id
    WHERE taken.with_entities
    ORDER BY taken.url_id, locations.id
    FOR KEY SHARE OF locations
    ON CONFLICT ON CONSTRAINT user_location_suggestions_pkey DO NOTHING
)
SELECT copied.url_id::integer AS url_id, copied.transferred::boolean AS transferred
FROM (
    SELECT answered.url_id, false AS transferred FROM answered
    UNION ALL
    SELECT taken.url_id, true FROM taken
) AS copied
ORDER BY copied.url_id, copied.transferred;

-- name: AnonymousAnnotationDelete :exec
-- Drops everything the session said.
WITH url_type AS (
    DELETE FROM anonymous_annotation_url_type a WHERE a.session_id = @session_id
), record_type AS (
    DELETE FROM anonymous_annotation_record_type a WHERE a.session_id = @session_id
), agency AS (
    DELETE FROM anonymous_annotation_agency a WHERE a.session_id = @session_id
)
DELETE FROM anonymous_annotation_location a WHERE a.session_id = @session_id;

-- name: AnonymousSessionDelete :exec
-- Closes the session, which has said nothing.
DELETE FROM anonymous_sessions WHERE id = @session_id;
