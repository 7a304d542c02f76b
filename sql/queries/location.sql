-- Localities and locations that people add. LocationInsertMissing (imports.sql) inserts the location of a locality.

-- name: LocalityInsert :one
-- Stores a locality. An unknown county violates a foreign key.
INSERT INTO localities (name, county_id) VALUES (@name, @county_id) RETURNING id;

-- name: LocationGetByLocality :one
-- The location of a locality. When there are several, the one with the smallest id.
SELECT coalesce(min(l.id), 0)::bigint AS id FROM locations l WHERE l.type = 'Locality' AND l.locality_id = @locality_id::bigint;

-- name: LocationGetType :one
-- The type of a location. No rows: it is unknown.
SELECT locations.type FROM locations WHERE locations.id = @id;
