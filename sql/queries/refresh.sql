-- Refreshes of materialized views: whose turn it is, and what became of them. What views there are is for the catalog to
-- say, and REFRESH takes no parameters; internal/postgres does both.

-- name: ViewRefreshList :many
-- The last refresh of each view that ever had one, by name. There are a handful.
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
-- Tells whether the view is this transaction's to refresh. If not, another transaction is at it; nothing is waited for.
SELECT pg_try_advisory_xact_lock(hashtextextended('docket refresh ' || @view_name::text, 0))::boolean AS locked;

-- name: ViewRefreshUpsert :exec
-- Records a refresh that worked, in its own transaction: the view holds everything committed before that began.
INSERT INTO materialized_view_refreshes (view_name, attempted_at, refreshed_at, seconds, row_count, error)
VALUES (@view_name, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', @seconds::double precision, @row_count::bigint, NULL)
ON CONFLICT ON CONSTRAINT materialized_view_refreshes_pkey DO UPDATE
SET attempted_at = excluded.attempted_at,
    refreshed_at = excluded.refreshed_at,
    seconds = excluded.seconds,
    row_count = excluded.row_count,
    error = NULL;

-- name: ViewRefreshUpsertFailed :exec
-- Records a refresh that failed; what is known of the last one that worked stays.
INSERT INTO materialized_view_refreshes (view_name, attempted_at, error)
VALUES (@view_name, now() AT TIME ZONE 'UTC', @error::text)
ON CONFLICT ON CONSTRAINT materialized_view_refreshes_pkey DO UPDATE
SET attempted_at = excluded.attempted_at, error = excluded.error;
