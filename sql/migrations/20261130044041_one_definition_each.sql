-- Defines each rule of the domain in one view: which URLs are eligible, which annotations count, the status of a URL, the
-- progress of a batch. The materialized views and the recount of the queue are created again to read these views; their readers
-- wait until the migration ends. A role that refreshes a materialized view as its owner needs SELECT on the new views.
--
-- Save the owners and grants of the views that are created again.
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
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
        AND c.relname IN ('url_annotation_count_view', 'url_status_mat_view')
) AS saved;

-- Drop materialized view url_status_mat_view, which the files define differently.
--   rebuilds a materialized view: readers of url_status_mat_view wait until it is filled: all rows of url_status_mat_view
--   locks out readers: url_status_mat_view
DROP MATERIALIZED VIEW url_status_mat_view;

-- Drop materialized view url_annotation_count_view, which the files define differently.
--   rebuilds a materialized view: readers of url_annotation_count_view wait until it is filled: all rows of url_annotation_count_view
--   locks out readers: url_annotation_count_view
DROP MATERIALIZED VIEW url_annotation_count_view;

-- Set the comment of column annotation_queue.eligible.
COMMENT ON COLUMN annotation_queue.eligible IS 'Whether annotators are offered the URL: url_eligibility.eligible.';

-- Set the comment of column annotation_queue.changed_xid.
COMMENT ON COLUMN annotation_queue.changed_xid IS 'The transaction that last changed what annotators are shown of the URL. Meaningless after a restore into another cluster.';

-- Set the comment of table anonymous_annotation_url_type.
COMMENT ON TABLE anonymous_annotation_url_type IS 'The key allows several types of one session for one URL. Docket stores only one; the reference may have stored more.';

-- Set the comment of table anonymous_url_done.
COMMENT ON TABLE anonymous_url_done IS 'The eligible URLs for which an anonymous session has a row in any of the four tables of anonymous annotations.';

-- Set the comment of table batch_progress.
COMMENT ON TABLE batch_progress IS 'The number of URLs of a batch with status ok, and how many of them have an agency suggested by any user.';

-- Set the comment of table duplicates.
COMMENT ON TABLE duplicates IS 'One row each time a batch contained a URL that was already known; repeated rows are intended.';

-- Set the comment of table flag_url_auto_validated.
COMMENT ON TABLE flag_url_auto_validated IS 'Validated by agreement of annotators, not manually.';

-- Set the comment of column idempotency_keys.caller.
COMMENT ON COLUMN idempotency_keys.caller IS 'Who may use the key: one user, or all callers of one operation without a token.';

-- Set the comment of column idempotency_keys.request.
COMMENT ON COLUMN idempotency_keys.request IS 'SHA-256 of the request; the same key with another request is refused.';

-- Set the comment of column idempotency_keys.claim.
COMMENT ON COLUMN idempotency_keys.claim IS 'The attempt that may store the response.';

-- Set the comment of column idempotency_keys.claimed_until.
COMMENT ON COLUMN idempotency_keys.claimed_until IS 'After this time an attempt that has stored no response counts as failed.';

-- Set the comment of table link_agencies__urls.
COMMENT ON TABLE link_agencies__urls IS 'The agreed agencies, not suggestions.';

-- Set the comment of table link_user_name_suggestions.
COMMENT ON TABLE link_user_name_suggestions IS 'Endorsements: a user agrees with a suggested name.';

-- Set the comment of column location_id_subtask_suggestions.confidence.
COMMENT ON COLUMN location_id_subtask_suggestions.confidence IS '0 to 100 by convention; not checked, because other writers have stored fractions and larger numbers.';

-- Set the comment of table locations.
COMMENT ON TABLE locations IS 'A state, county or locality as a location. A writer that inserts one of these must insert its location too.';

-- Set the comment of table materialized_view_refreshes.
COMMENT ON TABLE materialized_view_refreshes IS 'The last refresh of each materialized view: the time of the last attempt; the time, duration and rows of the last success.';

-- Set the comment of table reviewing_user_url.
COMMENT ON TABLE reviewing_user_url IS 'Manual reviews from the time before agreement decided; only url_annotation_flags reads them.';

-- Set the comment of table user_url_done.
COMMENT ON TABLE user_url_done IS 'The eligible URLs for which a user has a row in any of the four tables of user annotations.';

-- Create view url_annotations.
CREATE VIEW url_annotations AS
SELECT url_auto_agency_id_subtasks.url_id,
    'auto_agency'::text AS kind
   FROM url_auto_agency_id_subtasks
UNION ALL
 SELECT auto_location_id_subtasks.url_id,
    'auto_location'::text AS kind
   FROM auto_location_id_subtasks
UNION ALL
 SELECT auto_record_type_suggestions.url_id,
    'auto_record_type'::text AS kind
   FROM auto_record_type_suggestions
UNION ALL
 SELECT auto_relevant_suggestions.url_id,
    'auto_url_type'::text AS kind
   FROM auto_relevant_suggestions
UNION ALL
 SELECT user_url_agency_suggestions.url_id,
    'user_agency'::text AS kind
   FROM user_url_agency_suggestions
UNION ALL
 SELECT user_location_suggestions.url_id,
    'user_location'::text AS kind
   FROM user_location_suggestions
UNION ALL
 SELECT user_record_type_suggestions.url_id,
    'user_record_type'::text AS kind
   FROM user_record_type_suggestions
UNION ALL
 SELECT user_url_type_suggestions.url_id,
    'user_url_type'::text AS kind
   FROM user_url_type_suggestions;

-- Comment on it.
COMMENT ON VIEW url_annotations IS 'Robots count by subtask, not by suggestion. Names, not-found flags and anonymous annotations do not count.';

-- Create view url_eligibility.
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

-- Replace view annotation_queue_recount; the views that read it are not changed.
--   locks out readers: annotation_queue_recount
CREATE OR REPLACE VIEW annotation_queue_recount AS
SELECT e.url_id,
    e.eligible,
    (- (( SELECT count(*) AS count
           FROM url_annotations a
          WHERE (a.url_id = e.url_id)))::integer) AS priority,
    ( SELECT link.batch_id
           FROM link_batches__urls link
          WHERE (link.url_id = e.url_id)) AS batch_id,
    (e.status = 'ok'::url_status) AS status_ok,
    (( SELECT count(*) AS count
           FROM user_url_agency_suggestions s
          WHERE (s.url_id = e.url_id)))::integer AS agency_votes
   FROM url_eligibility e;

-- Create view batch_progress_recount.
CREATE VIEW batch_progress_recount AS
SELECT batches.id AS batch_id,
    (count(counted.url_id))::integer AS total,
    (count(counted.url_id) FILTER (WHERE counted.annotated))::integer AS annotated
   FROM (batches
     LEFT JOIN ( SELECT link.batch_id,
            link.url_id,
            (EXISTS ( SELECT
                   FROM user_url_agency_suggestions s
                  WHERE (s.url_id = link.url_id))) AS annotated
           FROM (link_batches__urls link
             JOIN urls ON ((urls.id = link.url_id)))
          WHERE (urls.status = 'ok'::url_status)) counted ON ((counted.batch_id = batches.id)))
  GROUP BY batches.id;

-- Create view eligible_urls.
CREATE VIEW eligible_urls AS
SELECT url_eligibility.url_id,
    url_eligibility.url,
    url_eligibility.scheme,
    url_eligibility.trailing_slash
   FROM url_eligibility
  WHERE url_eligibility.eligible;

-- Set the comment of column locations_expanded.full_display_name.
COMMENT ON COLUMN locations_expanded.full_display_name IS 'A missing part of the name is empty; its comma stays.';

-- Set the comment of materialized view mat_view__html_duplicate_url.
COMMENT ON MATERIALIZED VIEW mat_view__html_duplicate_url IS 'Every URL that has the same compressed HTML as another URL, including the first of them.';

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

-- Create view url_status_view.
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

-- Restore the owners and grants of these views.
DO $$
DECLARE
    g record;
BEGIN
    FOR g IN
        SELECT DISTINCT c.oid::regclass AS relation, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee
        FROM json_to_recordset(coalesce(nullif(current_setting('rebuilt_views.grants', true), ''), '[]')::json) AS s (view name)
        JOIN pg_class c ON c.relname = s.view AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        WHERE acl.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', g.relation, coalesce(quote_ident(g.grantee), 'PUBLIC'));
    END LOOP;
    FOR g IN
        SELECT s.*, c.oid::regclass AS relation, c.relkind
        FROM json_to_recordset(coalesce(nullif(current_setting('rebuilt_views.grants', true), ''), '[]')::json)
            AS s (view name, owner name, col name, privilege text, grantable boolean, grantee name, owns boolean)
        JOIN pg_class c ON c.relname = s.view AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
        WHERE s.col IS NULL
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = s.col AND NOT a.attisdropped)
        ORDER BY s.view, s.owns
    LOOP
        IF NOT g.owns THEN
            EXECUTE format('GRANT %s%s ON %s TO %s%s', g.privilege, '(' || quote_ident(g.col) || ')', g.relation,
                coalesce(quote_ident(g.grantee), 'PUBLIC'), CASE WHEN g.grantable THEN ' WITH GRANT OPTION' END);
        ELSIF g.owner <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = g.relation) THEN
            EXECUTE format('ALTER %s %s OWNER TO %I', CASE g.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                g.relation, g.owner);
        END IF;
    END LOOP;
    PERFORM set_config('rebuilt_views.grants', '', false);
END
$$;
