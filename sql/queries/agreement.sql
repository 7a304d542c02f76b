-- What annotators and robots say about all URLs or those of one batch. Each statement reads its tables whole, once: windows of URLs
-- took four times as long, because names and agencies are joined. With a batch, the links are looked up for each row.

-- name: AgreementVoteList :many
-- The votes about an attribute, one row for each annotator and value, in no order. A session's vote has user 0, a user's the zero
-- session. The caller reads the rows one by one.
-- No limit: there is no index that pages could follow, and no page is kept.
-- @sqlc-vet-disable many-without-limit
SELECT
    vote.url_id,
    coalesce(vote.user_id, 0)::integer AS user_id,
    coalesce(vote.session_id, '00000000-0000-0000-0000-000000000000')::uuid AS session_id,
    vote.value::text AS value
FROM annotation_votes vote
WHERE vote.attribute = @attribute::text
    AND (sqlc.narg('batch_id')::integer IS NULL OR EXISTS (
        SELECT FROM link_batches__urls link
        WHERE link.batch_id = sqlc.narg('batch_id')::integer AND link.url_id = vote.url_id
    ));

-- name: AgreementBatchExists :one
SELECT EXISTS (SELECT FROM batches WHERE id = @batch_id::integer);

-- name: RobotAgreementList :many
-- For each attribute, the number of answers of users to URLs about which a robot suggested something, and how many of them contain
-- the suggestion. Of several agencies or locations, the suggestion is the one with the highest confidence, then the smallest id. A
-- broken page and one that was not found are neither relevant nor irrelevant. A user without a value for the attribute is left out.
WITH scope AS MATERIALIZED (
    SELECT link.url_id FROM link_batches__urls link WHERE link.batch_id = sqlc.narg('batch_id')::integer
), agency AS (
    SELECT DISTINCT ON (subtask.url_id) subtask.url_id, suggested.agency_id
    FROM annotation__agency__auto__subtasks subtask
    JOIN annotation__agency__auto__suggestions suggested ON suggested.subtask_id = subtask.id
    WHERE suggested.confidence > 0
    ORDER BY subtask.url_id, suggested.confidence DESC, suggested.agency_id
), location AS (
    SELECT DISTINCT ON (subtask.url_id) subtask.url_id, suggested.location_id
    FROM annotation__location__auto__subtasks subtask
    JOIN annotation__location__auto__suggestions suggested ON suggested.subtask_id = subtask.id
    WHERE suggested.confidence > 0
    ORDER BY subtask.url_id, suggested.confidence DESC, suggested.location_id
), title AS (
    SELECT DISTINCT ON (name.url_id) name.url_id, name.id
    FROM annotation__name__suggestions name
    WHERE name.source = 'HTML Metadata Title'
    ORDER BY name.url_id, name.id
), answer AS (
    SELECT vote.url_id, 'url_type' AS attribute, (vote.type <> 'not relevant') = robot.relevant AS sided
    FROM annotation__url_type__auto robot
    JOIN annotation__url_type__user vote ON vote.url_id = robot.url_id
    WHERE vote.type NOT IN ('not found', 'broken page')
    UNION ALL
    SELECT vote.url_id, 'record_type', vote.record_type = robot.record_type
    FROM annotation__record_type__auto robot
    JOIN annotation__record_type__user vote ON vote.url_id = robot.url_id
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
WHERE sqlc.narg('batch_id')::integer IS NULL OR answer.url_id IN (SELECT scope.url_id FROM scope)
GROUP BY answer.attribute
ORDER BY answer.attribute
LIMIT 5;
