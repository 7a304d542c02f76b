-- From votes to facts, and suspensions. A process that decides about URLs locks them and their rows of the queue before it reads
-- their votes for the decision: concurrent answers about them wait, so that no vote is overlooked.

-- name: ConsensusVoteListMany :many
-- The votes about URLs, by URL, attribute and value.
-- No limit: a decision needs all votes.
-- @sqlc-vet-disable many-without-limit
SELECT
    v.url_id,
    v.attribute::text AS attribute,
    v.value::text AS value,
    count(v.user_id)::integer AS users,
    count(v.session_id)::integer AS sessions
FROM annotation_votes v
WHERE v.url_id = ANY(@url_ids::integer[])
GROUP BY v.url_id, v.attribute, v.value
ORDER BY v.url_id, v.attribute, v.value;

-- name: ConsensusDueInsertMany :exec
-- Has processes decide about URLs.
INSERT INTO consensus_due (url_id) SELECT unnest(@url_ids::integer[]);

-- name: ConsensusDuePostponeMany :exec
-- Has processes decide about URLs later, after attempts that failed. The arrays are of equal length.
INSERT INTO consensus_due (url_id, attempts, due_at)
SELECT given.url_id, given.attempts, now() + given.seconds * interval '1 second'
FROM (
    SELECT unnest(@url_ids::integer[]) AS url_id, unnest(@attempts::integer[]) AS attempts, unnest(@seconds::float8[]) AS seconds
) AS given;

-- name: ConsensusDueExists :one
-- Whether any URL is due, among the rows with greater ids than one.
SELECT EXISTS (SELECT FROM consensus_due WHERE id > @after AND due_at <= now())::boolean;

-- name: ConsensusDueDeleteMany :many
-- Takes URLs that are due, the first ones first, among the rows with greater ids than one. Returns the id of each row, the number
-- of attempts that failed, and whether the URL is validated already. Rows that another process is taking are skipped. A URL may
-- be returned several times. A rollback makes them due again.
WITH taken AS (
    DELETE FROM consensus_due
    -- Found by their position: of a parameter for LIMIT the planner expects a tenth of the table, and would read it all.
    WHERE consensus_due.ctid = ANY(ARRAY(
        SELECT due.ctid FROM consensus_due due
        WHERE due.id > @after AND due.due_at <= now()
        ORDER BY due.id
        LIMIT @most
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING consensus_due.id, consensus_due.url_id, consensus_due.attempts
)
SELECT
    taken.id,
    taken.url_id,
    taken.attempts,
    -- A scalar subquery: for EXISTS the planner might read all flags.
    coalesce((SELECT true FROM flag_url_validated flag WHERE flag.url_id = taken.url_id), false)::boolean AS validated
FROM taken
ORDER BY taken.id;

-- name: ConsensusReopenedList :many
-- Those of the URLs that were reopened, and about which there is no vote since then. They are not validated by agreement: what was
-- agreed on before is what the reopening has rejected.
-- No limit: there are no more rows than ids.
-- @sqlc-vet-disable many-without-limit
SELECT reopened.url_id
FROM flag_url_reopened reopened
WHERE reopened.url_id = ANY(@url_ids::integer[]) AND NOT EXISTS (
    SELECT FROM annotation_votes vote WHERE vote.url_id = reopened.url_id AND vote.created_at > reopened.created_at
)
ORDER BY reopened.url_id;

-- name: ConsensusCandidateList :many
-- The URLs of a range of ids that are not validated, and may be: enough annotators agree on their type. Also those that an
-- earlier run of the task has reported, whose report may be out of date. The millionth makes up for the rounding in Rule.Weigh.
-- Reopened URLs are among them.
-- No limit: there are no more than ids in the range.
-- @sqlc-vet-disable many-without-limit
SELECT candidate.url_id, bool_or(candidate.reported)::boolean AS reported
FROM (
    SELECT vote.url_id, false AS reported
    FROM annotation_votes vote
    CROSS JOIN consensus_rule rule
    WHERE vote.attribute = 'url_type' AND vote.url_id > @after::integer AND vote.url_id <= @upto::integer
    GROUP BY vote.url_id, vote.value, rule.threshold, rule.anonymous_weight
    HAVING count(vote.user_id) + count(vote.session_id) * rule.anonymous_weight + 0.000001 >= rule.threshold
    UNION ALL
    SELECT report.url_id, true FROM url_task_error report
    WHERE report.task_type = 'Auto Validate' AND report.url_id > @after::integer AND report.url_id <= @upto::integer
) AS candidate
WHERE NOT EXISTS (
    SELECT FROM flag_url_validated flag
    WHERE flag.url_id = candidate.url_id AND flag.url_id > @after::integer AND flag.url_id <= @upto::integer
)
GROUP BY candidate.url_id
ORDER BY candidate.url_id;

-- name: ConsensusURLLockMany :exec
-- Locks URLs, by id, against deletion and against other changes of what is known about them. It does not block answers.
SELECT FROM urls WHERE id = ANY(@url_ids::integer[]) ORDER BY id FOR NO KEY UPDATE;

-- name: ConsensusStateList :many
-- What is known about those of the URLs that exist and are not validated, by id.
-- No limit: there are no more rows than ids.
-- @sqlc-vet-disable many-without-limit
SELECT
    urls.id,
    agreed.record_type,
    ARRAY(
        SELECT link.agency_id FROM link_agencies__urls link WHERE link.url_id = urls.id ORDER BY link.agency_id
    )::integer[] AS agency_ids,
    ARRAY(
        SELECT link.location_id FROM link_locations__urls link WHERE link.url_id = urls.id ORDER BY link.location_id
    )::bigint[] AS location_ids,
    coalesce((
        SELECT report.error FROM url_task_error report WHERE report.url_id = urls.id AND report.task_type = 'Auto Validate'
    ), '')::text AS report
FROM urls
LEFT JOIN url_record_type agreed ON agreed.url_id = urls.id
WHERE urls.id = ANY(@url_ids::integer[]) AND NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = urls.id)
ORDER BY urls.id;

-- name: ConsensusFactInsertMany :many
-- Validates URLs, with the record type and the location agreed on, and keeps what decided. The caller holds the locks on the URLs
-- and on their rows of the queue; none is validated. The arrays are of equal length; an empty text and 0 mean that there is no
-- value. Returns by URL how many have voted, and whether a record type and a location were added. A URL that was reopened is so no
-- more.
-- No limit: there are no more rows than were given.
-- @sqlc-vet-disable many-without-limit
WITH given AS MATERIALIZED (
    SELECT
        unnest(@url_ids::integer[]) AS url_id,
        unnest(@url_types::text[])::url_type AS url_type,
        nullif(unnest(@record_types::text[]), '')::record_type AS record_type,
        nullif(unnest(@agency_ids::integer[]), 0) AS agency_id,
        nullif(unnest(@location_ids::bigint[]), 0) AS location_id,
        nullif(unnest(@names::text[]), '') AS name,
        unnest(@votes::jsonb[]) AS votes
), validated AS (
    INSERT INTO flag_url_validated (url_id, type) SELECT given.url_id, given.url_type FROM given
), automatic AS (
    INSERT INTO flag_url_auto_validated (url_id) SELECT given.url_id FROM given
    ON CONFLICT ON CONSTRAINT flag_url_auto_validated_pkey DO NOTHING
), typed AS (
    INSERT INTO url_record_type (url_id, record_type)
    SELECT given.url_id, given.record_type FROM given WHERE given.record_type IS NOT NULL
    ON CONFLICT ON CONSTRAINT url_record_type_pkey DO NOTHING
    RETURNING url_record_type.url_id
), located AS (
    INSERT INTO link_locations__urls (url_id, location_id)
    SELECT given.url_id, given.location_id FROM given WHERE given.location_id IS NOT NULL
    ON CONFLICT ON CONSTRAINT link_locations__urls_pkey DO NOTHING
    RETURNING link_locations__urls.url_id
), validated_again AS (
    DELETE FROM flag_url_reopened WHERE flag_url_reopened.url_id = ANY(@url_ids::integer[])
), fact AS (
    INSERT INTO consensus_facts (
        url_id, rule_version, threshold, anonymous_weight, url_type, record_type, agency_id, location_id, name,
        users, sessions, votes
    )
    SELECT
        given.url_id, @rule_version::integer, @threshold::float8, @anonymous_weight::float8,
        given.url_type, given.record_type, given.agency_id, given.location_id, given.name,
        voters.users, voters.sessions, given.votes
    FROM given
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT v.user_id) AS users, count(DISTINCT v.session_id) AS sessions
        FROM annotation_votes v
        WHERE v.url_id = given.url_id
    ) AS voters
    RETURNING consensus_facts.url_id, consensus_facts.users, consensus_facts.sessions
)
SELECT
    fact.url_id, fact.users, fact.sessions,
    (typed.url_id IS NOT NULL)::boolean AS record_type_added,
    (located.url_id IS NOT NULL)::boolean AS location_added
FROM fact
LEFT JOIN typed ON typed.url_id = fact.url_id
LEFT JOIN located ON located.url_id = fact.url_id
ORDER BY fact.url_id;

-- name: ConsensusAgencyInsertMany :many
-- Adds the agencies agreed on to URLs, where they are missing, and returns the new rows by id.
-- No limit: there are no more rows than were given.
-- @sqlc-vet-disable many-without-limit
WITH stored AS (
    INSERT INTO link_agencies__urls (url_id, agency_id)
    SELECT given.url_id, given.agency_id
    FROM (SELECT unnest(@url_ids::integer[]) AS url_id, unnest(@agency_ids::integer[]) AS agency_id) AS given
    WHERE given.agency_id <> 0
    ON CONFLICT ON CONSTRAINT link_agencies__urls_url_id_agency_id_key DO NOTHING
    RETURNING link_agencies__urls.*
)
SELECT stored.id, stored.url_id, to_jsonb(stored)::jsonb AS new_data FROM stored ORDER BY stored.id;

-- name: ConsensusURLUpdateMany :many
-- Sets the names of URLs that have another one, and updated_at of these and of the URLs whose agencies have changed. Returns each
-- row before and after, by id. An empty text is no name.
-- No limit: there are no more rows than were given.
-- @sqlc-vet-disable many-without-limit
WITH before AS MATERIALIZED (
    SELECT urls.*, given.name AS agreed_name
    FROM (SELECT unnest(@url_ids::integer[]) AS url_id, nullif(unnest(@names::text[]), '') AS name) AS given
    JOIN urls ON urls.id = given.url_id
    WHERE given.name IS DISTINCT FROM urls.name AND given.name IS NOT NULL OR urls.id = ANY(@changed_url_ids::integer[])
), changed AS (
    UPDATE urls u SET name = coalesce(before.agreed_name, u.name), updated_at = now()
    FROM before
    WHERE u.id = before.id
    RETURNING u.*
)
SELECT
    changed.id,
    (changed.name IS DISTINCT FROM before.name)::boolean AS renamed,
    before.name AS previous_name,
    (to_jsonb(before) - 'agreed_name')::jsonb AS old_data,
    to_jsonb(changed)::jsonb AS new_data
FROM before
JOIN changed ON changed.id = before.id
ORDER BY changed.id;

-- name: ConsensusReportDeleteMany :exec
-- Removes what runs of the task have reported about URLs.
DELETE FROM url_task_error WHERE task_type = 'Auto Validate' AND url_id = ANY(@url_ids::integer[]);

-- name: LockTimeoutSet :exec
-- Has statements of the transaction fail that wait longer for one lock.
SELECT set_config('lock_timeout', @timeout::text, true);

-- name: SuspensionCandidateList :many
-- The URLs of a range of ids that are neither validated nor suspended, and whose agency, or location, so many users did not find.
-- No limit: there are no more than ids in the range.
-- @sqlc-vet-disable many-without-limit
SELECT eligible.url_id
FROM eligible_urls eligible
JOIN (
    SELECT agency.url_id FROM link_user_suggestion_agency_not_found agency
    WHERE agency.url_id > @after::integer AND agency.url_id <= @upto::integer
    GROUP BY agency.url_id
    HAVING count(*) >= @users::integer
    UNION
    SELECT location.url_id FROM link_user_suggestion_location_not_found location
    WHERE location.url_id > @after::integer AND location.url_id <= @upto::integer
    GROUP BY location.url_id
    HAVING count(*) >= @users::integer
) AS unknown ON unknown.url_id = eligible.url_id
ORDER BY eligible.url_id;

-- name: SuspensionInsertMany :many
-- Suspends those of the URLs that are neither validated nor suspended, and returns them, by id. The caller holds the locks on the
-- URLs and on their rows of the queue. The users are counted again: one may have taken the answer back before the locks.
-- No limit: there are no more rows than were given.
-- @sqlc-vet-disable many-without-limit
WITH suspended AS (
    INSERT INTO flag_url_suspended (url_id)
    SELECT eligible.url_id
    FROM eligible_urls eligible
    WHERE eligible.url_id = ANY(@url_ids::integer[])
        AND greatest(
            (SELECT count(*) FROM link_user_suggestion_agency_not_found agency WHERE agency.url_id = eligible.url_id),
            (SELECT count(*) FROM link_user_suggestion_location_not_found location WHERE location.url_id = eligible.url_id)
        ) >= @users::integer
    RETURNING flag_url_suspended.url_id
)
SELECT suspended.url_id FROM suspended ORDER BY suspended.url_id;

-- name: ConsensusDueAge :one
-- Returns for how many seconds the oldest URL that is due has waited; 0 without one.
SELECT coalesce(greatest(extract(epoch FROM now() - min(due_at)), 0), 0)::float8 FROM consensus_due;

-- name: ReopeningStateGet :one
-- What is known about the validation of a URL before it is reopened. The caller holds the locks on the URL and on its row of the
-- queue. The types are null if it is not validated, or no consensus validated it; the added values are those of the event of
-- this validation, null if it is older than the history. No rows: the URL is unknown.
SELECT
    urls.name,
    validated.type AS validated_type,
    fact.url_type AS fact_url_type,
    fact.record_type AS fact_record_type,
    fact.agency_id AS fact_agency_id,
    fact.location_id AS fact_location_id,
    fact.name AS fact_name,
    (
        EXISTS (SELECT FROM ds_app_link_data_source link WHERE link.url_id = urls.id)
        OR EXISTS (SELECT FROM ds_app_link_meta_url link WHERE link.url_id = urls.id)
    )::boolean AS published,
    (
        SELECT event.detail -> 'added' FROM url_history event
        WHERE event.url_id = urls.id AND event.event = 'validated' AND event.created_at = validated.created_at
        ORDER BY event.id DESC
        LIMIT 1
    )::jsonb AS added
FROM urls
LEFT JOIN flag_url_validated validated ON validated.url_id = urls.id
LEFT JOIN consensus_facts fact ON fact.url_id = urls.id
WHERE urls.id = @url_id;

-- name: ReopeningStore :one
-- Takes the validation of a URL back: its flags, its fact, and the record type and the location given, which are null to keep what
-- is stored. Returns whether a record type and a location were removed. The time of the reopening is that of the clock, because
-- the transaction may have waited for locks while votes were stored.
WITH validated AS (
    DELETE FROM flag_url_validated WHERE flag_url_validated.url_id = @url_id::integer
), automatic AS (
    DELETE FROM flag_url_auto_validated WHERE flag_url_auto_validated.url_id = @url_id::integer
), fact AS (
    DELETE FROM consensus_facts WHERE consensus_facts.url_id = @url_id::integer
), typed AS (
    DELETE FROM url_record_type
    WHERE url_record_type.url_id = @url_id::integer AND url_record_type.record_type = sqlc.narg('record_type')::record_type
    RETURNING url_record_type.url_id
), located AS (
    DELETE FROM link_locations__urls link
    WHERE link.url_id = @url_id::integer AND link.location_id = sqlc.narg('location_id')::bigint
    RETURNING link.url_id
), reopened AS (
    INSERT INTO flag_url_reopened (url_id, created_at) VALUES (@url_id::integer, clock_timestamp())
    ON CONFLICT ON CONSTRAINT flag_url_reopened_pkey DO UPDATE SET created_at = excluded.created_at
)
SELECT
    EXISTS (SELECT FROM typed)::boolean AS record_type_removed,
    EXISTS (SELECT FROM located)::boolean AS location_removed;

-- name: ReopeningAgencyDelete :many
-- Removes an agency from a URL, and returns the deleted row, if there was one.
-- No limit: there is at most one row.
-- @sqlc-vet-disable many-without-limit
WITH deleted AS (
    DELETE FROM link_agencies__urls link WHERE link.url_id = @url_id AND link.agency_id = @agency_id RETURNING link.*
)
SELECT deleted.id, to_jsonb(deleted)::jsonb AS old_data FROM deleted ORDER BY deleted.id;

-- name: ReopeningURLUpdate :one
-- Sets updated_at of a URL and, if asked to, its name. Returns the row before and after.
WITH before AS MATERIALIZED (
    SELECT urls.* FROM urls WHERE urls.id = @url_id::integer
), changed AS (
    UPDATE urls u SET
        name = CASE WHEN @rename::boolean THEN sqlc.narg('name')::varchar ELSE u.name END,
        updated_at = now()
    FROM before
    WHERE u.id = before.id
    RETURNING u.*
)
SELECT to_jsonb(before)::jsonb AS old_data, to_jsonb(changed)::jsonb AS new_data
FROM before
JOIN changed ON changed.id = before.id;
