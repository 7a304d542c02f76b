-- All facts, window by window, in one snapshot. A window bounds what a statement reads, and there is at most one line for each of its
-- URLs.

-- name: FactURLWindowGet :one
-- The next validated URLs after an id, at most @most: their number, and the first and the last id. Reopened URLs are among them if
-- they are asked for. Both ids are 0 when there are none.
SELECT
    count(*) AS count,
    coalesce(min(next.url_id), 0)::integer AS first_id,
    coalesce(max(next.url_id), 0)::integer AS last_id
FROM (
    (
        SELECT flag.url_id FROM flag_url_validated flag
        WHERE flag.url_id > @after_id::integer
        ORDER BY flag.url_id
        LIMIT @most::integer
    )
    UNION -- another program may validate a reopened URL
    (
        SELECT reopened.url_id FROM flag_url_reopened reopened
        WHERE @with_reopened::boolean AND reopened.url_id > @after_id
        ORDER BY reopened.url_id
        LIMIT @most
    )
    ORDER BY url_id
    LIMIT @most
) AS next;

-- name: FactURLCountAll :one
-- How many URLs FactURLWindowGet returns in all.
SELECT (
    (SELECT count(*) FROM flag_url_validated)
    + (
        SELECT count(*) FROM flag_url_reopened reopened
        WHERE @with_reopened::boolean
            AND NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = reopened.url_id)
    )
)::bigint AS count;

-- name: ExportFactListWindow :many
-- The facts of a window's URLs by URL; with a type, only those of this type, and with a time, only those changed then or later.
-- Each is as the tables have it now, with agencies and locations by id. A vote is for the fact if it is for a value that the
-- fact has now, and otherwise against it. Votes are those recorded with the fact, weighted as the rule did. Without a record
-- they are the stored ones, weighted as the rule of today does; the rule version is then 0. Without a record type it is empty.
-- A fact changes with the row of its URL, which is updated when its agencies change.
SELECT
    page.url_id,
    page.url,
    page.scheme,
    page.trailing_slash,
    page.name,
    page.type,
    coalesce(page.record_type::text, '')::text AS record_type,
    page.created_at,
    page.updated_at::timestamp AS updated_at,
    agency.ids::integer[] AS agency_ids,
    agency.names::text[] AS agency_names,
    location.ids::bigint[] AS location_ids,
    location.types::text[] AS location_types,
    location.names::text[] AS location_names,
    location.states::text[] AS location_states,
    location.counties::text[] AS location_counties,
    coalesce(fact.by_agreement, page.by_agreement, false)::boolean AS by_agreement,
    coalesce(fact.rule_version, 0)::integer AS rule_version,
    coalesce(fact.threshold, 0)::double precision AS threshold,
    coalesce(fact.anonymous_weight, 0)::double precision AS anonymous_weight,
    coalesce(fact.users, vote.users)::integer AS users,
    coalesce(fact.sessions, vote.sessions)::integer AS sessions,
    vote.url_type_for::double precision AS url_type_for,
    vote.url_type_against::double precision AS url_type_against,
    vote.agency_for::double precision AS agency_for,
    vote.agency_against::double precision AS agency_against,
    vote.location_for::double precision AS location_for,
    vote.location_against::double precision AS location_against,
    vote.record_type_for::double precision AS record_type_for,
    vote.record_type_against::double precision AS record_type_against,
    vote.name_for::double precision AS name_for,
    vote.name_against::double precision AS name_against
FROM (
    SELECT
        flag.url_id, u.url, u.scheme, u.trailing_slash, u.name, flag.type, record.record_type, flag.created_at, changed.updated_at,
        (SELECT true FROM flag_url_auto_validated auto WHERE auto.url_id = flag.url_id) AS by_agreement
    FROM flag_url_validated flag
    -- Each LIMIT 1 makes the planner look up the row of a key, instead of reading a table whole for a window.
    CROSS JOIN LATERAL (SELECT * FROM urls WHERE urls.id = flag.url_id LIMIT 1) AS u
    LEFT JOIN LATERAL (SELECT * FROM url_record_type agreed WHERE agreed.url_id = flag.url_id LIMIT 1) AS record ON true
    CROSS JOIN LATERAL (
        SELECT greatest(
            flag.created_at, flag.updated_at, u.updated_at, record.updated_at,
            (SELECT max(link.updated_at) FROM link_agencies__urls link WHERE link.url_id = flag.url_id),
            (SELECT max(link.created_at) FROM link_locations__urls link WHERE link.url_id = flag.url_id)
        ) AS updated_at
    ) AS changed
    WHERE flag.url_id BETWEEN @first_url_id::integer AND @last_url_id::integer
        AND (sqlc.narg('type')::url_type IS NULL OR flag.type = sqlc.narg('type')::url_type)
        AND (sqlc.narg('since')::timestamp IS NULL OR changed.updated_at >= sqlc.narg('since')::timestamp)
    ORDER BY flag.url_id
    LIMIT @most::integer -- and so that the rest is read only for the lines of the export
) AS page
CROSS JOIN consensus_rule rule
LEFT JOIN LATERAL (
    SELECT *, true AS by_agreement FROM consensus_facts recorded WHERE recorded.url_id = page.url_id LIMIT 1
) AS fact ON true
CROSS JOIN LATERAL (
    SELECT array_agg(a.id) AS ids, array_agg(a.name) AS names
    FROM (
        SELECT agencies.id, agencies.name::text AS name
        FROM link_agencies__urls link
        JOIN agencies ON agencies.id = link.agency_id
        WHERE link.url_id = page.url_id
        ORDER BY agencies.id -- one sort, where each aggregate would sort by itself
    ) AS a
) AS agency
CROSS JOIN LATERAL (
    SELECT
        array_agg(l.id) AS ids, array_agg(l.type) AS types, array_agg(l.name) AS names, array_agg(l.state) AS states,
        array_agg(l.county) AS counties
    FROM (
        SELECT
            expanded.id, expanded.type::text AS type, coalesce(expanded.full_display_name, '') AS name,
            coalesce(expanded.state_iso, '') AS state, coalesce(expanded.county_fips::text, '') AS county
        FROM link_locations__urls link
        JOIN locations_expanded expanded ON expanded.id = link.location_id
        WHERE link.url_id = page.url_id
        ORDER BY expanded.id
    ) AS l
) AS location
CROSS JOIN LATERAL (
    SELECT
        count(DISTINCT given.user_id) AS users,
        count(DISTINCT given.session_id) AS sessions,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'url_type' AND given.confirmed), 0) AS url_type_for,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'url_type' AND NOT given.confirmed), 0) AS url_type_against,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'agency' AND given.confirmed), 0) AS agency_for,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'agency' AND NOT given.confirmed), 0) AS agency_against,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'location' AND given.confirmed), 0) AS location_for,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'location' AND NOT given.confirmed), 0) AS location_against,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'record_type' AND given.confirmed), 0) AS record_type_for,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'record_type' AND NOT given.confirmed), 0)
            AS record_type_against,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'name' AND given.confirmed), 0) AS name_for,
        coalesce(sum(given.weight) FILTER (WHERE given.attribute = 'name' AND NOT given.confirmed), 0) AS name_against
    FROM (
        SELECT
            vote.user_id, vote.session_id, vote.weight, vote.attribute,
            coalesce(
                CASE vote.attribute
                    WHEN 'url_type' THEN vote.value = page.type::text
                    WHEN 'agency' THEN vote.value = ANY (agency.ids::text[])
                    WHEN 'location' THEN vote.value = ANY (location.ids::text[])
                    WHEN 'record_type' THEN vote.value = page.record_type::text
                    WHEN 'name' THEN vote.value = page.name
                END, false
            ) AS confirmed
        FROM (
            SELECT
                NULL::integer AS user_id, NULL::uuid AS session_id, about.attribute, recorded.value,
                (recorded.counts ->> 'users')::integer + fact.anonymous_weight * (recorded.counts ->> 'sessions')::integer AS weight
            FROM jsonb_each(fact.votes) AS about (attribute, counts)
            CROSS JOIN jsonb_each(about.counts) AS recorded (value, counts)
            UNION ALL
            SELECT
                stored.user_id, stored.session_id, stored.attribute, stored.value,
                CASE WHEN stored.user_id IS NULL THEN rule.anonymous_weight ELSE 1 END
            FROM annotation_votes stored
            WHERE stored.url_id = page.url_id AND fact.url_id IS NULL
        ) AS vote
    ) AS given
) AS vote
ORDER BY page.url_id;

-- name: ExportWithdrawnListWindow :many
-- The facts of a window's URLs that were taken back at a time or later, and that an export with the same type does not have, by
-- URL: the latest of each. A fact is missing if its URL is not validated again, or only as another type.
SELECT page.url_id, page.created_at, page.reason, u.url, u.scheme, u.trailing_slash
FROM (
    SELECT candidate.url_id, event.created_at, event.reason
    FROM (
        SELECT reopened.url_id
        FROM flag_url_reopened reopened
        WHERE reopened.url_id BETWEEN @first_url_id::integer AND @last_url_id::integer
            AND reopened.created_at >= @since::timestamp -- never before its event
            AND NOT EXISTS (SELECT FROM flag_url_validated flag WHERE flag.url_id = reopened.url_id OFFSET 0)
        UNION ALL
        SELECT flag.url_id
        FROM flag_url_validated flag
        WHERE flag.url_id BETWEEN @first_url_id AND @last_url_id
            AND flag.type <> sqlc.narg('type')::url_type
            AND flag.created_at >= @since
    ) AS candidate
    CROSS JOIN LATERAL (
        SELECT h.created_at, coalesce(h.detail ->> 'reason', '')::text AS reason
        FROM url_history h
        WHERE h.url_id = candidate.url_id
            AND h.event = 'reopened'
            AND h.created_at >= @since
            AND (sqlc.narg('type') IS NULL OR h.detail ->> 'url_type' = sqlc.narg('type')::text)
        ORDER BY h.id DESC
        LIMIT 1
    ) AS event
    ORDER BY candidate.url_id
    LIMIT @most::integer
) AS page
CROSS JOIN LATERAL (SELECT * FROM urls WHERE urls.id = page.url_id LIMIT 1) AS u
ORDER BY page.url_id;
