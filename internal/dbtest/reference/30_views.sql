-- All views but three are plain, and none of the three has an index.

CREATE VIEW url_annotation_count_view AS
WITH auto_agency_count AS (
    SELECT u.id, count(s.id) AS cnt FROM urls u LEFT JOIN url_auto_agency_id_subtasks s ON s.url_id = u.id GROUP BY u.id
), auto_location_count AS (
    SELECT u.id, count(s.id) AS cnt FROM urls u LEFT JOIN auto_location_id_subtasks s ON s.url_id = u.id GROUP BY u.id
), auto_record_type_count AS (
    SELECT u.id, count(s.url_id) AS cnt FROM urls u LEFT JOIN auto_record_type_suggestions s ON s.url_id = u.id GROUP BY u.id
), auto_url_type_count AS (
    SELECT u.id, count(s.url_id) AS cnt FROM urls u LEFT JOIN auto_relevant_suggestions s ON s.url_id = u.id GROUP BY u.id
), user_agency_count AS (
    SELECT u.id, count(s.user_id) AS cnt FROM urls u LEFT JOIN user_url_agency_suggestions s ON s.url_id = u.id GROUP BY u.id
), user_location_count AS (
    SELECT u.id, count(s.user_id) AS cnt FROM urls u LEFT JOIN user_location_suggestions s ON s.url_id = u.id GROUP BY u.id
), user_record_type_count AS (
    SELECT u.id, count(s.user_id) AS cnt FROM urls u LEFT JOIN user_record_type_suggestions s ON s.url_id = u.id GROUP BY u.id
), user_url_type_count AS (
    SELECT u.id, count(s.user_id) AS cnt FROM urls u LEFT JOIN user_url_type_suggestions s ON s.url_id = u.id GROUP BY u.id
)
SELECT
    u.id AS url_id,
    aa.cnt AS auto_agency_count,
    al.cnt AS auto_location_count,
    ar.cnt AS auto_record_type_count,
    at.cnt AS auto_url_type_count,
    ua.cnt AS user_agency_count,
    ul.cnt AS user_location_count,
    ur.cnt AS user_record_type_count,
    ut.cnt AS user_url_type_count,
    aa.cnt + al.cnt + ar.cnt + at.cnt + ua.cnt + ul.cnt + ur.cnt + ut.cnt AS total_anno_count
FROM urls u
JOIN auto_agency_count aa ON aa.id = u.id
JOIN auto_location_count al ON al.id = u.id
JOIN auto_record_type_count ar ON ar.id = u.id
JOIN auto_url_type_count at ON at.id = u.id
JOIN user_agency_count ua ON ua.id = u.id
JOIN user_location_count ul ON ul.id = u.id
JOIN user_record_type_count ur ON ur.id = u.id
JOIN user_url_type_count ut ON ut.id = u.id;

CREATE VIEW url_annotation_flags AS
SELECT
    u.id AS url_id,
    EXISTS (SELECT 1 FROM auto_record_type_suggestions a WHERE a.url_id = u.id) AS has_auto_record_type_suggestion,
    EXISTS (SELECT 1 FROM auto_relevant_suggestions a WHERE a.url_id = u.id) AS has_auto_relevant_suggestion,
    EXISTS (SELECT 1 FROM url_auto_agency_id_subtasks a WHERE a.url_id = u.id) AS has_auto_agency_suggestion,
    EXISTS (SELECT 1 FROM auto_location_id_subtasks a WHERE a.url_id = u.id) AS has_auto_location_suggestion,
    EXISTS (SELECT 1 FROM user_record_type_suggestions a WHERE a.url_id = u.id) AS has_user_record_type_suggestion,
    EXISTS (SELECT 1 FROM user_url_type_suggestions a WHERE a.url_id = u.id) AS has_user_relevant_suggestion,
    EXISTS (SELECT 1 FROM user_url_agency_suggestions a WHERE a.url_id = u.id) AS has_user_agency_suggestion,
    EXISTS (SELECT 1 FROM user_location_suggestions a WHERE a.url_id = u.id) AS has_user_location_suggestion,
    EXISTS (SELECT 1 FROM link_agencies__urls a WHERE a.url_id = u.id) AS has_confirmed_agency,
    EXISTS (SELECT 1 FROM reviewing_user_url a WHERE a.url_id = u.id) AS was_reviewed
FROM urls u;

CREATE VIEW unvalidated_url_view AS
SELECT u.id AS url_id FROM urls u LEFT JOIN flag_url_validated f ON f.url_id = u.id WHERE f.type IS NULL;

CREATE VIEW locations_expanded AS
SELECT
    locations.id,
    locations.type,
    us_states.state_name,
    us_states.state_iso,
    counties.name AS county_name,
    counties.fips AS county_fips,
    localities.name AS locality_name,
    localities.id AS locality_id,
    us_states.id AS state_id,
    counties.id AS county_id,
    CASE
        WHEN locations.type = 'Locality' THEN localities.name
        WHEN locations.type = 'County' THEN counties.name::varchar
        WHEN locations.type = 'State' THEN us_states.state_name::varchar
        WHEN locations.type = 'National' THEN 'United States'
    END AS display_name,
    CASE
        WHEN locations.type = 'Locality' THEN concat(localities.name, ', ', counties.name, ', ', us_states.state_name)::varchar
        WHEN locations.type = 'County' THEN concat(counties.name, ', ', us_states.state_name)::varchar
        WHEN locations.type = 'State' THEN us_states.state_name::varchar
        WHEN locations.type = 'National' THEN 'United States'
    END AS full_display_name
FROM locations
LEFT JOIN us_states ON locations.state_id = us_states.id
LEFT JOIN counties ON locations.county_id = counties.id
LEFT JOIN localities ON locations.locality_id = localities.id;

CREATE VIEW dependent_locations AS
SELECT parent.id AS parent_location_id, child.id AS dependent_location_id
FROM locations parent
JOIN locations child ON child.state_id = parent.state_id AND child.type = 'County'
WHERE parent.type = 'State'
UNION ALL
SELECT parent.id, child.id
FROM locations parent
JOIN locations child ON child.county_id = parent.county_id AND child.type = 'Locality'
WHERE parent.type = 'County'
UNION ALL
SELECT parent.id, child.id
FROM locations parent
JOIN locations child ON child.state_id = parent.state_id AND child.type = 'Locality'
WHERE parent.type = 'State'
UNION ALL
SELECT parent.id, child.id
FROM locations parent
JOIN locations child ON child.type IN ('State', 'County', 'Locality')
WHERE parent.type = 'National';

CREATE VIEW meta_url_view AS
SELECT urls.id AS url_id FROM urls JOIN flag_url_validated f ON f.url_id = urls.id WHERE f.type = 'meta url';

CREATE VIEW url_unknown_agencies_view AS
SELECT u.id
FROM urls u
JOIN url_auto_agency_id_subtasks s ON s.url_id = u.id
GROUP BY u.id
HAVING bool_or(s.agencies_found) = false;

CREATE VIEW url_task_count_1_day AS
SELECT t.task_type, count(l.url_id) AS count
FROM tasks t JOIN link_tasks__urls l ON l.task_id = t.id
WHERE t.updated_at > now() - interval '1 day'
GROUP BY t.task_type;

CREATE VIEW url_task_count_1_week AS
SELECT t.task_type, count(l.url_id) AS count
FROM tasks t JOIN link_tasks__urls l ON l.task_id = t.id
WHERE t.updated_at > now() - interval '7 days'
GROUP BY t.task_type;

CREATE VIEW integrity__incomplete_data_sources_view AS
SELECT l.url_id
FROM ds_app_link_data_source l
LEFT JOIN flag_url_validated f ON f.url_id = l.url_id
LEFT JOIN url_record_type r ON r.url_id = l.url_id
LEFT JOIN link_agencies__urls a ON a.url_id = l.url_id
WHERE f.url_id IS NULL OR f.type <> 'data source' OR r.url_id IS NULL OR a.url_id IS NULL;

CREATE VIEW integrity__incomplete_meta_urls_view AS
SELECT l.url_id
FROM ds_app_link_meta_url l
LEFT JOIN flag_url_validated f ON f.url_id = l.url_id
LEFT JOIN link_agencies__urls a ON a.url_id = l.url_id
WHERE f.url_id IS NULL OR f.type <> 'meta url' OR a.url_id IS NULL;

CREATE VIEW integrity__non_federal_agencies_no_location_view AS
SELECT a.id AS agency_id
FROM agencies a LEFT JOIN link_agencies__locations l ON l.agency_id = a.id
WHERE a.jurisdiction_type <> 'federal' AND l.location_id IS NULL;

CREATE VIEW integrity__url_both_data_source_and_meta_url_view AS
SELECT d.url_id FROM ds_app_link_data_source d JOIN ds_app_link_meta_url m ON m.url_id = d.url_id;

CREATE MATERIALIZED VIEW url_status_mat_view AS
WITH urls_with_relevant_errors AS (
    SELECT e.url_id FROM url_task_error e WHERE e.task_type IN ('Screenshot', 'HTML', 'URL Probe')
), status_text AS (
    SELECT
        u.id AS url_id,
        CASE
            WHEN f.type IN ('not relevant', 'individual record', 'not found') THEN 'Accepted'
            WHEN f.type = 'data source' AND d.url_id IS NULL OR f.type = 'meta url' AND m.url_id IS NULL
                THEN 'Awaiting Submission'
            WHEN f.type IN ('data source', 'meta url') THEN 'Submitted'
            WHEN h.url_id IS NOT NULL AND w.url_id IS NOT NULL AND s.url_id IS NOT NULL THEN 'Community Labeling'
            WHEN e.url_id IS NOT NULL THEN 'Error'
            ELSE 'Intake'
        END AS status
    FROM urls u
    LEFT JOIN urls_with_relevant_errors e ON e.url_id = u.id
    LEFT JOIN url_compressed_html h ON h.url_id = u.id
    LEFT JOIN url_web_metadata w ON w.url_id = u.id
    LEFT JOIN url_screenshot s ON s.url_id = u.id
    LEFT JOIN flag_url_validated f ON f.url_id = u.id
    LEFT JOIN ds_app_link_data_source d ON d.url_id = u.id
    LEFT JOIN ds_app_link_meta_url m ON m.url_id = u.id
)
SELECT
    url_id,
    status,
    CASE status
        WHEN 'Intake' THEN 100 WHEN 'Error' THEN 110 WHEN 'Community Labeling' THEN 200
        WHEN 'Accepted' THEN 300 WHEN 'Awaiting Submission' THEN 380 WHEN 'Submitted' THEN 390
    END AS code
FROM status_text;

CREATE MATERIALIZED VIEW batch_url_status_mat_view AS
WITH counts AS (
    SELECT b.id, count(l.url_id) AS urls, count(f.url_id) AS validated
    FROM batches b
    LEFT JOIN link_batches__urls l ON l.batch_id = b.id
    LEFT JOIN flag_url_validated f ON f.url_id = l.url_id
    GROUP BY b.id
)
SELECT
    b.id AS batch_id,
    CASE
        WHEN b.status = 'error' THEN 'Error'
        WHEN c.urls = 0 THEN 'No URLs'
        WHEN c.urls = c.validated THEN 'Labeling Complete'
        ELSE 'Has Unlabeled URLs'
    END AS batch_url_status
FROM batches b JOIN counts c ON c.id = b.id;

CREATE MATERIALIZED VIEW mat_view__html_duplicate_url AS
WITH hashes AS (
    SELECT h.url_id, digest(h.compressed_html, 'sha256') AS hash FROM url_compressed_html h
), repeated AS (
    SELECT hash FROM hashes GROUP BY hash HAVING count(*) > 1
)
SELECT h.url_id FROM hashes h JOIN repeated r ON r.hash = h.hash;
