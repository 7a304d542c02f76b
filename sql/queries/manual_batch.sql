-- Batches entered by hand. Rows travel as arrays of equal length that unnest in step; an empty text is none.

-- name: ManualBatchInsert :one
-- Opens a batch made by hand.
INSERT INTO batches (strategy, user_id, status, parameters)
VALUES ('manual', @user_id::integer, 'ready to label', json_build_object('name', @name::text))
RETURNING id;

-- name: ManualURLInsertMany :many
-- Stores URLs given by hand and returns, by id, those that nobody else has stored meanwhile. Ids ascend as the URLs are given;
-- they are stored in the order of their id forms, so that two such statements do not wait for each other.
-- No limit: there are no more than were given.
-- @sqlc-vet-disable many-without-limit
WITH given AS MATERIALIZED (
    SELECT
        nextval(pg_get_serial_sequence('urls', 'id'))::integer AS id,
        entry.url, entry.scheme, entry.trailing_slash, entry.name, entry.description, entry.collector_metadata
    FROM (
        SELECT
            unnest(@urls::text[]) AS url,
            unnest(@schemes::text[]) AS scheme,
            unnest(@trailing_slashes::boolean[]) AS trailing_slash,
            unnest(@names::text[]) AS name,
            unnest(@descriptions::text[]) AS description,
            unnest(@collector_metadata::text[]) AS collector_metadata
    ) AS entry
), stored AS (
    INSERT INTO urls (id, url, scheme, trailing_slash, name, description, collector_metadata, status, source)
    SELECT
        given.id, given.url, nullif(given.scheme, ''), given.trailing_slash, nullif(given.name, ''),
        nullif(given.description, ''), nullif(given.collector_metadata, '')::json, 'ok', 'manual'
    FROM given
    ORDER BY given.url COLLATE "C"
    ON CONFLICT ON CONSTRAINT urls_url_key DO NOTHING
    RETURNING urls.*
)
SELECT stored.id, coalesce(stored.url, '')::text AS url, to_jsonb(stored)::jsonb AS new_data FROM stored ORDER BY stored.id;

-- name: URLRecordTypeInsertMany :exec
-- Gives new URLs their final record types.
INSERT INTO url_record_type (url_id, record_type)
SELECT unnest(@url_ids::integer[]), unnest(@record_types::text[])::record_type;

-- name: ManualMetadataInsertMany :exec
-- Stores what else is known of new URLs, a row for each. Their record formats are given apart, in their order.
WITH formats AS (
    SELECT part.url_id, array_agg(part.format ORDER BY part.position) AS list
    FROM (
        SELECT
            unnest(@format_url_ids::integer[]) AS url_id,
            unnest(@format_positions::integer[]) AS position,
            unnest(@formats::text[]) AS format
    ) AS part
    GROUP BY part.url_id
)
INSERT INTO url_optional_data_source_metadata (url_id, record_formats, data_portal_type, supplying_entity)
SELECT given.url_id, coalesce(formats.list, '{}'), nullif(given.data_portal_type, ''), nullif(given.supplying_entity, '')
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@data_portal_types::text[]) AS data_portal_type,
        unnest(@supplying_entities::text[]) AS supplying_entity
) AS given
LEFT JOIN formats ON formats.url_id = given.url_id;
