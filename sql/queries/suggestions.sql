-- What annotators and robots have suggested for one URL. Every statement starts from url_id, none joins two collections of the URL,
-- and all are sent in one round trip. A user's vote counts 1, a session's anonymous_weight. Clients show the sum rounded down; an
-- entry whose sum rounds down to 0 stays in its list.
--
-- users and sessions are the votes of annotation_votes for the same value, of which the need of the URL follows: so no list is cut,
-- although clients are shown three types, record types and names. TestNeedOfWhatIsShown compares the two.

-- name: HTMLContentListByURL :many
-- The stored texts of the page, at most one per kind.
SELECT content_type, content
FROM url_html_content
WHERE url_id = @url_id
ORDER BY content_type
LIMIT 9;

-- name: URLTypeSuggestionListByURL :many
-- URL types by the sum of votes before rounding; ties in the order of the enum. A session that gave several types votes for each
-- of them. Robots do not count.
-- No limit: there are no more types than in the enum.
-- @sqlc-vet-disable many-without-limit
SELECT
    vote.url_type,
    floor(sum(vote.weight))::integer AS endorsement_count,
    sum(vote.users)::integer AS users,
    sum(vote.sessions)::integer AS sessions
FROM (
    SELECT s.type AS url_type, 1 AS weight, 1 AS users, 0 AS sessions
    FROM annotation__url_type__user s
    WHERE s.url_id = @url_id::integer
    UNION ALL
    SELECT s.url_type, session.weight, 0, 1
    FROM annotation__url_type__anon s
    CROSS JOIN anonymous_weight session
    WHERE s.url_id = @url_id::integer
        AND NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = s.session_id AND u.url_id = s.url_id)
) AS vote
GROUP BY vote.url_type
ORDER BY sum(vote.weight) DESC, vote.url_type;

-- name: RecordTypeSuggestionListByURL :many
-- Record types by the sum of votes before rounding; ties in the order of the enum. Robots do not count.
-- No limit, as with URL types.
-- @sqlc-vet-disable many-without-limit
SELECT
    vote.record_type,
    floor(sum(vote.weight))::integer AS user_count,
    sum(vote.users)::integer AS users,
    sum(vote.sessions)::integer AS sessions
FROM (
    SELECT s.record_type, 1 AS weight, 1 AS users, 0 AS sessions
    FROM annotation__record_type__user s
    WHERE s.url_id = @url_id::integer
    UNION ALL
    SELECT s.record_type, session.weight, 0, 1
    FROM annotation__record_type__anon s
    CROSS JOIN anonymous_weight session
    WHERE s.url_id = @url_id::integer
        AND NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = s.session_id AND u.url_id = s.url_id)
) AS vote
GROUP BY vote.record_type
ORDER BY sum(vote.weight) DESC, vote.record_type;

-- name: AgencySuggestionListByURL :many
-- Every agency suggested by a user or a session, or by a robot with a confidence above 0. The order is the number of votes, rounded
-- down, and the highest confidence of the robots as a fraction of 1, so it matches the numbers that clients show: the largest sum
-- first, then the smallest id.
-- No limit: clients show all of them, and each takes an annotation or a row of a robot.
-- @sqlc-vet-disable many-without-limit
SELECT
    agencies.id,
    agencies.name AS display_name,
    suggested.user_count,
    suggested.robo_confidence,
    suggested.users,
    suggested.sessions
FROM (
    SELECT
        vote.agency_id,
        floor(sum(vote.weight))::integer AS user_count,
        max(vote.confidence)::integer AS robo_confidence,
        sum(vote.users)::integer AS users,
        sum(vote.sessions)::integer AS sessions
    FROM (
        SELECT s.agency_id, 1 AS weight, 0 AS confidence, 1 AS users, 0 AS sessions
        FROM annotation__agency__user s
        WHERE s.url_id = @url_id::integer
        UNION ALL
        SELECT s.agency_id, session.weight, 0, 0, 1
        FROM annotation__agency__anon s
        CROSS JOIN anonymous_weight session
        WHERE s.url_id = @url_id::integer
            AND NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = s.session_id AND u.url_id = s.url_id)
        UNION ALL
        SELECT s.agency_id, 0, s.confidence, 0, 0
        FROM annotation__agency__auto__subtasks subtask
        JOIN annotation__agency__auto__suggestions s ON s.subtask_id = subtask.id
        WHERE subtask.url_id = @url_id::integer
    ) AS vote
    GROUP BY vote.agency_id
    HAVING sum(vote.weight) > 0 OR max(vote.confidence) > 0
) AS suggested
JOIN agencies ON agencies.id = suggested.agency_id
ORDER BY suggested.user_count + suggested.robo_confidence / 100.0 DESC, agencies.id;

-- name: AgencyListInLocation :many
-- The given agencies that are linked to the location or to one within it, as in dependent_locations; TestAgenciesInLocation
-- compares the two. Reading that view takes 2.6 times the buffers (75, not 29, for four agencies).
-- No limit: there are no more than the given ones.
-- @sqlc-vet-disable many-without-limit
SELECT DISTINCT link.agency_id
FROM unnest(@agency_ids::integer[]) AS given (agency_id)
JOIN link_agencies__locations link ON link.agency_id = given.agency_id
JOIN locations there ON there.id = link.location_id
JOIN locations here ON here.id = @location_id::bigint
WHERE there.id = here.id
    OR CASE here.type
        WHEN 'National' THEN there.type <> 'National'
        WHEN 'State' THEN there.state_id = here.state_id AND there.type IN ('County', 'Locality')
        WHEN 'County' THEN there.county_id = here.county_id AND there.type = 'Locality'
        ELSE false
    END
ORDER BY link.agency_id;

-- name: LocationSuggestionListByURL :many
-- Every location suggested by a user or a session, or by a robot with a confidence above 0, in the order of agencies. The
-- confidence is first rounded to an integer of at most 100.
-- No limit, as with agencies.
-- @sqlc-vet-disable many-without-limit
SELECT
    suggested.location_id AS id,
    coalesce(locations_expanded.full_display_name, '')::text AS display_name,
    suggested.user_count,
    suggested.robo_confidence,
    suggested.users,
    suggested.sessions
FROM (
    SELECT
        vote.location_id,
        floor(sum(vote.weight))::integer AS user_count,
        round(least(max(vote.confidence), 100)::numeric)::integer AS robo_confidence,
        sum(vote.users)::integer AS users,
        sum(vote.sessions)::integer AS sessions
    FROM (
        SELECT s.location_id, 1 AS weight, 0::double precision AS confidence, 1 AS users, 0 AS sessions
        FROM annotation__location__user s
        WHERE s.url_id = @url_id::integer
        UNION ALL
        SELECT s.location_id, session.weight, 0, 0, 1
        FROM annotation__location__anon s
        CROSS JOIN anonymous_weight session
        WHERE s.url_id = @url_id::integer
            AND NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = s.session_id AND u.url_id = s.url_id)
        UNION ALL
        SELECT s.location_id, 0, s.confidence, 0, 0
        FROM annotation__location__auto__subtasks subtask
        JOIN annotation__location__auto__suggestions s ON s.subtask_id = subtask.id
        WHERE subtask.url_id = @url_id::integer
    ) AS vote
    GROUP BY vote.location_id
    HAVING sum(vote.weight) > 0 OR max(vote.confidence) > 0
) AS suggested
JOIN locations_expanded ON locations_expanded.id = suggested.location_id
ORDER BY suggested.user_count + suggested.robo_confidence / 100.0 DESC, suggested.location_id;

-- name: NameSuggestionListByURL :many
-- Suggested names by the sum of endorsements before rounding, then by id. A name without a source is not from a robot.
-- No limit, as with agencies.
-- @sqlc-vet-disable many-without-limit
SELECT
    name.id,
    name.suggestion AS display_name,
    floor(coalesce(sum(endorsement.weight), 0))::integer AS user_count,
    (CASE name.source WHEN 'HTML Metadata Title' THEN 1 ELSE 0 END)::integer AS robo_count,
    coalesce(sum(endorsement.users), 0)::integer AS users,
    coalesce(sum(endorsement.sessions), 0)::integer AS sessions
FROM annotation__name__suggestions name
LEFT JOIN LATERAL (
    SELECT 1 AS weight, 1 AS users, 0 AS sessions
    FROM annotation__name__user__endorsements e
    WHERE e.suggestion_id = name.id
    UNION ALL
    SELECT session.weight, 0, 1
    FROM annotation__name__anon__endorsements e
    CROSS JOIN anonymous_weight session
    WHERE e.suggestion_id = name.id
        AND NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = e.session_id AND u.url_id = name.url_id)
) AS endorsement ON true
WHERE name.url_id = @url_id
GROUP BY name.id
ORDER BY coalesce(sum(endorsement.weight), 0) DESC, name.id;

-- name: AgencyNotFoundCountByURL :one
-- How many users found no agency for the URL.
SELECT count(*)::integer FROM link_user_suggestion_agency_not_found WHERE url_id = @url_id;

-- name: LocationNotFoundCountByURL :one
-- How many users found no location for the URL.
SELECT count(*)::integer FROM link_user_suggestion_location_not_found WHERE url_id = @url_id;

-- name: BatchInfoGet :one
-- The number of URLs of the batch, and how many of them have an agency suggested by any user.
SELECT coalesce(sum(total), 0)::integer AS total, coalesce(sum(annotated), 0)::integer AS annotated
FROM batch_progress
WHERE batch_id = @batch_id;

-- name: URLSuggestionsHiddenGet :one
-- Whether the batch of the URL hides suggestions from annotators.
SELECT EXISTS (
    SELECT FROM annotation_queue q
    JOIN flag_batch_suggestions_hidden flag ON flag.batch_id = q.batch_id
    WHERE q.url_id = @url_id
)::boolean;

-- name: BatchSuggestionsHide :one
-- Hides or shows the suggestions for all URLs of a batch, and reports whether there is such a batch.
WITH batch AS (
    SELECT batches.id FROM batches WHERE batches.id = @batch_id FOR KEY SHARE
), hidden AS (
    INSERT INTO flag_batch_suggestions_hidden (batch_id)
    SELECT batch.id FROM batch WHERE @hidden::boolean
    ON CONFLICT ON CONSTRAINT flag_batch_suggestions_hidden_pkey DO NOTHING
), shown AS (
    DELETE FROM flag_batch_suggestions_hidden flag
    USING batch
    WHERE flag.batch_id = batch.id AND NOT @hidden::boolean
)
SELECT EXISTS (SELECT FROM batch)::boolean;
