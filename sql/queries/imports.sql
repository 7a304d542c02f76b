-- What imports of agencies and URLs read and write. An import holds the import lock, and stores its file in parts. It reads small
-- tables (places, agencies) completely, once, and large ones (URLs) by key. Rows are stored by hundreds: as arrays of equal length
-- that are unnested in parallel.

-- name: StateListAll :many
-- Every state.
-- No limit: the table is small.
-- @sqlc-vet-disable many-without-limit
SELECT s.id, s.state_iso FROM us_states s ORDER BY s.id;

-- name: CountyListAll :many
-- Every county with its state, 0 where it has none.
-- No limit: the table is small.
-- @sqlc-vet-disable many-without-limit
SELECT c.id, c.fips, coalesce(c.name, '')::text AS name, coalesce(c.state_id, 0)::bigint AS state_id FROM counties c ORDER BY c.id;

-- name: LocalityListAll :many
-- Every locality with its county.
-- No limit: the table is small.
-- @sqlc-vet-disable many-without-limit
SELECT p.id, p.name, p.county_id FROM localities p ORDER BY p.id;

-- name: LocationListAll :many
-- Every location with the id of its state, county or locality, 0 for the nation. If one of these has several locations,
-- which the table's key does not prevent, the first one is returned. The caller joins them with the locations: during an import
-- the planner has the statistics from before it, and would choose a nested loop.
-- No limit: the table is small.
-- @sqlc-vet-disable many-without-limit
SELECT
    l.type,
    coalesce(CASE l.type WHEN 'State' THEN l.state_id WHEN 'County' THEN l.county_id WHEN 'Locality' THEN l.locality_id END, 0)::bigint AS place_id,
    min(l.id)::bigint AS id
FROM locations l
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: CountyListByFIPS :many
-- The counties with these FIPS codes.
-- No limit: there are no more rows than codes.
-- @sqlc-vet-disable many-without-limit
SELECT c.id, c.fips FROM counties c WHERE c.fips = ANY(@fips::text[]) ORDER BY c.id;

-- name: LocalityListByName :many
-- The localities with these names in these counties, in parallel arrays.
-- No limit: there are no more rows than names.
-- @sqlc-vet-disable many-without-limit
SELECT p.id, p.name, p.county_id
FROM (SELECT unnest(@names::text[]) AS name, unnest(@county_ids::integer[]) AS county_id) AS given
JOIN localities p ON p.name = given.name AND p.county_id = given.county_id
ORDER BY p.id;

-- name: LocationListByPlace :many
-- The locations of these places and, with national, of the nation, with the id of the place, 0 for the nation. If a place has several
-- locations, the first one is returned.
-- No limit: there are no more rows than places.
-- @sqlc-vet-disable many-without-limit
SELECT 'National'::location_type AS type, 0::bigint AS place_id, min(l.id)::bigint AS id
FROM locations l
WHERE @national::boolean AND l.type = 'National'
HAVING count(*) > 0
UNION ALL
SELECT l.type, l.state_id, min(l.id)
FROM locations l
WHERE l.type = 'State' AND l.state_id = ANY(@state_ids::bigint[])
GROUP BY l.type, l.state_id
UNION ALL
SELECT l.type, l.county_id, min(l.id)
FROM locations l
WHERE l.type = 'County' AND l.county_id = ANY(@county_ids::bigint[])
GROUP BY l.type, l.county_id
UNION ALL
SELECT l.type, l.locality_id, min(l.id)
FROM locations l
WHERE l.type = 'Locality' AND l.locality_id = ANY(@locality_ids::bigint[])
GROUP BY l.type, l.locality_id
ORDER BY 1, 2;

-- name: StateInsertMany :execrows
-- Stores states that are unknown.
INSERT INTO us_states (state_iso, state_name)
SELECT unnest(@state_isos::text[]), unnest(@names::text[])
ON CONFLICT ON CONSTRAINT us_states_state_iso_key DO NOTHING;

-- name: CountyInsertMany :execrows
-- Stores counties whose FIPS codes are unknown and whose names their states do not have.
INSERT INTO counties (fips, name, state_id)
SELECT unnest(@fips::text[]), unnest(@names::text[]), unnest(@state_ids::integer[])
ON CONFLICT DO NOTHING;

-- name: LocalityInsertMany :execrows
-- Stores localities that their county does not have.
INSERT INTO localities (name, county_id)
SELECT unnest(@names::text[]), unnest(@county_ids::integer[])
ON CONFLICT ON CONSTRAINT localities_name_county_id_key DO NOTHING;

-- name: LocationInsertMissing :execrows
-- Stores the missing locations of these places and, with national, of the nation. It must be a statement of its own after those
-- that insert the places: in a database of the reference triggers store the locations, and a statement does not see rows that
-- its own triggers store. The import lock prevents a concurrent import from storing the same locations.
INSERT INTO locations (type, state_id, county_id, locality_id)
SELECT 'National'::location_type, NULL::bigint, NULL::bigint, NULL::bigint
WHERE @national::boolean AND NOT EXISTS (SELECT FROM locations l WHERE l.type = 'National')
UNION ALL
SELECT 'State', s.id, NULL, NULL
FROM us_states s
WHERE s.id = ANY(@state_ids::bigint[])
    AND NOT EXISTS (SELECT FROM locations l WHERE l.type = 'State' AND l.state_id = s.id)
UNION ALL
SELECT 'County', c.state_id, c.id, NULL
FROM counties c
WHERE c.id = ANY(@county_ids::bigint[])
    AND NOT EXISTS (SELECT FROM locations l WHERE l.type = 'County' AND l.county_id = c.id)
UNION ALL
SELECT 'Locality', c.state_id, c.id, p.id
FROM localities p
JOIN counties c ON c.id = p.county_id
WHERE p.id = ANY(@locality_ids::bigint[])
    AND NOT EXISTS (SELECT FROM locations l WHERE l.type = 'Locality' AND l.locality_id = p.id);

-- name: AgencyListAll :many
-- Every agency, once for each of its locations, with the location and its place; once with location 0 if it has no location. What
-- a place does not have is empty: of the nation, everything.
-- No limit: an import compares every row of its file with all agencies.
-- @sqlc-vet-disable many-without-limit
SELECT
    a.id,
    a.name,
    a.jurisdiction_type,
    coalesce(l.id, 0)::bigint AS location_id,
    coalesce(s.state_iso, '')::text AS state_iso,
    coalesce(c.fips, '')::text AS county_fips,
    coalesce(p.name, '')::text AS locality_name
FROM agencies a
LEFT JOIN link_agencies__locations link ON link.agency_id = a.id
LEFT JOIN locations l ON l.id = link.location_id
LEFT JOIN us_states s ON s.id = l.state_id
LEFT JOIN counties c ON c.id = l.county_id
LEFT JOIN localities p ON p.id = l.locality_id
ORDER BY a.id, l.id;

-- name: AgencyInsertMany :many
-- Stores agencies, each with one location, and returns their ids. These come from the default of the column and ascend in the
-- order given.
-- No limit: there are as many rows as were given.
-- @sqlc-vet-disable many-without-limit
WITH given AS MATERIALIZED (
    SELECT row_number() OVER () AS n, a.name, a.jurisdiction_type, a.location_id
    FROM (
        SELECT
            unnest(@names::text[]) AS name,
            unnest(@jurisdiction_types::text[])::jurisdiction_type_enum AS jurisdiction_type,
            unnest(@location_ids::bigint[]) AS location_id
    ) AS a
), agency AS (
    INSERT INTO agencies (name, jurisdiction_type)
    SELECT name, jurisdiction_type FROM given ORDER BY n
    RETURNING id
), numbered AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM agency
), linked AS (
    INSERT INTO link_agencies__locations (agency_id, location_id)
    SELECT numbered.id, given.location_id FROM given JOIN numbered ON numbered.n = given.n
)
SELECT numbered.id FROM numbered ORDER BY numbered.id;

-- name: AgencyHoldMany :exec
-- Locks agencies in the order of their ids, so that no other transaction can change or delete them.
SELECT FROM agencies WHERE agencies.id = ANY(@ids::integer[]) ORDER BY agencies.id FOR NO KEY UPDATE;

-- name: AgencyLocationMoveMany :many
-- Replaces the only location of agencies by another one, or gives a location to those that have none, if from is 0. It leaves
-- agencies whose locations have changed as they are, and returns the ids of the others. The caller must have locked the agencies
-- in a statement before this one.
-- No limit: there are no more rows than were given.
-- @sqlc-vet-disable many-without-limit
WITH given AS MATERIALIZED (
    SELECT
        unnest(@agency_ids::integer[]) AS agency_id,
        unnest(@from_location_ids::bigint[]) AS from_id,
        unnest(@to_location_ids::bigint[]) AS to_id
), moved AS MATERIALIZED (
    SELECT given.agency_id, given.from_id, given.to_id
    FROM given
    WHERE given.from_id <> given.to_id
        AND ARRAY(SELECT link.location_id FROM link_agencies__locations link WHERE link.agency_id = given.agency_id)
            = array_remove(ARRAY[given.from_id], 0::bigint)
), touched AS (
    UPDATE agencies SET updated_at = now() FROM moved WHERE agencies.id = moved.agency_id
    RETURNING agencies.id, moved.to_id
), removed AS (
    DELETE FROM link_agencies__locations link USING moved
    WHERE link.agency_id = moved.agency_id AND link.location_id = moved.from_id
), added AS (
    INSERT INTO link_agencies__locations (agency_id, location_id)
    SELECT touched.id, touched.to_id FROM touched
)
SELECT touched.id FROM touched ORDER BY touched.id;

-- name: URLListByIDForm :many
-- The URLs with these id forms that exist.
-- No limit: there are no more rows than id forms.
-- @sqlc-vet-disable many-without-limit
SELECT urls.id, coalesce(urls.url, '')::text AS url
FROM urls
WHERE urls.url = ANY(@urls::text[])
ORDER BY urls.id;

-- name: URLInsertMany :many
-- Stores URLs in the order given, and returns those that were new. An empty scheme or description is stored as NULL.
-- No limit: there are no more rows than were given.
-- @sqlc-vet-disable many-without-limit
INSERT INTO urls (url, scheme, trailing_slash, description, source)
SELECT
    unnest(@urls::text[]),
    nullif(unnest(@schemes::text[]), ''),
    unnest(@trailing_slashes::boolean[]),
    nullif(unnest(@descriptions::text[]), ''),
    'manual'
ON CONFLICT ON CONSTRAINT urls_url_key DO NOTHING
RETURNING id, coalesce(url, '')::text AS url;

-- name: BatchGetByName :one
-- The first batch entered by hand with this name. No rows: there is none.
SELECT batches.id
FROM batches
WHERE batches.strategy = 'manual' AND batches.parameters ->> 'name' = @name::text
ORDER BY batches.id
LIMIT 1;

-- name: BatchInsert :one
-- Stores a batch entered by hand, without a user.
INSERT INTO batches (strategy, status, parameters)
VALUES ('manual', 'ready to label', json_build_object('name', @name::text))
RETURNING id;

-- name: BatchURLInsertMany :exec
-- Puts those of the URLs that are in no batch into this one.
INSERT INTO link_batches__urls (batch_id, url_id)
SELECT @batch_id, unnest(@url_ids::integer[])
ON CONFLICT ON CONSTRAINT link_batches__urls_url_id_key DO NOTHING;
