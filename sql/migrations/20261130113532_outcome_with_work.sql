-- The result of a request with an Idempotency-Key is stored in the transaction of the request. Before, its response was stored by a
-- second transaction, which could fail alone.
--
-- Keys that were used before are kept until they expire, with an unknown result: a repetition of their requests is refused and does
-- not take effect again. A key of a client without a token is not found again, because its caller is named in another way now.
--
-- An older Docket that still runs refuses every request with an Idempotency-Key with status 500, before it does anything. It serves
-- all other requests. If it stored such a request just before, it sends its response, and only the key's result stays unknown.
--
-- atlas:nolint BC101 DS103

ALTER TABLE idempotency_keys
    DROP CONSTRAINT idempotency_keys_answer_check,
    DROP CONSTRAINT idempotency_keys_status_check,
    DROP COLUMN claim,
    DROP COLUMN claimed_until,
    DROP COLUMN status,
    DROP COLUMN content_type,
    DROP COLUMN body,
    ADD COLUMN outcome json;

COMMENT ON COLUMN idempotency_keys.caller IS 'Who may use the key: a user, or a digest of an anonymous session or of the address of a client without a token.';
COMMENT ON COLUMN idempotency_keys.outcome IS 'The result of the request. NULL: the key was used before results were stored here, so whether the request took effect is unknown.';
