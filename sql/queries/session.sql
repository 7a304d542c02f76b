-- The transfer of a session's annotations, skips and reservation to a user. The order of the steps makes it exact with concurrent
-- writers: lock the session against new answers; the user against changes of answers; the URLs against deletion, by id; move each
-- kind of annotation, with snapshots taken after that; lock the rows of the queue, by id; move skips and the reservation, which
-- other writers change only with that lock; recount the queue last. TestTransferDuringReopening and TestTransferDuringAChange show
-- why.

-- name: AnonymousSessionLock :execrows
-- Waits for answers and skips of the session that are being stored, and blocks later ones until the end of the transaction: these
-- lock the session FOR SHARE. It does not block the key share lock of foreign keys, which a recount acquires for done rows of the
-- session when it has already locked the queue. No rows: the session is unknown, or its first answer has not been committed.
SELECT FROM anonymous_sessions WHERE id = @session_id FOR NO KEY UPDATE;

-- name: AnonymousSessionInsert :execrows
-- Waits for the first answer of the session if it is being stored. One row: there is none, and a later one waits until the end of
-- the transaction.
INSERT INTO anonymous_sessions (id) VALUES (@session_id) ON CONFLICT ON CONSTRAINT anonymous_sessions_pkey DO NOTHING;

-- name: AnonymousURLLockMany :many
-- Locks the URLs that the session has annotated, put off or reserved against deletion, and returns their ids, ascending. Each URL
-- is looked up by itself: a join with few URLs may read all.
-- @sqlc-vet-disable many-without-limit
SELECT locked.id
FROM (
    SELECT a.url_id FROM annotation__url_type__anon a WHERE a.session_id = @session_id
    UNION SELECT a.url_id FROM annotation__record_type__anon a WHERE a.session_id = @session_id
    UNION SELECT a.url_id FROM annotation__agency__anon a WHERE a.session_id = @session_id
    UNION SELECT a.url_id FROM annotation__location__anon a WHERE a.session_id = @session_id
    UNION
    SELECT name.url_id FROM annotation__name__suggestions name
    JOIN annotation__name__anon__endorsements e ON e.suggestion_id = name.id
    WHERE e.session_id = @session_id
    UNION SELECT s.url_id FROM url_skips s WHERE s.session_id = @session_id
    UNION SELECT r.url_id FROM url_reservations r WHERE r.annotator = (@session_id::uuid)::text
    ORDER BY url_id
) AS own
CROSS JOIN LATERAL (SELECT urls.id FROM urls WHERE urls.id = own.url_id FOR KEY SHARE) AS locked
ORDER BY own.url_id;

-- name: MigratedAnswerUpsertMany :many
-- Keeps what the session says about its URLs, in addition to what it migrated before. A URL of which it only endorsed a name is
-- left out: the session has not answered it. Returns the URLs in any order.
-- @sqlc-vet-disable many-without-limit
INSERT INTO anonymous_migrated_answers (session_id, url_id, url_types, record_types, agency_ids, location_ids, names)
SELECT
    @session_id,
    said.url_id,
    coalesce(array_agg(DISTINCT said.url_type) FILTER (WHERE said.url_type IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT said.record_type) FILTER (WHERE said.record_type IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT said.agency_id) FILTER (WHERE said.agency_id IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT said.location_id) FILTER (WHERE said.location_id IS NOT NULL), '{}'),
    coalesce(array_agg(DISTINCT said.name) FILTER (WHERE said.name IS NOT NULL), '{}')
FROM (
    SELECT a.url_id, a.url_type::text AS url_type, NULL::text AS record_type, NULL::integer AS agency_id,
        NULL::bigint AS location_id, NULL::text AS name
    FROM annotation__url_type__anon a WHERE a.session_id = @session_id
    UNION ALL
    SELECT a.url_id, NULL, a.record_type::text, NULL, NULL, NULL
    FROM annotation__record_type__anon a WHERE a.session_id = @session_id
    UNION ALL
    SELECT a.url_id, NULL, NULL, a.agency_id, NULL, NULL FROM annotation__agency__anon a WHERE a.session_id = @session_id
    UNION ALL
    SELECT a.url_id, NULL, NULL, NULL, a.location_id, NULL FROM annotation__location__anon a WHERE a.session_id = @session_id
    UNION ALL
    SELECT name.url_id, NULL, NULL, NULL, NULL, name.suggestion
    FROM annotation__name__suggestions name
    JOIN annotation__name__anon__endorsements e ON e.suggestion_id = name.id
    WHERE e.session_id = @session_id
) AS said
GROUP BY said.url_id
HAVING count(said.name) < count(*)
ON CONFLICT ON CONSTRAINT anonymous_migrated_answers_pkey DO UPDATE SET
    url_types = ARRAY(
        SELECT unnest(anonymous_migrated_answers.url_types) UNION SELECT unnest(excluded.url_types) ORDER BY 1
    ),
    record_types = ARRAY(
        SELECT unnest(anonymous_migrated_answers.record_types) UNION SELECT unnest(excluded.record_types) ORDER BY 1
    ),
    agency_ids = ARRAY(
        SELECT unnest(anonymous_migrated_answers.agency_ids) UNION SELECT unnest(excluded.agency_ids) ORDER BY 1
    ),
    location_ids = ARRAY(
        SELECT unnest(anonymous_migrated_answers.location_ids) UNION SELECT unnest(excluded.location_ids) ORDER BY 1
    ),
    names = ARRAY(SELECT unnest(anonymous_migrated_answers.names) UNION SELECT unnest(excluded.names) ORDER BY 1)
RETURNING url_id;

-- name: AnonymousURLTypeTransfer :execrows
-- Gives the user the session's URL types where the user has none. The reference lets a session give a URL several: the last one
-- counts, and of several at one time the first of the enum. It is the first kind because every answer of a user stores its type
-- first: where both store one, the second waits for the first before it stores anything else of the URL.
INSERT INTO annotation__url_type__user (url_id, user_id, type)
SELECT DISTINCT ON (a.url_id) a.url_id, @user_id::integer, a.url_type
FROM annotation__url_type__anon a
WHERE a.session_id = @session_id
ORDER BY a.url_id, a.created_at DESC, a.url_type
ON CONFLICT ON CONSTRAINT annotation__url_type__user_pkey DO NOTHING;

-- name: AnonymousRecordTypeTransfer :execrows
-- Gives the user the session's record types where the user has none, likewise.
INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
SELECT DISTINCT ON (a.url_id) a.url_id, @user_id::integer, a.record_type
FROM annotation__record_type__anon a
WHERE a.session_id = @session_id
ORDER BY a.url_id, a.created_at DESC, a.record_type
ON CONFLICT ON CONSTRAINT annotation__record_type__user_pkey DO NOTHING;

-- name: AnonymousAgencyTransfer :execrows
-- Gives the user the session's agencies that the user does not have. It waits for a concurrent deletion of an agency, and leaves
-- a deleted one out.
INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
SELECT a.url_id, @user_id::integer, agencies.id
FROM annotation__agency__anon a
JOIN agencies ON agencies.id = a.agency_id
WHERE a.session_id = @session_id
ORDER BY a.url_id, agencies.id
FOR KEY SHARE OF agencies
ON CONFLICT ON CONSTRAINT annotation__agency__user_agency_id_url_id_user_id_key DO NOTHING;

-- name: AnonymousLocationTransfer :execrows
-- Gives the user the session's locations that the user does not have, likewise.
INSERT INTO annotation__location__user (url_id, user_id, location_id)
SELECT a.url_id, @user_id::integer, locations.id
FROM annotation__location__anon a
JOIN locations ON locations.id = a.location_id
WHERE a.session_id = @session_id
ORDER BY a.url_id, locations.id
FOR KEY SHARE OF locations
ON CONFLICT ON CONSTRAINT annotation__location__user_pkey DO NOTHING;

-- name: AnonymousEndorsementTransfer :execrows
-- Gives the user the session's endorsements of names that the user does not have.
INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id)
SELECT @user_id::integer, name.id
FROM annotation__name__anon__endorsements e
JOIN annotation__name__suggestions name ON name.id = e.suggestion_id
WHERE e.session_id = @session_id
ORDER BY name.url_id, name.id
ON CONFLICT ON CONSTRAINT annotation__name__user__endorsements_pkey DO NOTHING;

-- name: AnonymousAnnotationDelete :one
-- Deletes all annotations of the session and returns their number.
WITH url_type AS (
    DELETE FROM annotation__url_type__anon a WHERE a.session_id = @session_id RETURNING a.url_id
), record_type AS (
    DELETE FROM annotation__record_type__anon a WHERE a.session_id = @session_id RETURNING a.url_id
), agency AS (
    DELETE FROM annotation__agency__anon a WHERE a.session_id = @session_id RETURNING a.url_id
), location AS (
    DELETE FROM annotation__location__anon a WHERE a.session_id = @session_id RETURNING a.url_id
), address AS (
    DELETE FROM anonymous_answer_addresses a WHERE a.session_id = @session_id
), endorsement AS (
    DELETE FROM annotation__name__anon__endorsements e WHERE e.session_id = @session_id RETURNING e.suggestion_id
)
SELECT (
    (SELECT count(*) FROM url_type) + (SELECT count(*) FROM record_type) + (SELECT count(*) FROM agency)
    + (SELECT count(*) FROM location) + (SELECT count(*) FROM endorsement)
)::integer AS deleted;

-- name: AnonymousReservedURLLockMany :many
-- AnonymousURLLockMany for a session that is not stored: it has at most a reservation.
SELECT urls.id
FROM url_reservations r
JOIN urls ON urls.id = r.url_id
WHERE r.annotator = (@session_id::uuid)::text
ORDER BY urls.id
LIMIT 1
FOR KEY SHARE OF urls;

-- name: AnonymousSkipTransfer :exec
-- Gives the user the session's skips. Where both have one, the user's stays. Neither keeps one of a URL that the user has
-- answered by now.
WITH moved AS (
    DELETE FROM url_skips s
    WHERE s.session_id = @session_id::uuid
    RETURNING s.url_id, s.reason, s.note, s.active, s.created_at, s.returns_at
), answered AS (
    DELETE FROM url_skips s
    WHERE s.user_id = @user_id::integer
        AND s.url_id = ANY(@url_ids::integer[])
        AND EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = @user_id AND a.url_id = s.url_id OFFSET 0)
)
INSERT INTO url_skips (url_id, user_id, reason, note, active, created_at, returns_at)
SELECT moved.url_id, @user_id::integer, moved.reason, moved.note, moved.active, moved.created_at, moved.returns_at
FROM moved
WHERE NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = @user_id AND a.url_id = moved.url_id OFFSET 0)
ORDER BY moved.url_id
ON CONFLICT ON CONSTRAINT url_skips_user_id_url_id_key DO NOTHING;

-- name: AnonymousReservationTransfer :exec
-- Gives the user the session's reservation, unless it has expired, the user has another one that has not, or has answered the URL.
-- Otherwise it ends. The recount that follows clears annotation_queue.reserved. That of the URL of an expired reservation, which is
-- replaced, is cleared here, unless another writer has locked its row, which is not among the rows that the transfer has locked.
WITH ended AS (
    DELETE FROM url_reservations r
    WHERE r.annotator = (@session_id::uuid)::text
    RETURNING r.url_id, r.slot, r.suggestions_hidden, r.expires_at
), former AS MATERIALIZED (
    SELECT q.url_id
    FROM url_reservations r
    JOIN annotation_queue q ON q.url_id = r.url_id
    WHERE r.annotator = (@user_id::integer)::text AND r.expires_at <= now() AND q.reserved
    FOR NO KEY UPDATE OF q SKIP LOCKED
), freed AS (
    UPDATE annotation_queue q SET reserved = false, changed_xid = pg_current_xact_id()::text::bigint
    FROM former
    WHERE q.url_id = former.url_id
)
INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
SELECT (@user_id::integer)::text, ended.url_id, ended.slot, ended.suggestions_hidden, ended.expires_at
FROM ended
WHERE ended.expires_at > now()
    AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = @user_id AND a.url_id = ended.url_id)
ON CONFLICT ON CONSTRAINT url_reservations_pkey DO UPDATE
    SET url_id = excluded.url_id, slot = excluded.slot, suggestions_hidden = excluded.suggestions_hidden,
        expires_at = excluded.expires_at
    WHERE url_reservations.expires_at <= now();

-- name: UserAnswerListMany :many
-- All that a user says about URLs, as the history keeps it, by URL; an empty object for nothing.
-- No limit: there are as many rows as URLs.
-- @sqlc-vet-disable many-without-limit
SELECT
    page.url_id::integer AS url_id,
    jsonb_strip_nulls(jsonb_build_object(
        'url_type', (SELECT a.type FROM annotation__url_type__user a WHERE a.user_id = @user_id AND a.url_id = page.url_id),
        'record_type', (
            SELECT a.record_type FROM annotation__record_type__user a WHERE a.user_id = @user_id AND a.url_id = page.url_id
        ),
        'agency_ids', (
            SELECT jsonb_agg(a.agency_id ORDER BY a.agency_id) FROM annotation__agency__user a
            WHERE a.user_id = @user_id AND a.url_id = page.url_id AND a.agency_id IS NOT NULL
        ),
        'location_ids', (
            SELECT jsonb_agg(a.location_id ORDER BY a.location_id) FROM annotation__location__user a
            WHERE a.user_id = @user_id AND a.url_id = page.url_id
        ),
        'agency_not_found', (
            SELECT true FROM link_user_suggestion_agency_not_found a WHERE a.user_id = @user_id AND a.url_id = page.url_id
        ),
        'location_not_found', (
            SELECT true FROM link_user_suggestion_location_not_found a WHERE a.user_id = @user_id AND a.url_id = page.url_id
        ),
        'name', names.list -> 0,
        'other_names', nullif(names.list - 0, '[]')
    ))::jsonb AS said
FROM unnest(@url_ids::integer[]) AS page (url_id)
CROSS JOIN LATERAL (
    SELECT jsonb_agg(name.suggestion ORDER BY e.created_at DESC, e.suggestion_id DESC) AS list
    FROM annotation__name__suggestions name
    JOIN annotation__name__user__endorsements e ON e.suggestion_id = name.id
    WHERE name.url_id = page.url_id AND e.user_id = @user_id
) AS names
ORDER BY page.url_id;
