-- What robots suggest. The caller holds the URLs, so that robots come one after another where there is no key to keep two from
-- storing the same thing; other writers of answers do not wait for that. Rows go in as arrays of equal length that unnest in
-- step, each thing once. Of every kind the statements say which URLs they changed; no row means that all was known.

-- name: RobotURLLockMany :many
-- Those of the URLs that exist, by id, held against deletion and other robots to the end of the transaction.
-- No limit, here and below: there are no more than were given.
-- @sqlc-vet-disable many-without-limit
SELECT urls.id FROM urls WHERE urls.id = ANY(@url_ids::integer[]) ORDER BY urls.id FOR NO KEY UPDATE;

-- name: RobotAgencyLockMany :many
-- Those of the agencies that exist, held against deletion to the end of the transaction.
-- @sqlc-vet-disable many-without-limit
SELECT agencies.id FROM agencies WHERE agencies.id = ANY(@agency_ids::integer[]) ORDER BY agencies.id FOR KEY SHARE;

-- name: RobotLocationLockMany :many
-- Those of the locations that exist, held against deletion to the end of the transaction.
-- @sqlc-vet-disable many-without-limit
SELECT locations.id FROM locations WHERE locations.id = ANY(@location_ids::bigint[]) ORDER BY locations.id FOR KEY SHARE;

-- name: RobotTaskInsert :one
-- Opens a task, which is over with the transaction.
INSERT INTO tasks (task_type, task_status) VALUES (@task_type, 'complete') RETURNING id;

-- name: RobotTaskDelete :exec
-- Drops a task that changed nothing.
DELETE FROM tasks WHERE id = @id;

-- name: RobotTaskURLInsertMany :exec
-- Links URLs to the task that changed something about them.
INSERT INTO link_tasks__urls (task_id, url_id)
SELECT @task_id, given.url_id FROM (SELECT DISTINCT unnest(@url_ids::integer[]) AS url_id) AS given
ORDER BY given.url_id
ON CONFLICT ON CONSTRAINT link_tasks__urls_pkey DO NOTHING;

-- name: RobotAgencySubtaskInsertMany :many
-- Stores that a method looked for the agencies of URLs, and whether it found any, where that is not known. What was found
-- outweighs a look in vain, before or after.
-- @sqlc-vet-disable many-without-limit
INSERT INTO url_auto_agency_id_subtasks (task_id, url_id, type, agencies_found)
SELECT @task_id, given.url_id, given.type, given.found
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@methods::text[])::agency_auto_suggestion_method AS type,
        unnest(@found::boolean[]) AS found
) AS given
WHERE NOT EXISTS (
    SELECT FROM url_auto_agency_id_subtasks s
    WHERE s.url_id = given.url_id AND s.type = given.type AND (s.agencies_found OR NOT given.found)
)
ORDER BY given.url_id, given.type
RETURNING url_id, agencies_found;

-- name: RobotAgencySuggestionUpdateMany :many
-- Gives agencies that a method suggested before for a URL another confidence. A URL comes once for each agency and method.
-- @sqlc-vet-disable many-without-limit
WITH changed AS (
    UPDATE agency_id_subtask_suggestions known SET confidence = given.confidence
    FROM (
        SELECT
            unnest(@url_ids::integer[]) AS url_id,
            unnest(@methods::text[])::agency_auto_suggestion_method AS type,
            unnest(@agency_ids::integer[]) AS agency_id,
            unnest(@confidences::integer[]) AS confidence
    ) AS given
    JOIN url_auto_agency_id_subtasks s ON s.url_id = given.url_id AND s.type = given.type
    WHERE known.subtask_id = s.id AND known.agency_id = given.agency_id AND known.confidence <> given.confidence
    RETURNING given.url_id, given.type, given.agency_id
), items AS (
    SELECT DISTINCT changed.url_id, changed.type, changed.agency_id FROM changed
)
SELECT items.url_id::integer AS url_id FROM items ORDER BY items.url_id;

-- name: RobotAgencySuggestionInsertMany :many
-- Stores agencies that a method has not suggested before for a URL, with its first look that found any. A URL comes once for
-- each agency and method.
-- @sqlc-vet-disable many-without-limit
WITH missing AS MATERIALIZED (
    SELECT subtask.id AS subtask_id, given.url_id, given.agency_id, given.confidence
    FROM (
        SELECT
            unnest(@url_ids::integer[]) AS url_id,
            unnest(@methods::text[])::agency_auto_suggestion_method AS type,
            unnest(@agency_ids::integer[]) AS agency_id,
            unnest(@confidences::integer[]) AS confidence
    ) AS given
    CROSS JOIN LATERAL (
        SELECT min(s.id) AS id
        FROM url_auto_agency_id_subtasks s
        WHERE s.url_id = given.url_id AND s.type = given.type AND s.agencies_found
    ) AS subtask
    WHERE NOT EXISTS (
        SELECT FROM url_auto_agency_id_subtasks s
        JOIN agency_id_subtask_suggestions known ON known.subtask_id = s.id
        WHERE s.url_id = given.url_id AND s.type = given.type AND known.agency_id = given.agency_id
    )
), stored AS (
    INSERT INTO agency_id_subtask_suggestions (subtask_id, agency_id, confidence)
    SELECT subtask_id, agency_id, confidence FROM missing ORDER BY url_id, agency_id
)
SELECT missing.url_id::integer AS url_id FROM missing ORDER BY missing.url_id;

-- name: RobotLocationSubtaskInsertMany :many
-- Stores that a method looked for the locations of URLs, and whether it found any, where it had not looked.
-- @sqlc-vet-disable many-without-limit
INSERT INTO auto_location_id_subtasks (task_id, url_id, type, locations_found)
SELECT @task_id, given.url_id, given.type, given.found
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@methods::text[])::auto_location_id_subtask_type AS type,
        unnest(@found::boolean[]) AS found
) AS given
ORDER BY given.url_id, given.type
ON CONFLICT ON CONSTRAINT auto_location_id_subtasks_url_id_type_key DO NOTHING
RETURNING url_id, locations_found;

-- name: RobotLocationSuggestionUpsertMany :many
-- Stores locations that a method suggests for a URL, or gives them another confidence; a look in vain has found something
-- now. A URL comes once for each location and method.
-- @sqlc-vet-disable many-without-limit
WITH given AS MATERIALIZED (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@methods::text[])::auto_location_id_subtask_type AS type,
        unnest(@location_ids::bigint[]) AS location_id,
        unnest(@confidences::double precision[]) AS confidence
), found AS (
    UPDATE auto_location_id_subtasks s SET locations_found = true
    FROM given
    WHERE s.url_id = given.url_id AND s.type = given.type AND NOT s.locations_found
), stored AS (
    INSERT INTO location_id_subtask_suggestions AS known (subtask_id, location_id, confidence)
    SELECT s.id, given.location_id, given.confidence
    FROM given
    JOIN auto_location_id_subtasks s ON s.url_id = given.url_id AND s.type = given.type
    ORDER BY given.url_id, given.location_id
    ON CONFLICT ON CONSTRAINT location_id_subtask_suggestions_pkey
        DO UPDATE SET confidence = excluded.confidence WHERE known.confidence <> excluded.confidence
    RETURNING known.subtask_id
)
SELECT s.url_id FROM stored JOIN auto_location_id_subtasks s ON s.id = stored.subtask_id ORDER BY s.url_id;

-- name: RobotRecordTypeUpsertMany :many
-- Stores the record types of URLs, or changes them.
-- @sqlc-vet-disable many-without-limit
INSERT INTO auto_record_type_suggestions AS known (url_id, record_type)
SELECT given.url_id, given.record_type
FROM (
    SELECT unnest(@url_ids::integer[]) AS url_id, unnest(@record_types::text[])::record_type AS record_type
) AS given
ORDER BY given.url_id
ON CONFLICT ON CONSTRAINT auto_record_type_suggestions_pkey
    DO UPDATE SET record_type = excluded.record_type, updated_at = now() WHERE known.record_type <> excluded.record_type
RETURNING url_id;

-- name: RobotRelevanceUpsertMany :many
-- Stores whether URLs are relevant, or changes it, its confidence or its model. A confidence of -1 and an empty model are none.
-- @sqlc-vet-disable many-without-limit
INSERT INTO auto_relevant_suggestions AS known (url_id, relevant, confidence, model_name)
SELECT given.url_id, given.relevant, nullif(given.confidence, -1), nullif(given.model_name, '')
FROM (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@relevant::boolean[]) AS relevant,
        unnest(@confidences::double precision[]) AS confidence,
        unnest(@model_names::text[]) AS model_name
) AS given
ORDER BY given.url_id
ON CONFLICT ON CONSTRAINT auto_relevant_suggestions_pkey
    DO UPDATE SET
        relevant = excluded.relevant, confidence = excluded.confidence, model_name = excluded.model_name, updated_at = now()
    WHERE (known.relevant, known.confidence, known.model_name)
        IS DISTINCT FROM (excluded.relevant, excluded.confidence, excluded.model_name)
RETURNING url_id;

-- name: RobotNameInsertMany :many
-- Suggests titles of pages as names. A name that the URL has already, from whomever, stays as it is.
-- @sqlc-vet-disable many-without-limit
INSERT INTO url_name_suggestions (url_id, suggestion, source)
SELECT given.url_id, given.suggestion, 'HTML Metadata Title'
FROM (
    SELECT unnest(@url_ids::integer[]) AS url_id, unnest(@suggestions::text[]) AS suggestion
) AS given
ORDER BY given.url_id, given.suggestion
ON CONFLICT ON CONSTRAINT url_name_suggestions_url_id_suggestion_key DO NOTHING
RETURNING url_id;
