-- Ranking by the materialized count view: eligibility is live, the order is that of the view's last refresh. A URL that is
-- younger than the refresh counts 0. Needs nothing of the writers; costs with the number of URLs.

-- name: MatviewNextGet :one
-- The next URL for a user, among all. No rows: nothing is left for this user.
SELECT urls.id AS url_id, urls.url, urls.scheme, urls.trailing_slash
FROM urls
LEFT JOIN url_annotation_count_view counts ON counts.url_id = urls.id
WHERE urls.status = 'ok'
    AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM user_url_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_location_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_record_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
ORDER BY coalesce(counts.total_anno_count, 0) DESC, urls.id
LIMIT 1;

-- name: MatviewNextGetInBatch :one
-- The next URL for a user, among those of one batch. No rows: none is left, or there is no such batch.
SELECT urls.id AS url_id, urls.url, urls.scheme, urls.trailing_slash
FROM link_batches__urls link
JOIN urls ON urls.id = link.url_id
LEFT JOIN url_annotation_count_view counts ON counts.url_id = urls.id
WHERE link.batch_id = @batch_id
    AND urls.status = 'ok'
    AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)
    AND NOT EXISTS (SELECT FROM user_url_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_location_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
    AND NOT EXISTS (SELECT FROM user_record_type_suggestions s WHERE s.url_id = urls.id AND s.user_id = @user_id)
ORDER BY coalesce(counts.total_anno_count, 0) DESC, urls.id
LIMIT 1;

-- name: MatviewNextGetByID :one
-- The URL asked for, if it is eligible for this user and, where a batch is given, linked to that batch.
-- The optional batch costs nothing here: there is one candidate, found by its key.
SELECT urls.id AS url_id, urls.url, urls.scheme, urls.trailing_slash
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

-- name: MatviewNextGetAnonymous :one
-- The next URL for an anonymous session, among all. A session nobody knows has annotated nothing.
SELECT urls.id AS url_id, urls.url, urls.scheme, urls.trailing_slash
FROM urls
LEFT JOIN url_annotation_count_view counts ON counts.url_id = urls.id
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
ORDER BY coalesce(counts.total_anno_count, 0) DESC, urls.id
LIMIT 1;
