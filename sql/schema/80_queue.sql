-- The live ranking. These tables can be computed from the others; every statement that changes the others updates them in the
-- same transaction. `docket queue verify` compares them with a recount, `docket queue reconcile` repairs them.

CREATE TABLE annotation_queue (
    url_id integer NOT NULL,
    eligible boolean NOT NULL,
    followed boolean NOT NULL,
    manual boolean NOT NULL,
    user_url_type_count integer NOT NULL,
    anon_url_type_count integer NOT NULL,
    auto_url_type_count integer NOT NULL,
    priority bigint NOT NULL GENERATED ALWAYS AS (
        -((followed::integer::bigint << 62) | (manual::integer::bigint << 61) | (user_url_type_count::bigint << 30)
            | (anon_url_type_count::bigint << 1) | auto_url_type_count)
    ) STORED,
    batch_id integer,
    user_agency_count integer NOT NULL,
    changed_xid bigint NOT NULL,
    reserved boolean NOT NULL DEFAULT false,
    CONSTRAINT annotation_queue_pkey PRIMARY KEY (url_id),
    CONSTRAINT annotation_queue_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT annotation_queue_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE SET NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

COMMENT ON TABLE annotation_queue IS
    'One row for each URL; those that are eligible and not reserved, in (priority, url_id) order, are the queue.';
COMMENT ON COLUMN annotation_queue.eligible IS 'Whether annotators are offered the URL: url_eligibility.eligible.';
COMMENT ON COLUMN annotation_queue.followed IS 'Whether any user follows a location that the batch of the URL is linked to.';
COMMENT ON COLUMN annotation_queue.manual IS 'Whether urls.source is manual.';
COMMENT ON COLUMN annotation_queue.priority IS
    'The order of all annotators in one number: followed, manual and the three counts, first to last, negated so that one ascending index serves it.';
COMMENT ON COLUMN annotation_queue.user_agency_count IS 'Rows of annotation__agency__user.';
COMMENT ON COLUMN annotation_queue.changed_xid IS
    'The transaction that last changed what annotators are shown of the URL, or whether they are offered it. '
    'Meaningless after a restore into another cluster.';
COMMENT ON COLUMN annotation_queue.reserved IS
    'Whether as many annotators work on the URL as it needs answers, so that it is offered to no other. '
    'A hint, which a reservation sets that finds it so. Recounts, skips, releases and the sweep clear it; '
    'an answer leaves it while others work on the URL. What counts is url_reservations.';

-- With changed_xid the next URL is found without reading a row of the table.
CREATE INDEX annotation_queue_order_idx ON annotation_queue (priority, url_id) INCLUDE (changed_xid)
    WHERE eligible AND NOT reserved;
CREATE INDEX annotation_queue_batch_order_idx ON annotation_queue (batch_id, eligible, reserved, priority, url_id)
    INCLUDE (changed_xid);
CREATE INDEX annotation_queue_reserved_idx ON annotation_queue (priority, url_id) WHERE reserved;
-- All rows: a row of the queue is unchanged if it is not among the changed ones, even if it is not eligible any more.
CREATE INDEX annotation_queue_changed_xid_idx ON annotation_queue (changed_xid);

CREATE TABLE user_url_done (
    user_id integer NOT NULL,
    url_id integer NOT NULL,
    CONSTRAINT user_url_done_pkey PRIMARY KEY (user_id, url_id),
    CONSTRAINT user_url_done_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

COMMENT ON TABLE user_url_done IS
    'The eligible URLs of user_passed_urls: those that a user has annotated, or put off.';

CREATE INDEX user_url_done_url_id_idx ON user_url_done (url_id);

CREATE TABLE anonymous_url_done (
    session_id uuid NOT NULL,
    url_id integer NOT NULL,
    CONSTRAINT anonymous_url_done_pkey PRIMARY KEY (session_id, url_id),
    CONSTRAINT anonymous_url_done_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions (id) ON DELETE CASCADE,
    CONSTRAINT anonymous_url_done_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

COMMENT ON TABLE anonymous_url_done IS
    'The eligible URLs of anonymous_passed_urls: those that an anonymous session has annotated, or had before a '
    'migration, or put off.';

CREATE INDEX anonymous_url_done_url_id_idx ON anonymous_url_done (url_id);

CREATE TABLE batch_progress (
    batch_id integer NOT NULL,
    total integer NOT NULL,
    annotated integer NOT NULL,
    CONSTRAINT batch_progress_pkey PRIMARY KEY (batch_id),
    CONSTRAINT batch_progress_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE
);

COMMENT ON TABLE batch_progress IS 'The number of URLs of a batch, and how many of them have an agency suggested by any user.';

CREATE TABLE followed_batches (
    user_id integer NOT NULL,
    batch_ids integer[] NOT NULL,
    changed_xid bigint NOT NULL,
    CONSTRAINT followed_batches_pkey PRIMARY KEY (user_id)
);

COMMENT ON TABLE followed_batches IS
    'The batches linked to a location that the user follows, ascending; a user who follows none has no row.';
COMMENT ON COLUMN followed_batches.changed_xid IS
    'The transaction that last changed the row. Meaningless after a restore into another cluster.';

-- What annotation_queue must contain. It takes some index lookups for each URL that is read.
CREATE VIEW annotation_queue_recount AS
SELECT
    e.url_id,
    e.eligible,
    EXISTS (SELECT FROM batch_followers f WHERE f.batch_id = link.batch_id) AS followed,
    e.manual,
    (SELECT count(*) FROM annotation__url_type__user a WHERE a.url_id = e.url_id)::integer AS user_url_type_count,
    (SELECT count(*) FROM annotation__url_type__anon a WHERE a.url_id = e.url_id)::integer AS anon_url_type_count,
    (SELECT count(*) FROM annotation__url_type__auto a WHERE a.url_id = e.url_id)::integer AS auto_url_type_count,
    link.batch_id,
    (SELECT count(*) FROM annotation__agency__user a WHERE a.url_id = e.url_id)::integer AS user_agency_count
FROM url_eligibility e
LEFT JOIN link_batches__urls link ON link.url_id = e.url_id;

-- What followed_batches must contain.
CREATE VIEW followed_batches_recount AS
SELECT f.user_id, array_agg(DISTINCT f.batch_id ORDER BY f.batch_id) AS batch_ids
FROM batch_followers f
GROUP BY f.user_id;

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
        EXISTS (SELECT FROM annotation__agency__user s WHERE s.url_id = link.url_id) AS annotated
    FROM link_batches__urls link
) AS counted ON counted.batch_id = batches.id
GROUP BY batches.id;
