-- The live queue with its recount, and materialized views with unique indexes in place of plain views.
DROP VIEW url_annotation_count_view;
DROP VIEW url_annotation_flags;

-- Materialized views. Each has a unique index over plain columns, without which it could not be refreshed CONCURRENTLY,
-- and is built in the order of this file.

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

CREATE UNIQUE INDEX url_annotation_count_view_url_id_key ON url_annotation_count_view (url_id);

COMMENT ON MATERIALIZED VIEW url_annotation_count_view IS
    'Annotations by URL and kind; robots count by subtask, not by suggestion. Names, not-found marks and anonymous annotations do not count.';

CREATE MATERIALIZED VIEW url_annotation_flags AS
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
FROM (
    SELECT
        urls.id AS url_id,
        CASE
            WHEN validated.type IN ('not relevant', 'individual record', 'not found', 'broken page') THEN 'Accepted'
            WHEN validated.type = 'data source' THEN
                CASE
                    WHEN EXISTS (SELECT FROM ds_app_link_data_source l WHERE l.url_id = urls.id) THEN 'Submitted'
                    ELSE 'Awaiting Submission'
                END
            WHEN validated.type = 'meta url' THEN
                CASE
                    WHEN EXISTS (SELECT FROM ds_app_link_meta_url l WHERE l.url_id = urls.id) THEN 'Submitted'
                    ELSE 'Awaiting Submission'
                END
            WHEN EXISTS (SELECT FROM url_compressed_html h WHERE h.url_id = urls.id)
                AND EXISTS (SELECT FROM url_web_metadata m WHERE m.url_id = urls.id)
                AND EXISTS (SELECT FROM url_screenshot s WHERE s.url_id = urls.id)
                THEN 'Community Labeling'
            WHEN EXISTS (
                SELECT FROM url_task_error e
                WHERE e.url_id = urls.id AND e.task_type IN ('Screenshot', 'HTML', 'URL Probe')
            ) THEN 'Error'
            ELSE 'Intake'
        END AS status
    FROM urls
    LEFT JOIN flag_url_validated validated ON validated.url_id = urls.id
) AS state;

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
    'Every URL whose compressed HTML another URL has too, the first one included.';

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
    'The last refresh of each materialized view: when it was tried, and when, in how many seconds and with how many rows it last succeeded.';
COMMENT ON COLUMN materialized_view_refreshes.error IS 'Why the last attempt failed; null when it did not.';

-- The live ranking. These tables hold nothing that cannot be computed from the others; every statement that changes what
-- they are computed from changes them in the same transaction. `docket queue verify` compares, `docket queue reconcile`
-- repairs.

CREATE TABLE annotation_queue (
    url_id integer NOT NULL,
    eligible boolean NOT NULL,
    priority integer NOT NULL,
    batch_id integer,
    status_ok boolean NOT NULL,
    agency_votes integer NOT NULL,
    changed_xid bigint NOT NULL,
    CONSTRAINT annotation_queue_pkey PRIMARY KEY (url_id),
    CONSTRAINT annotation_queue_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT annotation_queue_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE SET NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

COMMENT ON TABLE annotation_queue IS 'One row for each URL; the eligible ones in (priority, url_id) order are the queue.';
COMMENT ON COLUMN annotation_queue.eligible IS 'Status ok, neither validated nor suspended.';
COMMENT ON COLUMN annotation_queue.priority IS 'Minus the number of annotations, so that one ascending index serves the order.';
COMMENT ON COLUMN annotation_queue.agency_votes IS 'Rows of user_url_agency_suggestions.';
COMMENT ON COLUMN annotation_queue.changed_xid IS
    'The transaction that last changed anything about the URL that annotators see. Void after a restore into another cluster.';

CREATE INDEX annotation_queue_order_idx ON annotation_queue (priority, url_id) WHERE eligible;
CREATE INDEX annotation_queue_batch_order_idx ON annotation_queue (batch_id, eligible, priority, url_id);
CREATE INDEX annotation_queue_changed_xid_idx ON annotation_queue (changed_xid) WHERE eligible;

CREATE TABLE user_url_done (
    user_id integer NOT NULL,
    url_id integer NOT NULL,
    CONSTRAINT user_url_done_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT user_url_done_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

COMMENT ON TABLE user_url_done IS
    'Which eligible URLs a user has a row for in any of the four tables of user annotations.';

CREATE INDEX user_url_done_url_id_idx ON user_url_done (url_id);

CREATE TABLE anonymous_url_done (
    session_id uuid NOT NULL,
    url_id integer NOT NULL,
    CONSTRAINT anonymous_url_done_pkey PRIMARY KEY (session_id, url_id),
    CONSTRAINT anonymous_url_done_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_url_done_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

COMMENT ON TABLE anonymous_url_done IS
    'Which eligible URLs an anonymous session has a row for in any of the four tables of anonymous annotations.';

CREATE INDEX anonymous_url_done_url_id_idx ON anonymous_url_done (url_id);

CREATE TABLE batch_progress (
    batch_id integer NOT NULL,
    total integer NOT NULL,
    annotated integer NOT NULL,
    CONSTRAINT batch_progress_pkey PRIMARY KEY (batch_id),
    CONSTRAINT batch_progress_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE
);

COMMENT ON TABLE batch_progress IS
    'Of a batch''s URLs with status ok: how many there are, and how many have an agency suggested by any user.';

-- What annotation_queue has to be, URL by URL. It costs some index lookups for each URL asked for.
CREATE VIEW annotation_queue_recount AS
SELECT
    urls.id AS url_id,
    urls.status = 'ok'
        AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = urls.id)
        AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id) AS eligible,
    -(
        (SELECT count(*) FROM url_auto_agency_id_subtasks s WHERE s.url_id = urls.id)
        + (SELECT count(*) FROM auto_location_id_subtasks s WHERE s.url_id = urls.id)
        + (SELECT count(*) FROM auto_record_type_suggestions s WHERE s.url_id = urls.id)
        + (SELECT count(*) FROM auto_relevant_suggestions s WHERE s.url_id = urls.id)
        + (SELECT count(*) FROM user_url_agency_suggestions s WHERE s.url_id = urls.id)
        + (SELECT count(*) FROM user_location_suggestions s WHERE s.url_id = urls.id)
        + (SELECT count(*) FROM user_record_type_suggestions s WHERE s.url_id = urls.id)
        + (SELECT count(*) FROM user_url_type_suggestions s WHERE s.url_id = urls.id)
    )::integer AS priority,
    (SELECT link.batch_id FROM link_batches__urls link WHERE link.url_id = urls.id) AS batch_id,
    urls.status = 'ok' AS status_ok,
    (SELECT count(*) FROM user_url_agency_suggestions s WHERE s.url_id = urls.id)::integer AS agency_votes
FROM urls;

-- Who has annotated what, eligible or not; a pair may come more than once.
CREATE VIEW user_url_annotations AS
SELECT user_id, url_id FROM user_url_type_suggestions
UNION ALL SELECT user_id, url_id FROM user_url_agency_suggestions
UNION ALL SELECT user_id, url_id FROM user_location_suggestions
UNION ALL SELECT user_id, url_id FROM user_record_type_suggestions;

CREATE VIEW anonymous_url_annotations AS
SELECT session_id, url_id FROM anonymous_annotation_url_type
UNION ALL SELECT session_id, url_id FROM anonymous_annotation_agency
UNION ALL SELECT session_id, url_id FROM anonymous_annotation_location
UNION ALL SELECT session_id, url_id FROM anonymous_annotation_record_type;

-- The queue of what is there.
INSERT INTO annotation_queue (url_id, eligible, priority, batch_id, status_ok, agency_votes, changed_xid)
SELECT url_id, eligible, priority, batch_id, status_ok, agency_votes, 0 FROM annotation_queue_recount;

INSERT INTO user_url_done (user_id, url_id)
SELECT DISTINCT a.user_id, a.url_id
FROM user_url_annotations a
JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible;

INSERT INTO anonymous_url_done (session_id, url_id)
SELECT DISTINCT a.session_id, a.url_id
FROM anonymous_url_annotations a
JOIN annotation_queue q ON q.url_id = a.url_id AND q.eligible;

INSERT INTO batch_progress (batch_id, total, annotated)
SELECT batch_id, count(*), count(*) FILTER (WHERE agency_votes > 0)
FROM annotation_queue
WHERE status_ok AND batch_id IS NOT NULL
GROUP BY batch_id;
