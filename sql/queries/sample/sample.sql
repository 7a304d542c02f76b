-- Sample data, written by COPY. Every value is given, ids and times as well, so that the same seed writes the same rows on every
-- machine.

-- name: SeedTargetLock :exec
-- Makes other writers of the tables that all rows refer to wait until the end of the transaction.
LOCK TABLE
    us_states,
    counties,
    localities,
    locations,
    agencies,
    batches,
    tasks,
    urls,
    anonymous_sessions
IN SHARE ROW EXCLUSIVE MODE;

-- name: SeedTargetHasRows :one
-- Whether any of these tables has a row.
SELECT EXISTS (
    SELECT 1 FROM us_states
    UNION ALL SELECT 1 FROM counties
    UNION ALL SELECT 1 FROM localities
    UNION ALL SELECT 1 FROM locations
    UNION ALL SELECT 1 FROM agencies
    UNION ALL SELECT 1 FROM batches
    UNION ALL SELECT 1 FROM tasks
    UNION ALL SELECT 1 FROM urls
    UNION ALL SELECT 1 FROM anonymous_sessions
)::boolean AS has_rows;

-- name: SequencesAdvance :exec
-- Makes every sequence continue after the ids that were given. The sequence of an empty table starts at 1, that of the agencies at
-- 23191, as in the schema.
SELECT
    setval(pg_get_serial_sequence('us_states', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM us_states), false),
    setval(pg_get_serial_sequence('counties', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM counties), false),
    setval(pg_get_serial_sequence('localities', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM localities), false),
    setval(pg_get_serial_sequence('locations', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM locations), false),
    setval(pg_get_serial_sequence('agencies', 'id'), (SELECT greatest(max(id) + 1, 23191) FROM agencies), false),
    setval(pg_get_serial_sequence('batches', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM batches), false),
    setval(pg_get_serial_sequence('tasks', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM tasks), false),
    setval(pg_get_serial_sequence('urls', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM urls), false),
    setval(pg_get_serial_sequence('link_batches__urls', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM link_batches__urls), false),
    setval(pg_get_serial_sequence('annotation__agency__auto__subtasks', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM annotation__agency__auto__subtasks), false),
    setval(pg_get_serial_sequence('annotation__agency__auto__suggestions', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM annotation__agency__auto__suggestions), false),
    setval(pg_get_serial_sequence('annotation__location__auto__subtasks', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM annotation__location__auto__subtasks), false),
    setval(pg_get_serial_sequence('annotation__agency__user', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM annotation__agency__user), false),
    setval(pg_get_serial_sequence('annotation__name__suggestions', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM annotation__name__suggestions), false),
    setval(pg_get_serial_sequence('link_agencies__urls', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM link_agencies__urls), false),
    setval(pg_get_serial_sequence('ds_app_link_data_source', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM ds_app_link_data_source), false);

-- name: QueueFill :exec
-- Fills the empty queue: like annotation_queue_recount, but for all URLs, and it reads each table once.
INSERT INTO annotation_queue (
    url_id, eligible, followed, manual, user_url_type_count, anon_url_type_count, auto_url_type_count, batch_id,
    user_agency_count, changed_xid
)
SELECT
    e.url_id,
    e.eligible,
    EXISTS (SELECT FROM batch_followers f WHERE f.batch_id = link.batch_id),
    e.manual,
    coalesce(counted.user_url_types, 0),
    coalesce(counted.anon_url_types, 0),
    coalesce(counted.auto_url_types, 0),
    link.batch_id,
    coalesce(counted.user_agencies, 0),
    0
FROM url_eligibility e
LEFT JOIN link_batches__urls link ON link.url_id = e.url_id
LEFT JOIN (
    SELECT
        a.url_id,
        (count(*) FILTER (WHERE a.kind = 'user_url_type'))::integer AS user_url_types,
        (count(*) FILTER (WHERE a.kind = 'anon_url_type'))::integer AS anon_url_types,
        (count(*) FILTER (WHERE a.kind = 'auto_url_type'))::integer AS auto_url_types,
        (count(*) FILTER (WHERE a.kind = 'user_agency'))::integer AS user_agencies
    FROM url_annotations a
    GROUP BY a.url_id
) AS counted ON counted.url_id = e.url_id
ORDER BY e.url_id;

-- name: FollowedBatchesFill :exec
-- Fills followed_batches from the follows.
INSERT INTO followed_batches (user_id, batch_ids, changed_xid)
SELECT f.user_id, f.batch_ids, 0 FROM followed_batches_recount f ORDER BY f.user_id;

-- name: UserDoneFill :exec
-- Fills the done rows of users from the filled queue.
INSERT INTO user_url_done (user_id, url_id)
SELECT DISTINCT a.user_id, a.url_id
FROM user_url_annotations a
JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible;

-- name: AnonymousDoneFill :exec
-- Fills the done rows of sessions from the filled queue.
INSERT INTO anonymous_url_done (session_id, url_id)
SELECT DISTINCT a.session_id, a.url_id
FROM anonymous_url_annotations a
JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible;

-- name: BatchProgressFill :exec
-- Fills the progress of batches from the filled queue.
INSERT INTO batch_progress (batch_id, total, annotated)
SELECT batch_id, count(*), count(*) FILTER (WHERE user_agency_count > 0)
FROM annotation_queue
WHERE batch_id IS NOT NULL
GROUP BY batch_id;

-- name: StateInsertMany :copyfrom
INSERT INTO us_states (id, state_iso, state_name)
OVERRIDING SYSTEM VALUE
VALUES (@id, @state_iso, @state_name);

-- name: CountyInsertMany :copyfrom
INSERT INTO counties (id, fips, name, state_id, population)
OVERRIDING SYSTEM VALUE
VALUES (@id, @fips, @name, @state_id, @population);

-- name: LocalityInsertMany :copyfrom
INSERT INTO localities (id, name, county_id)
OVERRIDING SYSTEM VALUE
VALUES (@id, @name, @county_id);

-- name: LocationDeleteAll :exec
-- Deletes the locations that the triggers of a database of the reference have stored for the places.
DELETE FROM locations;

-- name: LocationInsertMany :copyfrom
INSERT INTO locations (id, type, state_id, county_id, locality_id)
OVERRIDING SYSTEM VALUE
VALUES (@id, @type, @state_id, @county_id, @locality_id);

-- name: AgencyInsertMany :copyfrom
INSERT INTO agencies (id, name, agency_type, jurisdiction_type, created_at, updated_at)
VALUES (@id, @name, @agency_type, @jurisdiction_type, @created_at, @updated_at);

-- name: AgencyLocationInsertMany :copyfrom
INSERT INTO link_agencies__locations (agency_id, location_id)
VALUES (@agency_id, @location_id);

-- name: AgencyOutwardLinkInsertMany :copyfrom
INSERT INTO ds_app_link_agency (agency_id, ds_agency_id, created_at, last_synced_at)
VALUES (@agency_id, @ds_agency_id, @created_at, @last_synced_at);

-- name: BatchInsertMany :copyfrom
INSERT INTO batches (id, strategy, user_id, status, date_generated, compute_time, parameters)
VALUES (@id, @strategy, @user_id, @status, @date_generated, @compute_time, @parameters);

-- name: BatchLocationInsertMany :copyfrom
INSERT INTO link_batches__locations (batch_id, location_id, created_at)
VALUES (@batch_id, @location_id, @created_at);

-- name: FollowInsertMany :copyfrom
INSERT INTO link__locations__user_follows (location_id, user_id, created_at)
VALUES (@location_id, @user_id, @created_at);

-- name: BatchAgencyInsertMany :copyfrom
INSERT INTO link_agencies__batches (batch_id, agency_id, created_at)
VALUES (@batch_id, @agency_id, @created_at);

-- name: AnonymousSessionInsertMany :copyfrom
INSERT INTO anonymous_sessions (id, created_at)
VALUES (@id, @created_at);

-- name: TaskInsertMany :copyfrom
INSERT INTO tasks (id, task_type, task_status, updated_at)
VALUES (@id, @task_type, @task_status, @updated_at);

-- name: URLInsertMany :copyfrom
INSERT INTO urls (id, url, scheme, trailing_slash, source, name, description, created_at, updated_at)
VALUES (@id, @url, @scheme, @trailing_slash, @source, @name, @description, @created_at, @updated_at);

-- name: TaskURLInsertMany :copyfrom
INSERT INTO link_tasks__urls (task_id, url_id)
VALUES (@task_id, @url_id);

-- name: BatchURLInsertMany :copyfrom
INSERT INTO link_batches__urls (id, batch_id, url_id, created_at, updated_at)
VALUES (@id, @batch_id, @url_id, @created_at, @updated_at);

-- name: DuplicateInsertMany :copyfrom
INSERT INTO duplicates (batch_id, original_url_id)
VALUES (@batch_id, @original_url_id);

-- name: HTMLContentInsertMany :copyfrom
INSERT INTO url_html_content (url_id, content_type, content, updated_at)
VALUES (@url_id, @content_type, @content, @updated_at);

-- name: WebMetadataInsertMany :copyfrom
INSERT INTO url_web_metadata (url_id, accessed, status_code, content_type, created_at, updated_at)
VALUES (@url_id, @accessed, @status_code, @content_type, @created_at, @updated_at);

-- name: AgencySubtaskInsertMany :copyfrom
INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found, detail, created_at)
VALUES (@id, @task_id, @url_id, @type, @agencies_found, @detail, @created_at);

-- name: AgencySubtaskSuggestionInsertMany :copyfrom
INSERT INTO annotation__agency__auto__suggestions (id, subtask_id, agency_id, confidence, created_at)
VALUES (@id, @subtask_id, @agency_id, @confidence, @created_at);

-- name: LocationSubtaskInsertMany :copyfrom
INSERT INTO annotation__location__auto__subtasks (id, task_id, url_id, type, locations_found, created_at)
VALUES (@id, @task_id, @url_id, @type, @locations_found, @created_at);

-- name: LocationSubtaskSuggestionInsertMany :copyfrom
INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence, created_at)
VALUES (@subtask_id, @location_id, @confidence, @created_at);

-- name: RobotRecordTypeInsertMany :copyfrom
INSERT INTO annotation__record_type__auto (url_id, record_type, created_at, updated_at)
VALUES (@url_id, @record_type, @created_at, @updated_at);

-- name: RobotRelevanceInsertMany :copyfrom
INSERT INTO annotation__url_type__auto (url_id, relevant, confidence, model_name, created_at, updated_at)
VALUES (@url_id, @relevant, @confidence, @model_name, @created_at, @updated_at);

-- name: UserURLTypeInsertMany :copyfrom
INSERT INTO annotation__url_type__user (url_id, user_id, type, created_at, updated_at)
VALUES (@url_id, @user_id, @type, @created_at, @updated_at);

-- name: UserRecordTypeInsertMany :copyfrom
INSERT INTO annotation__record_type__user (url_id, user_id, record_type, created_at, updated_at)
VALUES (@url_id, @user_id, @record_type, @created_at, @updated_at);

-- name: UserAgencyInsertMany :copyfrom
INSERT INTO annotation__agency__user (id, agency_id, url_id, user_id)
VALUES (@id, @agency_id, @url_id, @user_id);

-- name: UserLocationInsertMany :copyfrom
INSERT INTO annotation__location__user (url_id, user_id, location_id, created_at)
VALUES (@url_id, @user_id, @location_id, @created_at);

-- name: NameSuggestionInsertMany :copyfrom
INSERT INTO annotation__name__suggestions (id, url_id, suggestion, source, created_at)
VALUES (@id, @url_id, @suggestion, @source, @created_at);

-- name: NameEndorsementInsertMany :copyfrom
INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id, created_at)
VALUES (@user_id, @suggestion_id, @created_at);

-- name: AgencyNotFoundInsertMany :copyfrom
INSERT INTO link_user_suggestion_agency_not_found (user_id, url_id, created_at)
VALUES (@user_id, @url_id, @created_at);

-- name: LocationNotFoundInsertMany :copyfrom
INSERT INTO link_user_suggestion_location_not_found (user_id, url_id, created_at)
VALUES (@user_id, @url_id, @created_at);

-- name: AnonymousURLTypeInsertMany :copyfrom
INSERT INTO annotation__url_type__anon (url_id, url_type, session_id, created_at)
VALUES (@url_id, @url_type, @session_id, @created_at);

-- name: AnonymousRecordTypeInsertMany :copyfrom
INSERT INTO annotation__record_type__anon (url_id, record_type, session_id, created_at)
VALUES (@url_id, @record_type, @session_id, @created_at);

-- name: AnonymousAgencyInsertMany :copyfrom
INSERT INTO annotation__agency__anon (url_id, agency_id, session_id, created_at)
VALUES (@url_id, @agency_id, @session_id, @created_at);

-- name: AnonymousLocationInsertMany :copyfrom
INSERT INTO annotation__location__anon (url_id, location_id, session_id, created_at)
VALUES (@url_id, @location_id, @session_id, @created_at);

-- name: AnonymousNameEndorsementInsertMany :copyfrom
INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id, created_at)
VALUES (@session_id, @suggestion_id, @created_at);

-- name: ValidatedFlagInsertMany :copyfrom
INSERT INTO flag_url_validated (url_id, type, created_at, updated_at)
VALUES (@url_id, @type, @created_at, @updated_at);

-- name: AutoValidatedFlagInsertMany :copyfrom
INSERT INTO flag_url_auto_validated (url_id, created_at)
VALUES (@url_id, @created_at);

-- name: SuspendedFlagInsertMany :copyfrom
INSERT INTO flag_url_suspended (url_id, created_at)
VALUES (@url_id, @created_at);

-- name: AgreedRecordTypeInsertMany :copyfrom
INSERT INTO url_record_type (url_id, record_type, created_at, updated_at)
VALUES (@url_id, @record_type, @created_at, @updated_at);

-- name: AgreedAgencyInsertMany :copyfrom
INSERT INTO link_agencies__urls (id, url_id, agency_id, created_at, updated_at)
VALUES (@id, @url_id, @agency_id, @created_at, @updated_at);

-- name: DataSourceLinkInsertMany :copyfrom
INSERT INTO ds_app_link_data_source (id, url_id, ds_data_source_id, created_at, last_synced_at)
VALUES (@id, @url_id, @ds_data_source_id, @created_at, @last_synced_at);

-- name: MetaURLLinkInsertMany :copyfrom
INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id, created_at, last_synced_at)
VALUES (@url_id, @ds_meta_url_id, @created_at, @last_synced_at);

-- name: EligibleURLList :many
-- The URLs up to an id that annotators are offered. The caller has generated as many.
-- @sqlc-vet-disable many-without-limit
SELECT queue.url_id FROM annotation_queue queue WHERE queue.eligible AND queue.url_id <= @last_id ORDER BY queue.url_id;

-- name: URLLeftGet :one
-- The first URL that a user, or a session, is offered sooner or later: an eligible one that it has not annotated; 0 if there is
-- none.
SELECT coalesce(min(queue.url_id), 0)::integer AS url_id
FROM annotation_queue queue
WHERE queue.eligible
    AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = @user_id::integer AND a.url_id = queue.url_id)
    AND NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.session_id = @session_id::uuid AND a.url_id = queue.url_id);

-- name: FactList :many
-- The facts about given URLs, by URL. There is at most one about each.
-- @sqlc-vet-disable many-without-limit
SELECT
    fact.url_id, fact.url_type, fact.record_type, fact.agency_id, fact.location_id, fact.name,
    (fact.users + fact.sessions)::integer AS annotators
FROM consensus_facts fact
WHERE fact.url_id = ANY(@url_ids::integer[])
ORDER BY fact.url_id;
