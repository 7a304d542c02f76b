-- Ranking by the materialized count view. The three counts are read from the view as of its last refresh; a URL that is younger
-- than the refresh counts 0. Everything else is read from the tables: eligibility, what the annotator has done, follows and the
-- source. Requires nothing of the writers, except of those of reservations: a URL that is reserved in annotation_queue is left out.
-- The cost grows with the number of URLs. DISTINCT keeps the planner from looking up the annotations of each URL: for a user who
-- has done most of 100,000 URLs that reads 270,000 buffers instead of 4,300. TestMatviewPlans checks this.

-- name: MatviewNextGet :one
-- The next URL for a user, among all, after some URLs to skip. No rows: none is left for this user.
SELECT e.url_id, e.url, e.scheme, e.trailing_slash
FROM eligible_urls e
LEFT JOIN link_batches__urls link ON link.url_id = e.url_id
LEFT JOIN (
    SELECT f.batch_id, bool_or(f.user_id = @user_id) AS own FROM batch_followers f GROUP BY f.batch_id
) AS followed ON followed.batch_id = link.batch_id
LEFT JOIN url_annotation_count_view counts ON counts.url_id = e.url_id
LEFT JOIN (SELECT DISTINCT a.url_id FROM user_passed_urls a WHERE a.user_id = @user_id) AS done ON done.url_id = e.url_id
WHERE done.url_id IS NULL
    AND NOT EXISTS (SELECT FROM annotation_queue q WHERE q.url_id = e.url_id AND q.reserved)
ORDER BY
    coalesce(followed.own, false) DESC,
    (followed.batch_id IS NOT NULL) DESC,
    e.manual DESC,
    coalesce(counts.user_url_type_count, 0) DESC,
    coalesce(counts.anon_url_type_count, 0) DESC,
    coalesce(counts.auto_url_type_count, 0) DESC,
    e.url_id
LIMIT 1 OFFSET @skip;

-- name: MatviewNextGetInBatch :one
-- The next URL for a user, among those of one batch, after some URLs to skip. The users who follow a batch follow all its URLs. No
-- rows: none is left, or there is no such batch.
SELECT e.url_id, e.url, e.scheme, e.trailing_slash
FROM link_batches__urls link
JOIN eligible_urls e ON e.url_id = link.url_id
LEFT JOIN url_annotation_count_view counts ON counts.url_id = e.url_id
LEFT JOIN (SELECT DISTINCT a.url_id FROM user_passed_urls a WHERE a.user_id = @user_id) AS done ON done.url_id = e.url_id
WHERE link.batch_id = @batch_id
    AND done.url_id IS NULL
    AND NOT EXISTS (SELECT FROM annotation_queue q WHERE q.url_id = e.url_id AND q.reserved)
ORDER BY
    e.manual DESC,
    coalesce(counts.user_url_type_count, 0) DESC,
    coalesce(counts.anon_url_type_count, 0) DESC,
    coalesce(counts.auto_url_type_count, 0) DESC,
    e.url_id
LIMIT 1 OFFSET @skip;

-- name: MatviewNextGetByID :one
-- The URL with an id, if it is eligible, not annotated by the user and, where a batch is given, linked to that batch. It may be
-- reserved, or put off by the user. The optional batch does not spoil the plan: there is one candidate, found by its key.
SELECT e.url_id, e.url, e.scheme, e.trailing_slash
FROM eligible_urls e
WHERE e.url_id = @url_id
    AND (
        sqlc.narg('batch_id')::integer IS NULL
        OR EXISTS (
            SELECT FROM link_batches__urls link
            WHERE link.url_id = e.url_id AND link.batch_id = sqlc.narg('batch_id')::integer
        )
    )
    AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.url_id = e.url_id AND a.user_id = @user_id);

-- name: MatviewNextGetAnonymous :one
-- The next URL for an anonymous session, among all, after some URLs to skip. An unknown session has annotated nothing.
SELECT e.url_id, e.url, e.scheme, e.trailing_slash
FROM eligible_urls e
LEFT JOIN link_batches__urls link ON link.url_id = e.url_id
LEFT JOIN (SELECT DISTINCT f.batch_id FROM batch_followers f) AS followed ON followed.batch_id = link.batch_id
LEFT JOIN url_annotation_count_view counts ON counts.url_id = e.url_id
LEFT JOIN (
    SELECT DISTINCT a.url_id FROM anonymous_passed_urls a WHERE a.session_id = @session_id
) AS done ON done.url_id = e.url_id
WHERE done.url_id IS NULL
    AND NOT EXISTS (SELECT FROM annotation_queue q WHERE q.url_id = e.url_id AND q.reserved)
ORDER BY
    (followed.batch_id IS NOT NULL) DESC,
    e.manual DESC,
    coalesce(counts.user_url_type_count, 0) DESC,
    coalesce(counts.anon_url_type_count, 0) DESC,
    coalesce(counts.auto_url_type_count, 0) DESC,
    e.url_id
LIMIT 1 OFFSET @skip;
