-- Which URL a person annotates next. Eligible: status ok, neither validated nor suspended, and without any row of
-- this person in the four tables of their kind. Order: most annotated first, so that URLs close to agreement get
-- there, then the smallest id. Nothing is reserved: two people may be given the same URL at once.
--
-- The counts of all URLs are computed once and kept apart, lest the planner, when it expects few eligible URLs, computes
-- them once for each; those of a batch are looked up URL by URL.
--
-- One statement per filter rather than one with optional parameters: a plan that has to serve both a filter and its
-- absence serves neither.

-- name: URLNextGet :one
-- The next URL for a signed-in user, among all. No rows: nothing is left for this user.
WITH counts AS MATERIALIZED (
    SELECT url_id, total_anno_count FROM url_annotation_count_view
)
SELECT urls.id, urls.url, urls.scheme, urls.trailing_slash
FROM urls
JOIN counts ON counts.url_id = urls.id
WHERE urls.status = 'ok'
    AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM user_url_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_location_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_record_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
ORDER BY counts.total_anno_count DESC, urls.id
LIMIT 1;

-- name: URLNextGetInBatch :one
-- The next URL for a signed-in user, among those of one batch. No rows: none is left, or there is no such batch.
SELECT urls.id, urls.url, urls.scheme, urls.trailing_slash
FROM link_batches__urls link
JOIN urls ON urls.id = link.url_id
WHERE link.batch_id = @batch_id
    AND urls.status = 'ok'
    AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM user_url_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_location_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_record_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
ORDER BY
    (SELECT counts.total_anno_count FROM url_annotation_count_view counts WHERE counts.url_id = urls.id) DESC,
    urls.id
LIMIT 1;

-- name: URLNextGetByID :one
-- The URL asked for, if it is eligible for this user and, where a batch is given, linked to that batch.
-- The optional batch costs nothing here: there is one candidate, found by its key.
SELECT urls.id, urls.url, urls.scheme, urls.trailing_slash
FROM urls
WHERE urls.id = @url_id
    AND urls.status = 'ok'
    AND (
        sqlc.narg('batch_id')::integer IS NULL
        OR EXISTS (
            SELECT FROM link_batches__urls link
            WHERE link.url_id = urls.id AND link.batch_id = sqlc.narg('batch_id')::integer
        )
    )
    AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM user_url_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_location_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_record_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id);

-- name: URLNextGetAnonymous :one
-- The next URL for an anonymous session, among all. A session nobody knows has annotated nothing.
WITH counts AS MATERIALIZED (
    SELECT url_id, total_anno_count FROM url_annotation_count_view
)
SELECT urls.id, urls.url, urls.scheme, urls.trailing_slash
FROM urls
JOIN counts ON counts.url_id = urls.id
WHERE urls.status = 'ok'
    AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (
        SELECT FROM anonymous_annotation_url_type a WHERE a.url_id = urls.id AND a.session_id = @session_id
    )
    AND NOT EXISTS (
        SELECT FROM anonymous_annotation_agency a WHERE a.url_id = urls.id AND a.session_id = @session_id
    )
    AND NOT EXISTS (
        SELECT FROM anonymous_annotation_location a WHERE a.url_id = urls.id AND a.session_id = @session_id
    )
    AND NOT EXISTS (
        SELECT FROM anonymous_annotation_record_type a WHERE a.url_id = urls.id AND a.session_id = @session_id
    )
ORDER BY counts.total_anno_count DESC, urls.id
LIMIT 1;
