-- Results of requests that carried an Idempotency-Key, each stored in the transaction of the request, so that a repeated request
-- does not take effect again.

CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    outcome json, -- not jsonb, which refuses a NUL in a text
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key),
    CONSTRAINT idempotency_keys_request_check CHECK (octet_length(request) = 32)
);

COMMENT ON COLUMN idempotency_keys.caller IS 'Who may use the key: a user, or a digest of an anonymous session or of the address of a client without a token.';
COMMENT ON COLUMN idempotency_keys.request IS 'SHA-256 of the request; the same key with another request is refused.';
COMMENT ON COLUMN idempotency_keys.outcome IS 'The result of the request. NULL: the key was used before results were stored here, so whether the request took effect is unknown.';

CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at);
