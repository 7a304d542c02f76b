-- Back to the plain views, and no live queue. What goes is computed from tables that stay: applying the migration again
-- makes it anew, but for the record of refreshes. A server that reads the queue must not run meanwhile.
--
-- Grants on the two views are not carried over: whoever was granted them on the materialized ones is to be granted them again.

DROP VIEW anonymous_url_annotations;
DROP VIEW user_url_annotations;
DROP VIEW annotation_queue_recount;

DROP TABLE batch_progress;
DROP TABLE anonymous_url_done;
DROP TABLE user_url_done;
DROP TABLE annotation_queue;
DROP TABLE materialized_view_refreshes;

DROP MATERIALIZED VIEW mat_view__html_duplicate_url;
DROP MATERIALIZED VIEW batch_url_status_mat_view;
DROP MATERIALIZED VIEW url_status_mat_view;
DROP MATERIALIZED VIEW url_annotation_flags;
DROP MATERIALIZED VIEW url_annotation_count_view;

CREATE VIEW url_annotation_count_view AS
SELECT
    urls.id AS url_id,
    coalesce(n.auto_agency_count, 0) AS auto_agency_count,
    coalesce(n.auto_location_count, 0) AS auto_location_count,
    coalesce(n.auto_record_type_count, 0) AS auto_record_type_count,
    coalesce(n.auto_url_type_count, 0) AS auto_url_type_count,
    coalesce(n.user_agency_count, 0) AS user_agency_count,
    coalesce(n.user_location_count, 0) AS user_location_count,
    coalesce(n.user_record_type_count, 0) AS user_record_type_count,
    coalesce(n.user_url_type_count, 0) AS user_url_type_count,
    coalesce(n.total_anno_count, 0) AS total_anno_count
FROM urls
LEFT JOIN (
    SELECT
        annotation.url_id,
        count(*) FILTER (WHERE annotation.kind = 1) AS auto_agency_count,
        count(*) FILTER (WHERE annotation.kind = 2) AS auto_location_count,
        count(*) FILTER (WHERE annotation.kind = 3) AS auto_record_type_count,
        count(*) FILTER (WHERE annotation.kind = 4) AS auto_url_type_count,
        count(*) FILTER (WHERE annotation.kind = 5) AS user_agency_count,
        count(*) FILTER (WHERE annotation.kind = 6) AS user_location_count,
        count(*) FILTER (WHERE annotation.kind = 7) AS user_record_type_count,
        count(*) FILTER (WHERE annotation.kind = 8) AS user_url_type_count,
        count(*) AS total_anno_count
    FROM (
        SELECT url_id, 1 AS kind FROM url_auto_agency_id_subtasks
        UNION ALL SELECT url_id, 2 FROM auto_location_id_subtasks
        UNION ALL SELECT url_id, 3 FROM auto_record_type_suggestions
        UNION ALL SELECT url_id, 4 FROM auto_relevant_suggestions
        UNION ALL SELECT url_id, 5 FROM user_url_agency_suggestions
        UNION ALL SELECT url_id, 6 FROM user_location_suggestions
        UNION ALL SELECT url_id, 7 FROM user_record_type_suggestions
        UNION ALL SELECT url_id, 8 FROM user_url_type_suggestions
    ) AS annotation
    GROUP BY annotation.url_id
) AS n ON n.url_id = urls.id;

COMMENT ON VIEW url_annotation_count_view IS
    'Annotations by URL and kind; robots count by subtask, not by suggestion. Names, not-found marks and anonymous annotations do not count.';

CREATE VIEW url_annotation_flags AS
SELECT
    urls.id AS url_id,
    EXISTS (SELECT FROM auto_record_type_suggestions s WHERE s.url_id = urls.id) AS has_auto_record_type_suggestion,
    EXISTS (SELECT FROM auto_relevant_suggestions s WHERE s.url_id = urls.id) AS has_auto_relevant_suggestion,
    EXISTS (SELECT FROM url_auto_agency_id_subtasks s WHERE s.url_id = urls.id) AS has_auto_agency_suggestion,
    EXISTS (SELECT FROM auto_location_id_subtasks s WHERE s.url_id = urls.id) AS has_auto_location_suggestion,
    EXISTS (SELECT FROM user_record_type_suggestions s WHERE s.url_id = urls.id) AS has_user_record_type_suggestion,
    EXISTS (SELECT FROM user_url_type_suggestions s WHERE s.url_id = urls.id) AS has_user_relevant_suggestion,
    EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = urls.id) AS has_user_agency_suggestion,
    EXISTS (SELECT FROM user_location_suggestions s WHERE s.url_id = urls.id) AS has_user_location_suggestion,
    EXISTS (SELECT FROM link_agencies__urls l WHERE l.url_id = urls.id) AS has_confirmed_agency,
    EXISTS (SELECT FROM reviewing_user_url r WHERE r.url_id = urls.id) AS was_reviewed
FROM urls;
