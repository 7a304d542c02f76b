-- The results are dropped. Each key becomes a claim that lasts until the key expires: an older Docket refuses a repetition of its
-- request with 409, and does not execute it again.
ALTER TABLE idempotency_keys
    DROP COLUMN outcome,
    ADD COLUMN claim uuid,
    ADD COLUMN claimed_until timestamp with time zone,
    ADD COLUMN status smallint,
    ADD COLUMN content_type text,
    ADD COLUMN body bytea,
    ADD CONSTRAINT idempotency_keys_answer_check CHECK ((num_nonnulls(status, content_type, body) = ANY (ARRAY[0, 3]))),
    ADD CONSTRAINT idempotency_keys_status_check CHECK (((status >= 200) AND (status <= 299)));

UPDATE idempotency_keys SET claim = gen_random_uuid(), claimed_until = expires_at;

ALTER TABLE idempotency_keys
    ALTER COLUMN claim SET NOT NULL,
    ALTER COLUMN claimed_until SET NOT NULL;

COMMENT ON COLUMN idempotency_keys.caller IS 'Who may use the key: one user, or all callers of one operation without a token.';
COMMENT ON COLUMN idempotency_keys.claim IS 'The attempt that may store the response.';
COMMENT ON COLUMN idempotency_keys.claimed_until IS 'After this time an attempt that has stored no response counts as failed.';
