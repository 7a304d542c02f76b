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
        AND c.relname IN ('annotation_queue_recount', 'url_annotation_count_view', 'url_status_mat_view')
) AS saved;

-- Drop materialized view url_status_mat_view, which the files define differently.
--   rebuilds a materialized view: readers of url_status_mat_view wait until it is filled: all rows of url_status_mat_view
--   locks out readers: url_status_mat_view
DROP MATERIALIZED VIEW url_status_mat_view;

-- Drop view url_status_view, which the files do not have.
--   locks out readers: url_status_view
DROP VIEW url_status_view;

-- Drop materialized view url_annotation_count_view, which the files define differently.
--   rebuilds a materialized view: readers of url_annotation_count_view wait until it is filled: all rows of url_annotation_count_view
--   locks out readers: url_annotation_count_view
DROP MATERIALIZED VIEW url_annotation_count_view;

-- Drop view eligible_urls, which the files do not have.
--   locks out readers: eligible_urls
DROP VIEW eligible_urls;

-- Drop view batch_progress_recount, which the files do not have.
--   locks out readers: batch_progress_recount
DROP VIEW batch_progress_recount;

-- Drop view annotation_queue_recount, which the files define differently.
--   locks out readers: annotation_queue_recount
DROP VIEW annotation_queue_recount;

-- Drop view url_eligibility, which the files do not have.
--   locks out readers: url_eligibility
DROP VIEW url_eligibility;

-- Drop view url_annotations, which the files do not have.
--   locks out readers: url_annotations
DROP VIEW url_annotations;

-- Set the comment of column annotation_queue.eligible.
COMMENT ON COLUMN annotation_queue.eligible IS 'Status ok, neither validated nor suspended.';

-- Set the comment of column annotation_queue.changed_xid.
COMMENT ON COLUMN annotation_queue.changed_xid IS 'The transaction that last changed anything about the URL that annotators see. Void after a restore into another cluster.';

-- Set the comment of table anonymous_annotation_url_type.
COMMENT ON TABLE anonymous_annotation_url_type IS 'The key lets a session hold several types for one URL. Docket adds one only; the reference may have left more.';

-- Set the comment of table anonymous_url_done.
COMMENT ON TABLE anonymous_url_done IS 'Which eligible URLs an anonymous session has a row for in any of the four tables of anonymous annotations.';

-- Set the comment of table batch_progress.
COMMENT ON TABLE batch_progress IS 'Of a batch''s URLs with status ok: how many there are, and how many have an agency suggested by any user.';

-- Set the comment of table duplicates.
COMMENT ON TABLE duplicates IS 'One row for each time a batch met a URL already known; repeats are meant.';

-- Set the comment of table flag_url_auto_validated.
COMMENT ON TABLE flag_url_auto_validated IS 'Validated by agreement of annotators rather than by hand.';

-- Set the comment of column idempotency_keys.caller.
COMMENT ON COLUMN idempotency_keys.caller IS 'Who may use the key: a user, or whoever has no token at one operation.';

-- Set the comment of column idempotency_keys.request.
COMMENT ON COLUMN idempotency_keys.request IS 'SHA-256 of what was asked; the same key with another request is refused.';

-- Set the comment of column idempotency_keys.claim.
COMMENT ON COLUMN idempotency_keys.claim IS 'The attempt that may store the answer.';

-- Set the comment of column idempotency_keys.claimed_until.
COMMENT ON COLUMN idempotency_keys.claimed_until IS 'From then on an attempt without an answer is taken for dead.';

-- Set the comment of table link_agencies__urls.
COMMENT ON TABLE link_agencies__urls IS 'The agencies agreed on, not suggestions.';

-- Set the comment of table link_user_name_suggestions.
COMMENT ON TABLE link_user_name_suggestions IS 'Endorsements: a user finds a suggested name right.';

-- Set the comment of column location_id_subtask_suggestions.confidence.
COMMENT ON COLUMN location_id_subtask_suggestions.confidence IS '0 to 100 by agreement; unchecked, since other writers have stored fractions and more.';

-- Set the comment of table locations.
COMMENT ON TABLE locations IS 'A state, county or locality seen as a place. Whoever inserts one of those inserts its location too.';

-- Set the comment of table materialized_view_refreshes.
COMMENT ON TABLE materialized_view_refreshes IS 'The last refresh of each materialized view: when it was tried, and when, in how many seconds and with how many rows it last succeeded.';

-- Set the comment of table reviewing_user_url.
COMMENT ON TABLE reviewing_user_url IS 'Reviews by hand from before agreement decided; read by url_annotation_flags only.';

-- Set the comment of table user_url_done.
COMMENT ON TABLE user_url_done IS 'Which eligible URLs a user has a row for in any of the four tables of user annotations.';

-- Create view annotation_queue_recount again.
CREATE VIEW annotation_queue_recount AS
SELECT urls.id AS url_id,
    ((urls.status = 'ok'::url_status) AND (NOT (EXISTS ( SELECT
           FROM flag_url_validated f
          WHERE (f.url_id = urls.id)))) AND (NOT (EXISTS ( SELECT
           FROM flag_url_suspended f
          WHERE (f.url_id = urls.id))))) AS eligible,
    (- ((((((((( SELECT count(*) AS count
           FROM url_auto_agency_id_subtasks s
          WHERE (s.url_id = urls.id)) + ( SELECT count(*) AS count
           FROM auto_location_id_subtasks s
          WHERE (s.url_id = urls.id))) + ( SELECT count(*) AS count
           FROM auto_record_type_suggestions s
          WHERE (s.url_id = urls.id))) + ( SELECT count(*) AS count
           FROM auto_relevant_suggestions s
          WHERE (s.url_id = urls.id))) + ( SELECT count(*) AS count
           FROM user_url_agency_suggestions s
          WHERE (s.url_id = urls.id))) + ( SELECT count(*) AS count
           FROM user_location_suggestions s
          WHERE (s.url_id = urls.id))) + ( SELECT count(*) AS count
           FROM user_record_type_suggestions s
          WHERE (s.url_id = urls.id))) + ( SELECT count(*) AS count
           FROM user_url_type_suggestions s
          WHERE (s.url_id = urls.id))))::integer) AS priority,
    ( SELECT link.batch_id
           FROM link_batches__urls link
          WHERE (link.url_id = urls.id)) AS batch_id,
    (urls.status = 'ok'::url_status) AS status_ok,
    (( SELECT count(*) AS count
           FROM user_url_agency_suggestions s
          WHERE (s.url_id = urls.id)))::integer AS agency_votes
   FROM urls;

-- Set the comment of column locations_expanded.full_display_name.
COMMENT ON COLUMN locations_expanded.full_display_name IS 'A missing part of the name is left empty, commas and all.';

-- Set the comment of materialized view mat_view__html_duplicate_url.
COMMENT ON MATERIALIZED VIEW mat_view__html_duplicate_url IS 'Every URL whose compressed HTML another URL has too, the first one included.';

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
            count(*) FILTER (WHERE (annotation.kind = 1)) AS auto_agency_count,
            count(*) FILTER (WHERE (annotation.kind = 2)) AS auto_location_count,
            count(*) FILTER (WHERE (annotation.kind = 3)) AS auto_record_type_count,
            count(*) FILTER (WHERE (annotation.kind = 4)) AS auto_url_type_count,
            count(*) FILTER (WHERE (annotation.kind = 5)) AS user_agency_count,
            count(*) FILTER (WHERE (annotation.kind = 6)) AS user_location_count,
            count(*) FILTER (WHERE (annotation.kind = 7)) AS user_record_type_count,
            count(*) FILTER (WHERE (annotation.kind = 8)) AS user_url_type_count,
            count(*) AS total_anno_count
           FROM ( SELECT url_auto_agency_id_subtasks.url_id,
                    1 AS kind
                   FROM url_auto_agency_id_subtasks
                UNION ALL
                 SELECT auto_location_id_subtasks.url_id,
                    2
                   FROM auto_location_id_subtasks
                UNION ALL
                 SELECT auto_record_type_suggestions.url_id,
                    3
                   FROM auto_record_type_suggestions
                UNION ALL
                 SELECT auto_relevant_suggestions.url_id,
                    4
                   FROM auto_relevant_suggestions
                UNION ALL
                 SELECT user_url_agency_suggestions.url_id,
                    5
                   FROM user_url_agency_suggestions
                UNION ALL
                 SELECT user_location_suggestions.url_id,
                    6
                   FROM user_location_suggestions
                UNION ALL
                 SELECT user_record_type_suggestions.url_id,
                    7
                   FROM user_record_type_suggestions
                UNION ALL
                 SELECT user_url_type_suggestions.url_id,
                    8
                   FROM user_url_type_suggestions) annotation
          GROUP BY annotation.url_id) n ON ((n.url_id = urls.id)));

-- Comment on it.
COMMENT ON MATERIALIZED VIEW url_annotation_count_view IS 'Annotations by URL and kind; robots count by subtask, not by suggestion. Names, not-found marks and anonymous annotations do not count.';

-- Create an index on materialized view url_annotation_count_view.
CREATE UNIQUE INDEX url_annotation_count_view_url_id_key ON url_annotation_count_view USING btree (url_id);

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
   FROM ( SELECT urls.id AS url_id,
                CASE
                    WHEN (validated.type = ANY (ARRAY['not relevant'::url_type, 'individual record'::url_type, 'not found'::url_type, 'broken page'::url_type])) THEN 'Accepted'::text
                    WHEN (validated.type = 'data source'::url_type) THEN
                    CASE
                        WHEN (EXISTS ( SELECT
                           FROM ds_app_link_data_source l
                          WHERE (l.url_id = urls.id))) THEN 'Submitted'::text
                        ELSE 'Awaiting Submission'::text
                    END
                    WHEN (validated.type = 'meta url'::url_type) THEN
                    CASE
                        WHEN (EXISTS ( SELECT
                           FROM ds_app_link_meta_url l
                          WHERE (l.url_id = urls.id))) THEN 'Submitted'::text
                        ELSE 'Awaiting Submission'::text
                    END
                    WHEN ((EXISTS ( SELECT
                       FROM url_compressed_html h
                      WHERE (h.url_id = urls.id))) AND (EXISTS ( SELECT
                       FROM url_web_metadata m
                      WHERE (m.url_id = urls.id))) AND (EXISTS ( SELECT
                       FROM url_screenshot s
                      WHERE (s.url_id = urls.id)))) THEN 'Community Labeling'::text
                    WHEN (EXISTS ( SELECT
                       FROM url_task_error e
                      WHERE ((e.url_id = urls.id) AND (e.task_type = ANY (ARRAY['Screenshot'::task_type, 'HTML'::task_type, 'URL Probe'::task_type]))))) THEN 'Error'::text
                    ELSE 'Intake'::text
                END AS status
           FROM (urls
             LEFT JOIN flag_url_validated validated ON ((validated.url_id = urls.id)))) state;

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
