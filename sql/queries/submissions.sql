-- Submissions of single URLs: by users, whose suggestions come along, and of data sources, by nobody in particular.

-- name: URLInsert :one
-- Stores a URL given by hand. No rows: its id form is known. One that somebody else is storing is waited for.
WITH stored AS (
    INSERT INTO urls (url, scheme, trailing_slash, name, description, status, source)
    SELECT
        @url::text, sqlc.narg('scheme')::varchar, @trailing_slash::boolean,
        sqlc.narg('name')::varchar, sqlc.narg('description')::varchar, 'ok', 'manual'
    ON CONFLICT ON CONSTRAINT urls_url_key DO NOTHING
    RETURNING urls.*
)
SELECT stored.id, to_jsonb(stored)::jsonb AS new_data FROM stored;

-- name: SubmissionListUnknown :one
-- Which of the agencies and locations that a submission names do not exist.
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
-- Notes who submitted a new URL, and what else they said of it as suggestions of theirs.
WITH submitted AS (
    INSERT INTO link_user_submitted_urls (url_id, user_id) VALUES (@url_id::integer, @user_id::integer)
), record_type AS (
    INSERT INTO user_record_type_suggestions (url_id, user_id, record_type)
    SELECT @url_id::integer, @user_id::integer, sqlc.narg('record_type')::record_type
    WHERE sqlc.narg('record_type')::record_type IS NOT NULL
), name AS (
    INSERT INTO url_name_suggestions (url_id, suggestion, source)
    SELECT @url_id::integer, sqlc.narg('name')::varchar, 'User'
    WHERE sqlc.narg('name')::varchar IS NOT NULL
    RETURNING id
), endorsement AS (
    INSERT INTO link_user_name_suggestions (user_id, suggestion_id) SELECT @user_id::integer, name.id FROM name
), location AS (
    INSERT INTO user_location_suggestions (url_id, user_id, location_id)
    SELECT @url_id::integer, @user_id::integer, sqlc.narg('location_id')::bigint
    WHERE sqlc.narg('location_id')::bigint IS NOT NULL
)
INSERT INTO user_url_agency_suggestions (url_id, user_id, agency_id)
SELECT @url_id::integer, @user_id::integer, sqlc.narg('agency_id')::integer
WHERE sqlc.narg('agency_id')::integer IS NOT NULL;

-- name: DataSourceSubmissionInsert :exec
-- Puts a new URL into a batch of its own, and notes what was said of it as suggestions of an anonymous session of its own. The
-- name is a suggestion that nobody endorses.
WITH batch AS (
    INSERT INTO batches (strategy, status, parameters) VALUES ('manual', 'ready to label', '{}') RETURNING id
), link AS (
    INSERT INTO link_batches__urls (batch_id, url_id) SELECT batch.id, @url_id::integer FROM batch
), session AS (
    INSERT INTO anonymous_sessions DEFAULT VALUES RETURNING id
), url_type AS (
    INSERT INTO anonymous_annotation_url_type (url_id, session_id, url_type)
    SELECT @url_id::integer, session.id, 'data source' FROM session
), record_type AS (
    INSERT INTO anonymous_annotation_record_type (url_id, session_id, record_type)
    SELECT @url_id::integer, session.id, @record_type::record_type FROM session
), agency AS (
    INSERT INTO anonymous_annotation_agency (url_id, session_id, agency_id)
    SELECT @url_id::integer, session.id, unnest(@agency_ids::integer[]) FROM session
), location AS (
    INSERT INTO anonymous_annotation_location (url_id, session_id, location_id)
    SELECT @url_id::integer, session.id, unnest(@location_ids::bigint[]) FROM session
)
INSERT INTO url_name_suggestions (url_id, suggestion, source) VALUES (@url_id::integer, @name::varchar, 'User');

-- name: DataSourceMetadataInsert :exec
-- Stores what else is known of a data source.
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
