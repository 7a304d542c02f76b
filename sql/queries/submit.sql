-- An answer is checked and stored by one statement: completely or not at all, in one round trip.

-- name: AnnotationInsert :one
-- Stores a signed-in user's answer about one URL. Nothing is stored when the URL, an agency, a location or the endorsed name (which
-- must be one of this URL) is unknown, or when the user has annotated the URL before; the row reports which. An answer stored
-- concurrently violates a key instead. A new name that the URL already has becomes an endorsement of it. The answer ends the user's
-- reservation and skip of the URL, and is recorded in the history of the URL as the given event. The row reports whether the user
-- has another URL reserved, live or not, and whether others still have this one, which was full. With only_reserved, nothing is
-- stored if the user has not reserved the URL, which late reports; if the reservation ends meanwhile, url_history refuses an event
-- that is null.
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
    -- Locked before the queue, as a change of an answer does. Otherwise the foreign key of the endorsement would lock it afterwards.
    SELECT name.id, name.suggestion
    FROM annotation__name__suggestions name
    WHERE name.id = sqlc.narg('existing_name_id')::integer AND name.url_id = @url_id
    FOR KEY SHARE
), unknown_name AS (
    SELECT sqlc.narg('existing_name_id')::integer AS id
    WHERE sqlc.narg('existing_name_id')::integer IS NOT NULL AND NOT EXISTS (SELECT FROM existing_name)
), earlier AS (
    SELECT FROM user_url_annotations a WHERE a.user_id = @user_id::integer AND a.url_id = @url_id LIMIT 1
), late AS (
    SELECT
    WHERE @only_reserved::boolean
        AND NOT EXISTS (
            SELECT FROM url_reservations r
            WHERE r.annotator = cast(@user_id::integer AS text) AND r.url_id = @url_id AND r.expires_at > now()
        )
), accepted AS (
    SELECT url.id AS url_id, @user_id::integer AS user_id
    FROM url
    WHERE NOT EXISTS (SELECT FROM unknown_agency)
        AND NOT EXISTS (SELECT FROM unknown_location)
        AND NOT EXISTS (SELECT FROM unknown_name)
        AND NOT EXISTS (SELECT FROM earlier)
        AND NOT EXISTS (SELECT FROM late)
), stored_type AS (
    INSERT INTO annotation__url_type__user (url_id, user_id, type)
    SELECT url_id, user_id, @url_type FROM accepted
    RETURNING url_id
), new_name AS (
    INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
    SELECT url_id, sqlc.narg('new_name')::varchar, 'User' FROM accepted
    WHERE sqlc.narg('new_name')::varchar IS NOT NULL AND sqlc.narg('existing_name_id')::integer IS NULL
    ON CONFLICT ON CONSTRAINT annotation__name__suggestions_url_id_suggestion_key
        DO UPDATE SET source = annotation__name__suggestions.source
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
), others AS (
    SELECT FROM url_reservations r
    WHERE r.url_id = @url_id AND r.annotator <> cast(@user_id::integer AS text) AND r.expires_at > now()
), queue AS (
    UPDATE annotation_queue q
    SET user_url_type_count = q.user_url_type_count + 1,
        user_agency_count = q.user_agency_count + counted.agencies,
        -- The answer ends one reservation and lowers the need by one, unless it disagrees: then the caller has the URL offered again.
        reserved = q.reserved AND EXISTS (SELECT FROM others),
        changed_xid = pg_current_xact_id()::text::bigint
    FROM counted
    WHERE q.url_id = counted.url_id
    RETURNING q.url_id, q.eligible, q.batch_id, q.reserved, q.user_url_type_count, q.anon_url_type_count,
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
), elsewhere AS (
    SELECT FROM url_reservations r WHERE r.annotator = cast(@user_id::integer AS text) AND r.url_id <> @url_id
), released AS (
    DELETE FROM url_reservations r USING queue
    WHERE r.annotator = cast(@user_id::integer AS text) AND r.url_id = queue.url_id
    RETURNING r.suggestions_hidden
), unskipped AS (
    DELETE FROM url_skips s USING queue WHERE s.user_id = @user_id AND s.url_id = queue.url_id
), recorded AS (
    -- After the row of the queue is locked, so that the history of a URL is in the order of the commits.
    INSERT INTO url_history (url_id, event, user_id, suggestions_shown, robots, detail)
    SELECT
        queue.url_id,
        -- The reservation may have ended while the answer waited for the queue. Then nothing is stored: the column refuses null.
        CASE WHEN NOT @only_reserved OR EXISTS (SELECT FROM released) THEN @event::url_event END,
        @user_id,
        NOT coalesce(
            (SELECT released.suggestions_hidden FROM released),
            @suggestions_hidden::boolean
                OR EXISTS (SELECT FROM flag_batch_suggestions_hidden flag WHERE flag.batch_id = queue.batch_id)
        ),
        coalesce((SELECT said.robots FROM robot_values said WHERE said.url_id = queue.url_id), '{}'),
        @detail::jsonb || coalesce((SELECT jsonb_build_object('name', existing_name.suggestion) FROM existing_name), '{}')
    FROM queue
), due AS (
    -- The votes on the type, without which there is no fact, are as many as the rule needs. These counts include the answers that
    -- were committed while this one waited for the queue, whose votes the snapshot of this statement does not show. So of several
    -- concurrent answers, the last one knows. Reading the votes of the URL as well would take longer than deciding in vain
    -- (docs/decisions/consensus-at-once.md). The millionth makes up for the rounding in Rule.Weigh.
    INSERT INTO consensus_due (url_id)
    SELECT queue.url_id
    FROM queue
    CROSS JOIN consensus_rule rule
    WHERE queue.user_url_type_count + queue.anon_url_type_count * rule.anonymous_weight + 0.000001 >= rule.threshold
    RETURNING consensus_due.url_id
)
SELECT
    EXISTS (SELECT FROM stored_type)::boolean AS stored,
    EXISTS (SELECT FROM due)::boolean AS due,
    EXISTS (SELECT FROM late)::boolean AS late,
    EXISTS (SELECT FROM elsewhere)::boolean AS reserved_elsewhere,
    coalesce((SELECT queue.reserved FROM queue), false)::boolean AS still_reserved,
    EXISTS (SELECT FROM earlier)::boolean AS annotated_before,
    EXISTS (SELECT FROM url)::boolean AS url_known,
    ARRAY(SELECT id FROM unknown_agency ORDER BY id)::integer[] AS unknown_agency_ids,
    ARRAY(SELECT id FROM unknown_location ORDER BY id)::bigint[] AS unknown_location_ids,
    EXISTS (SELECT FROM unknown_name)::boolean AS name_unknown;

-- name: AnonymousAnnotationInsert :one
-- AnnotationInsert for an anonymous session, which is stored with its first answer. The key of the URL types would allow a second
-- type, so the caller must hold a lock on the pair of session and URL.
WITH url AS (
    SELECT urls.id FROM urls WHERE urls.id = @url_id FOR KEY SHARE
), session AS (
    -- Locked before the queue, as a transfer of the session to a user does.
    SELECT anonymous_sessions.id FROM anonymous_sessions WHERE anonymous_sessions.id = @session_id FOR SHARE
), unknown_agency AS (
    SELECT given.id
    FROM unnest(@agency_ids::integer[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM agencies WHERE agencies.id = given.id)
), unknown_location AS (
    SELECT given.id
    FROM unnest(@location_ids::bigint[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM locations WHERE locations.id = given.id)
), existing_name AS (
    SELECT name.id, name.suggestion
    FROM annotation__name__suggestions name
    WHERE name.id = sqlc.narg('existing_name_id')::integer AND name.url_id = @url_id
    FOR KEY SHARE
), unknown_name AS (
    SELECT sqlc.narg('existing_name_id')::integer AS id
    WHERE sqlc.narg('existing_name_id')::integer IS NOT NULL AND NOT EXISTS (SELECT FROM existing_name)
), earlier AS (
    SELECT FROM anonymous_url_annotations a WHERE a.session_id = @session_id AND a.url_id = @url_id LIMIT 1
), late AS (
    SELECT
    WHERE @only_reserved::boolean
        AND NOT EXISTS (
            SELECT FROM url_reservations r
            WHERE r.annotator = cast(@session_id::uuid AS text) AND r.url_id = @url_id AND r.expires_at > now()
        )
), acceptable AS (
    SELECT url.id AS url_id
    FROM url
    WHERE NOT EXISTS (SELECT FROM unknown_agency)
        AND NOT EXISTS (SELECT FROM unknown_location)
        AND NOT EXISTS (SELECT FROM unknown_name)
        AND NOT EXISTS (SELECT FROM earlier)
        AND NOT EXISTS (SELECT FROM late)
), new_session AS (
    -- Another first answer of the session may insert it concurrently. The update waits for that answer and locks the row.
    INSERT INTO anonymous_sessions (id)
    SELECT @session_id FROM acceptable WHERE NOT EXISTS (SELECT FROM session)
    ON CONFLICT ON CONSTRAINT anonymous_sessions_pkey DO UPDATE SET created_at = anonymous_sessions.created_at
    RETURNING id
), accepted AS (
    SELECT acceptable.url_id, stored.id AS session_id
    FROM acceptable
    CROSS JOIN (SELECT id FROM session UNION ALL SELECT id FROM new_session) AS stored
), stored_type AS (
    INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
    SELECT url_id, session_id, @url_type FROM accepted
    RETURNING url_id
), stored_address AS (
    INSERT INTO anonymous_answer_addresses (url_id, session_id, address_hash)
    SELECT url_id, session_id, sqlc.narg('address_hash')::bytea FROM accepted
    WHERE sqlc.narg('address_hash')::bytea IS NOT NULL
), new_name AS (
    INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
    SELECT url_id, sqlc.narg('new_name')::varchar, 'User' FROM accepted
    WHERE sqlc.narg('new_name')::varchar IS NOT NULL AND sqlc.narg('existing_name_id')::integer IS NULL
    ON CONFLICT ON CONSTRAINT annotation__name__suggestions_url_id_suggestion_key
        DO UPDATE SET source = annotation__name__suggestions.source
    RETURNING id
), endorsement AS (
    INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id)
    SELECT accepted.session_id, name.id
    FROM accepted
    CROSS JOIN (SELECT id FROM new_name UNION ALL SELECT id FROM existing_name) AS name
    ON CONFLICT ON CONSTRAINT annotation__name__anon__endorsements_pkey DO NOTHING
), stored_locations AS (
    INSERT INTO annotation__location__anon (url_id, session_id, location_id)
    SELECT accepted.url_id, accepted.session_id, unnest(@location_ids::bigint[]) FROM accepted
), stored_record_type AS (
    INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
    SELECT url_id, session_id, sqlc.narg('record_type')::record_type FROM accepted
    WHERE sqlc.narg('record_type')::record_type IS NOT NULL
), stored_agencies AS (
    INSERT INTO annotation__agency__anon (url_id, session_id, agency_id)
    SELECT accepted.url_id, accepted.session_id, unnest(@agency_ids::integer[]) FROM accepted
), counted AS (
    -- The join is only for the order of the locks, as in AnnotationInsert.
    SELECT accepted.url_id FROM accepted LEFT JOIN new_name ON true
), others AS (
    SELECT FROM url_reservations r
    WHERE r.url_id = @url_id AND r.annotator <> cast(@session_id::uuid AS text) AND r.expires_at > now()
), queue AS (
    UPDATE annotation_queue q
    SET anon_url_type_count = q.anon_url_type_count + 1,
        reserved = q.reserved AND EXISTS (SELECT FROM others),
        changed_xid = pg_current_xact_id()::text::bigint
    FROM counted
    WHERE q.url_id = counted.url_id
    RETURNING q.url_id, q.eligible, q.batch_id, q.reserved, q.user_url_type_count, q.anon_url_type_count
), done AS (
    INSERT INTO anonymous_url_done (session_id, url_id)
    SELECT @session_id, queue.url_id FROM queue WHERE queue.eligible
    ON CONFLICT ON CONSTRAINT anonymous_url_done_pkey DO NOTHING
), elsewhere AS (
    SELECT FROM url_reservations r WHERE r.annotator = cast(@session_id::uuid AS text) AND r.url_id <> @url_id
), released AS (
    DELETE FROM url_reservations r USING queue
    WHERE r.annotator = cast(@session_id::uuid AS text) AND r.url_id = queue.url_id
    RETURNING r.suggestions_hidden
), unskipped AS (
    DELETE FROM url_skips s USING queue WHERE s.session_id = @session_id AND s.url_id = queue.url_id
), recorded AS (
    INSERT INTO url_history (url_id, event, session_id, suggestions_shown, robots, detail)
    SELECT
        queue.url_id,
        -- The reservation may have ended while the answer waited for the queue. Then nothing is stored: the column refuses null.
        CASE WHEN NOT @only_reserved OR EXISTS (SELECT FROM released) THEN @event::url_event END,
        @session_id,
        NOT coalesce(
            (SELECT released.suggestions_hidden FROM released),
            @suggestions_hidden::boolean
                OR EXISTS (SELECT FROM flag_batch_suggestions_hidden flag WHERE flag.batch_id = queue.batch_id)
        ),
        coalesce((SELECT said.robots FROM robot_values said WHERE said.url_id = queue.url_id), '{}'),
        @detail::jsonb || coalesce((SELECT jsonb_build_object('name', existing_name.suggestion) FROM existing_name), '{}')
    FROM queue
), due AS (
    -- As in AnnotationInsert.
    INSERT INTO consensus_due (url_id)
    SELECT queue.url_id
    FROM queue
    CROSS JOIN consensus_rule rule
    WHERE queue.user_url_type_count + queue.anon_url_type_count * rule.anonymous_weight + 0.000001 >= rule.threshold
    RETURNING consensus_due.url_id
)
SELECT
    EXISTS (SELECT FROM stored_type)::boolean AS stored,
    EXISTS (SELECT FROM due)::boolean AS due,
    EXISTS (SELECT FROM late)::boolean AS late,
    EXISTS (SELECT FROM elsewhere)::boolean AS reserved_elsewhere,
    coalesce((SELECT queue.reserved FROM queue), false)::boolean AS still_reserved,
    EXISTS (SELECT FROM earlier)::boolean AS annotated_before,
    EXISTS (SELECT FROM url)::boolean AS url_known,
    ARRAY(SELECT id FROM unknown_agency ORDER BY id)::integer[] AS unknown_agency_ids,
    ARRAY(SELECT id FROM unknown_location ORDER BY id)::bigint[] AS unknown_location_ids,
    EXISTS (SELECT FROM unknown_name)::boolean AS name_unknown;

-- name: AnnotationIsRepeated :one
-- Reports whether the rows that an answer would store are exactly those that the user has for the URL, by any request. A
-- name that the user endorsed before the URL got its type, by submitting the URL, is ignored if the answer has another name.
SELECT (
    ARRAY(SELECT a.type FROM annotation__url_type__user a WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id)
        = ARRAY[answer.url_type]
    AND ARRAY(
        SELECT a.record_type FROM annotation__record_type__user a
        WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
    ) = array_remove(ARRAY[answer.record_type], NULL)
    AND ARRAY( -- the reference may have stored a row without an agency, which no answer stores
        SELECT coalesce(a.agency_id, 0) FROM annotation__agency__user a
        WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
        ORDER BY 1
    ) = ARRAY(SELECT unnest(answer.agency_ids) ORDER BY 1)
    AND ARRAY(
        SELECT a.location_id FROM annotation__location__user a
        WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
        ORDER BY 1
    ) = ARRAY(SELECT unnest(answer.location_ids) ORDER BY 1)
    AND ARRAY(
        SELECT name.suggestion::text
        FROM annotation__name__suggestions name
        JOIN annotation__name__user__endorsements e ON e.suggestion_id = name.id AND e.user_id = answer.user_id
        JOIN annotation__url_type__user a ON a.user_id = answer.user_id AND a.url_id = name.url_id
        WHERE name.url_id = answer.url_id AND (e.created_at >= a.created_at OR name.suggestion = given.name)
        ORDER BY 1
    ) = array_remove(ARRAY[given.name], NULL)
    AND answer.location_not_found = EXISTS (
        SELECT FROM link_user_suggestion_location_not_found a
        WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
    )
    AND answer.agency_not_found = EXISTS (
        SELECT FROM link_user_suggestion_agency_not_found a WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
    )
)::boolean AS repeated
FROM (
    SELECT
        @url_id::integer AS url_id,
        coalesce(@agency_ids::integer[], '{}') AS agency_ids,
        coalesce(@location_ids::bigint[], '{}') AS location_ids,
        sqlc.narg('existing_name_id')::integer AS existing_name_id,
        @user_id::integer AS user_id,
        @url_type::url_type AS url_type,
        sqlc.narg('new_name')::text AS new_name,
        sqlc.narg('record_type')::record_type AS record_type,
        @location_not_found::boolean AS location_not_found,
        @agency_not_found::boolean AS agency_not_found
) AS answer
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN answer.existing_name_id IS NULL THEN answer.new_name
        ELSE (SELECT name.suggestion FROM annotation__name__suggestions name WHERE name.id = answer.existing_name_id)
    END::text AS name
) AS given;

-- name: AnonymousAnnotationIsRepeated :one
-- AnnotationIsRepeated for an anonymous session: what it said about the URL is what it has, and what it migrated to users.
SELECT (
    ARRAY(
        SELECT a.url_type::text FROM annotation__url_type__anon a
        WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id
        UNION
        SELECT unnest(m.url_types) FROM anonymous_migrated_answers m
        WHERE m.session_id = answer.session_id AND m.url_id = answer.url_id
    ) = ARRAY[answer.url_type::text]
    AND ARRAY(
        SELECT a.record_type::text FROM annotation__record_type__anon a
        WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id
        UNION
        SELECT unnest(m.record_types) FROM anonymous_migrated_answers m
        WHERE m.session_id = answer.session_id AND m.url_id = answer.url_id
    ) = array_remove(ARRAY[answer.record_type::text], NULL)
    AND ARRAY(
        SELECT a.agency_id FROM annotation__agency__anon a
        WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id
        UNION
        SELECT unnest(m.agency_ids) FROM anonymous_migrated_answers m
        WHERE m.session_id = answer.session_id AND m.url_id = answer.url_id
        ORDER BY 1
    ) = ARRAY(SELECT unnest(answer.agency_ids) ORDER BY 1)
    AND ARRAY(
        SELECT a.location_id FROM annotation__location__anon a
        WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id
        UNION
        SELECT unnest(m.location_ids) FROM anonymous_migrated_answers m
        WHERE m.session_id = answer.session_id AND m.url_id = answer.url_id
        ORDER BY 1
    ) = ARRAY(SELECT unnest(answer.location_ids) ORDER BY 1)
    AND ARRAY(
        SELECT name.suggestion::text
        FROM annotation__name__suggestions name
        JOIN annotation__name__anon__endorsements e ON e.suggestion_id = name.id AND e.session_id = answer.session_id
        WHERE name.url_id = answer.url_id
        UNION
        SELECT unnest(m.names) FROM anonymous_migrated_answers m
        WHERE m.session_id = answer.session_id AND m.url_id = answer.url_id
    ) = array_remove(ARRAY[given.name], NULL)
)::boolean AS repeated
FROM (
    SELECT
        @url_id::integer AS url_id,
        @session_id::uuid AS session_id,
        coalesce(@agency_ids::integer[], '{}') AS agency_ids,
        coalesce(@location_ids::bigint[], '{}') AS location_ids,
        sqlc.narg('existing_name_id')::integer AS existing_name_id,
        @url_type::url_type AS url_type,
        sqlc.narg('new_name')::text AS new_name,
        sqlc.narg('record_type')::record_type AS record_type
) AS answer
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN answer.existing_name_id IS NULL THEN answer.new_name
        ELSE (SELECT name.suggestion FROM annotation__name__suggestions name WHERE name.id = answer.existing_name_id)
    END::text AS name
) AS given;
