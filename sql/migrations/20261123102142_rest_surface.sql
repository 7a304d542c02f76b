-- Drop an index of duplicates.
--   locks out readers: duplicates
DROP INDEX duplicates_batch_id_idx;

-- Make table idempotency_keys.
CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    claim uuid NOT NULL,
    claimed_until timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    status smallint,
    content_type text,
    body bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key),
    CONSTRAINT idempotency_keys_answer_check CHECK ((num_nonnulls(status, content_type, body) = ANY (ARRAY[0, 3]))),
    CONSTRAINT idempotency_keys_request_check CHECK ((octet_length(request) = 32)),
    CONSTRAINT idempotency_keys_status_check CHECK (((status >= 200) AND (status <= 299)))
);

-- Describe it.
COMMENT ON COLUMN idempotency_keys.caller IS 'Who may use the key: a user, or whoever has no token at one operation.';

-- Describe it.
COMMENT ON COLUMN idempotency_keys.request IS 'SHA-256 of what was asked; the same key with another request is refused.';

-- Describe it.
COMMENT ON COLUMN idempotency_keys.claim IS 'The attempt that may store the answer.';

-- Describe it.
COMMENT ON COLUMN idempotency_keys.claimed_until IS 'From then on an attempt without an answer is taken for dead.';

-- Index idempotency_keys.
CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys USING btree (expires_at);

-- Index agencies.
--   locks out writers: agencies, while the index is built over all rows of agencies
CREATE INDEX agencies_name_lower_idx ON agencies USING btree (lower((name)::text) text_pattern_ops);

-- Index agencies.
--   locks out writers: agencies, while the index is built over all rows of agencies
CREATE INDEX agencies_name_trgm_idx ON agencies USING gist (name gist_trgm_ops (siglen='256'));

-- Index counties.
--   locks out writers: counties, while the index is built over all rows of counties
CREATE INDEX counties_name_lower_idx ON counties USING btree (lower(name) text_pattern_ops);

-- Index counties.
--   locks out writers: counties, while the index is built over all rows of counties
CREATE INDEX counties_name_trgm_idx ON counties USING gist (name gist_trgm_ops (siglen='256'));

-- Index duplicates.
--   locks out writers: duplicates, while the index is built over all rows of duplicates
CREATE INDEX duplicates_batch_id_idx ON duplicates USING btree (batch_id, original_url_id);

-- Index localities.
--   locks out writers: localities, while the index is built over all rows of localities
CREATE INDEX localities_name_lower_idx ON localities USING btree (lower((name)::text) text_pattern_ops);

-- Index localities.
--   locks out writers: localities, while the index is built over all rows of localities
CREATE INDEX localities_name_trgm_idx ON localities USING gist (name gist_trgm_ops (siglen='256'));

-- Index locations.
--   locks out writers: locations, while the index is built over all rows of locations
CREATE INDEX locations_type_state_id_idx ON locations USING btree (type, state_id) WHERE (type = ANY (ARRAY['National'::location_type, 'State'::location_type]));
