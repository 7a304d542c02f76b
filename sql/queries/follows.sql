-- Which locations users follow, and what follows decide in the queue: annotation_queue.followed and followed_batches. All writers
-- of follows and of links of batches to locations run within ranking.ChangeFollows, which describes the locks.

-- name: FollowLock :exec
-- Waits for other writers of follows and of links of batches to locations, and makes later ones wait until the end of the
-- transaction. It is not a lock of a table, for which the ANALYZE of an import would wait.
SELECT pg_advisory_xact_lock(hashtextextended('docket follows', 0));

-- name: FollowedBatchIDList :many
-- The batches that any user follows, by id.
-- No limit: all are compared with those after a change.
-- @sqlc-vet-disable many-without-limit
SELECT link.batch_id
FROM link_batches__locations link
WHERE EXISTS (SELECT FROM link__locations__user_follows follow WHERE follow.location_id = link.location_id)
GROUP BY link.batch_id
ORDER BY link.batch_id;

-- name: BatchLockMany :exec
-- Waits until the writers that put URLs into the batches have ended, and makes later ones wait until the end of the transaction.
SELECT FROM batches WHERE id = ANY(@batch_ids::integer[]) ORDER BY id FOR UPDATE;

-- name: BatchURLIDList :many
-- The URLs in the batches, by id.
-- No limit: all are locked and updated.
-- @sqlc-vet-disable many-without-limit
SELECT link.url_id FROM link_batches__urls link WHERE link.batch_id = ANY(@batch_ids::integer[]) ORDER BY link.url_id;

-- name: QueueRecountFollowed :exec
-- Sets whether any user follows the batch of these URLs, where it differs. The caller holds the locks on their rows. A URL that
-- is in no batch any more keeps its value, for the recount of the writer that changed it.
UPDATE annotation_queue q
SET followed = NOT q.followed, changed_xid = pg_current_xact_id()::text::bigint
FROM link_batches__urls link
WHERE q.url_id = ANY(@url_ids::integer[])
    AND link.url_id = ANY(@url_ids::integer[])
    AND q.url_id = link.url_id
    AND q.followed <> EXISTS (SELECT FROM batch_followers f WHERE f.batch_id = link.batch_id);

-- name: FollowedBatchesRecount :exec
-- Sets the rows of followed_batches that differ from a recount, and their changed_xid to the transaction. The caller holds the
-- lock of FollowLock.
WITH want AS MATERIALIZED (
    SELECT user_id, batch_ids FROM followed_batches_recount
), deleted AS (
    DELETE FROM followed_batches f WHERE NOT EXISTS (SELECT FROM want WHERE want.user_id = f.user_id)
)
INSERT INTO followed_batches (user_id, batch_ids, changed_xid)
SELECT want.user_id, want.batch_ids, pg_current_xact_id()::text::bigint
FROM want
LEFT JOIN followed_batches have ON have.user_id = want.user_id
WHERE have.user_id IS NULL OR have.batch_ids <> want.batch_ids
ON CONFLICT ON CONSTRAINT followed_batches_pkey
    DO UPDATE SET batch_ids = excluded.batch_ids, changed_xid = excluded.changed_xid;

-- name: FollowedBatchesDifferenceList :many
-- The differences of followed_batches from a recount, by user, in one snapshot.
-- @sqlc-vet-disable many-without-limit
SELECT
    coalesce(have.user_id, want.user_id)::integer AS user_id,
    (CASE
        WHEN have.user_id IS NULL THEN 'missing followed batches'
        WHEN want.user_id IS NULL THEN 'surplus followed batches'
        ELSE 'wrong followed batches'
    END)::text AS kind,
    coalesce(array_to_string(have.batch_ids, ', '), '')::text AS have,
    coalesce(array_to_string(want.batch_ids, ', '), '')::text AS want
FROM followed_batches have
FULL JOIN followed_batches_recount want ON want.user_id = have.user_id
WHERE have.batch_ids IS DISTINCT FROM want.batch_ids
ORDER BY 1;

-- name: LocationLockMany :many
-- The locations that exist of those given, by id, locked against deletion.
-- No limit: there are no more rows than ids.
-- @sqlc-vet-disable many-without-limit
SELECT locations.id FROM locations WHERE locations.id = ANY(@location_ids::bigint[]) ORDER BY locations.id FOR KEY SHARE;

-- name: FollowStoreMany :one
-- Stores follows; one may be given several times. With replace, deletes all others. Returns the numbers of follows that were
-- stored and deleted.
WITH given AS MATERIALIZED (
    SELECT DISTINCT f.user_id, f.location_id
    FROM (SELECT unnest(@user_ids::integer[]) AS user_id, unnest(@location_ids::integer[]) AS location_id) AS f
), deleted AS (
    DELETE FROM link__locations__user_follows f
    WHERE @replace::boolean
        AND NOT EXISTS (SELECT FROM given WHERE given.user_id = f.user_id AND given.location_id = f.location_id)
    RETURNING 1
), stored AS (
    INSERT INTO link__locations__user_follows (location_id, user_id)
    SELECT given.location_id, given.user_id FROM given ORDER BY given.location_id, given.user_id
    ON CONFLICT ON CONSTRAINT link__locations__user_follows_pkey DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM stored) AS stored, (SELECT count(*) FROM deleted) AS deleted;

-- name: FollowsAnalyze :exec
-- Gives the planner statistics of what an import of follows stored.
ANALYZE link__locations__user_follows, followed_batches;

-- name: BatchLocationInsertMany :execrows
-- Links a batch to locations, and returns the number of new links.
INSERT INTO link_batches__locations (batch_id, location_id)
SELECT @batch_id, location.id
FROM unnest(@location_ids::bigint[]) AS location (id)
ORDER BY location.id
ON CONFLICT ON CONSTRAINT link_batches__locations_pkey DO NOTHING;

-- name: LocationIDListAll :many
-- The ids of all locations.
-- No limit: the table is small.
-- @sqlc-vet-disable many-without-limit
SELECT locations.id FROM locations ORDER BY locations.id;
