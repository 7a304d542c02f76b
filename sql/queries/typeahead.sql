-- Agencies and locations that a partly typed text may mean. There are two statements for each: names that begin with the text,
-- after which the other is seldom needed, and similar names. The most similar names come first. A limit includes all names as
-- similar as the last one, so that the caller can order those by other columns.
--
-- The trigram index returns names by distance, but only for ORDER BY distance alone; WITH TIES keeps equals. A long beginning
-- is a range of a B-tree index: trigrams of "police" are in most names. A short beginning is a large range, so the trigram
-- index reads fewer rows there.

-- name: AgencyListByBeginning :many
-- The ids of agencies whose name begins with a text in any letter case; starts_like is the text as a LIKE pattern. At least the
-- ten most similar, if there are as many.
SELECT begins.id, begins.distance::real AS distance, 0::integer AS rank
FROM (
    (
        SELECT a.id, a.name <-> @typed::text AS distance
        FROM agencies a
        WHERE char_length(@typed::text) < 3 AND a.name ILIKE @starts_like::text
        ORDER BY a.name <-> @typed::text
        FETCH FIRST 10 ROWS WITH TIES
    )
    UNION ALL
    SELECT a.id, a.name <-> @typed::text
    FROM agencies a
    WHERE char_length(@typed::text) >= 3
        AND lower(a.name) ~>=~ lower(@typed::text)
        AND lower(a.name) ~<~ (lower(@typed::text) || chr(1114111)) -- the largest code point
) AS begins
ORDER BY begins.distance, begins.id
LIMIT 10;

-- name: AgencyListByResemblance :many
-- The ids of agencies with a later word that begins with a text (rank 1), then of those whose name is similar to it (rank 2). Names
-- that begin with the text may be among them. At least the twenty most similar of each kind, if there are as many. The second
-- kind is left out when the first has twenty.
WITH contains AS MATERIALIZED (
    SELECT a.id, a.name <-> @typed::text AS distance
    FROM agencies a
    WHERE a.name ILIKE @word_starts_like::text
    ORDER BY a.name <-> @typed::text
    FETCH FIRST 20 ROWS WITH TIES
), alike AS MATERIALIZED (
    SELECT a.id, a.name <-> @typed::text AS distance
    FROM agencies a
    WHERE (SELECT count(*) FROM contains) < 20 AND a.name % @typed::text
    ORDER BY a.name <-> @typed::text
    FETCH FIRST 40 ROWS WITH TIES
)
SELECT found.id, found.distance::real AS distance, min(found.rank)::integer AS rank
FROM (
    SELECT contains.id, contains.distance, 1 AS rank FROM contains
    UNION ALL
    SELECT alike.id, alike.distance, 2 FROM alike
) AS found
GROUP BY found.id, found.distance
ORDER BY min(found.rank), found.distance, found.id
LIMIT 40;

-- name: AgencyListByID :many
-- Agencies, each with the parts of the name of its first location. The parts are null for an agency without locations.
-- No limit: there are at most as many rows as ids.
-- @sqlc-vet-disable many-without-limit
SELECT a.id, a.name, a.jurisdiction_type, expanded.state_name, expanded.state_iso, expanded.county_name, expanded.locality_name
FROM agencies a
LEFT JOIN LATERAL (
    SELECT min(link.location_id) AS id FROM link_agencies__locations link WHERE link.agency_id = a.id
) AS first ON true
LEFT JOIN locations_expanded expanded ON expanded.id = first.id
WHERE a.id = ANY(@ids::integer[])
ORDER BY a.id;

-- name: LocationListByBeginning :many
-- Locations whose own name begins with a text in any letter case, and whose county and state match all patterns, as in
-- " Franklin County Ohio OH". A state is also found by its postal code. At most ten, of the @most with the most similar names and
-- those as similar as the last of them.
WITH begins AS MATERIALIZED (
    SELECT named.type, named.place_id, named.distance
    FROM (
        (
            SELECT 'Locality'::location_type AS type, p.id AS place_id, p.name <-> @typed::text AS distance
            FROM localities p
            WHERE char_length(@typed::text) < 3 AND p.name ILIKE @starts_like::text
            ORDER BY p.name <-> @typed::text
            FETCH FIRST (@most::integer) ROWS WITH TIES
        )
        UNION ALL
        SELECT 'Locality', p.id, p.name <-> @typed::text
        FROM localities p
        WHERE char_length(@typed::text) >= 3
            AND lower(p.name) ~>=~ lower(@typed::text)
            AND lower(p.name) ~<~ (lower(@typed::text) || chr(1114111))
        UNION ALL
        (
            SELECT 'County', c.id, c.name <-> @typed::text
            FROM counties c
            WHERE char_length(@typed::text) < 3 AND c.name ILIKE @starts_like::text
            ORDER BY c.name <-> @typed::text
            FETCH FIRST (@most::integer) ROWS WITH TIES
        )
        UNION ALL
        SELECT 'County', c.id, c.name <-> @typed::text
        FROM counties c
        WHERE char_length(@typed::text) >= 3
            AND lower(c.name) ~>=~ lower(@typed::text)
            AND lower(c.name) ~<~ (lower(@typed::text) || chr(1114111))
        UNION ALL
        SELECT 'State', s.id, CASE s.state_iso WHEN upper(@typed::text) THEN 0 ELSE s.state_name <-> @typed::text END
        FROM us_states s
        WHERE s.state_name ILIKE @starts_like::text OR s.state_iso = upper(@typed::text)
        UNION ALL
        SELECT 'National', 0, nation.name <-> @typed::text
        FROM (VALUES ('United States')) AS nation (name)
        WHERE nation.name ILIKE @starts_like::text
    ) AS named
    ORDER BY named.distance
    FETCH FIRST (@most::integer) ROWS WITH TIES
), location AS MATERIALIZED (
    SELECT l.id, begins.distance FROM begins JOIN locations l ON l.locality_id = begins.place_id AND l.type = 'Locality'
    WHERE begins.type = 'Locality'
    UNION ALL
    SELECT l.id, begins.distance FROM begins JOIN locations l ON l.county_id = begins.place_id AND l.type = 'County'
    WHERE begins.type = 'County'
    UNION ALL
    SELECT l.id, begins.distance FROM begins JOIN locations l ON l.state_id = begins.place_id AND l.type = 'State'
    WHERE begins.type = 'State'
    UNION ALL
    SELECT l.id, begins.distance FROM begins JOIN locations l ON l.type = 'National'
    WHERE begins.type = 'National'
)
SELECT
    expanded.id,
    coalesce(expanded.full_display_name, '')::text AS display_name,
    expanded.type,
    expanded.state_name,
    expanded.state_iso,
    expanded.county_name,
    expanded.locality_name,
    location.distance::real AS distance,
    0::integer AS rank
FROM location
JOIN locations_expanded expanded ON expanded.id = location.id
WHERE CASE expanded.type
        WHEN 'Locality' THEN concat(' ', expanded.county_name, ' County ', expanded.state_name, ' ', expanded.state_iso)
        WHEN 'County' THEN concat(' County ', expanded.state_name, ' ', expanded.state_iso)
        ELSE ''
    END ILIKE ALL (@within_like::text[])
ORDER BY location.distance, expanded.type, expanded.id
LIMIT 10;

-- name: LocationListByResemblance :many
-- Locations with a later word in their own name that begins with a text (rank 1), then those whose own name is similar to it
-- (rank 2). Their county and state match all patterns, as in LocationListByBeginning. Names that begin with the text may be
-- among them. At most forty. The second kind is left out when the first has twenty.
WITH contains AS MATERIALIZED (
    SELECT named.type, named.place_id, named.distance
    FROM (
        (
            SELECT 'Locality'::location_type AS type, p.id AS place_id, p.name <-> @typed::text AS distance
            FROM localities p
            WHERE p.name ILIKE @word_starts_like::text
            ORDER BY p.name <-> @typed::text
            FETCH FIRST (@most::integer) ROWS WITH TIES
        )
        UNION ALL
        (
            SELECT 'County', c.id, c.name <-> @typed::text
            FROM counties c
            WHERE c.name ILIKE @word_starts_like::text
            ORDER BY c.name <-> @typed::text
            FETCH FIRST (@most::integer) ROWS WITH TIES
        )
        UNION ALL
        SELECT 'State', s.id, s.state_name <-> @typed::text FROM us_states s WHERE s.state_name ILIKE @word_starts_like::text
    ) AS named
    ORDER BY named.distance
    FETCH FIRST (@most::integer) ROWS WITH TIES
), alike AS MATERIALIZED (
    SELECT named.type, named.place_id, named.distance
    FROM (
        (
            SELECT 'Locality'::location_type AS type, p.id AS place_id, p.name <-> @typed::text AS distance
            FROM localities p
            WHERE (SELECT count(*) FROM contains) < 20 AND p.name % @typed::text
            ORDER BY p.name <-> @typed::text
            FETCH FIRST (@most::integer) ROWS WITH TIES
        )
        UNION ALL
        (
            SELECT 'County', c.id, c.name <-> @typed::text
            FROM counties c
            WHERE (SELECT count(*) FROM contains) < 20 AND c.name % @typed::text
            ORDER BY c.name <-> @typed::text
            FETCH FIRST (@most::integer) ROWS WITH TIES
        )
        UNION ALL
        SELECT 'State', s.id, s.state_name <-> @typed::text FROM us_states s WHERE s.state_name % @typed::text
    ) AS named
    ORDER BY named.distance
    FETCH FIRST (@most::integer) ROWS WITH TIES
), resembles AS MATERIALIZED (
    SELECT named.type, named.place_id, named.distance, min(named.rank) AS rank
    FROM (
        SELECT contains.type, contains.place_id, contains.distance, 1 AS rank FROM contains
        UNION ALL
        SELECT alike.type, alike.place_id, alike.distance, 2 FROM alike
    ) AS named
    GROUP BY named.type, named.place_id, named.distance
), location AS MATERIALIZED (
    SELECT l.id, r.distance, r.rank FROM resembles r JOIN locations l ON l.locality_id = r.place_id AND l.type = 'Locality'
    WHERE r.type = 'Locality'
    UNION ALL
    SELECT l.id, r.distance, r.rank FROM resembles r JOIN locations l ON l.county_id = r.place_id AND l.type = 'County'
    WHERE r.type = 'County'
    UNION ALL
    SELECT l.id, r.distance, r.rank FROM resembles r JOIN locations l ON l.state_id = r.place_id AND l.type = 'State'
    WHERE r.type = 'State'
)
SELECT
    expanded.id,
    coalesce(expanded.full_display_name, '')::text AS display_name,
    expanded.type,
    expanded.state_name,
    expanded.state_iso,
    expanded.county_name,
    expanded.locality_name,
    location.distance::real AS distance,
    location.rank::integer AS rank
FROM location
JOIN locations_expanded expanded ON expanded.id = location.id
WHERE CASE expanded.type
        WHEN 'Locality' THEN concat(' ', expanded.county_name, ' County ', expanded.state_name, ' ', expanded.state_iso)
        WHEN 'County' THEN concat(' County ', expanded.state_name, ' ', expanded.state_iso)
        ELSE ''
    END ILIKE ALL (@within_like::text[])
ORDER BY location.rank, location.distance, expanded.type, expanded.id
LIMIT 40;
