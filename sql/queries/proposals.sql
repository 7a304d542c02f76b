-- Agencies that users propose, and what administrators decide about them.

-- name: ProposalInsert :one
-- Stores a pending proposal with its locations. When a location is unknown, stores nothing and returns the unknown ones.
WITH unknown AS (
    SELECT given.id
    FROM unnest(@location_ids::bigint[]) AS given (id)
    WHERE NOT EXISTS (SELECT FROM locations WHERE locations.id = given.id)
), stored AS (
    INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposing_user_id, proposal_status)
    SELECT
        @name::varchar, @agency_type::agency_type_enum, @jurisdiction_type::jurisdiction_type_enum, @proposing_user_id::integer,
        'pending'
    WHERE NOT EXISTS (SELECT FROM unknown)
    RETURNING id
), linked AS (
    INSERT INTO proposal__link__agencies__locations (proposal_agency_id, location_id)
    SELECT stored.id, unnest(@location_ids::bigint[])::integer FROM stored
)
SELECT
    coalesce((SELECT stored.id FROM stored), 0)::integer AS id,
    ARRAY(SELECT unknown.id FROM unknown ORDER BY unknown.id)::bigint[] AS unknown_location_ids;

-- name: ProposalLockName :exec
-- Locks the name of a proposal until the transaction ends. Names of the same form share the lock.
SELECT pg_advisory_xact_lock(hashtextextended('docket proposal ' || mine.name_form, 0))
FROM agency_identity mine
WHERE mine.proposal_id = @id::integer;

-- name: ProposalFindEqual :one
-- Whether an agency equals a proposal, or else another pending proposal does. No rows: neither.
SELECT (other.agency_id IS NOT NULL)::boolean AS is_agency
FROM agency_identity mine
JOIN agency_identity other ON other.name_form = mine.name_form
    AND other.agency_type = mine.agency_type
    AND other.jurisdiction_type = mine.jurisdiction_type
    AND other.location_ids = mine.location_ids
    AND other.proposal_id IS DISTINCT FROM mine.proposal_id
WHERE mine.proposal_id = @id::integer AND (other.agency_id IS NOT NULL OR other.proposal_status = 'pending')
ORDER BY other.agency_id
LIMIT 1;

-- name: ProposalListPending :many
-- All pending proposals by id, with one row for each of their locations by id. A proposal without locations has one row with
-- location 0.
-- No limit: an administrator decides about each of them.
-- @sqlc-vet-disable many-without-limit
SELECT
    p.id, p.name, p.proposing_user_id, p.agency_type, p.jurisdiction_type, p.created_at,
    coalesce(expanded.id, 0)::bigint AS location_id,
    coalesce(expanded.full_display_name, '')::text AS full_display_name
FROM proposal__agencies p
LEFT JOIN LATERAL (
    SELECT expanded.id, expanded.full_display_name
    FROM proposal__link__agencies__locations link
    JOIN locations_expanded expanded ON expanded.id = link.location_id
    WHERE link.proposal_agency_id = p.id
    OFFSET 0 -- proposal by proposal: few are pending, and a join of all would read the tables of locations whole
) AS expanded ON true
WHERE p.proposal_status = 'pending'
ORDER BY p.id, expanded.id;

-- name: ProposalLock :one
-- Locks a proposal, so that no other transaction can change or decide it. No rows: there is no such proposal.
SELECT p.name, p.agency_type, p.jurisdiction_type, (p.proposal_status = 'pending')::boolean AS is_pending
FROM proposal__agencies p
WHERE p.id = @id
FOR NO KEY UPDATE;

-- name: ProposalApprove :exec
-- Records that a proposal was approved, by whom, and which agency was created for it.
WITH decision AS (
    INSERT INTO proposal__agencies__decision_info (proposal_agency_id, deciding_user_id)
    VALUES (@id, @deciding_user_id::integer)
)
UPDATE proposal__agencies SET proposal_status = 'approved', promoted_agency_id = @promoted_agency_id::integer
WHERE proposal__agencies.id = @id;

-- name: ProposalReject :exec
-- Records that a proposal was rejected, by whom and why.
WITH decision AS (
    INSERT INTO proposal__agencies__decision_info (proposal_agency_id, deciding_user_id, rejection_reason)
    VALUES (@id, @deciding_user_id::integer, @rejection_reason::varchar)
)
UPDATE proposal__agencies SET proposal_status = 'rejected' WHERE proposal__agencies.id = @id;

-- name: ProposalUpdate :execrows
-- Changes those columns of a proposal that are given, whatever its status.
UPDATE proposal__agencies p
SET name = coalesce(sqlc.narg('name')::varchar, p.name),
    agency_type = coalesce(sqlc.narg('agency_type')::agency_type_enum, p.agency_type),
    jurisdiction_type = coalesce(sqlc.narg('jurisdiction_type')::jurisdiction_type_enum, p.jurisdiction_type)
WHERE p.id = @id;

-- name: ProposalLocationList :many
-- The locations of a proposal by id; none when there is no such proposal.
-- No limit: they were added with it or one by one.
-- @sqlc-vet-disable many-without-limit
SELECT expanded.id, coalesce(expanded.full_display_name, '')::text AS full_display_name
FROM proposal__link__agencies__locations link
JOIN locations_expanded expanded ON expanded.id = link.location_id
WHERE link.proposal_agency_id = @proposal_id
ORDER BY expanded.id;

-- name: ProposalLocationInsert :one
-- Adds a location to a proposal. When the proposal or the location is unknown, adds nothing and returns which. A location that
-- the proposal already has violates the primary key.
WITH proposal AS (
    SELECT p.id FROM proposal__agencies p WHERE p.id = @proposal_id
), location AS (
    SELECT locations.id FROM locations WHERE locations.id = @location_id
), stored AS (
    INSERT INTO proposal__link__agencies__locations (proposal_agency_id, location_id)
    SELECT proposal.id, location.id::integer FROM proposal CROSS JOIN location
)
SELECT EXISTS (SELECT FROM proposal)::boolean AS proposal_known, EXISTS (SELECT FROM location)::boolean AS location_known;

-- name: ProposalLocationDelete :exec
-- Removes a location from a proposal.
DELETE FROM proposal__link__agencies__locations link
WHERE link.proposal_agency_id = @proposal_id AND link.location_id = @location_id::bigint;
