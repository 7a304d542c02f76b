-- What docket doctor reads of Docket's tables. What it reads about the server is in internal/postgres: sqlc does not know these
-- views of the catalog.

-- name: DoctorURLGetNewest :one
-- The range of ids of the newest URLs, at most a given number of them; 0 and 0 when there are none.
SELECT coalesce(min(part.id) - 1, 0)::integer AS after, coalesce(max(part.id), 0)::integer AS upto
FROM (SELECT urls.id FROM urls ORDER BY urls.id DESC LIMIT @most::integer) AS part;
