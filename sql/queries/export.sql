-- All annotations, page by page, in one snapshot. The windows of URLs bound what a page reads when few of its lines are selected.
-- The limit bounds what it returns when there are many.

-- name: URLWindowGet :one
-- The next URLs after an id, at most @most: their number, and the first and the last id. Both ids are 0 when there are none.
SELECT
    count(*) AS count,
    coalesce(min(next.id), 0)::integer AS first_id,
    coalesce(max(next.id), 0)::integer AS last_id
FROM (SELECT u.id FROM urls u WHERE u.id > @after_id::integer ORDER BY u.id LIMIT @most::integer) AS next;

-- name: URLCountAll :one
SELECT count(*) FROM urls;

-- name: ExportLineListPage :many
-- A page of the lines of a window's URLs after a position: by URL, session, user, attribute and value, with texts compared byte
-- by byte. A user's line has the zero session, so users come first; a session's line has user 0. A line without a value has an
-- empty one. Several rows of a user for agencies without an id are one line. With a time, only lines created then or later.
-- Users' agencies have no time; theirs is that of the user's type for the URL, which was stored with them. What a session's
-- migration gave to a user is a line of the user only, with the time of the migration.
SELECT
    page.id AS url_id,
    page.url,
    page.scheme,
    page.trailing_slash,
    answer.session_id::uuid AS session_id,
    answer.user_id::integer AS user_id,
    answer.attribute::text AS attribute,
    answer.value::text AS value,
    answer.created_at,
    answer.validated::boolean AS validated
FROM (
    SELECT
        u.id, u.url, u.scheme, u.trailing_slash, u.name,
        (SELECT flag.type FROM flag_url_validated flag WHERE flag.url_id = u.id) AS type,
        (SELECT agreed.record_type FROM url_record_type agreed WHERE agreed.url_id = u.id) AS record_type
    FROM urls u
    WHERE u.id BETWEEN @after_url_id::integer AND @last_url_id::integer
    ORDER BY u.id
    OFFSET 0 -- so that confirmed values are looked up once for each URL, not for each line
) AS page
CROSS JOIN LATERAL (
    SELECT DISTINCT
        '00000000-0000-0000-0000-000000000000'::uuid AS session_id, s.user_id, 'agency' AS attribute,
        coalesce(s.agency_id::text, '') AS value, vote.created_at,
        page.type IS NOT NULL AND agreed.agency_id IS NOT NULL AS validated
    FROM annotation__agency__user s
    LEFT JOIN annotation__url_type__user vote ON vote.user_id = s.user_id AND vote.url_id = s.url_id
    LEFT JOIN link_agencies__urls agreed ON agreed.url_id = s.url_id AND agreed.agency_id = s.agency_id
    WHERE s.url_id = page.id
    UNION ALL
    SELECT
        '00000000-0000-0000-0000-000000000000', s.user_id, 'url_type',
        s.type::text, s.created_at, coalesce(s.type = page.type, false)
    FROM annotation__url_type__user s
    WHERE s.url_id = page.id
    UNION ALL
    SELECT
        '00000000-0000-0000-0000-000000000000', s.user_id, 'record_type',
        s.record_type::text, s.created_at, coalesce(page.type IS NOT NULL AND s.record_type = page.record_type, false)
    FROM annotation__record_type__user s
    WHERE s.url_id = page.id
    UNION ALL
    SELECT
        '00000000-0000-0000-0000-000000000000', s.user_id, 'location', s.location_id::text, s.created_at,
        page.type IS NOT NULL AND agreed.location_id IS NOT NULL
    FROM annotation__location__user s
    LEFT JOIN link_locations__urls agreed ON agreed.url_id = s.url_id AND agreed.location_id = s.location_id
    WHERE s.url_id = page.id
    UNION ALL
    SELECT
        '00000000-0000-0000-0000-000000000000', endorsed.user_id, 'name', s.suggestion, endorsed.created_at,
        coalesce(page.type IS NOT NULL AND s.suggestion = page.name, false)
    FROM annotation__name__suggestions s
    JOIN annotation__name__user__endorsements endorsed ON endorsed.suggestion_id = s.id
    WHERE s.url_id = page.id
    UNION ALL
    SELECT '00000000-0000-0000-0000-000000000000', s.user_id, 'agency_not_found', '', s.created_at, false
    FROM link_user_suggestion_agency_not_found s
    WHERE s.url_id = page.id
    UNION ALL
    SELECT '00000000-0000-0000-0000-000000000000', s.user_id, 'location_not_found', '', s.created_at, false
    FROM link_user_suggestion_location_not_found s
    WHERE s.url_id = page.id
    UNION ALL
    SELECT a.session_id, 0, 'url_type', a.url_type::text, a.created_at, coalesce(a.url_type = page.type, false)
    FROM annotation__url_type__anon a
    WHERE a.url_id = page.id
    UNION ALL
    SELECT
        a.session_id, 0, 'record_type', a.record_type::text, a.created_at,
        coalesce(page.type IS NOT NULL AND a.record_type = page.record_type, false)
    FROM annotation__record_type__anon a
    WHERE a.url_id = page.id
    UNION ALL
    SELECT
        a.session_id, 0, 'agency', a.agency_id::text, a.created_at, page.type IS NOT NULL AND agreed.agency_id IS NOT NULL
    FROM annotation__agency__anon a
    LEFT JOIN link_agencies__urls agreed ON agreed.url_id = a.url_id AND agreed.agency_id = a.agency_id
    WHERE a.url_id = page.id
    UNION ALL
    SELECT
        a.session_id, 0, 'location', a.location_id::text, a.created_at, page.type IS NOT NULL AND agreed.location_id IS NOT NULL
    FROM annotation__location__anon a
    LEFT JOIN link_locations__urls agreed ON agreed.url_id = a.url_id AND agreed.location_id = a.location_id
    WHERE a.url_id = page.id
    UNION ALL
    SELECT
        endorsed.session_id, 0, 'name', s.suggestion, endorsed.created_at,
        coalesce(page.type IS NOT NULL AND s.suggestion = page.name, false)
    FROM annotation__name__suggestions s
    JOIN annotation__name__anon__endorsements endorsed ON endorsed.suggestion_id = s.id
    WHERE s.url_id = page.id
) AS answer
WHERE (page.id, answer.session_id, answer.user_id, answer.attribute COLLATE "C", answer.value COLLATE "C")
        > (@after_url_id::integer, @after_session_id::uuid, @after_user_id::integer, @after_attribute::text, @after_value::text)
    AND (sqlc.narg('since')::timestamp IS NULL OR answer.created_at >= sqlc.narg('since')::timestamp)
ORDER BY page.id, answer.session_id, answer.user_id, answer.attribute COLLATE "C", answer.value COLLATE "C"
LIMIT @page_size::integer;
