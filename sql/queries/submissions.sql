-- What people submit: single URLs with a user's suggestions, data sources without a user, and batches entered by hand.

-- name: URLInsert :one
-- Stores a URL. No rows: its id form is known. If a concurrent transaction is storing it, the statement waits for that one.
WITH stored AS (
    INSERT INTO urls (url, scheme, trailing_slash, name, description, source)
    SELECT
        @url::text, sqlc.narg('scheme')::varchar, @trailing_slash::boolean,
        sqlc.narg('name')::varchar, sqlc.narg('description')::varchar, 'manual'
    ON CONFLICT ON CONSTRAINT urls_url_key DO NOTHING
    RETURNING urls.*
)
SELECT stored.id, to_jsonb(stored)::jsonb AS new_data FROM stored;

-- name: SubmissionListUnknown :one
-- The agencies and locations of a submission that do not exist.
SELECT
    ARRAY(
        SELECT given.id FROM unnest(@agency_ids::integer[]) AS given (id)
        WHERE NOT EXISTS (SELECT FROM agencies WHERE agencies.id = given.id)
        ORDER BY given.id
    )::integer[] AS unknown_agency_ids,
    ARRAY(
        SELECT given.id FROM unnest(@location_ids::bigint[]) AS given (id)
        WHERE NOT EXISTS (SELECT FROM locations WHERE locations.id = given.id)
        ORDER BY given.id
    )::bigint[] AS unknown_location_ids;

-- name: UserSubmissionInsert :exec
-- Stores who submitted a new URL, and what else they said about it as their suggestions.
WITH submitted AS (
    INSERT INTO link_user_submitted_urls (url_id, user_id) VALUES (@url_id::integer, @user_id::integer)
), record_type AS (
    INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
    SELECT @url_id::integer, @user_id::integer, sqlc.narg('record_type')::record_type
    WHERE sqlc.narg('record_type')::record_type IS NOT NULL
), name AS (
    INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
    SELECT @url_id::integer, sqlc.narg('name')::varchar, 'User'
    WHERE sqlc.narg('name')::varchar IS NOT NULL
    RETURNING id
), endorsement AS (
    INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT @user_id::integer, name.id FROM name
), location AS (
    INSERT INTO annotation__location__user (url_id, user_id, location_id)
    SELECT @url_id::integer, @user_id::integer, sqlc.narg('location_id')::bigint
    WHERE sqlc.narg('location_id')::bigint IS NOT NULL
)
INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
SELECT @url_id::integer, @user_id::integer, sqlc.narg('agency_id')::integer
WHERE sqlc.narg('agency_id')::integer IS NOT NULL;

-- name: DataSourceSubmissionInsert :one
-- Puts a new URL into a new batch, and stores what was said about it as suggestions of a new anonymous session, whose id it
-- returns. The name is a suggestion without an endorsement.
WITH batch AS (
    INSERT INTO batches (strategy, status, parameters) VALUES ('manual', 'ready to label', '{}') RETURNING id
), link AS (
    INSERT INTO link_batches__urls (batch_id, url_id) SELECT batch.id, @url_id::integer FROM batch
), session AS (
    INSERT INTO anonymous_sessions DEFAULT VALUES RETURNING id
), address AS (
    INSERT INTO anonymous_answer_addresses (url_id, session_id, address_hash)
    SELECT @url_id::integer, session.id, sqlc.narg('address_hash')::bytea FROM session
    WHERE sqlc.narg('address_hash')::bytea IS NOT NULL
), url_type AS (
    INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
    SELECT @url_id::integer, session.id, 'data source' FROM session
), record_type AS (
    INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
    SELECT @url_id::integer, session.id, @record_type::record_type FROM session
), agency AS (
    INSERT INTO annotation__agency__anon (url_id, session_id, agency_id)
    SELECT @url_id::integer, session.id, unnest(@agency_ids::integer[]) FROM session
), location AS (
    INSERT INTO annotation__location__anon (url_id, session_id, location_id)
    SELECT @url_id::integer, session.id, unnest(@location_ids::bigint[]) FROM session
), name AS (
    INSERT INTO annotation__name__suggestions (url_id, suggestion, source) VALUES (@url_id::integer, @name::varchar, 'User')
)
SELECT session.id FROM session;

-- name: DataSourceMetadataInsert :exec
-- Stores what else is known about a data source.
INSERT INTO url_optional_data_source_metadata (
    url_id, record_formats, data_portal_type, supplying_entity, coverage_start, coverage_end,
    agency_supplied, agency_originated, agency_aggregation, agency_described_not_in_database,
    update_method, readme_url, originating_entity, retention_schedule,
    scraper_url, submission_notes, access_notes, access_types
) VALUES (
    @url_id, coalesce(@record_formats::text[], '{}'), @data_portal_type, @supplying_entity, @coverage_start, @coverage_end,
    @agency_supplied, @agency_originated, @agency_aggregation, @agency_described_not_in_database,
    @update_method, @readme_url, @originating_entity, @retention_schedule,
    @scraper_url, @submission_notes, @access_notes, coalesce(CAST(@access_types::text[] AS access_type_enum[]), '{}')
);

-- In the following statements rows are passed as arrays of equal length that are unnested in parallel; an empty text is stored as
-- NULL.

-- name: ManualBatchInsert :one
-- Stores a batch entered by hand.
INSERT INTO batches (strategy, user_id, status, parameters)
VALUES ('manual', @user_id::integer, 'ready to label', json_build_object('name', @name::text))
RETURNING id;

-- name: ManualURLInsertMany :many
-- Stores URLs and returns those that were new, by id. Ids ascend in the order given. The rows are inserted in the order of their id
-- forms, so that two such statements do not deadlock.
-- No limit: there are no more rows than were given.
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
    INSERT INTO urls (id, url, scheme, trailing_slash, name, description, collector_metadata, source)
    SELECT
        given.id, given.url, nullif(given.scheme, ''), given.trailing_slash, nullif(given.name, ''),
        nullif(given.description, ''), nullif(given.collector_metadata, '')::json, 'manual'
    FROM given
    ORDER BY given.url COLLATE "C"
    ON CONFLICT ON CONSTRAINT urls_url_key DO NOTHING
    RETURNING urls.*
)
SELECT stored.id, coalesce(stored.url, '')::text AS url, to_jsonb(stored)::jsonb AS new_data FROM stored ORDER BY stored.id;

-- name: URLRecordTypeInsertMany :exec
-- Stores the agreed record types of new URLs.
INSERT INTO url_record_type (url_id, record_type)
SELECT unnest(@url_ids::integer[]), unnest(@record_types::text[])::record_type;

-- name: ManualMetadataInsertMany :exec
-- Stores what else is known about new URLs, a row for each. The record formats are separate arrays, in their order.
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
