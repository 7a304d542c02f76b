-- Results of requests that may be sent again. Every statement takes the time from the database, so that all instances use one
-- clock.

-- name: IdempotencyKeyGet :one
-- The request that used a key, and its result. No row: the key is free.
SELECT request, outcome FROM idempotency_keys WHERE caller = @caller AND key = @key AND expires_at > now();

-- name: IdempotencyKeyInsert :execrows
-- Stores the result of a request, which replaces that of an expired one. The caller must hold the advisory lock of the key, and have
-- found it free by IdempotencyKeyGet in the same transaction. Then one row is stored.
INSERT INTO idempotency_keys AS earlier (caller, key, request, outcome, expires_at)
VALUES (@caller, @key, @request, @outcome, now() + make_interval(secs => @keep_seconds::double precision))
ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO UPDATE
SET request = excluded.request, outcome = excluded.outcome, expires_at = excluded.expires_at
WHERE earlier.expires_at <= now();

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
