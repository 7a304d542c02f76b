-- Agencies and their locations.

-- name: AgencyListPage :many
-- A page of 100 agencies by id, with one row for each of their locations by id. An agency without locations has one row with
-- location 0.
SELECT
    a.id, a.name, a.agency_type, a.jurisdiction_type,
    coalesce(expanded.id, 0)::bigint AS location_id,
    coalesce(expanded.full_display_name, '')::text AS full_display_name
FROM (
    SELECT agencies.* FROM agencies ORDER BY agencies.id LIMIT 100 OFFSET @skip::bigint
) AS a
LEFT JOIN LATERAL (
    SELECT expanded.id, expanded.full_display_name
    FROM link_agencies__locations link
    JOIN locations_expanded expanded ON expanded.id = link.location_id
    WHERE link.agency_id = a.id
    OFFSET 0 -- agency by agency: for a page at once the planner might read the tables whole, at nearly the same estimated cost
) AS expanded ON true
ORDER BY a.id, expanded.id;

-- name: AgencyLocationList :many
-- The locations of an agency by id; none when there is no such agency.
-- No limit: they were added one by one.
-- @sqlc-vet-disable many-without-limit
SELECT expanded.id, coalesce(expanded.full_display_name, '')::text AS full_display_name
FROM link_agencies__locations link
JOIN locations_expanded expanded ON expanded.id = link.location_id
WHERE link.agency_id = @agency_id
ORDER BY expanded.id;

-- name: AgencyInsert :one
-- Stores an agency with its locations. When a location is unknown, stores nothing and returns the unknown ones.
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
-- Changes those columns of an agency that are given, and returns the row before and after. No rows: there is no such agency.
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
-- Sets updated_at of an agency whose locations have changed.
WITH before AS (
    SELECT agencies.* FROM agencies WHERE agencies.id = @id FOR NO KEY UPDATE
), changed AS (
    UPDATE agencies a SET updated_at = now() FROM before WHERE a.id = before.id RETURNING a.*
)
SELECT to_jsonb(before)::jsonb AS old_data, to_jsonb(changed)::jsonb AS new_data
FROM before
JOIN changed ON changed.id = before.id;

-- name: AgencyLocationInsert :one
-- Adds a location to an agency. When the agency or the location is unknown, adds nothing and returns which. A location that
-- the agency already has violates the primary key.
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
-- Removes a location from an agency.
DELETE FROM link_agencies__locations WHERE agency_id = @agency_id AND location_id = @location_id;

-- name: AgencyShownURLList :many
-- The URLs for which a user, a session or a robot suggests an agency. Annotators of these URLs are shown its name.
-- No limit: the caller must recount all of them.
-- @sqlc-vet-disable many-without-limit
SELECT s.url_id FROM annotation__agency__user s WHERE s.agency_id = @agency_id::integer
UNION
SELECT a.url_id FROM annotation__agency__anon a WHERE a.agency_id = @agency_id::integer
UNION
SELECT subtask.url_id
FROM annotation__agency__auto__suggestions s
JOIN annotation__agency__auto__subtasks subtask ON subtask.id = s.subtask_id
WHERE s.agency_id = @agency_id::integer
ORDER BY url_id;

-- name: AgencyURLList :many
-- The URLs of which rows are deleted with an agency: suggestions of robots and anonymous sessions, and confirmed agencies.
-- No limit: the caller must lock and recount all of them.
-- @sqlc-vet-disable many-without-limit
SELECT subtask.url_id
FROM annotation__agency__auto__suggestions s
JOIN annotation__agency__auto__subtasks subtask ON subtask.id = s.subtask_id
WHERE s.agency_id = @agency_id::integer
UNION
SELECT a.url_id FROM annotation__agency__anon a WHERE a.agency_id = @agency_id::integer
UNION
SELECT link.url_id FROM link_agencies__urls link WHERE link.agency_id = @agency_id::integer
ORDER BY url_id;

-- name: AgencyIsSuggested :one
-- Whether a user suggested an agency for any URL.
SELECT EXISTS (SELECT FROM annotation__agency__user s WHERE s.agency_id = @agency_id::integer)::boolean;

-- name: AgencyLock :one
-- Locks an agency, so that no other transaction can insert a reference to it or change it. When another transaction holds a
-- lock on it, this one does not wait and locks nothing.
WITH locked AS (
    SELECT agencies.id FROM agencies WHERE agencies.id = @id FOR UPDATE SKIP LOCKED
)
SELECT
    EXISTS (SELECT FROM locked)::boolean AS locked,
    EXISTS (SELECT FROM agencies WHERE agencies.id = @id)::boolean AS known;

-- name: AgencyWait :exec
-- Waits for the transactions that have inserted a reference to an agency or have changed it.
SELECT FROM agencies WHERE agencies.id = @id FOR UPDATE;

-- name: AgencyHold :exec
-- Locks an agency, so that no other transaction can change or delete it. References to it can still be inserted.
SELECT FROM agencies WHERE agencies.id = @id FOR NO KEY UPDATE;

-- name: AgencyAnonymousDelete :many
-- Deletes the annotations of anonymous sessions that name an agency, and returns the URLs that they were about, by id.
-- No limit: all of them are deleted.
-- @sqlc-vet-disable many-without-limit
WITH deleted AS (
    DELETE FROM annotation__agency__anon WHERE agency_id = @agency_id RETURNING url_id
)
SELECT DISTINCT deleted.url_id FROM deleted ORDER BY deleted.url_id;

-- name: AgencyOutwardDelete :exec
-- Requests the deletion of an agency in the outward application, if the agency exists there.
INSERT INTO flag_ds_delete_agency (ds_agency_id)
SELECT link.ds_agency_id FROM ds_app_link_agency link WHERE link.agency_id = @agency_id::integer
ON CONFLICT ON CONSTRAINT flag_ds_delete_agency_pkey DO NOTHING;

-- name: AgencyURLDelete :many
-- Removes an agency from the URLs for which it is confirmed, and returns the deleted rows by id.
-- No limit: all of them are deleted.
-- @sqlc-vet-disable many-without-limit
WITH deleted AS (
    DELETE FROM link_agencies__urls link WHERE link.agency_id = @agency_id RETURNING link.*
)
SELECT deleted.id, deleted.url_id, to_jsonb(deleted)::jsonb AS old_data FROM deleted ORDER BY deleted.id;

-- name: URLTouchMany :many
-- Sets updated_at of URLs whose agencies have changed, and returns each row before and after, by id.
-- No limit: there are at most as many rows as ids.
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
-- Deletes an agency with its locations, its batches and the robots' suggestions of it, and returns the deleted row. An agency
-- that a user suggested violates a foreign key.
WITH deleted AS (
    DELETE FROM agencies WHERE agencies.id = @id RETURNING agencies.*
)
SELECT to_jsonb(deleted)::jsonb AS old_data FROM deleted;
