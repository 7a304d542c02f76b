-- What explains a consensus, and what replays a rule over all answers. Nothing here writes.

-- name: ConsensusRuleGet :one
-- The current rule.
SELECT rule.version, rule.threshold, rule.anonymous_weight FROM consensus_rule rule;

-- name: ConsensusURLGet :one
-- What is stored about the validation of a URL. No rows: the URL is unknown.
SELECT
    urls.id,
    urls.url,
    urls.scheme,
    urls.trailing_slash,
    validated.type AS validated_type,
    validated.created_at AS validated_at,
    EXISTS (SELECT FROM flag_url_auto_validated auto WHERE auto.url_id = urls.id) AS automatic,
    EXISTS (SELECT FROM flag_url_suspended suspended WHERE suspended.url_id = urls.id) AS suspended,
    agreed.record_type,
    ARRAY(SELECT link.agency_id FROM link_agencies__urls link WHERE link.url_id = urls.id ORDER BY 1)::integer[] AS agency_ids,
    ARRAY(SELECT link.location_id FROM link_locations__urls link WHERE link.url_id = urls.id ORDER BY 1)::bigint[] AS location_ids,
    voters.users,
    voters.sessions,
    reopened.created_at AS reopened_at,
    failed.error,
    failed.task_id AS failed_task_id,
    failed.created_at AS failed_at
FROM urls
LEFT JOIN flag_url_validated validated ON validated.url_id = urls.id
LEFT JOIN url_record_type agreed ON agreed.url_id = urls.id
LEFT JOIN flag_url_reopened reopened ON reopened.url_id = urls.id
LEFT JOIN url_task_error failed ON failed.url_id = urls.id AND failed.task_type = 'Auto Validate'
CROSS JOIN LATERAL (
    SELECT count(DISTINCT vote.user_id)::integer AS users, count(DISTINCT vote.session_id)::integer AS sessions
    FROM annotation_votes vote
    WHERE vote.url_id = urls.id
) AS voters
WHERE urls.id = @url_id;

-- name: ConsensusVoteList :many
-- How many users and sessions voted for each value about a URL, by attribute and value. The text of an agency or location is its
-- name; that of another value is empty.
-- @sqlc-vet-disable many-without-limit
SELECT
    votes.attribute::text AS attribute,
    votes.value::text AS value,
    votes.users,
    votes.sessions,
    coalesce(CASE votes.attribute
        WHEN 'agency' THEN (SELECT agencies.name FROM agencies WHERE agencies.id = votes.value::integer)
        WHEN 'location' THEN (
            SELECT expanded.full_display_name FROM locations_expanded expanded WHERE expanded.id = votes.value::bigint
        )
    END, '')::text AS text
FROM (
    SELECT
        vote.attribute, vote.value,
        count(vote.user_id)::integer AS users, count(vote.session_id)::integer AS sessions
    FROM annotation_votes vote
    WHERE vote.url_id = @url_id
    GROUP BY vote.attribute, vote.value
) AS votes
ORDER BY votes.attribute, votes.value COLLATE "C";

-- name: ConsensusFactGet :one
-- The fact that a consensus made of a URL, with the names of what it decided, which are empty if they were deleted since. No rows:
-- there is none.
SELECT
    sqlc.embed(fact),
    coalesce((SELECT agencies.name FROM agencies WHERE agencies.id = fact.agency_id), '')::text AS agency,
    coalesce((
        SELECT expanded.full_display_name FROM locations_expanded expanded WHERE expanded.id = fact.location_id
    ), '')::text AS location
FROM consensus_facts fact
WHERE fact.url_id = @url_id;

-- name: ReplayURLList :many
-- What is stored about the validation of the URLs of a range of ids, by id. The type of a fact is null if there is none. Each table
-- has the range as a condition of its own: a join alone reads it whole.
-- @sqlc-vet-disable many-without-limit
SELECT
    urls.id,
    validated.type AS validated_type,
    record_type.record_type,
    coalesce(agencies.ids, '{}')::integer[] AS agency_ids,
    coalesce(locations.ids, '{}')::bigint[] AS location_ids,
    (migrated.url_id IS NOT NULL)::boolean AS transferred,
    reopened.created_at AS reopened_at,
    coalesce(fact.threshold, 0)::double precision AS fact_threshold,
    coalesce(fact.anonymous_weight, 0)::double precision AS fact_anonymous_weight,
    fact.url_type AS fact_url_type,
    fact.record_type AS fact_record_type,
    fact.agency_id AS fact_agency_id,
    fact.location_id AS fact_location_id,
    fact.name AS fact_name,
    coalesce(fact.users + fact.sessions, 0)::integer AS fact_annotators,
    fact.votes AS fact_votes
FROM urls
LEFT JOIN flag_url_validated validated ON validated.url_id = urls.id AND validated.url_id BETWEEN @first_id AND @last_id
LEFT JOIN consensus_facts fact ON fact.url_id = urls.id AND fact.url_id BETWEEN @first_id AND @last_id
LEFT JOIN flag_url_reopened reopened ON reopened.url_id = urls.id AND reopened.url_id BETWEEN @first_id AND @last_id
LEFT JOIN url_record_type record_type ON record_type.url_id = urls.id AND record_type.url_id BETWEEN @first_id AND @last_id
LEFT JOIN (
    SELECT link.url_id, array_agg(link.agency_id) AS ids FROM link_agencies__urls link
    WHERE link.url_id BETWEEN @first_id AND @last_id
    GROUP BY link.url_id
) AS agencies ON agencies.url_id = urls.id
LEFT JOIN (
    SELECT link.url_id, array_agg(link.location_id) AS ids FROM link_locations__urls link
    WHERE link.url_id BETWEEN @first_id AND @last_id
    GROUP BY link.url_id
) AS locations ON locations.url_id = urls.id
LEFT JOIN (
    SELECT answer.url_id FROM anonymous_migrated_answers answer
    WHERE answer.url_id BETWEEN @first_id AND @last_id
    GROUP BY answer.url_id
) AS migrated ON migrated.url_id = urls.id
WHERE urls.id BETWEEN @first_id AND @last_id
ORDER BY urls.id;

-- name: ReplayVoteList :many
-- All votes about the URLs of a range of ids, by URL and time. An agency that was stated with the submission of a URL has the time of
-- the URL. The user of a session's vote is 0.
-- @sqlc-vet-disable many-without-limit
SELECT
    page.id AS url_id,
    vote.attribute::text AS attribute,
    vote.value::text AS value,
    coalesce(vote.user_id, 0)::integer AS user_id,
    vote.session_id,
    coalesce(vote.created_at, page.created_at)::timestamp AS created_at
FROM (SELECT urls.id, urls.created_at FROM urls WHERE urls.id BETWEEN @first_id AND @last_id) AS page
CROSS JOIN LATERAL (
    SELECT all_votes.attribute, all_votes.value, all_votes.user_id, all_votes.session_id, all_votes.created_at
    FROM annotation_votes all_votes
    WHERE all_votes.url_id = page.id
    OFFSET 0 -- looks up each URL by itself: a join for all of them may read a whole table of votes for each range
) AS vote
ORDER BY page.id, coalesce(vote.created_at, page.created_at);

-- name: ConsensusDueURLList :many
-- Those of the URLs that wait for a decision.
-- @sqlc-vet-disable many-without-limit
SELECT DISTINCT due.url_id FROM consensus_due due WHERE due.url_id = ANY(@url_ids::integer[]) ORDER BY due.url_id;
