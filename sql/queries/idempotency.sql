-- Answers kept for requests that are sent again. Every statement takes the time from the database, so that all instances
-- share one clock.

-- name: IdempotencyKeyClaim :execrows
-- Makes the key the claimant's: a key that is new or has expired, or the same request's whose last attempt is dead. No row
-- means that the key is not to be had; IdempotencyKeyGet tells why.
INSERT INTO idempotency_keys AS held (caller, key, request, claim, claimed_until, expires_at)
VALUES (
    @caller, @key, @request, @claim,
    now() + make_interval(secs => @lease_seconds::double precision),
    now() + make_interval(secs => @keep_seconds::double precision)
)
ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO UPDATE
SET request = excluded.request,
    claim = excluded.claim,
    claimed_until = excluded.claimed_until,
    expires_at = excluded.expires_at,
    status = NULL,
    content_type = NULL,
    body = NULL
WHERE held.expires_at <= now()
    OR held.request = excluded.request AND held.status IS NULL AND held.claimed_until <= now();

-- name: IdempotencyKeyGet :one
-- The state of a key that could not be claimed: which request holds it and, once there is one, its answer.
SELECT request, status, content_type, body FROM idempotency_keys WHERE caller = @caller AND key = @key;

-- name: IdempotencyKeyUpdateAnswer :execrows
-- Keeps the answer of the attempt that holds the key; no row means that it holds the key no longer.
UPDATE idempotency_keys
SET status = @status::smallint, content_type = @content_type::text, body = @body::bytea
WHERE caller = @caller AND key = @key AND claim = @claim;

-- name: IdempotencyKeyRelease :exec
-- Gives the key back, if the attempt still holds it.
DELETE FROM idempotency_keys WHERE caller = @caller AND key = @key AND claim = @claim AND status IS NULL;

-- name: IdempotencyKeyDeleteManyExpired :execrows
-- Deletes some of the expired keys, those longest expired first; what others are at is left to them. The rows are looked up
-- by where they stand, which their locks keep: a join by key reads the whole table when the planner takes them for many.
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT expired.ctid FROM idempotency_keys expired
    WHERE expired.expires_at <= now()
    ORDER BY expired.expires_at
    LIMIT @at_most::integer
    FOR UPDATE SKIP LOCKED
));
