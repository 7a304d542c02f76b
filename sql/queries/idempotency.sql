-- Responses stored for requests that are sent again. Every statement takes the time from the database, so that all instances
-- use one clock.

-- name: IdempotencyKeyClaim :execrows
-- Claims a key that is new or has expired, or that the same request holds without a response and with an expired lease. No row:
-- the key cannot be claimed, and IdempotencyKeyGet returns why.
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
-- The request that holds a key, and its response if there is one.
SELECT request, status, content_type, body FROM idempotency_keys WHERE caller = @caller AND key = @key;

-- name: IdempotencyKeyUpdateResponse :execrows
-- Stores the response of the claim that holds a key. No row: the claim no longer holds it.
UPDATE idempotency_keys
SET status = @status::smallint, content_type = @content_type::text, body = @body::bytea
WHERE caller = @caller AND key = @key AND claim = @claim;

-- name: IdempotencyKeyRelease :exec
-- Releases a key, if the claim still holds it.
DELETE FROM idempotency_keys WHERE caller = @caller AND key = @key AND claim = @claim AND status IS NULL;

-- name: IdempotencyKeyDeleteManyExpired :execrows
-- Deletes some of the expired keys, those that expired first, and skips rows that another transaction has locked. The rows are
-- found by ctid, which the row locks keep from changing. For a join by key the planner may expect many rows and read the whole
-- table.
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT expired.ctid FROM idempotency_keys expired
    WHERE expired.expires_at <= now()
    ORDER BY expired.expires_at
    LIMIT @at_most::integer
    FOR UPDATE SKIP LOCKED
));
