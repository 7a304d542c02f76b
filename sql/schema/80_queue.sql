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
