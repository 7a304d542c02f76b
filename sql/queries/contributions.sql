-- The votes of users, and how many of them were confirmed.

-- name: LeaderboardList :many
-- Every user with a vote for a URL type, most votes first, then by id.
-- No limit: clients show all of them, and each has annotated a URL.
-- @sqlc-vet-disable many-without-limit
SELECT user_id, count(*)::integer AS votes
FROM annotation__url_type__user
GROUP BY user_id
ORDER BY count(*) DESC, user_id;

-- name: ContributionGetByUser :one
-- The number of URLs for which a user voted a type; and of the user's votes on validated URLs, the number that can be compared
-- with a confirmed value (validated) and the number that equal it (confirmed). Votes of other users do not count. A vote for a
-- record type or an agency is compared even if none was confirmed, and a new agency without an id is never confirmed. Agencies
-- are compared on data sources and meta URLs only, as the contract says.
SELECT
    url_type.votes,
    url_type.validated AS url_type_validated,
    url_type.confirmed AS url_type_confirmed,
    record_type.validated AS record_type_validated,
    record_type.confirmed AS record_type_confirmed,
    agency.validated AS agency_validated,
    agency.confirmed AS agency_confirmed
FROM (
    SELECT
        count(*)::integer AS votes,
        count(flag.url_id)::integer AS validated,
        (count(*) FILTER (WHERE vote.type = flag.type))::integer AS confirmed
    FROM annotation__url_type__user vote
    LEFT JOIN flag_url_validated flag ON flag.url_id = vote.url_id
    WHERE vote.user_id = @user_id
) AS url_type
CROSS JOIN (
    SELECT
        count(*)::integer AS validated,
        (count(*) FILTER (WHERE vote.record_type = agreed.record_type))::integer AS confirmed
    FROM annotation__record_type__user vote
    JOIN flag_url_validated flag ON flag.url_id = vote.url_id
    LEFT JOIN url_record_type agreed ON agreed.url_id = vote.url_id
    WHERE vote.user_id = @user_id
) AS record_type
CROSS JOIN (
    SELECT count(*)::integer AS validated, count(agreed.agency_id)::integer AS confirmed
    FROM annotation__agency__user suggested
    JOIN flag_url_validated flag ON flag.url_id = suggested.url_id AND flag.type IN ('data source', 'meta url')
    LEFT JOIN link_agencies__urls agreed ON agreed.url_id = suggested.url_id AND agreed.agency_id = suggested.agency_id
    WHERE suggested.user_id = @user_id
) AS agency;
