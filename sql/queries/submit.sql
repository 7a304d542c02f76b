-- An answer is checked and stored by one statement: completely or not at all, in one round trip.

-- name: AnnotationInsert :one
-- Stores a signed-in user's answer about one URL. Nothing is stored when the URL, an agency, a location or the endorsed name
-- (which must be one of this URL) is unknown; the row reports which. A user who has annotated the URL before violates a
-- key. A new name that the URL already has becomes an endorsement of it.
WITH url AS (
    -- Locked first, as a transaction that deletes the URL does, so that the two do not deadlock.
    SELECT urls.id FROM urls WHERE urls.id = @url_id FOR KEY SHARE
), unknown_agency AS (
    SELECT given.id
    FROM unnest(@agency_ids::integer[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM agencies WHERE agencies.id = given.id)
), unknown_location AS (
    SELECT given.id
    FROM unnest(@location_ids::bigint[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM locations WHERE locations.id = given.id)
), existing_name AS (
    SELECT name.id
    FROM annotation__name__suggestions name
    WHERE name.id = sqlc.narg('existing_name_id')::integer AND name.url_id = @url_id
), accepted AS (
    SELECT url.id AS url_id, @user_id::integer AS user_id
    FROM url
    WHERE NOT EXISTS (SELECT FROM unknown_agency)
        AND NOT EXISTS (SELECT FROM unknown_location)
        AND (sqlc.narg('existing_name_id')::integer IS NULL OR EXISTS (SELECT FROM existing_name))
), stored_type AS (
    INSERT INTO annotation__url_type__user (url_id, user_id, type)
    SELECT url_id, user_id, @url_type FROM accepted
    RETURNING url_id
), new_name AS (
    INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
    SELECT url_id, sqlc.narg('new_name')::varchar, 'User' FROM accepted
    WHERE sqlc.narg('new_name')::varchar IS NOT NULL AND sqlc.narg('existing_name_id')::integer IS NULL
    ON CONFLICT ON CONSTRAINT annotation__name__suggestions_url_id_suggestion_key
        DO UPDATE SET suggestion = excluded.suggestion
    RETURNING id
), endorsement AS (
    INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id)
    SELECT accepted.user_id, name.id
    FROM accepted
    CROSS JOIN (SELECT id FROM new_name UNION ALL SELECT id FROM existing_name) AS name
    ON CONFLICT ON CONSTRAINT annotation__name__user__endorsements_pkey DO NOTHING
), stored_locations AS (
    INSERT INTO annotation__location__user (url_id, user_id, location_id)
    SELECT accepted.url_id, accepted.user_id, unnest(@location_ids::bigint[]) FROM accepted
), stored_record_type AS (
    INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
    SELECT url_id, user_id, sqlc.narg('record_type')::record_type FROM accepted
    WHERE sqlc.narg('record_type')::record_type IS NOT NULL
), stored_agencies AS (
    INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
    SELECT accepted.url_id, accepted.user_id, unnest(@agency_ids::integer[]) FROM accepted
), stored_location_not_found AS (
    INSERT INTO link_user_suggestion_location_not_found (url_id, user_id)
    SELECT url_id, user_id FROM accepted WHERE @location_not_found::boolean
), stored_agency_not_found AS (
    INSERT INTO link_user_suggestion_agency_not_found (url_id, user_id)
    SELECT url_id, user_id FROM accepted WHERE @agency_not_found::boolean
), counted AS (
    SELECT
        accepted.url_id,
        coalesce(cardinality(@agency_ids::integer[]), 0) AS agencies
    FROM accepted
    -- At most one row, joined only for the order: the row of the name is locked before that of the queue, as robots do, so that
    -- the two do not deadlock. Without this join PostgreSQL would run new_name after queue: it runs data-modifying CTEs that
    -- nothing has read after the main query, the last one first (ExecPostprocessPlan). TestNameIsLockedBeforeQueue notices.
    LEFT JOIN new_name ON true
), queue AS (
    UPDATE annotation_queue q
    SET user_url_type_count = q.user_url_type_count + 1,
        user_agency_count = q.user_agency_count + counted.agencies,
        changed_xid = pg_current_xact_id()::text::bigint
    FROM counted
    WHERE q.url_id = counted.url_id
    RETURNING q.url_id, q.eligible, q.batch_id,
        counted.agencies > 0 AND q.user_agency_count = counted.agencies AS first_agency
), done AS (
    INSERT INTO user_url_done (user_id, url_id)
    SELECT @user_id, queue.url_id FROM queue WHERE queue.eligible
    ON CONFLICT ON CONSTRAINT user_url_done_pkey DO NOTHING
), progress AS (
    -- A plain UPDATE would miss the row of a batch whose first URL, this one, was added while the answer waited for the queue.
    INSERT INTO batch_progress (batch_id, total, annotated)
    SELECT queue.batch_id, 0, 1 FROM queue WHERE queue.batch_id IS NOT NULL AND queue.first_agency
    ON CONFLICT ON CONSTRAINT batch_progress_pkey DO UPDATE SET annotated = batch_progress.annotated + 1
)
SELECT
    EXISTS (SELECT FROM stored_type)::boolean AS stored,
    EXISTS (SELECT FROM url)::boolean AS url_known,
    ARRAY(SELECT id FROM unknown_agency ORDER BY id)::integer[] AS unknown_agency_ids,
    ARRAY(SELECT id FROM unknown_location ORDER BY id)::bigint[] AS unknown_location_ids;

-- name: AnonymousAnnotationInsert :one
-- Stores an anonymous session's answer about one URL. Nothing is stored when the session, the URL, an agency or a location
-- is unknown, or when the session has already given the URL a type, the same or another; the row reports which. The key
-- alone would allow another type, so the caller must hold a lock on the pair of session and URL.
WITH url AS (
    SELECT urls.id FROM urls WHERE urls.id = @url_id FOR KEY SHARE
), session AS (
    -- Locked before the queue, as a transfer of the session to a user does.
    SELECT anonymous_sessions.id FROM anonymous_sessions WHERE anonymous_sessions.id = @session_id FOR KEY SHARE
), unknown_agency AS (
    SELECT given.id
    FROM unnest(@agency_ids::integer[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM agencies WHERE agencies.id = given.id)
), unknown_location AS (
    SELECT given.id
    FROM unnest(@location_ids::bigint[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM locations WHERE locations.id = given.id)
), earlier AS (
    SELECT FROM annotation__url_type__anon a WHERE a.session_id = @session_id AND a.url_id = @url_id
), accepted AS (
    SELECT url.id AS url_id, session.id AS session_id
    FROM url
    CROSS JOIN session
    WHERE NOT EXISTS (SELECT FROM unknown_agency)
        AND NOT EXISTS (SELECT FROM unknown_location)
        AND NOT EXISTS (SELECT FROM earlier)
), stored_type AS (
    INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
    SELECT url_id, session_id, @url_type FROM accepted
    RETURNING url_id
), stored_record_type AS (
    INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
    SELECT url_id, session_id, sqlc.narg('record_type')::record_type FROM accepted
    WHERE sqlc.narg('record_type')::record_type IS NOT NULL
), stored_locations AS (
    INSERT INTO annotation__location__anon (url_id, session_id, location_id)
    SELECT accepted.url_id, accepted.session_id, unnest(@location_ids::bigint[]) FROM accepted
), stored_agencies AS (
    INSERT INTO annotation__agency__anon (url_id, session_id, agency_id)
    SELECT accepted.url_id, accepted.session_id, unnest(@agency_ids::integer[]) FROM accepted
), queue AS (
    UPDATE annotation_queue q
    SET anon_url_type_count = q.anon_url_type_count + 1,
        changed_xid = pg_current_xact_id()::text::bigint
    FROM accepted
    WHERE q.url_id = accepted.url_id
    RETURNING q.url_id, q.eligible
), done AS (
    INSERT INTO anonymous_url_done (session_id, url_id)
    SELECT @session_id, queue.url_id FROM queue WHERE queue.eligible
    ON CONFLICT ON CONSTRAINT anonymous_url_done_pkey DO NOTHING
)
SELECT
    EXISTS (SELECT FROM stored_type)::boolean AS stored,
    EXISTS (SELECT FROM session)::boolean AS session_known,
    EXISTS (SELECT FROM url)::boolean AS url_known,
    EXISTS (SELECT FROM earlier)::boolean AS annotated_before,
    ARRAY(SELECT id FROM unknown_agency ORDER BY id)::integer[] AS unknown_agency_ids,
    ARRAY(SELECT id FROM unknown_location ORDER BY id)::bigint[] AS unknown_location_ids;

-- name: AnonymousSessionInsert :one
-- Opens an anonymous session, which never expires.
INSERT INTO anonymous_sessions DEFAULT VALUES RETURNING id;
