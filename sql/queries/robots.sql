-- What robots suggest. The caller holds a row lock on each URL, so concurrent robots wait for each other where no unique key
-- prevents them from storing the same suggestion twice; writers of answers do not wait for that lock. Rows are passed as arrays of
-- equal length that are unnested in parallel, and each suggestion occurs once. Every statement that stores suggestions returns the
-- URLs of those it changed; no row means that all of them were known. With keep, what was suggested before is not changed.

-- name: RobotURLLockMany :many
-- The ids of the URLs that exist, ascending. Until the end of the transaction they cannot be deleted, and other robots wait.
-- No limit, here and below: there are no more rows than were given.
-- @sqlc-vet-disable many-without-limit
SELECT urls.id FROM urls WHERE urls.id = ANY(@url_ids::integer[]) ORDER BY urls.id FOR NO KEY UPDATE;

-- name: RobotAgencyLockMany :many
-- The ids of the agencies that exist, ascending. Until the end of the transaction they cannot be deleted.
-- @sqlc-vet-disable many-without-limit
SELECT agencies.id FROM agencies WHERE agencies.id = ANY(@agency_ids::integer[]) ORDER BY agencies.id FOR KEY SHARE;

-- name: RobotLocationLockMany :many
-- The ids of the locations that exist, ascending. Until the end of the transaction they cannot be deleted.
-- @sqlc-vet-disable many-without-limit
SELECT locations.id FROM locations WHERE locations.id = ANY(@location_ids::bigint[]) ORDER BY locations.id FOR KEY SHARE;

-- name: RobotTaskInsert :one
-- Stores a task, which is complete when the transaction commits.
INSERT INTO tasks (task_type, task_status) VALUES (@task_type, 'complete') RETURNING id;

-- name: RobotTaskDelete :exec
-- Deletes a task that changed nothing.
DELETE FROM tasks WHERE id = @id;

-- name: RobotTaskURLInsertMany :exec
-- Links URLs to the task that changed suggestions for them.
INSERT INTO link_tasks__urls (task_id, url_id)
SELECT @task_id, given.url_id FROM (SELECT DISTINCT unnest(@url_ids::integer[]) AS url_id) AS given
ORDER BY given.url_id
ON CONFLICT ON CONSTRAINT link_tasks__urls_pkey DO NOTHING;

-- name: RobotAgencySubtaskInsertMany :many
-- Stores that a method searched for the agencies of URLs and whether it found any, where that is not known. A search that found
-- an agency prevails over one that found none, whichever is stored first.
-- @sqlc-vet-disable many-without-limit
INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
SELECT @task_id, given.url_id, given.type, given.found
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@methods::text[])::agency_auto_suggestion_method AS type,
        unnest(@found::boolean[]) AS found
) AS given
WHERE NOT EXISTS (
    SELECT FROM annotation__agency__auto__subtasks s
    WHERE s.url_id = given.url_id AND s.type = given.type AND (s.agencies_found OR NOT given.found)
)
ORDER BY given.url_id, given.type
RETURNING url_id, agencies_found AS found;

-- name: RobotAgencyUpsertMany :many
-- Stores agencies that a method suggests for URLs, each with the method's first search that found any, or gives those that it
-- suggested before another confidence.
-- @sqlc-vet-disable many-without-limit
WITH given AS MATERIALIZED (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@methods::text[])::agency_auto_suggestion_method AS type,
        unnest(@entity_ids::bigint[])::integer AS agency_id,
        unnest(@confidences::double precision[])::integer AS confidence
), changed AS (
    UPDATE annotation__agency__auto__suggestions known SET confidence = given.confidence
    FROM given
    JOIN annotation__agency__auto__subtasks s ON s.url_id = given.url_id AND s.type = given.type
    WHERE NOT @keep::boolean
        AND known.subtask_id = s.id AND known.agency_id = given.agency_id AND known.confidence <> given.confidence
    RETURNING given.url_id, given.type, given.agency_id
), missing AS MATERIALIZED (
    SELECT subtask.id AS subtask_id, given.url_id, given.agency_id, given.confidence
    FROM given
    CROSS JOIN LATERAL (
        SELECT min(s.id) AS id
        FROM annotation__agency__auto__subtasks s
        WHERE s.url_id = given.url_id AND s.type = given.type AND s.agencies_found
    ) AS subtask
    WHERE NOT EXISTS (
        SELECT FROM annotation__agency__auto__subtasks s
        JOIN annotation__agency__auto__suggestions known ON known.subtask_id = s.id
        WHERE s.url_id = given.url_id AND s.type = given.type AND known.agency_id = given.agency_id
    )
), stored AS (
    INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence)
    SELECT subtask_id, agency_id, confidence FROM missing ORDER BY url_id, agency_id
), items AS (
    SELECT DISTINCT changed.url_id, changed.type, changed.agency_id FROM changed
)
SELECT items.url_id::integer AS url_id FROM items
UNION ALL
SELECT missing.url_id FROM missing
ORDER BY url_id;

-- name: RobotLocationSubtaskInsertMany :many
-- Stores that a method searched for the locations of URLs and whether it found any, where it had not searched.
-- @sqlc-vet-disable many-without-limit
INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found)
SELECT @task_id, given.url_id, given.type, given.found
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@methods::text[])::auto_location_id_subtask_type AS type,
        unnest(@found::boolean[]) AS found
) AS given
ORDER BY given.url_id, given.type
ON CONFLICT ON CONSTRAINT annotation__location__auto__subtasks_url_id_type_key DO NOTHING
RETURNING url_id, locations_found AS found;

-- name: RobotLocationUpsertMany :many
-- Stores locations that a method suggests for URLs, or gives those that it suggested before another confidence. A search that
-- had found none has found one now.
-- @sqlc-vet-disable many-without-limit
WITH given AS MATERIALIZED (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@methods::text[])::auto_location_id_subtask_type AS type,
        unnest(@entity_ids::bigint[]) AS location_id,
        unnest(@confidences::double precision[]) AS confidence
), found AS (
    UPDATE annotation__location__auto__subtasks s SET locations_found = true
    FROM given
    WHERE s.url_id = given.url_id AND s.type = given.type AND NOT s.locations_found
), stored AS (
    INSERT INTO annotation__location__auto__suggestions AS known (subtask_id, location_id, confidence)
    SELECT s.id, given.location_id, given.confidence
    FROM given
    JOIN annotation__location__auto__subtasks s ON s.url_id = given.url_id AND s.type = given.type
    ORDER BY given.url_id, given.location_id
    ON CONFLICT ON CONSTRAINT annotation__location__auto__suggestions_pkey
        DO UPDATE SET confidence = excluded.confidence WHERE NOT @keep::boolean AND known.confidence <> excluded.confidence
    RETURNING known.subtask_id
)
SELECT s.url_id FROM stored JOIN annotation__location__auto__subtasks s ON s.id = stored.subtask_id ORDER BY s.url_id;

-- name: RobotRecordTypeUpsertMany :many
-- Stores the record types of URLs, or changes them.
-- @sqlc-vet-disable many-without-limit
INSERT INTO annotation__record_type__auto AS known (url_id, record_type)
SELECT given.url_id, given.record_type
FROM (
    SELECT unnest(@url_ids::integer[]) AS url_id, unnest(@record_types::text[])::record_type AS record_type
) AS given
ORDER BY given.url_id
ON CONFLICT ON CONSTRAINT annotation__record_type__auto_pkey
    DO UPDATE SET record_type = excluded.record_type, updated_at = now()
    WHERE NOT @keep::boolean AND known.record_type <> excluded.record_type
RETURNING url_id;

-- name: RobotRelevanceUpsertMany :many
-- Stores whether URLs are relevant, or changes it, its confidence or its model. A confidence of -1 and an empty model mean none.
-- @sqlc-vet-disable many-without-limit
INSERT INTO annotation__url_type__auto AS known (url_id, relevant, confidence, model_name)
SELECT given.url_id, given.relevant, nullif(given.confidence, -1), nullif(given.model_name, '')
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@relevant::boolean[]) AS relevant,
        unnest(@confidences::double precision[]) AS confidence,
        unnest(@model_names::text[]) AS model_name
) AS given
ORDER BY given.url_id
ON CONFLICT ON CONSTRAINT annotation__url_type__auto_pkey
    DO UPDATE SET
        relevant = excluded.relevant, confidence = excluded.confidence, model_name = excluded.model_name, updated_at = now()
    WHERE NOT @keep::boolean
        AND (known.relevant, known.confidence, known.model_name)
            IS DISTINCT FROM (excluded.relevant, excluded.confidence, excluded.model_name)
RETURNING url_id;

-- name: RobotNameInsertMany :many
-- Suggests titles of pages as names. A name that the URL has already, whether a robot or a user suggested it, is not changed. With
-- keep, a URL that has a title gets no other one.
-- @sqlc-vet-disable many-without-limit
INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
SELECT given.url_id, given.suggestion, 'HTML Metadata Title'
FROM (
    SELECT unnest(@url_ids::integer[]) AS url_id, unnest(@suggestions::text[]) AS suggestion
) AS given
WHERE NOT @keep::boolean
    OR NOT EXISTS (SELECT FROM annotation__name__suggestions n WHERE n.url_id = given.url_id AND n.source = 'HTML Metadata Title')
ORDER BY given.url_id, given.suggestion
ON CONFLICT ON CONSTRAINT annotation__name__suggestions_url_id_suggestion_key DO NOTHING
RETURNING url_id;
