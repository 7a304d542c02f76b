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
