-- Refreshes of materialized views: the lock and the record. The list of views comes from the catalog, and REFRESH takes no
-- parameters; internal/postgres has both.

-- name: ViewRefreshList :many
-- The last refresh of each view that has one on record, by name. There are few.
-- @sqlc-vet-disable many-without-limit
SELECT
    view_name,
    refreshed_at,
    coalesce(extract(epoch FROM now() AT TIME ZONE 'UTC' - refreshed_at), 0)::double precision AS age_seconds,
    coalesce(seconds, 0)::double precision AS seconds,
    coalesce(row_count, 0)::bigint AS row_count,
    coalesce(error, '')::text AS error
FROM materialized_view_refreshes
ORDER BY view_name;

-- name: ViewRefreshLock :one
-- Whether this transaction may refresh the view. If not, another transaction is refreshing it. Does not wait.
SELECT pg_try_advisory_xact_lock(hashtextextended('docket refresh ' || @view_name::text, 0))::boolean AS locked;

-- name: ViewRefreshUpsert :exec
-- Records a refresh that succeeded, in its transaction: the view has everything committed before that began.
INSERT INTO materialized_view_refreshes (view_name, attempted_at, refreshed_at, seconds, row_count, error)
VALUES (@view_name, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', @seconds::double precision, @row_count::bigint, NULL)
ON CONFLICT ON CONSTRAINT materialized_view_refreshes_pkey DO UPDATE
SET attempted_at = excluded.attempted_at,
    refreshed_at = excluded.refreshed_at,
    seconds = excluded.seconds,
    row_count = excluded.row_count,
    error = NULL;

-- name: ViewRefreshUpsertFailed :exec
-- Records a refresh that failed; the record of the last success stays.
INSERT INTO materialized_view_refreshes (view_name, attempted_at, error)
VALUES (@view_name, now() AT TIME ZONE 'UTC', @error::text)
ON CONFLICT ON CONSTRAINT materialized_view_refreshes_pkey DO UPDATE
SET attempted_at = excluded.attempted_at, error = excluded.error;
