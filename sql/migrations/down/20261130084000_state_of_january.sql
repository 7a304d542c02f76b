-- Save the owners and grants of the relations that are created again.
SELECT set_config('rebuilt_views.grants', coalesce(json_agg(saved)::text, '[]'), false)
FROM (
    SELECT c.relname AS view, pg_get_userbyid(c.relowner) AS owner, lists.col, acl.privilege_type AS privilege,
        acl.is_grantable AS grantable, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee,
        acl.grantee = c.relowner AS owns
    FROM pg_class c
    CROSS JOIN LATERAL (
        SELECT NULL::name AS col, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl
        UNION ALL
        SELECT a.attname, a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    ) AS lists
    CROSS JOIN LATERAL aclexplode(lists.acl) AS acl
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'm')
        AND c.relname IN ('annotation_queue', 'annotation_queue_recount', 'eligible_urls', 'url_annotation_count_view', 'url_eligibility', 'url_status_mat_view', 'url_status_view', 'url_task_count_1_day', 'url_task_count_1_week')
) AS saved;

-- What the migration added is dropped, with the data in it.

-- Replace view anonymous_url_annotations; the views that read it are not changed.
--   locks out readers: anonymous_url_annotations
CREATE OR REPLACE VIEW anonymous_url_annotations AS
SELECT annotation__url_type__anon.session_id,
    annotation__url_type__anon.url_id
   FROM annotation__url_type__anon
UNION ALL
 SELECT annotation__agency__anon.session_id,
    annotation__agency__anon.url_id
   FROM annotation__agency__anon
UNION ALL
 SELECT annotation__location__anon.session_id,
    annotation__location__anon.url_id
   FROM annotation__location__anon
UNION ALL
 SELECT annotation__record_type__anon.session_id,
    annotation__record_type__anon.url_id
   FROM annotation__record_type__anon;

-- Drop materialized view url_annotation_count_view, which the files define differently.
--   rebuilds a materialized view: readers of url_annotation_count_view wait until it is filled: all rows of url_annotation_count_view
--   locks out readers: url_annotation_count_view
DROP MATERIALIZED VIEW url_annotation_count_view;

-- Drop view followed_batches_recount, which the files do not have.
--   locks out readers: followed_batches_recount
DROP VIEW followed_batches_recount;

-- Drop view eligible_urls, which the files define differently.
--   locks out readers: eligible_urls
DROP VIEW eligible_urls;

-- Drop view anonymous_weight, which the files do not have.
--   locks out readers: anonymous_weight
DROP VIEW anonymous_weight;

-- Drop view annotation_queue_recount, which the files do not have.
--   locks out readers: annotation_queue_recount
DROP VIEW annotation_queue_recount;

-- Drop view url_eligibility, which the files define differently.
--   locks out readers: url_eligibility
DROP VIEW url_eligibility;

-- Drop view batch_followers, which the files do not have.
--   locks out readers: batch_followers
DROP VIEW batch_followers;

-- Drop view agency_identity, which the files do not have.
--   locks out readers: agency_identity
DROP VIEW agency_identity;

-- Create enum url_status.
CREATE TYPE url_status AS ENUM ('ok', 'duplicate', 'broken');

-- Drop annotation__name__anon__endorsements, which the files do not have.
--   drops data: all rows of annotation__name__anon__endorsements
--   locks out readers: annotation__name__anon__endorsements
DROP TABLE annotation__name__anon__endorsements;

-- Drop annotation_queue, which the files do not have.
--   drops data: all rows of annotation_queue
--   locks out readers: annotation_queue
DROP TABLE annotation_queue;

-- Drop anonymous_migrated_answers, which the files do not have.
--   drops data: all rows of anonymous_migrated_answers
--   locks out readers: anonymous_migrated_answers
DROP TABLE anonymous_migrated_answers;

-- Drop followed_batches, which the files do not have.
--   drops data: all rows of followed_batches
--   locks out readers: followed_batches
DROP TABLE followed_batches;

-- Drop link__locations__user_follows, which the files do not have.
--   drops data: all rows of link__locations__user_follows
--   locks out readers: link__locations__user_follows
DROP TABLE link__locations__user_follows;

-- Drop proposal__agencies__decision_info, which the files do not have.
--   drops data: all rows of proposal__agencies__decision_info
--   locks out readers: proposal__agencies__decision_info
DROP TABLE proposal__agencies__decision_info;

-- Drop proposal__link__agencies__locations, which the files do not have.
--   drops data: all rows of proposal__link__agencies__locations
--   locks out readers: proposal__link__agencies__locations
DROP TABLE proposal__link__agencies__locations;

-- Drop proposal__agencies, which the files do not have.
--   drops data: all rows of proposal__agencies
--   locks out readers: proposal__agencies
DROP TABLE proposal__agencies;

-- Drop an index on agencies.
--   locks out readers: agencies
DROP INDEX agencies_name_form_idx;

-- Change urls: add column status, with the values that url_former_status has.
--   locks out readers: urls
ALTER TABLE urls ADD COLUMN status url_status NOT NULL DEFAULT 'ok';
UPDATE urls SET status = former.status::url_status FROM url_former_status former WHERE former.url_id = urls.id;
ALTER TABLE urls ALTER COLUMN status DROP DEFAULT;
DROP TABLE url_former_status;

-- Set the comment of table anonymous_url_done.
COMMENT ON TABLE anonymous_url_done IS 'The eligible URLs for which an anonymous session has a row in any of the four tables of anonymous annotations.';

-- Set the comment of table batch_progress.
COMMENT ON TABLE batch_progress IS 'The number of URLs of a batch with status ok, and how many of them have an agency suggested by any user.';

-- Set the comment of table link_batches__locations.
COMMENT ON TABLE link_batches__locations IS NULL;

-- Replace view batch_progress_recount; the views that read it are not changed.
--   locks out readers: batch_progress_recount
CREATE OR REPLACE VIEW batch_progress_recount AS
SELECT batches.id AS batch_id,
    (count(counted.url_id))::integer AS total,
    (count(counted.url_id) FILTER (WHERE counted.annotated))::integer AS annotated
   FROM (batches
     LEFT JOIN ( SELECT link.batch_id,
            link.url_id,
            (EXISTS ( SELECT
                   FROM annotation__agency__user s
                  WHERE (s.url_id = link.url_id))) AS annotated
           FROM (link_batches__urls link
             JOIN urls ON ((urls.id = link.url_id)))
          WHERE (urls.status = 'ok'::url_status)) counted ON ((counted.batch_id = batches.id)))
  GROUP BY batches.id;

-- Create view url_eligibility again.
CREATE VIEW url_eligibility AS
SELECT urls.id AS url_id,
    ((urls.status = 'ok'::url_status) AND (validated.url_id IS NULL) AND (suspended.url_id IS NULL)) AS eligible,
    urls.status,
    urls.url,
    urls.scheme,
    urls.trailing_slash
   FROM ((urls
     LEFT JOIN flag_url_validated validated ON ((validated.url_id = urls.id)))
     LEFT JOIN flag_url_suspended suspended ON ((suspended.url_id = urls.id)));

-- Create view eligible_urls again.
CREATE VIEW eligible_urls AS
SELECT url_eligibility.url_id,
    url_eligibility.url,
    url_eligibility.scheme,
    url_eligibility.trailing_slash
   FROM url_eligibility
  WHERE url_eligibility.eligible;

-- Replace view url_annotations; the views that read it are not changed.
--   locks out readers: url_annotations
CREATE OR REPLACE VIEW url_annotations AS
SELECT annotation__agency__auto__subtasks.url_id,
    'auto_agency'::text AS kind
   FROM annotation__agency__auto__subtasks
UNION ALL
 SELECT annotation__location__auto__subtasks.url_id,
    'auto_location'::text AS kind
   FROM annotation__location__auto__subtasks
UNION ALL
 SELECT annotation__record_type__auto.url_id,
    'auto_record_type'::text AS kind
   FROM annotation__record_type__auto
UNION ALL
 SELECT annotation__url_type__auto.url_id,
    'auto_url_type'::text AS kind
   FROM annotation__url_type__auto
UNION ALL
 SELECT annotation__agency__user.url_id,
    'user_agency'::text AS kind
   FROM annotation__agency__user
UNION ALL
 SELECT annotation__location__user.url_id,
    'user_location'::text AS kind
   FROM annotation__location__user
UNION ALL
 SELECT annotation__record_type__user.url_id,
    'user_record_type'::text AS kind
   FROM annotation__record_type__user
UNION ALL
 SELECT annotation__url_type__user.url_id,
    'user_url_type'::text AS kind
   FROM annotation__url_type__user;

-- Set the comment of view url_annotations.
COMMENT ON VIEW url_annotations IS 'Robots count by subtask, not by suggestion. Names, not-found flags and anonymous annotations do not count.';

-- Create and fill materialized view url_annotation_count_view again.
CREATE MATERIALIZED VIEW url_annotation_count_view AS
SELECT urls.id AS url_id,
    COALESCE(n.auto_agency_count, (0)::bigint) AS auto_agency_count,
    COALESCE(n.auto_location_count, (0)::bigint) AS auto_location_count,
    COALESCE(n.auto_record_type_count, (0)::bigint) AS auto_record_type_count,
    COALESCE(n.auto_url_type_count, (0)::bigint) AS auto_url_type_count,
    COALESCE(n.user_agency_count, (0)::bigint) AS user_agency_count,
    COALESCE(n.user_location_count, (0)::bigint) AS user_location_count,
    COALESCE(n.user_record_type_count, (0)::bigint) AS user_record_type_count,
    COALESCE(n.user_url_type_count, (0)::bigint) AS user_url_type_count,
    COALESCE(n.total_anno_count, (0)::bigint) AS total_anno_count
   FROM (urls
     LEFT JOIN ( SELECT annotation.url_id,
            count(*) FILTER (WHERE (annotation.kind = 'auto_agency'::text)) AS auto_agency_count,
            count(*) FILTER (WHERE (annotation.kind = 'auto_location'::text)) AS auto_location_count,
            count(*) FILTER (WHERE (annotation.kind = 'auto_record_type'::text)) AS auto_record_type_count,
            count(*) FILTER (WHERE (annotation.kind = 'auto_url_type'::text)) AS auto_url_type_count,
            count(*) FILTER (WHERE (annotation.kind = 'user_agency'::text)) AS user_agency_count,
            count(*) FILTER (WHERE (annotation.kind = 'user_location'::text)) AS user_location_count,
            count(*) FILTER (WHERE (annotation.kind = 'user_record_type'::text)) AS user_record_type_count,
            count(*) FILTER (WHERE (annotation.kind = 'user_url_type'::text)) AS user_url_type_count,
            count(*) AS total_anno_count
           FROM url_annotations annotation
          GROUP BY annotation.url_id) n ON ((n.url_id = urls.id)));

-- Comment on it.
COMMENT ON MATERIALIZED VIEW url_annotation_count_view IS 'The rows of url_annotations, by URL and kind.';

-- Create an index on materialized view url_annotation_count_view.
CREATE UNIQUE INDEX url_annotation_count_view_url_id_key ON url_annotation_count_view USING btree (url_id);

-- Drop enum proposal_status_enum, which is no longer used.
DROP TYPE proposal_status_enum;

-- Remove a value of an enum: PostgreSQL needs a new type for that, and the views that read the old one are created again. It fails
-- if a task has the value.
DROP MATERIALIZED VIEW url_status_mat_view;
DROP VIEW url_status_view;
DROP VIEW url_task_count_1_day;
DROP VIEW url_task_count_1_week;
ALTER TYPE task_type RENAME TO task_type_of_january;
CREATE TYPE task_type AS ENUM (
    'HTML', 'Relevancy', 'Record Type', 'Agency Identification', 'Misc Metadata', 'Submit Approved URLs',
    'Duplicate Detection', 'Push to Hugging Face', 'URL Probe', 'Populate Backlog Snapshot', 'Delete Old Logs',
    'Run URL Task Cycles', 'Root URL', 'Internet Archives Probe', 'Internet Archives Archive', 'Screenshot',
    'Location ID', 'Auto Validate', 'Auto Name', 'Suspend URLs', 'Submit Meta URLs', 'Delete Stale Screenshots',
    'Mark Task Never Completed', 'Task Cleanup', 'Refresh Materialized Views', 'Sync Agencies Add',
    'Sync Agencies Update', 'Sync Agencies Delete', 'Sync Data Sources Add', 'Sync Data Sources Update',
    'Sync Data Sources Delete', 'Sync Meta URLs Add', 'Sync Meta URLs Update', 'Sync Meta URLs Delete',
    'Update URL Status', 'Integrity Monitor'
);
ALTER TABLE tasks ALTER COLUMN task_type TYPE task_type USING task_type::text::task_type;
ALTER TABLE url_task_error ALTER COLUMN task_type TYPE task_type USING task_type::text::task_type;
DROP TYPE task_type_of_january;
CREATE VIEW url_task_count_1_day AS
SELECT tasks.task_type, count(*) AS count
FROM tasks
JOIN link_tasks__urls link ON link.task_id = tasks.id
WHERE tasks.updated_at > now() - interval '1 day'
GROUP BY tasks.task_type;

CREATE VIEW url_task_count_1_week AS
SELECT tasks.task_type, count(*) AS count
FROM tasks
JOIN link_tasks__urls link ON link.task_id = tasks.id
WHERE tasks.updated_at > now() - interval '1 week'
GROUP BY tasks.task_type;

CREATE VIEW url_status_view AS
SELECT urls.id AS url_id,
    validated.type AS validated_as,
        CASE
            WHEN (validated.type = ANY (ARRAY['not relevant'::url_type, 'individual record'::url_type, 'not found'::url_type, 'broken page'::url_type])) THEN 'Accepted'::text
            WHEN ((validated.type IS NOT NULL) AND (COALESCE(source.url_id, meta.url_id) IS NOT NULL)) THEN 'Submitted'::text
            WHEN (validated.type IS NOT NULL) THEN 'Awaiting Submission'::text
            WHEN ((html.url_id IS NOT NULL) AND (web.url_id IS NOT NULL) AND (screenshot.url_id IS NOT NULL)) THEN 'Community Labeling'::text
            WHEN (failed.url_id IS NOT NULL) THEN 'Error'::text
            ELSE 'Intake'::text
        END AS status
   FROM (((((((urls
     LEFT JOIN flag_url_validated validated ON ((validated.url_id = urls.id)))
     LEFT JOIN ds_app_link_data_source source ON (((source.url_id = urls.id) AND (validated.type = 'data source'::url_type))))
     LEFT JOIN ds_app_link_meta_url meta ON (((meta.url_id = urls.id) AND (validated.type = 'meta url'::url_type))))
     LEFT JOIN url_compressed_html html ON ((html.url_id = urls.id)))
     LEFT JOIN url_web_metadata web ON ((web.url_id = urls.id)))
     LEFT JOIN url_screenshot screenshot ON ((screenshot.url_id = urls.id)))
     LEFT JOIN ( SELECT DISTINCT e.url_id
           FROM url_task_error e
          WHERE (e.task_type = ANY (ARRAY['Screenshot'::task_type, 'HTML'::task_type, 'URL Probe'::task_type]))) failed ON ((failed.url_id = urls.id)));

-- Create and fill materialized view url_status_mat_view again.
CREATE MATERIALIZED VIEW url_status_mat_view AS
SELECT state.url_id,
    state.status,
        CASE state.status
            WHEN 'Intake'::text THEN 100
            WHEN 'Error'::text THEN 110
            WHEN 'Community Labeling'::text THEN 200
            WHEN 'Accepted'::text THEN 300
            WHEN 'Awaiting Submission'::text THEN 380
            WHEN 'Submitted'::text THEN 390
            ELSE NULL::integer
        END AS code
   FROM url_status_view state;

-- Create an index on materialized view url_status_mat_view.
CREATE UNIQUE INDEX url_status_mat_view_url_id_key ON url_status_mat_view USING btree (url_id);

-- Create the queue as it was, and compute it.
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

CREATE VIEW annotation_queue_recount AS
SELECT
    e.url_id,
    e.eligible,
    -(SELECT count(*) FROM url_annotations a WHERE a.url_id = e.url_id)::integer AS priority,
    (SELECT link.batch_id FROM link_batches__urls link WHERE link.url_id = e.url_id) AS batch_id,
    e.status = 'ok' AS status_ok,
    (SELECT count(*) FROM annotation__agency__user s WHERE s.url_id = e.url_id)::integer AS agency_votes
FROM url_eligibility e;

INSERT INTO annotation_queue (url_id, eligible, priority, batch_id, status_ok, agency_votes, changed_xid)
SELECT e.url_id, e.eligible, -counts.total_anno_count, link.batch_id, e.status = 'ok', counts.user_agency_count, 0
FROM url_eligibility e
JOIN url_annotation_count_view counts ON counts.url_id = e.url_id
LEFT JOIN link_batches__urls link ON link.url_id = e.url_id
ORDER BY e.url_id;

DELETE FROM user_url_done d USING annotation_queue q WHERE q.url_id = d.url_id AND NOT q.eligible;
DELETE FROM anonymous_url_done d USING annotation_queue q WHERE q.url_id = d.url_id AND NOT q.eligible;
-- What a session said before it was migrated to a user is dropped, so these URLs are not done for it any more.
DELETE FROM anonymous_url_done d
WHERE NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.session_id = d.session_id AND a.url_id = d.url_id);

UPDATE batch_progress p
SET total = want.total, annotated = want.annotated
FROM batch_progress_recount want
WHERE want.batch_id = p.batch_id;

-- Restore the owners and grants of these views.
DO $$
DECLARE
    g record;
BEGIN
    FOR g IN
        SELECT DISTINCT c.oid::regclass AS relation, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee
        FROM json_to_recordset(coalesce(nullif(current_setting('rebuilt_views.grants', true), ''), '[]')::json) AS s (view name)
        JOIN pg_class c ON c.relname = s.view AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'm')
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        WHERE acl.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', g.relation, coalesce(quote_ident(g.grantee), 'PUBLIC'));
    END LOOP;
    FOR g IN
        SELECT s.*, c.oid::regclass AS relation, c.relkind
        FROM json_to_recordset(coalesce(nullif(current_setting('rebuilt_views.grants', true), ''), '[]')::json)
            AS s (view name, owner name, col name, privilege text, grantable boolean, grantee name, owns boolean)
        JOIN pg_class c ON c.relname = s.view AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'm')
        WHERE s.col IS NULL
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = s.col AND NOT a.attisdropped)
        ORDER BY s.view, s.owns
    LOOP
        IF NOT g.owns THEN
            EXECUTE format('GRANT %s%s ON %s TO %s%s', g.privilege, '(' || quote_ident(g.col) || ')', g.relation,
                coalesce(quote_ident(g.grantee), 'PUBLIC'), CASE WHEN g.grantable THEN ' WITH GRANT OPTION' END);
        ELSIF g.owner <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = g.relation) THEN
            EXECUTE format('ALTER %s %s OWNER TO %I', CASE g.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'r' THEN 'TABLE' ELSE 'VIEW' END,
                g.relation, g.owner);
        END IF;
    END LOOP;
    PERFORM set_config('rebuilt_views.grants', '', false);
END
$$;

ALTER TABLE annotation__url_type__user RENAME CONSTRAINT annotation__url_type__user_pkey TO user_url_type_suggestions_pkey;
ALTER TABLE annotation__url_type__user RENAME CONSTRAINT annotation__url_type__user_url_id_fkey TO user_url_type_suggestions_url_id_fkey;
ALTER INDEX annotation__url_type__user_url_id_idx RENAME TO user_url_type_suggestions_url_id_idx;
ALTER TABLE annotation__url_type__user RENAME TO user_url_type_suggestions;

ALTER TABLE annotation__record_type__user RENAME CONSTRAINT annotation__record_type__user_pkey TO user_record_type_suggestions_pkey;
ALTER TABLE annotation__record_type__user RENAME CONSTRAINT annotation__record_type__user_url_id_fkey TO user_record_type_suggestions_url_id_fkey;
ALTER INDEX annotation__record_type__user_url_id_idx RENAME TO user_record_type_suggestions_url_id_idx;
ALTER TABLE annotation__record_type__user RENAME TO user_record_type_suggestions;

ALTER TABLE annotation__agency__user RENAME CONSTRAINT annotation__agency__user_agency_id_fkey TO user_url_agency_suggestions_agency_id_fkey;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT annotation__agency__user_agency_id_url_id_user_id_key TO user_url_agency_suggestions_agency_id_url_id_user_id_key;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT annotation__agency__user_is_new_check TO user_url_agency_suggestions_is_new_check;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT annotation__agency__user_pkey TO user_url_agency_suggestions_pkey;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT annotation__agency__user_url_id_fkey TO user_url_agency_suggestions_url_id_fkey;
ALTER INDEX annotation__agency__user_url_id_idx RENAME TO user_url_agency_suggestions_url_id_idx;
ALTER INDEX annotation__agency__user_user_id_idx RENAME TO user_url_agency_suggestions_user_id_idx;
ALTER SEQUENCE annotation__agency__user_id_seq RENAME TO user_url_agency_suggestions_id_seq;
ALTER TABLE annotation__agency__user RENAME TO user_url_agency_suggestions;

ALTER TABLE annotation__location__user RENAME CONSTRAINT annotation__location__user_location_id_fkey TO user_location_suggestions_location_id_fkey;
ALTER TABLE annotation__location__user RENAME CONSTRAINT annotation__location__user_pkey TO user_location_suggestions_pkey;
ALTER TABLE annotation__location__user RENAME CONSTRAINT annotation__location__user_url_id_fkey TO user_location_suggestions_url_id_fkey;
ALTER INDEX annotation__location__user_user_id_idx RENAME TO user_location_suggestions_user_id_idx;
ALTER TABLE annotation__location__user RENAME TO user_location_suggestions;

ALTER TABLE annotation__url_type__anon RENAME CONSTRAINT annotation__url_type__anon_pkey TO anonymous_annotation_url_type_pkey;
ALTER TABLE annotation__url_type__anon RENAME CONSTRAINT annotation__url_type__anon_session_id_fkey TO anonymous_annotation_url_type_session_id_fkey;
ALTER TABLE annotation__url_type__anon RENAME CONSTRAINT annotation__url_type__anon_url_id_fkey TO anonymous_annotation_url_type_url_id_fkey;
ALTER INDEX annotation__url_type__anon_url_id_idx RENAME TO anonymous_annotation_url_type_url_id_idx;
ALTER TABLE annotation__url_type__anon RENAME TO anonymous_annotation_url_type;

ALTER TABLE annotation__record_type__anon RENAME CONSTRAINT annotation__record_type__anon_pkey TO anonymous_annotation_record_type_pkey;
ALTER TABLE annotation__record_type__anon RENAME CONSTRAINT annotation__record_type__anon_session_id_fkey TO anonymous_annotation_record_type_session_id_fkey;
ALTER TABLE annotation__record_type__anon RENAME CONSTRAINT annotation__record_type__anon_url_id_fkey TO anonymous_annotation_record_type_url_id_fkey;
ALTER INDEX annotation__record_type__anon_url_id_idx RENAME TO anonymous_annotation_record_type_url_id_idx;
ALTER TABLE annotation__record_type__anon RENAME TO anonymous_annotation_record_type;

ALTER TABLE annotation__agency__anon RENAME CONSTRAINT annotation__agency__anon_agency_id_fkey TO anonymous_annotation_agency_agency_id_fkey;
ALTER TABLE annotation__agency__anon RENAME CONSTRAINT annotation__agency__anon_pkey TO anonymous_annotation_agency_pkey;
ALTER TABLE annotation__agency__anon RENAME CONSTRAINT annotation__agency__anon_session_id_fkey TO anonymous_annotation_agency_session_id_fkey;
ALTER TABLE annotation__agency__anon RENAME CONSTRAINT annotation__agency__anon_url_id_fkey TO anonymous_annotation_agency_url_id_fkey;
ALTER INDEX annotation__agency__anon_url_id_idx RENAME TO anonymous_annotation_agency_url_id_idx;
ALTER TABLE annotation__agency__anon RENAME TO anonymous_annotation_agency;

ALTER TABLE annotation__location__anon RENAME CONSTRAINT annotation__location__anon_location_id_fkey TO anonymous_annotation_location_location_id_fkey;
ALTER TABLE annotation__location__anon RENAME CONSTRAINT annotation__location__anon_pkey TO anonymous_annotation_location_pkey;
ALTER TABLE annotation__location__anon RENAME CONSTRAINT annotation__location__anon_session_id_fkey TO anonymous_annotation_location_session_id_fkey;
ALTER TABLE annotation__location__anon RENAME CONSTRAINT annotation__location__anon_url_id_fkey TO anonymous_annotation_location_url_id_fkey;
ALTER INDEX annotation__location__anon_url_id_idx RENAME TO anonymous_annotation_location_url_id_idx;
ALTER TABLE annotation__location__anon RENAME TO anonymous_annotation_location;

ALTER TABLE annotation__url_type__auto RENAME CONSTRAINT annotation__url_type__auto_confidence_check TO auto_relevant_suggestions_confidence_check;
ALTER TABLE annotation__url_type__auto RENAME CONSTRAINT annotation__url_type__auto_pkey TO auto_relevant_suggestions_pkey;
ALTER TABLE annotation__url_type__auto RENAME CONSTRAINT annotation__url_type__auto_url_id_fkey TO auto_relevant_suggestions_url_id_fkey;
ALTER TABLE annotation__url_type__auto RENAME TO auto_relevant_suggestions;

ALTER TABLE annotation__record_type__auto RENAME CONSTRAINT annotation__record_type__auto_pkey TO auto_record_type_suggestions_pkey;
ALTER TABLE annotation__record_type__auto RENAME CONSTRAINT annotation__record_type__auto_url_id_fkey TO auto_record_type_suggestions_url_id_fkey;
ALTER TABLE annotation__record_type__auto RENAME TO auto_record_type_suggestions;

ALTER TABLE annotation__agency__auto__subtasks RENAME CONSTRAINT annotation__agency__auto__subtasks_pkey TO url_auto_agency_id_subtasks_pkey;
ALTER TABLE annotation__agency__auto__subtasks RENAME CONSTRAINT annotation__agency__auto__subtasks_task_id_fkey TO url_auto_agency_id_subtasks_task_id_fkey;
ALTER TABLE annotation__agency__auto__subtasks RENAME CONSTRAINT annotation__agency__auto__subtasks_url_id_fkey TO url_auto_agency_id_subtasks_url_id_fkey;
ALTER INDEX annotation__agency__auto__subtasks_task_id_idx RENAME TO url_auto_agency_id_subtasks_task_id_idx;
ALTER INDEX annotation__agency__auto__subtasks_url_id_idx RENAME TO url_auto_agency_id_subtasks_url_id_idx;
ALTER SEQUENCE annotation__agency__auto__subtasks_id_seq RENAME TO url_auto_agency_id_subtasks_id_seq;
ALTER TABLE annotation__agency__auto__subtasks RENAME TO url_auto_agency_id_subtasks;

ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT annotation__agency__auto__suggestions_agency_id_fkey TO agency_id_subtask_suggestions_agency_id_fkey;
ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT annotation__agency__auto__suggestions_confidence_check TO agency_id_subtask_suggestions_confidence_check;
ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT annotation__agency__auto__suggestions_pkey TO agency_id_subtask_suggestions_pkey;
ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT annotation__agency__auto__suggestions_subtask_id_fkey TO agency_id_subtask_suggestions_subtask_id_fkey;
ALTER INDEX annotation__agency__auto__suggestions_agency_id_idx RENAME TO agency_id_subtask_suggestions_agency_id_idx;
ALTER INDEX annotation__agency__auto__suggestions_subtask_id_idx RENAME TO agency_id_subtask_suggestions_subtask_id_idx;
ALTER SEQUENCE annotation__agency__auto__suggestions_id_seq RENAME TO agency_id_subtask_suggestions_id_seq;
ALTER TABLE annotation__agency__auto__suggestions RENAME TO agency_id_subtask_suggestions;

ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT annotation__location__auto__subtasks_pkey TO auto_location_id_subtasks_pkey;
ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT annotation__location__auto__subtasks_task_id_fkey TO auto_location_id_subtasks_task_id_fkey;
ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT annotation__location__auto__subtasks_url_id_fkey TO auto_location_id_subtasks_url_id_fkey;
ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT annotation__location__auto__subtasks_url_id_type_key TO auto_location_id_subtasks_url_id_type_key;
ALTER INDEX annotation__location__auto__subtasks_task_id_idx RENAME TO auto_location_id_subtasks_task_id_idx;
ALTER SEQUENCE annotation__location__auto__subtasks_id_seq RENAME TO auto_location_id_subtasks_id_seq;
ALTER TABLE annotation__location__auto__subtasks RENAME TO auto_location_id_subtasks;

ALTER TABLE annotation__location__auto__suggestions RENAME CONSTRAINT annotation__location__auto__suggestions_location_id_fkey TO location_id_subtask_suggestions_location_id_fkey;
ALTER TABLE annotation__location__auto__suggestions RENAME CONSTRAINT annotation__location__auto__suggestions_pkey TO location_id_subtask_suggestions_pkey;
ALTER TABLE annotation__location__auto__suggestions RENAME CONSTRAINT annotation__location__auto__suggestions_subtask_id_fkey TO location_id_subtask_suggestions_subtask_id_fkey;
ALTER INDEX annotation__location__auto__suggestions_location_id_idx RENAME TO location_id_subtask_suggestions_location_id_idx;
ALTER TABLE annotation__location__auto__suggestions RENAME TO location_id_subtask_suggestions;

ALTER TABLE annotation__name__suggestions RENAME CONSTRAINT annotation__name__suggestions_pkey TO url_name_suggestions_pkey;
ALTER TABLE annotation__name__suggestions RENAME CONSTRAINT annotation__name__suggestions_url_id_fkey TO url_name_suggestions_url_id_fkey;
ALTER TABLE annotation__name__suggestions RENAME CONSTRAINT annotation__name__suggestions_url_id_suggestion_key TO url_name_suggestions_url_id_suggestion_key;
ALTER SEQUENCE annotation__name__suggestions_id_seq RENAME TO url_name_suggestions_id_seq;
ALTER TABLE annotation__name__suggestions RENAME TO url_name_suggestions;

ALTER TABLE annotation__name__user__endorsements RENAME CONSTRAINT annotation__name__user__endorsements_pkey TO link_user_name_suggestions_pkey;
ALTER TABLE annotation__name__user__endorsements RENAME CONSTRAINT annotation__name__user__endorsements_suggestion_id_fkey TO link_user_name_suggestions_suggestion_id_fkey;
ALTER INDEX annotation__name__user__endorsements_suggestion_id_idx RENAME TO link_user_name_suggestions_suggestion_id_idx;
ALTER TABLE annotation__name__user__endorsements RENAME TO link_user_name_suggestions;
