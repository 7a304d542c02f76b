-- The live ranking. These tables can be computed from the others; every statement that changes the others updates them in the
-- same transaction. `docket queue verify` compares them with a recount, `docket queue reconcile` repairs them.

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
COMMENT ON COLUMN annotation_queue.eligible IS 'Whether annotators are offered the URL: url_eligibility.eligible.';
COMMENT ON COLUMN annotation_queue.priority IS 'Minus the number of annotations, so that one ascending index serves the order.';
COMMENT ON COLUMN annotation_queue.agency_votes IS 'Rows of user_url_agency_suggestions.';
COMMENT ON COLUMN annotation_queue.changed_xid IS
    'The transaction that last changed what annotators are shown of the URL. Meaningless after a restore into another cluster.';

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
    'The eligible URLs for which a user has a row in any of the four tables of user annotations.';

CREATE INDEX user_url_done_url_id_idx ON user_url_done (url_id);

CREATE TABLE anonymous_url_done (
    session_id uuid NOT NULL,
    url_id integer NOT NULL,
    CONSTRAINT anonymous_url_done_pkey PRIMARY KEY (session_id, url_id),
    CONSTRAINT anonymous_url_done_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_url_done_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

COMMENT ON TABLE anonymous_url_done IS
    'The eligible URLs for which an anonymous session has a row in any of the four tables of anonymous annotations.';

CREATE INDEX anonymous_url_done_url_id_idx ON anonymous_url_done (url_id);

CREATE TABLE batch_progress (
    batch_id integer NOT NULL,
    total integer NOT NULL,
    annotated integer NOT NULL,
    CONSTRAINT batch_progress_pkey PRIMARY KEY (batch_id),
    CONSTRAINT batch_progress_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE
);

COMMENT ON TABLE batch_progress IS
    'The number of URLs of a batch with status ok, and how many of them have an agency suggested by any user.';

-- What annotation_queue must contain. It takes some index lookups for each URL that is read.
CREATE VIEW annotation_queue_recount AS
SELECT
    e.url_id,
    e.eligible,
    -(SELECT count(*) FROM url_annotations a WHERE a.url_id = e.url_id)::integer AS priority,
    (SELECT link.batch_id FROM link_batches__urls link WHERE link.url_id = e.url_id) AS batch_id,
    e.status = 'ok' AS status_ok,
    (SELECT count(*) FROM user_url_agency_suggestions s WHERE s.url_id = e.url_id)::integer AS agency_votes
FROM url_eligibility e;

-- What batch_progress must contain, with zeros for a batch without URLs.
CREATE VIEW batch_progress_recount AS
SELECT
    batches.id AS batch_id,
    count(counted.url_id)::integer AS total,
    (count(counted.url_id) FILTER (WHERE counted.annotated))::integer AS annotated
FROM batches
LEFT JOIN (
    SELECT
        link.batch_id,
        link.url_id,
        EXISTS (SELECT FROM user_url_agency_suggestions s WHERE s.url_id = link.url_id) AS annotated
    FROM link_batches__urls link
    JOIN urls ON urls.id = link.url_id
    WHERE urls.status = 'ok'
) AS counted ON counted.batch_id = batches.id
GROUP BY batches.id;
