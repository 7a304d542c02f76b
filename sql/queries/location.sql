-- Places that people add. A location is given to them by LocationInsertMissing (imports.sql).

-- name: LocalityInsert :one
-- Stores a locality of a county that exists.
INSERT INTO localities (name, county_id) VALUES (@name, @county_id) RETURNING id;

-- name: LocationGetByLocality :one
-- The location of a locality; the first, should it have several.
SELECT coalesce(min(l.id), 0)::bigint AS id FROM locations l WHERE l.type = 'Locality' AND l.locality_id = @locality_id::bigint;

-- name: LocationGetType :one
-- What kind of place a location is. No rows: there is no such location.
SELECT locations.type FROM locations WHERE locations.id = @id;
