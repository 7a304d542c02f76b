-- What annotators contributed, and how much of it was confirmed.

-- name: LeaderboardList :many
-- Every user with a url-type vote, most votes first, then by id.
-- No limit: clients show them all, and each costs somebody an annotation.
-- @sqlc-vet-disable many-without-limit
SELECT user_id, count(*)::integer AS votes
FROM user_url_type_suggestions
GROUP BY user_id
ORDER BY count(*) DESC, user_id;

-- name: ContributionGetByUser :one
-- How many URLs a user gave a type, and of what this user said of validated URLs, how much could be compared with what was
-- validated (validated) and how much is the same (confirmed). Only the user's own words count; what others said of the same
-- URLs does not. A record type or agency is compared also where none was agreed on, and a new agency without id is never
-- confirmed. Agencies are compared on data sources and meta URLs alone, as the contract has it.
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
    FROM user_url_type_suggestions vote
    LEFT JOIN flag_url_validated flag ON flag.url_id = vote.url_id
    WHERE vote.user_id = @user_id
) AS url_type
CROSS JOIN (
    SELECT
        count(*)::integer AS validated,
        (count(*) FILTER (WHERE vote.record_type = agreed.record_type))::integer AS confirmed
    FROM user_record_type_suggestions vote
    JOIN flag_url_validated flag ON flag.url_id = vote.url_id
    LEFT JOIN url_record_type agreed ON agreed.url_id = vote.url_id
    WHERE vote.user_id = @user_id
) AS record_type
CROSS JOIN (
    SELECT count(*)::integer AS validated, count(agreed.agency_id)::integer AS confirmed
    FROM user_url_agency_suggestions suggested
    JOIN flag_url_validated flag ON flag.url_id = suggested.url_id AND flag.type IN ('data source', 'meta url')
    LEFT JOIN link_agencies__urls agreed ON agreed.url_id = suggested.url_id AND agreed.agency_id = suggested.agency_id
    WHERE suggested.user_id = @user_id
) AS agency;
