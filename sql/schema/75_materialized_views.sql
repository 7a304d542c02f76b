-- Materialized views, in the order in which they are created. Each has a unique index over plain columns, which REFRESH
-- CONCURRENTLY requires.

CREATE MATERIALIZED VIEW url_annotation_count_view AS
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
    coalesce(n.anon_agency_count, 0) AS anon_agency_count,
    coalesce(n.anon_location_count, 0) AS anon_location_count,
    coalesce(n.anon_record_type_count, 0) AS anon_record_type_count,
    coalesce(n.anon_url_type_count, 0) AS anon_url_type_count,
    coalesce(n.total_anno_count, 0) AS total_anno_count
FROM urls
LEFT JOIN (
    SELECT
        annotation.url_id,
        count(*) FILTER (WHERE annotation.kind = 'auto_agency') AS auto_agency_count,
        count(*) FILTER (WHERE annotation.kind = 'auto_location') AS auto_location_count,
        count(*) FILTER (WHERE annotation.kind = 'auto_record_type') AS auto_record_type_count,
        count(*) FILTER (WHERE annotation.kind = 'auto_url_type') AS auto_url_type_count,
        count(*) FILTER (WHERE annotation.kind = 'user_agency') AS user_agency_count,
        count(*) FILTER (WHERE annotation.kind = 'user_location') AS user_location_count,
        count(*) FILTER (WHERE annotation.kind = 'user_record_type') AS user_record_type_count,
        count(*) FILTER (WHERE annotation.kind = 'user_url_type') AS user_url_type_count,
        count(*) FILTER (WHERE annotation.kind = 'anon_agency') AS anon_agency_count,
        count(*) FILTER (WHERE annotation.kind = 'anon_location') AS anon_location_count,
        count(*) FILTER (WHERE annotation.kind = 'anon_record_type') AS anon_record_type_count,
        count(*) FILTER (WHERE annotation.kind = 'anon_url_type') AS anon_url_type_count,
        count(*) AS total_anno_count
    FROM url_annotations annotation
    GROUP BY annotation.url_id
) AS n ON n.url_id = urls.id;

CREATE UNIQUE INDEX url_annotation_count_view_url_id_key ON url_annotation_count_view (url_id);

COMMENT ON MATERIALIZED VIEW url_annotation_count_view IS 'The rows of url_annotations, by URL and kind.';

CREATE MATERIALIZED VIEW url_annotation_flags AS
SELECT
    urls.id AS url_id,
    EXISTS (SELECT FROM annotation__record_type__auto s WHERE s.url_id = urls.id) AS has_auto_record_type_suggestion,
    EXISTS (SELECT FROM annotation__url_type__auto s WHERE s.url_id = urls.id) AS has_auto_relevant_suggestion,
    EXISTS (SELECT FROM annotation__agency__auto__subtasks s WHERE s.url_id = urls.id) AS has_auto_agency_suggestion,
    EXISTS (SELECT FROM annotation__location__auto__subtasks s WHERE s.url_id = urls.id) AS has_auto_location_suggestion,
    EXISTS (SELECT FROM annotation__record_type__user s WHERE s.url_id = urls.id) AS has_user_record_type_suggestion,
    EXISTS (SELECT FROM annotation__url_type__user s WHERE s.url_id = urls.id) AS has_user_relevant_suggestion,
    EXISTS (SELECT FROM annotation__agency__user s WHERE s.url_id = urls.id) AS has_user_agency_suggestion,
    EXISTS (SELECT FROM annotation__location__user s WHERE s.url_id = urls.id) AS has_user_location_suggestion,
    EXISTS (SELECT FROM link_agencies__urls l WHERE l.url_id = urls.id) AS has_confirmed_agency,
    EXISTS (SELECT FROM reviewing_user_url r WHERE r.url_id = urls.id) AS was_reviewed
FROM urls;

CREATE UNIQUE INDEX url_annotation_flags_url_id_key ON url_annotation_flags (url_id);

CREATE MATERIALIZED VIEW url_status_mat_view AS
SELECT
    state.url_id,
    state.status,
    CASE state.status
        WHEN 'Intake' THEN 100
        WHEN 'Error' THEN 110
        WHEN 'Community Labeling' THEN 200
        WHEN 'Accepted' THEN 300
        WHEN 'Awaiting Submission' THEN 380
        WHEN 'Submitted' THEN 390
    END AS code
FROM url_status_view state;

CREATE UNIQUE INDEX url_status_mat_view_url_id_key ON url_status_mat_view (url_id);

CREATE MATERIALIZED VIEW batch_url_status_mat_view AS
SELECT
    batches.id AS batch_id,
    CASE
        WHEN batches.status = 'error' THEN 'Error'
        WHEN NOT EXISTS (SELECT FROM link_batches__urls link WHERE link.batch_id = batches.id) THEN 'No URLs'
        WHEN EXISTS (
            SELECT FROM link_batches__urls link
            WHERE link.batch_id = batches.id
                AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = link.url_id)
        ) THEN 'Has Unlabeled URLs'
        ELSE 'Labeling Complete'
    END AS batch_url_status
FROM batches;

CREATE UNIQUE INDEX batch_url_status_mat_view_batch_id_key ON batch_url_status_mat_view (batch_id);

CREATE MATERIALIZED VIEW mat_view__html_duplicate_url AS
WITH hashed AS (
    SELECT url_id, sha256(compressed_html) AS hash FROM url_compressed_html
)
SELECT hashed.url_id
FROM hashed
JOIN (SELECT hash FROM hashed GROUP BY hash HAVING count(*) > 1) AS repeated ON repeated.hash = hashed.hash;

CREATE UNIQUE INDEX mat_view__html_duplicate_url_url_id_key ON mat_view__html_duplicate_url (url_id);

COMMENT ON MATERIALIZED VIEW mat_view__html_duplicate_url IS
    'Every URL that has the same compressed HTML as another URL, including the first of them.';

CREATE TABLE materialized_view_refreshes (
    view_name text NOT NULL,
    attempted_at timestamp NOT NULL,
    refreshed_at timestamp,
    seconds double precision,
    row_count bigint,
    error text,
    CONSTRAINT materialized_view_refreshes_pkey PRIMARY KEY (view_name)
);

COMMENT ON TABLE materialized_view_refreshes IS
    'The last refresh of each materialized view: the time of the last attempt; the time, duration and rows of the last success.';
COMMENT ON COLUMN materialized_view_refreshes.error IS 'Why the last attempt failed; null when it did not.';
