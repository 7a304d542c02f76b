-- What annotators and robots say about all URLs, or about those of one batch.

-- name: AgreementVoteList :many
-- The votes about an attribute, one row for each annotator and value, in no order. A session's vote has user 0, a user's the zero
-- session. The tables are read whole, once: windows of URLs would join names and agencies again in each. The caller reads the
-- rows one by one.
-- No limit: there is no index that pages could follow, and no page is kept.
-- @sqlc-vet-disable many-without-limit
SELECT
    vote.url_id,
    coalesce(vote.user_id, 0)::integer AS user_id,
    coalesce(vote.session_id, '00000000-0000-0000-0000-000000000000')::uuid AS session_id,
    vote.value::text AS value
FROM annotation_votes vote
WHERE vote.attribute = @attribute::text;

-- name: AgreementBatchVoteList :many
-- The same for the URLs of a batch, looked up URL by URL, so that the cost is that of the batch.
-- No limit, as above.
-- @sqlc-vet-disable many-without-limit
SELECT
    vote.url_id,
    coalesce(vote.user_id, 0)::integer AS user_id,
    coalesce(vote.session_id, '00000000-0000-0000-0000-000000000000')::uuid AS session_id,
    vote.value::text AS value
FROM link_batches__urls link
CROSS JOIN LATERAL (
    SELECT v.url_id, v.user_id, v.session_id, v.value
    FROM annotation_votes v
    WHERE v.url_id = link.url_id AND v.attribute = @attribute::text
    OFFSET 0 -- keeps the planner from reading the tables whole
) AS vote
WHERE link.batch_id = @batch_id::integer;

-- name: AgreementBatchExists :one
SELECT EXISTS (SELECT FROM batches WHERE id = @batch_id::integer);

-- name: RobotAgreementList :many
-- For each attribute, the number of answers of users to URLs about which a robot suggested something, and how many of them contain
-- the suggestion. Of several agencies or locations, the suggestion is the one with the highest confidence, then the smallest id. A
-- broken page and one that was not found are neither relevant nor irrelevant. A user without a value for the attribute is left out.
WITH agency AS (
    SELECT DISTINCT ON (subtask.url_id) subtask.url_id, suggested.agency_id
    FROM annotation__agency__auto__subtasks subtask
    JOIN annotation__agency__auto__suggestions suggested ON suggested.subtask_id = subtask.id
    WHERE suggested.confidence > 0 AND (sqlc.narg('batch_id')::integer IS NULL OR EXISTS (
        SELECT FROM link_batches__urls link WHERE link.batch_id = sqlc.narg('batch_id')::integer AND link.url_id = subtask.url_id
    ))
    ORDER BY subtask.url_id, suggested.confidence DESC, suggested.agency_id
), location AS (
    SELECT DISTINCT ON (subtask.url_id) subtask.url_id, suggested.location_id
    FROM annotation__location__auto__subtasks subtask
    JOIN annotation__location__auto__suggestions suggested ON suggested.subtask_id = subtask.id
    WHERE suggested.confidence > 0 AND (sqlc.narg('batch_id')::integer IS NULL OR EXISTS (
        SELECT FROM link_batches__urls link WHERE link.batch_id = sqlc.narg('batch_id')::integer AND link.url_id = subtask.url_id
    ))
    ORDER BY subtask.url_id, suggested.confidence DESC, suggested.location_id
), title AS (
    SELECT DISTINCT ON (name.url_id) name.url_id, name.id
    FROM annotation__name__suggestions name
    WHERE name.source = 'HTML Metadata Title' AND (sqlc.narg('batch_id')::integer IS NULL OR EXISTS (
        SELECT FROM link_batches__urls link WHERE link.batch_id = sqlc.narg('batch_id')::integer AND link.url_id = name.url_id
    ))
    ORDER BY name.url_id, name.id
), answer AS (
    SELECT vote.url_id, 'url_type' AS attribute, (vote.type <> 'not relevant') = robot.relevant AS sided
    FROM annotation__url_type__auto robot
    JOIN annotation__url_type__user vote ON vote.url_id = robot.url_id
    WHERE vote.type NOT IN ('not found', 'broken page') AND (sqlc.narg('batch_id')::integer IS NULL OR EXISTS (
        SELECT FROM link_batches__urls link WHERE link.batch_id = sqlc.narg('batch_id')::integer AND link.url_id = robot.url_id
    ))
    UNION ALL
    SELECT vote.url_id, 'record_type', vote.record_type = robot.record_type
    FROM annotation__record_type__auto robot
    JOIN annotation__record_type__user vote ON vote.url_id = robot.url_id
    WHERE (sqlc.narg('batch_id')::integer IS NULL OR EXISTS (
        SELECT FROM link_batches__urls link WHERE link.batch_id = sqlc.narg('batch_id')::integer AND link.url_id = robot.url_id
    ))
    UNION ALL
    SELECT vote.url_id, 'agency', bool_or(vote.agency_id = agency.agency_id)
    FROM agency
    JOIN annotation__agency__user vote ON vote.url_id = agency.url_id
    WHERE vote.agency_id IS NOT NULL
    GROUP BY vote.url_id, vote.user_id
    UNION ALL
    SELECT vote.url_id, 'location', bool_or(vote.location_id = location.location_id)
    FROM location
    JOIN annotation__location__user vote ON vote.url_id = location.url_id
    GROUP BY vote.url_id, vote.user_id
    UNION ALL
    SELECT name.url_id, 'name', bool_or(name.id = title.id)
    FROM title
    JOIN annotation__name__suggestions name ON name.url_id = title.url_id
    JOIN annotation__name__user__endorsements vote ON vote.suggestion_id = name.id
    GROUP BY name.url_id, vote.user_id
)
SELECT answer.attribute::text AS attribute, count(*) AS answers, count(*) FILTER (WHERE answer.sided) AS sided
FROM answer
GROUP BY answer.attribute
ORDER BY answer.attribute
LIMIT 5;

-- name: RobotInfluenceList :many
-- For each attribute, how many URLs have these numbers of answers: given with the suggestions shown, the ones of these that contain
-- the robot's value, and the same for answers given while the suggestions were hidden. An answer counts as it was given first, for
-- the attributes about which it says something and a robot had said something then. Of several values of robots, the first counts:
-- that with the highest confidence. A broken page and one that was not found are neither relevant nor irrelevant. The history is
-- read whole, or that of the URLs of a batch.
-- No limit: there are as many rows as different numbers of answers.
-- @sqlc-vet-disable many-without-limit
WITH answer AS (
    SELECT event.url_id, event.suggestions_shown AS shown, event.robots, event.detail
    FROM url_history event
    WHERE sqlc.narg('batch_id')::integer IS NULL AND event.event = 'answered' AND event.robots <> '{}'
    UNION ALL
    SELECT event.url_id, event.suggestions_shown, event.robots, event.detail
    FROM link_batches__urls link
    CROSS JOIN LATERAL (
        SELECT h.url_id, h.suggestions_shown, h.robots, h.detail
        FROM url_history h
        WHERE h.url_id = link.url_id AND h.event = 'answered' AND h.robots <> '{}'
        OFFSET 0 -- keeps the planner from reading the table whole
    ) AS event
    WHERE link.batch_id = sqlc.narg('batch_id')::integer
), judged AS (
    SELECT
        answer.url_id,
        attribute.name AS attribute,
        answer.shown,
        CASE attribute.name
            WHEN 'url_type' THEN (answer.detail ->> 'url_type' <> 'not relevant') = (answer.robots -> 'url_type' ->> 0 = 'relevant')
            WHEN 'record_type' THEN answer.detail ->> 'record_type' = answer.robots -> 'record_type' ->> 0
            WHEN 'agency' THEN answer.detail -> 'agency_ids' @> to_jsonb((answer.robots -> 'agency' ->> 0)::bigint)
            WHEN 'location' THEN answer.detail -> 'location_ids' @> to_jsonb((answer.robots -> 'location' ->> 0)::bigint)
            ELSE answer.detail ->> 'name' = answer.robots -> 'name' ->> 0
        END AS sided
    FROM answer
    CROSS JOIN unnest(ARRAY['url_type', 'record_type', 'agency', 'location', 'name']) AS attribute (name)
    WHERE (attribute.name <> 'url_type' OR answer.detail ->> 'url_type' NOT IN ('not found', 'broken page'))
), counted AS (
    SELECT
        judged.attribute,
        count(*) FILTER (WHERE judged.shown) AS shown,
        count(*) FILTER (WHERE judged.shown AND judged.sided) AS shown_sided,
        count(*) FILTER (WHERE NOT judged.shown) AS hidden,
        count(*) FILTER (WHERE NOT judged.shown AND judged.sided) AS hidden_sided
    FROM judged
    WHERE judged.sided IS NOT NULL -- otherwise the answer or the robots say nothing about the attribute
    GROUP BY judged.url_id, judged.attribute
)
SELECT
    counted.attribute::text AS attribute, counted.shown, counted.shown_sided, counted.hidden, counted.hidden_sided,
    count(*)::integer AS urls
FROM counted
GROUP BY counted.attribute, counted.shown, counted.shown_sided, counted.hidden, counted.hidden_sided
ORDER BY counted.attribute, counted.shown, counted.shown_sided, counted.hidden, counted.hidden_sided;
