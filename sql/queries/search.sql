-- Searches for URLs and agencies.

-- name: URLGetIDByForm :one
-- The id of the URL with an id form. No rows: it is unknown.
SELECT urls.id FROM urls WHERE urls.url = @url::text;

-- name: AgencySearchByName :many
-- A page of ten agencies of the whole nation, once for each of their locations: the most similar name first, then by agency and
-- location. When a nation is given, other locations of type National are left out.
WITH nearest AS MATERIALIZED (
    SELECT a.id, link.location_id, a.name <-> @query::text AS distance
    FROM agencies a
    JOIN link_agencies__locations link ON link.agency_id = a.id
    JOIN locations l ON l.id = link.location_id
    WHERE (sqlc.narg('jurisdiction_type')::jurisdiction_type_enum IS NULL
            OR a.jurisdiction_type = sqlc.narg('jurisdiction_type')::jurisdiction_type_enum)
        AND (sqlc.narg('nation_id')::bigint IS NULL OR l.type <> 'National' OR l.id = sqlc.narg('nation_id')::bigint)
    ORDER BY a.name <-> @query::text
    FETCH FIRST (@reach::bigint) ROWS WITH TIES
)
SELECT
    a.id, a.name, a.jurisdiction_type, a.agency_type,
    coalesce(expanded.display_name, '')::text AS location_display_name
FROM (
    SELECT nearest.* FROM nearest
    ORDER BY nearest.distance, nearest.id, nearest.location_id
    LIMIT 10 OFFSET @skip::bigint
) AS page
JOIN agencies a ON a.id = page.id
JOIN locations_expanded expanded ON expanded.id = page.location_id
ORDER BY page.distance, page.id, page.location_id;

-- name: AgencySearchInNation :many
-- A page of ten agencies of the whole nation, once for each of their locations, by agency and location.
SELECT
    a.id, a.name, a.jurisdiction_type, a.agency_type,
    coalesce(expanded.display_name, '')::text AS location_display_name
FROM agencies a
JOIN link_agencies__locations link ON link.agency_id = a.id
JOIN locations_expanded expanded ON expanded.id = link.location_id
WHERE (sqlc.narg('jurisdiction_type')::jurisdiction_type_enum IS NULL
        OR a.jurisdiction_type = sqlc.narg('jurisdiction_type')::jurisdiction_type_enum)
    AND (sqlc.narg('nation_id')::bigint IS NULL OR expanded.type <> 'National' OR expanded.id = sqlc.narg('nation_id')::bigint)
ORDER BY a.id, link.location_id
LIMIT 10 OFFSET @skip::bigint;

-- name: AgencySearchInLocation :many
-- A page of ten agencies at a location, which is not a nation, or at a location within it, once for each of these locations: the
-- most similar name first if there is a query, then by agency and location.
WITH page AS MATERIALIZED (
    SELECT found.id, found.location_id, found.name <-> sqlc.narg('query')::text AS distance
    FROM (
        SELECT here.id FROM locations here WHERE here.id = @location_id::bigint
        UNION ALL
        SELECT part.dependent_location_id FROM dependent_locations part WHERE part.parent_location_id = @location_id::bigint
    ) AS within
    CROSS JOIN LATERAL (
        SELECT a.id, a.name, link.location_id
        FROM link_agencies__locations link
        JOIN agencies a ON a.id = link.agency_id
        WHERE link.location_id = within.id
            AND (sqlc.narg('jurisdiction_type')::jurisdiction_type_enum IS NULL
                OR a.jurisdiction_type = sqlc.narg('jurisdiction_type')::jurisdiction_type_enum)
        OFFSET 0 -- location by location: a join of all would be planned for a state, and would read both tables whole
    ) AS found
    ORDER BY found.name <-> sqlc.narg('query')::text, found.id, found.location_id
    LIMIT 10 OFFSET @skip::bigint
)
SELECT
    a.id, a.name, a.jurisdiction_type, a.agency_type,
    coalesce(expanded.display_name, '')::text AS location_display_name
FROM page
JOIN agencies a ON a.id = page.id
JOIN locations_expanded expanded ON expanded.id = page.location_id
ORDER BY page.distance, page.id, page.location_id;
