-- Responses to requests that carry an Idempotency-Key, so that a repeated request does not take effect again.

CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    claim uuid NOT NULL,
    claimed_until timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    status smallint,
    content_type text,
    body bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key),
    CONSTRAINT idempotency_keys_request_check CHECK (octet_length(request) = 32),
    CONSTRAINT idempotency_keys_status_check CHECK (status BETWEEN 200 AND 299),
    CONSTRAINT idempotency_keys_answer_check CHECK (num_nonnulls(status, content_type, body) IN (0, 3))
);

COMMENT ON COLUMN idempotency_keys.caller IS 'Who may use the key: one user, or all callers of one operation without a token.';
COMMENT ON COLUMN idempotency_keys.request IS 'SHA-256 of the request; the same key with another request is refused.';
COMMENT ON COLUMN idempotency_keys.claim IS 'The attempt that may store the response.';
COMMENT ON COLUMN idempotency_keys.claimed_until IS 'After this time an attempt that has stored no response counts as failed.';

CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at);
