-- AnnotationInsert of sql/queries/submit.sql without the upkeep of the queue, of consensus_due, of reservations and skips, and of
-- the history.
WITH url AS (
    -- Locked first, as a transaction that deletes the URL does, so that the two do not deadlock.
    SELECT urls.id FROM urls WHERE urls.id = $1 FOR KEY SHARE
), unknown_agency AS (
    SELECT given.id
    FROM unnest($2::integer[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM agencies WHERE agencies.id = given.id)
), unknown_location AS (
    SELECT given.id
    FROM unnest($3::bigint[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM locations WHERE locations.id = given.id)
), existing_name AS (
    -- Locked before the queue, as a change of an answer does. Otherwise the foreign key of the endorsement would lock it afterwards.
    SELECT name.id, name.suggestion
    FROM annotation__name__suggestions name
    WHERE name.id = $4::integer AND name.url_id = $1
    FOR KEY SHARE
), unknown_name AS (
    SELECT $4::integer AS id
    WHERE $4::integer IS NOT NULL AND NOT EXISTS (SELECT FROM existing_name)
), earlier AS (
    SELECT FROM user_url_annotations a WHERE a.user_id = $5::integer AND a.url_id = $1 LIMIT 1
), late AS (
    SELECT
    WHERE $6::boolean
        AND NOT EXISTS (
            SELECT FROM url_reservations r
            WHERE r.annotator = cast($5::integer AS text) AND r.url_id = $1 AND r.expires_at > now()
        )
), accepted AS (
    SELECT url.id AS url_id, $5::integer AS user_id
    FROM url
    WHERE NOT EXISTS (SELECT FROM unknown_agency)
        AND NOT EXISTS (SELECT FROM unknown_location)
        AND NOT EXISTS (SELECT FROM unknown_name)
        AND NOT EXISTS (SELECT FROM earlier)
        AND NOT EXISTS (SELECT FROM late)
), stored_type AS (
    INSERT INTO annotation__url_type__user (url_id, user_id, type)
    SELECT url_id, user_id, $7 FROM accepted
    RETURNING url_id
), new_name AS (
    INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
    SELECT url_id, $8::varchar, 'User' FROM accepted
    WHERE $8::varchar IS NOT NULL AND $4::integer IS NULL
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
    SELECT accepted.url_id, accepted.user_id, unnest($3::bigint[]) FROM accepted
), stored_record_type AS (
    INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
    SELECT url_id, user_id, $9::record_type FROM accepted
    WHERE $9::record_type IS NOT NULL
), stored_agencies AS (
    INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
    SELECT accepted.url_id, accepted.user_id, unnest($2::integer[]) FROM accepted
), stored_location_not_found AS (
    INSERT INTO link_user_suggestion_location_not_found (url_id, user_id)
    SELECT url_id, user_id FROM accepted WHERE $10::boolean
), stored_agency_not_found AS (
    INSERT INTO link_user_suggestion_agency_not_found (url_id, user_id)
    SELECT url_id, user_id FROM accepted WHERE $11::boolean
)
SELECT
    EXISTS (SELECT FROM stored_type)::boolean AS stored,
    EXISTS (SELECT FROM earlier)::boolean AS annotated_before,
    EXISTS (SELECT FROM url)::boolean AS url_known,
    ARRAY(SELECT id FROM unknown_agency ORDER BY id)::integer[] AS unknown_agency_ids,
    ARRAY(SELECT id FROM unknown_location ORDER BY id)::bigint[] AS unknown_location_ids,
    EXISTS (SELECT FROM unknown_name)::boolean AS name_unknown;
