-- Agencies, and which places they belong to.

-- name: AgencyListPage :many
-- A page of 100 agencies by id, each once for each of its locations by id; once with location 0 when it has none.
SELECT
    a.id, a.name, a.agency_type, a.jurisdiction_type,
    coalesce(place.id, 0)::bigint AS location_id,
    coalesce(place.full_display_name, '')::text AS full_display_name
FROM (
    SELECT agencies.* FROM agencies ORDER BY agencies.id LIMIT 100 OFFSET @skip::bigint
) AS a
LEFT JOIN link_agencies__locations link ON link.agency_id = a.id
LEFT JOIN locations_expanded place ON place.id = link.location_id
ORDER BY a.id, place.id;

-- name: AgencyLocationList :many
-- The locations of an agency by id; none when there is no such agency.
-- No limit: each was given one by one.
-- @sqlc-vet-disable many-without-limit
SELECT place.id, coalesce(place.full_display_name, '')::text AS full_display_name
FROM link_agencies__locations link
JOIN locations_expanded place ON place.id = link.location_id
WHERE link.agency_id = @agency_id
ORDER BY place.id;

-- name: AgencyInsert :one
-- Stores an agency with its locations, or nothing when one of them is unknown; the row tells which.
WITH unknown AS (
    SELECT given.id
    FROM unnest(@location_ids::bigint[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM locations WHERE locations.id = given.id)
), stored AS (
    INSERT INTO agencies (name, agency_type, jurisdiction_type)
    SELECT @name::varchar, @agency_type::agency_type_enum, @jurisdiction_type::jurisdiction_type_enum
    WHERE NOT EXISTS (SELECT FROM unknown)
    RETURNING *
), linked AS (
    INSERT INTO link_agencies__locations (agency_id, location_id)
    SELECT stored.id, unnest(@location_ids::bigint[]) FROM stored
)
SELECT
    coalesce((SELECT stored.id FROM stored), 0)::integer AS id,
    coalesce((SELECT to_jsonb(stored) FROM stored), '{}')::jsonb AS new_data,
    ARRAY(SELECT unknown.id FROM unknown ORDER BY unknown.id)::bigint[] AS unknown_location_ids;

-- name: AgencyUpdate :one
-- Changes what is given of an agency, and tells what it was before. No rows: there is no such agency.
WITH before AS (
    SELECT agencies.* FROM agencies WHERE agencies.id = @id FOR NO KEY UPDATE
), changed AS (
    UPDATE agencies a
    SET name = coalesce(sqlc.narg('name')::varchar, a.name),
        agency_type = coalesce(sqlc.narg('agency_type')::agency_type_enum, a.agency_type),
        jurisdiction_type = coalesce(sqlc.narg('jurisdiction_type')::jurisdiction_type_enum, a.jurisdiction_type),
        updated_at = now()
    FROM before
    WHERE a.id = before.id
        AND (a.name, a.agency_type, a.jurisdiction_type) IS DISTINCT FROM (
            coalesce(sqlc.narg('name')::varchar, a.name),
            coalesce(sqlc.narg('agency_type')::agency_type_enum, a.agency_type),
            coalesce(sqlc.narg('jurisdiction_type')::jurisdiction_type_enum, a.jurisdiction_type)
        )
    RETURNING a.*
)
SELECT
    (changed.id IS NOT NULL)::boolean AS changed,
    (changed.id IS NOT NULL AND changed.name <> before.name)::boolean AS renamed,
    to_jsonb(before)::jsonb AS old_data,
    coalesce(to_jsonb(changed), '{}')::jsonb AS new_data
FROM before
LEFT JOIN changed ON changed.id = before.id;

-- name: AgencyTouch :one
-- Marks an agency as changed because its locations were.
WITH before AS (
    SELECT agencies.* FROM agencies WHERE agencies.id = @id FOR NO KEY UPDATE
), changed AS (
    UPDATE agencies a SET updated_at = now() FROM before WHERE a.id = before.id RETURNING a.*
)
SELECT to_jsonb(before)::jsonb AS old_data, to_jsonb(changed)::jsonb AS new_data
FROM before
JOIN changed ON changed.id = before.id;

-- name: AgencyLocationInsert :one
-- Gives an agency one more location, or none when one of the two is unknown; the row tells which. One that the agency has
-- already violates the key.
WITH agency AS (
    SELECT agencies.id FROM agencies WHERE agencies.id = @agency_id
), location AS (
    SELECT locations.id FROM locations WHERE locations.id = @location_id
), stored AS (
    INSERT INTO link_agencies__locations (agency_id, location_id)
    SELECT agency.id, location.id FROM agency CROSS JOIN location
)
SELECT EXISTS (SELECT FROM agency)::boolean AS agency_known, EXISTS (SELECT FROM location)::boolean AS location_known;

-- name: AgencyLocationDelete :execrows
-- Takes a location from an agency that has it.
DELETE FROM link_agencies__locations WHERE agency_id = @agency_id AND location_id = @location_id;

-- name: AgencyShownURLList :many
-- The URLs that somebody or a robot suggests an agency for: where annotators are shown its name.
-- No limit: each cost somebody an annotation or a robot a row, and all of them have to be marked as changed.
-- @sqlc-vet-disable many-without-limit
SELECT s.url_id FROM user_url_agency_suggestions s WHERE s.agency_id = @agency_id::integer
UNION
SELECT subtask.url_id
FROM agency_id_subtask_suggestions s
JOIN url_auto_agency_id_subtasks subtask ON subtask.id = s.subtask_id
WHERE s.agency_id = @agency_id::integer
ORDER BY url_id;

-- name: AgencyURLList :many
-- The URLs whose rows go when an agency does: robots and anonymous sessions suggest it, or it was agreed on.
-- No limit, as above.
-- @sqlc-vet-disable many-without-limit
SELECT subtask.url_id
FROM agency_id_subtask_suggestions s
JOIN url_auto_agency_id_subtasks subtask ON subtask.id = s.subtask_id
WHERE s.agency_id = @agency_id::integer
UNION
SELECT a.url_id FROM anonymous_annotation_agency a WHERE a.agency_id = @agency_id::integer
UNION
SELECT link.url_id FROM link_agencies__urls link WHERE link.agency_id = @agency_id::integer
ORDER BY url_id;

-- name: AgencyIsSuggested :one
-- Whether a user suggested an agency for any URL.
SELECT EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.agency_id = @agency_id::integer)::boolean;

-- name: AgencyLock :one
-- Holds off whoever is about to refer to an agency, to the end of the transaction, unless somebody who does or who changes it is
-- under way: that one is not waited for, and nothing is locked.
WITH locked AS (
    SELECT agencies.id FROM agencies WHERE agencies.id = @id FOR UPDATE SKIP LOCKED
)
SELECT
    EXISTS (SELECT FROM locked)::boolean AS locked,
    EXISTS (SELECT FROM agencies WHERE agencies.id = @id)::boolean AS known;

-- name: AgencyWait :exec
-- Waits for those under way who refer to an agency or change it.
SELECT FROM agencies WHERE agencies.id = @id FOR UPDATE;

-- name: AgencyHold :exec
-- Holds off who changes or deletes an agency, to the end of the transaction.
SELECT FROM agencies WHERE agencies.id = @id FOR NO KEY UPDATE;

-- name: AgencyAnonymousDelete :exec
-- Drops what anonymous sessions said of an agency.
DELETE FROM anonymous_annotation_agency WHERE agency_id = @agency_id;

-- name: AgencyOutwardDelete :exec
-- Asks for the deletion of an agency in the outward application, if it is known there.
INSERT INTO flag_ds_delete_agency (ds_agency_id)
SELECT link.ds_agency_id FROM ds_app_link_agency link WHERE link.agency_id = @agency_id::integer
ON CONFLICT ON CONSTRAINT flag_ds_delete_agency_pkey DO NOTHING;

-- name: AgencyURLDelete :many
-- Takes an agency from the URLs that it was agreed on for, and returns the rows that were, by id.
-- No limit: all of them go.
-- @sqlc-vet-disable many-without-limit
WITH deleted AS (
    DELETE FROM link_agencies__urls link WHERE link.agency_id = @agency_id RETURNING link.*
)
SELECT deleted.id, deleted.url_id, to_jsonb(deleted)::jsonb AS old_data FROM deleted ORDER BY deleted.id;

-- name: URLTouchMany :many
-- Marks URLs as changed because their agencies were, and tells what each was before and is now, by id.
-- No limit: there are no more than were asked for.
-- @sqlc-vet-disable many-without-limit
WITH before AS (
    SELECT urls.* FROM urls WHERE urls.id = ANY(@ids::integer[]) ORDER BY urls.id FOR NO KEY UPDATE
), changed AS (
    UPDATE urls u SET updated_at = now() FROM before WHERE u.id = before.id RETURNING u.*
)
SELECT before.id, to_jsonb(before)::jsonb AS old_data, to_jsonb(changed)::jsonb AS new_data
FROM before
JOIN changed ON changed.id = before.id
ORDER BY before.id;

-- name: AgencyDelete :one
-- Deletes an agency with its locations, its batches and the robots' suggestions of it, and returns the row that was. One
-- that a user suggested violates a key.
WITH deleted AS (
    DELETE FROM agencies WHERE agencies.id = @id RETURNING agencies.*
)
SELECT to_jsonb(deleted)::jsonb AS old_data FROM deleted;
