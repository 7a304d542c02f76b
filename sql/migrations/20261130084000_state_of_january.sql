-- The reference as of January 2026: its names of the annotation tables, its order of the URLs, names given by sessions, follows and
-- proposals. Stop every older Docket before: it reads the old names. No row moves, except that the queue is computed again: it and
-- url_annotation_count_view take as long as `docket queue reconcile` and `docket refresh` do.
--
-- atlas:nolint BC101

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
        AND c.relname IN ('annotation_queue', 'annotation_queue_recount', 'eligible_urls', 'url_annotation_count_view', 'url_eligibility')
) AS saved;

-- Renames: only the catalog changes, and no row is read.

ALTER TABLE user_url_type_suggestions RENAME TO annotation__url_type__user;
ALTER TABLE annotation__url_type__user RENAME CONSTRAINT user_url_type_suggestions_pkey TO annotation__url_type__user_pkey;
ALTER TABLE annotation__url_type__user RENAME CONSTRAINT user_url_type_suggestions_url_id_fkey TO annotation__url_type__user_url_id_fkey;
ALTER INDEX user_url_type_suggestions_url_id_idx RENAME TO annotation__url_type__user_url_id_idx;

ALTER TABLE user_record_type_suggestions RENAME TO annotation__record_type__user;
ALTER TABLE annotation__record_type__user RENAME CONSTRAINT user_record_type_suggestions_pkey TO annotation__record_type__user_pkey;
ALTER TABLE annotation__record_type__user RENAME CONSTRAINT user_record_type_suggestions_url_id_fkey TO annotation__record_type__user_url_id_fkey;
ALTER INDEX user_record_type_suggestions_url_id_idx RENAME TO annotation__record_type__user_url_id_idx;

ALTER TABLE user_url_agency_suggestions RENAME TO annotation__agency__user;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT user_url_agency_suggestions_agency_id_fkey TO annotation__agency__user_agency_id_fkey;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT user_url_agency_suggestions_agency_id_url_id_user_id_key TO annotation__agency__user_agency_id_url_id_user_id_key;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT user_url_agency_suggestions_is_new_check TO annotation__agency__user_is_new_check;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT user_url_agency_suggestions_pkey TO annotation__agency__user_pkey;
ALTER TABLE annotation__agency__user RENAME CONSTRAINT user_url_agency_suggestions_url_id_fkey TO annotation__agency__user_url_id_fkey;
ALTER INDEX user_url_agency_suggestions_url_id_idx RENAME TO annotation__agency__user_url_id_idx;
ALTER INDEX user_url_agency_suggestions_user_id_idx RENAME TO annotation__agency__user_user_id_idx;
ALTER SEQUENCE user_url_agency_suggestions_id_seq RENAME TO annotation__agency__user_id_seq;

ALTER TABLE user_location_suggestions RENAME TO annotation__location__user;
ALTER TABLE annotation__location__user RENAME CONSTRAINT user_location_suggestions_location_id_fkey TO annotation__location__user_location_id_fkey;
ALTER TABLE annotation__location__user RENAME CONSTRAINT user_location_suggestions_pkey TO annotation__location__user_pkey;
ALTER TABLE annotation__location__user RENAME CONSTRAINT user_location_suggestions_url_id_fkey TO annotation__location__user_url_id_fkey;
ALTER INDEX user_location_suggestions_user_id_idx RENAME TO annotation__location__user_user_id_idx;

ALTER TABLE anonymous_annotation_url_type RENAME TO annotation__url_type__anon;
ALTER TABLE annotation__url_type__anon RENAME CONSTRAINT anonymous_annotation_url_type_pkey TO annotation__url_type__anon_pkey;
ALTER TABLE annotation__url_type__anon RENAME CONSTRAINT anonymous_annotation_url_type_session_id_fkey TO annotation__url_type__anon_session_id_fkey;
ALTER TABLE annotation__url_type__anon RENAME CONSTRAINT anonymous_annotation_url_type_url_id_fkey TO annotation__url_type__anon_url_id_fkey;
ALTER INDEX anonymous_annotation_url_type_url_id_idx RENAME TO annotation__url_type__anon_url_id_idx;

ALTER TABLE anonymous_annotation_record_type RENAME TO annotation__record_type__anon;
ALTER TABLE annotation__record_type__anon RENAME CONSTRAINT anonymous_annotation_record_type_pkey TO annotation__record_type__anon_pkey;
ALTER TABLE annotation__record_type__anon RENAME CONSTRAINT anonymous_annotation_record_type_session_id_fkey TO annotation__record_type__anon_session_id_fkey;
ALTER TABLE annotation__record_type__anon RENAME CONSTRAINT anonymous_annotation_record_type_url_id_fkey TO annotation__record_type__anon_url_id_fkey;
ALTER INDEX anonymous_annotation_record_type_url_id_idx RENAME TO annotation__record_type__anon_url_id_idx;

ALTER TABLE anonymous_annotation_agency RENAME TO annotation__agency__anon;
ALTER TABLE annotation__agency__anon RENAME CONSTRAINT anonymous_annotation_agency_agency_id_fkey TO annotation__agency__anon_agency_id_fkey;
ALTER TABLE annotation__agency__anon RENAME CONSTRAINT anonymous_annotation_agency_pkey TO annotation__agency__anon_pkey;
ALTER TABLE annotation__agency__anon RENAME CONSTRAINT anonymous_annotation_agency_session_id_fkey TO annotation__agency__anon_session_id_fkey;
ALTER TABLE annotation__agency__anon RENAME CONSTRAINT anonymous_annotation_agency_url_id_fkey TO annotation__agency__anon_url_id_fkey;
ALTER INDEX anonymous_annotation_agency_url_id_idx RENAME TO annotation__agency__anon_url_id_idx;

ALTER TABLE anonymous_annotation_location RENAME TO annotation__location__anon;
ALTER TABLE annotation__location__anon RENAME CONSTRAINT anonymous_annotation_location_location_id_fkey TO annotation__location__anon_location_id_fkey;
ALTER TABLE annotation__location__anon RENAME CONSTRAINT anonymous_annotation_location_pkey TO annotation__location__anon_pkey;
ALTER TABLE annotation__location__anon RENAME CONSTRAINT anonymous_annotation_location_session_id_fkey TO annotation__location__anon_session_id_fkey;
ALTER TABLE annotation__location__anon RENAME CONSTRAINT anonymous_annotation_location_url_id_fkey TO annotation__location__anon_url_id_fkey;
ALTER INDEX anonymous_annotation_location_url_id_idx RENAME TO annotation__location__anon_url_id_idx;

ALTER TABLE auto_relevant_suggestions RENAME TO annotation__url_type__auto;
ALTER TABLE annotation__url_type__auto RENAME CONSTRAINT auto_relevant_suggestions_confidence_check TO annotation__url_type__auto_confidence_check;
ALTER TABLE annotation__url_type__auto RENAME CONSTRAINT auto_relevant_suggestions_pkey TO annotation__url_type__auto_pkey;
ALTER TABLE annotation__url_type__auto RENAME CONSTRAINT auto_relevant_suggestions_url_id_fkey TO annotation__url_type__auto_url_id_fkey;

ALTER TABLE auto_record_type_suggestions RENAME TO annotation__record_type__auto;
ALTER TABLE annotation__record_type__auto RENAME CONSTRAINT auto_record_type_suggestions_pkey TO annotation__record_type__auto_pkey;
ALTER TABLE annotation__record_type__auto RENAME CONSTRAINT auto_record_type_suggestions_url_id_fkey TO annotation__record_type__auto_url_id_fkey;

ALTER TABLE url_auto_agency_id_subtasks RENAME TO annotation__agency__auto__subtasks;
ALTER TABLE annotation__agency__auto__subtasks RENAME CONSTRAINT url_auto_agency_id_subtasks_pkey TO annotation__agency__auto__subtasks_pkey;
ALTER TABLE annotation__agency__auto__subtasks RENAME CONSTRAINT url_auto_agency_id_subtasks_task_id_fkey TO annotation__agency__auto__subtasks_task_id_fkey;
ALTER TABLE annotation__agency__auto__subtasks RENAME CONSTRAINT url_auto_agency_id_subtasks_url_id_fkey TO annotation__agency__auto__subtasks_url_id_fkey;
ALTER INDEX url_auto_agency_id_subtasks_task_id_idx RENAME TO annotation__agency__auto__subtasks_task_id_idx;
ALTER INDEX url_auto_agency_id_subtasks_url_id_idx RENAME TO annotation__agency__auto__subtasks_url_id_idx;
ALTER SEQUENCE url_auto_agency_id_subtasks_id_seq RENAME TO annotation__agency__auto__subtasks_id_seq;

ALTER TABLE agency_id_subtask_suggestions RENAME TO annotation__agency__auto__suggestions;
ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT agency_id_subtask_suggestions_agency_id_fkey TO annotation__agency__auto__suggestions_agency_id_fkey;
ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT agency_id_subtask_suggestions_confidence_check TO annotation__agency__auto__suggestions_confidence_check;
ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT agency_id_subtask_suggestions_pkey TO annotation__agency__auto__suggestions_pkey;
ALTER TABLE annotation__agency__auto__suggestions RENAME CONSTRAINT agency_id_subtask_suggestions_subtask_id_fkey TO annotation__agency__auto__suggestions_subtask_id_fkey;
ALTER INDEX agency_id_subtask_suggestions_agency_id_idx RENAME TO annotation__agency__auto__suggestions_agency_id_idx;
ALTER INDEX agency_id_subtask_suggestions_subtask_id_idx RENAME TO annotation__agency__auto__suggestions_subtask_id_idx;
ALTER SEQUENCE agency_id_subtask_suggestions_id_seq RENAME TO annotation__agency__auto__suggestions_id_seq;

ALTER TABLE auto_location_id_subtasks RENAME TO annotation__location__auto__subtasks;
ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT auto_location_id_subtasks_pkey TO annotation__location__auto__subtasks_pkey;
ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT auto_location_id_subtasks_task_id_fkey TO annotation__location__auto__subtasks_task_id_fkey;
ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT auto_location_id_subtasks_url_id_fkey TO annotation__location__auto__subtasks_url_id_fkey;
ALTER TABLE annotation__location__auto__subtasks RENAME CONSTRAINT auto_location_id_subtasks_url_id_type_key TO annotation__location__auto__subtasks_url_id_type_key;
ALTER INDEX auto_location_id_subtasks_task_id_idx RENAME TO annotation__location__auto__subtasks_task_id_idx;
ALTER SEQUENCE auto_location_id_subtasks_id_seq RENAME TO annotation__location__auto__subtasks_id_seq;

ALTER TABLE location_id_subtask_suggestions RENAME TO annotation__location__auto__suggestions;
ALTER TABLE annotation__location__auto__suggestions RENAME CONSTRAINT location_id_subtask_suggestions_location_id_fkey TO annotation__location__auto__suggestions_location_id_fkey;
ALTER TABLE annotation__location__auto__suggestions RENAME CONSTRAINT location_id_subtask_suggestions_pkey TO annotation__location__auto__suggestions_pkey;
ALTER TABLE annotation__location__auto__suggestions RENAME CONSTRAINT location_id_subtask_suggestions_subtask_id_fkey TO annotation__location__auto__suggestions_subtask_id_fkey;
ALTER INDEX location_id_subtask_suggestions_location_id_idx RENAME TO annotation__location__auto__suggestions_location_id_idx;

ALTER TABLE url_name_suggestions RENAME TO annotation__name__suggestions;
ALTER TABLE annotation__name__suggestions RENAME CONSTRAINT url_name_suggestions_pkey TO annotation__name__suggestions_pkey;
ALTER TABLE annotation__name__suggestions RENAME CONSTRAINT url_name_suggestions_url_id_fkey TO annotation__name__suggestions_url_id_fkey;
ALTER TABLE annotation__name__suggestions RENAME CONSTRAINT url_name_suggestions_url_id_suggestion_key TO annotation__name__suggestions_url_id_suggestion_key;
ALTER SEQUENCE url_name_suggestions_id_seq RENAME TO annotation__name__suggestions_id_seq;

ALTER TABLE link_user_name_suggestions RENAME TO annotation__name__user__endorsements;
ALTER TABLE annotation__name__user__endorsements RENAME CONSTRAINT link_user_name_suggestions_pkey TO annotation__name__user__endorsements_pkey;
ALTER TABLE annotation__name__user__endorsements RENAME CONSTRAINT link_user_name_suggestions_suggestion_id_fkey TO annotation__name__user__endorsements_suggestion_id_fkey;
ALTER INDEX link_user_name_suggestions_suggestion_id_idx RENAME TO annotation__name__user__endorsements_suggestion_id_idx;

-- What urls.status says is kept where it is not ok, before the column is dropped.
CREATE TABLE url_former_status (
    url_id integer NOT NULL,
    status text NOT NULL,
    CONSTRAINT url_former_status_pkey PRIMARY KEY (url_id),
    CONSTRAINT url_former_status_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls (id) ON DELETE CASCADE,
    CONSTRAINT url_former_status_status_check CHECK (status IN ('duplicate', 'broken'))
);

COMMENT ON TABLE url_former_status IS 'What the dropped column urls.status contained where it was not ok. It decides nothing; it is kept so that nothing is lost.';

INSERT INTO url_former_status (url_id, status) SELECT id, status::text FROM urls WHERE status <> 'ok' ORDER BY id;

-- The queue can be computed from the other tables. It is created again, because nearly all of its columns change.
DROP VIEW annotation_queue_recount;

-- atlas:nolint destructive
DROP TABLE annotation_queue;

-- Add 'Sync User Follows Get' to enum task_type.
ALTER TYPE task_type ADD VALUE 'Sync User Follows Get';

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
           FROM link_batches__urls link) counted ON ((counted.batch_id = batches.id)))
  GROUP BY batches.id;

-- Drop materialized view url_annotation_count_view, which the files define differently.
--   rebuilds a materialized view: readers of url_annotation_count_view wait until it is filled: all rows of url_annotation_count_view
--   locks out readers: url_annotation_count_view
DROP MATERIALIZED VIEW url_annotation_count_view;

-- Drop view eligible_urls, which the files define differently.
--   locks out readers: eligible_urls
DROP VIEW eligible_urls;

-- Drop view url_eligibility, which the files define differently.
--   locks out readers: url_eligibility
DROP VIEW url_eligibility;

-- Create enum proposal_status_enum.
CREATE TYPE proposal_status_enum AS ENUM ('pending', 'approved', 'rejected');

-- Change urls: drop column status.
--   drops data: column status in all rows of urls
--   locks out readers: urls
-- atlas:nolint destructive
ALTER TABLE urls DROP COLUMN status;

-- Create table annotation__name__anon__endorsements.
--   locks out writers: anonymous_sessions
--   locks out writers: annotation__name__suggestions
CREATE TABLE annotation__name__anon__endorsements (
    session_id uuid NOT NULL,
    suggestion_id integer NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT annotation__name__anon__endorsements_pkey PRIMARY KEY (session_id, suggestion_id),
    CONSTRAINT annotation__name__anon__endorsements_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions(id) ON DELETE CASCADE,
    CONSTRAINT annotation__name__anon__endorsements_suggestion_id_fkey FOREIGN KEY (suggestion_id) REFERENCES annotation__name__suggestions(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE annotation__name__anon__endorsements IS 'Endorsements: a session agrees with a suggested name.';

-- Create an index on annotation__name__anon__endorsements.
CREATE INDEX annotation__name__anon__endorsements_suggestion_id_idx ON annotation__name__anon__endorsements USING btree (suggestion_id);

-- Create table annotation_queue.
--   locks out writers: batches
CREATE TABLE annotation_queue (
    url_id integer NOT NULL,
    eligible boolean NOT NULL,
    followed boolean NOT NULL,
    manual boolean NOT NULL,
    user_url_type_count integer NOT NULL,
    anon_url_type_count integer NOT NULL,
    auto_url_type_count integer NOT NULL,
    priority bigint NOT NULL GENERATED ALWAYS AS ((- (((((((followed)::integer)::bigint << 62) | (((manual)::integer)::bigint << 61)) | ((user_url_type_count)::bigint << 30)) | ((anon_url_type_count)::bigint << 1)) | (auto_url_type_count)::bigint))) STORED,
    batch_id integer,
    user_agency_count integer NOT NULL,
    changed_xid bigint NOT NULL,
    CONSTRAINT annotation_queue_pkey PRIMARY KEY (url_id),
    CONSTRAINT annotation_queue_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches(id) ON DELETE SET NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02);

-- Comment on it.
COMMENT ON TABLE annotation_queue IS 'One row for each URL; the eligible ones in (priority, url_id) order are the queue.';

-- Comment on it.
COMMENT ON COLUMN annotation_queue.eligible IS 'Whether annotators are offered the URL: url_eligibility.eligible.';

-- Comment on it.
COMMENT ON COLUMN annotation_queue.followed IS 'Whether any user follows a location that the batch of the URL is linked to.';

-- Comment on it.
COMMENT ON COLUMN annotation_queue.manual IS 'Whether urls.source is manual.';

-- Comment on it.
COMMENT ON COLUMN annotation_queue.priority IS 'The order of all annotators in one number: followed, manual and the three counts, first to last, negated so that one ascending index serves it.';

-- Comment on it.
COMMENT ON COLUMN annotation_queue.user_agency_count IS 'Rows of annotation__agency__user.';

-- Comment on it.
COMMENT ON COLUMN annotation_queue.changed_xid IS 'The transaction that last changed what annotators are shown of the URL. Meaningless after a restore into another cluster.';

-- Create an index on annotation_queue.
CREATE INDEX annotation_queue_batch_order_idx ON annotation_queue USING btree (batch_id, eligible, priority, url_id) INCLUDE (changed_xid);

-- Create an index on annotation_queue.
CREATE INDEX annotation_queue_changed_xid_idx ON annotation_queue USING btree (changed_xid);

-- Create an index on annotation_queue.
CREATE INDEX annotation_queue_order_idx ON annotation_queue USING btree (priority, url_id) INCLUDE (changed_xid) WHERE eligible;

-- Create table anonymous_migrated_answers.
--   locks out writers: anonymous_sessions
CREATE TABLE anonymous_migrated_answers (
    session_id uuid NOT NULL,
    url_id integer NOT NULL,
    url_types text[] NOT NULL,
    record_types text[] NOT NULL,
    agency_ids integer[] NOT NULL,
    location_ids bigint[] NOT NULL,
    names text[] NOT NULL,
    CONSTRAINT anonymous_migrated_answers_pkey PRIMARY KEY (session_id, url_id),
    CONSTRAINT anonymous_migrated_answers_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE anonymous_migrated_answers IS 'What a session had said about a URL before a migration: the values, sorted, and the texts of the endorsed names.';

-- Create an index on anonymous_migrated_answers.
CREATE INDEX anonymous_migrated_answers_url_id_idx ON anonymous_migrated_answers USING btree (url_id);

-- Create table followed_batches.
CREATE TABLE followed_batches (
    user_id integer NOT NULL,
    batch_ids integer[] NOT NULL,
    changed_xid bigint NOT NULL,
    CONSTRAINT followed_batches_pkey PRIMARY KEY (user_id)
);

-- Comment on it.
COMMENT ON TABLE followed_batches IS 'The batches linked to a location that the user follows, ascending; a user who follows none has no row.';

-- Comment on it.
COMMENT ON COLUMN followed_batches.changed_xid IS 'The transaction that last changed the row. Meaningless after a restore into another cluster.';

-- Create table link__locations__user_follows.
--   locks out writers: locations
CREATE TABLE link__locations__user_follows (
    location_id integer NOT NULL,
    user_id integer NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT link__locations__user_follows_pkey PRIMARY KEY (location_id, user_id),
    CONSTRAINT link__locations__user_follows_location_id_fkey FOREIGN KEY (location_id) REFERENCES locations(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE link__locations__user_follows IS 'Every change runs within ranking.ChangeFollows, which updates annotation_queue and followed_batches in the same transaction.';

-- Create an index on link__locations__user_follows.
CREATE INDEX link__locations__user_follows_user_id_idx ON link__locations__user_follows USING btree (user_id, location_id);

-- Create table proposal__agencies.
--   locks out writers: agencies
CREATE TABLE proposal__agencies (
    id serial NOT NULL,
    name character varying NOT NULL,
    agency_type agency_type_enum NOT NULL,
    jurisdiction_type jurisdiction_type_enum NOT NULL,
    proposing_user_id integer,
    promoted_agency_id integer,
    proposal_status proposal_status_enum NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT proposal__agencies_pkey PRIMARY KEY (id),
    CONSTRAINT proposal__agencies_promoted_agency_id_check CHECK (((promoted_agency_id IS NULL) OR (proposal_status = 'approved'::proposal_status_enum))),
    CONSTRAINT proposal__agencies_promoted_agency_id_fkey FOREIGN KEY (promoted_agency_id) REFERENCES agencies(id) ON DELETE SET NULL
);

-- Comment on it.
COMMENT ON COLUMN proposal__agencies.promoted_agency_id IS 'The agency that the approval created; null before that, and after the agency was deleted.';

-- Create an index on proposal__agencies.
CREATE INDEX proposal__agencies_name_form_idx ON proposal__agencies USING hash (lower(btrim(regexp_replace((name)::text, '[\s\u00a0]+'::text, ' '::text, 'g'::text)))) WHERE (proposal_status = 'pending'::proposal_status_enum);

-- Create an index on proposal__agencies.
CREATE INDEX proposal__agencies_pending_idx ON proposal__agencies USING btree (id) WHERE (proposal_status = 'pending'::proposal_status_enum);

-- Create an index on proposal__agencies.
CREATE INDEX proposal__agencies_promoted_agency_id_idx ON proposal__agencies USING btree (promoted_agency_id);

-- Create table proposal__agencies__decision_info.
CREATE TABLE proposal__agencies__decision_info (
    proposal_agency_id integer NOT NULL,
    deciding_user_id integer,
    rejection_reason character varying,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT proposal__agencies__decision_info_pkey PRIMARY KEY (proposal_agency_id),
    CONSTRAINT proposal__agencies__decision_info_proposal_agency_id_fkey FOREIGN KEY (proposal_agency_id) REFERENCES proposal__agencies(id)
);

-- Create table proposal__link__agencies__locations.
--   locks out writers: locations
CREATE TABLE proposal__link__agencies__locations (
    proposal_agency_id integer NOT NULL,
    location_id integer NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT proposal__link__agencies__locations_pkey PRIMARY KEY (proposal_agency_id, location_id),
    CONSTRAINT proposal__link__agencies__locations_location_id_fkey FOREIGN KEY (location_id) REFERENCES locations(id),
    CONSTRAINT proposal__link__agencies__locations_proposal_agency_id_fkey FOREIGN KEY (proposal_agency_id) REFERENCES proposal__agencies(id)
);

-- Create an index on proposal__link__agencies__locations.
CREATE INDEX proposal__link__agencies__locations_location_id_idx ON proposal__link__agencies__locations USING btree (location_id);

-- Create an index on agencies.
--   locks out writers: agencies, while the index is built from all rows of agencies
CREATE INDEX agencies_name_form_idx ON agencies USING hash (lower(btrim(regexp_replace((name)::text, '[\s\u00a0]+'::text, ' '::text, 'g'::text))));

-- Change annotation_queue: add constraint annotation_queue_url_id_fkey.
--   locks out writers: annotation_queue
--   locks out writers: urls
ALTER TABLE annotation_queue ADD CONSTRAINT annotation_queue_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls(id) ON DELETE CASCADE;

-- Change anonymous_migrated_answers: add constraint anonymous_migrated_answers_url_id_fkey.
--   locks out writers: anonymous_migrated_answers
--   locks out writers: urls
ALTER TABLE anonymous_migrated_answers ADD CONSTRAINT anonymous_migrated_answers_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls(id) ON DELETE CASCADE;

-- Set the comment of table anonymous_url_done.
COMMENT ON TABLE anonymous_url_done IS 'The eligible URLs of anonymous_url_annotations: those that an anonymous session has annotated, or had before a migration.';

-- Set the comment of table batch_progress.
COMMENT ON TABLE batch_progress IS 'The number of URLs of a batch, and how many of them have an agency suggested by any user.';

-- Set the comment of table link_batches__locations.
COMMENT ON TABLE link_batches__locations IS 'Every change runs within ranking.ChangeFollows, as one of follows does.';

-- Create view agency_identity.
CREATE VIEW agency_identity AS
SELECT a.id AS agency_id,
    NULL::integer AS proposal_id,
    NULL::proposal_status_enum AS proposal_status,
    lower(btrim(regexp_replace((a.name)::text, '[\s\u00a0]+'::text, ' '::text, 'g'::text))) AS name_form,
    a.agency_type,
    a.jurisdiction_type,
    ARRAY( SELECT link.location_id
           FROM link_agencies__locations link
          WHERE (link.agency_id = a.id)
          ORDER BY link.location_id) AS location_ids
   FROM agencies a
UNION ALL
 SELECT NULL::integer AS agency_id,
    p.id AS proposal_id,
    p.proposal_status,
    lower(btrim(regexp_replace((p.name)::text, '[\s\u00a0]+'::text, ' '::text, 'g'::text))) AS name_form,
    p.agency_type,
    p.jurisdiction_type,
    ARRAY( SELECT (link.location_id)::bigint AS location_id
           FROM proposal__link__agencies__locations link
          WHERE (link.proposal_agency_id = p.id)
          ORDER BY link.location_id) AS location_ids
   FROM proposal__agencies p;

-- Comment on it.
COMMENT ON VIEW agency_identity IS 'What makes agencies and proposals of agencies equal: name_form, both types and all locations. agency_id is null for a proposal; proposal_id and proposal_status are null for an agency.';

-- Create view batch_followers.
CREATE VIEW batch_followers AS
SELECT link.batch_id,
    follow.user_id
   FROM (link_batches__locations link
     JOIN link__locations__user_follows follow ON ((follow.location_id = link.location_id)));

-- Create view url_eligibility again.
CREATE VIEW url_eligibility AS
SELECT urls.id AS url_id,
    ((validated.url_id IS NULL) AND (suspended.url_id IS NULL)) AS eligible,
    (urls.source = 'manual'::url_source) AS manual,
    urls.url,
    urls.scheme,
    urls.trailing_slash
   FROM ((urls
     LEFT JOIN flag_url_validated validated ON ((validated.url_id = urls.id)))
     LEFT JOIN flag_url_suspended suspended ON ((suspended.url_id = urls.id)));

-- Create view annotation_queue_recount.
CREATE VIEW annotation_queue_recount AS
SELECT e.url_id,
    e.eligible,
    (EXISTS ( SELECT
           FROM batch_followers f
          WHERE (f.batch_id = link.batch_id))) AS followed,
    e.manual,
    (( SELECT count(*) AS count
           FROM annotation__url_type__user a
          WHERE (a.url_id = e.url_id)))::integer AS user_url_type_count,
    (( SELECT count(*) AS count
           FROM annotation__url_type__anon a
          WHERE (a.url_id = e.url_id)))::integer AS anon_url_type_count,
    (( SELECT count(*) AS count
           FROM annotation__url_type__auto a
          WHERE (a.url_id = e.url_id)))::integer AS auto_url_type_count,
    link.batch_id,
    (( SELECT count(*) AS count
           FROM annotation__agency__user a
          WHERE (a.url_id = e.url_id)))::integer AS user_agency_count
   FROM (url_eligibility e
     LEFT JOIN link_batches__urls link ON ((link.url_id = e.url_id)));

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
   FROM annotation__record_type__anon
UNION ALL
 SELECT anonymous_migrated_answers.session_id,
    anonymous_migrated_answers.url_id
   FROM anonymous_migrated_answers;

-- Create view anonymous_weight.
CREATE VIEW anonymous_weight AS
SELECT (0.5)::double precision AS weight;

-- Create view eligible_urls again.
CREATE VIEW eligible_urls AS
SELECT url_eligibility.url_id,
    url_eligibility.manual,
    url_eligibility.url,
    url_eligibility.scheme,
    url_eligibility.trailing_slash
   FROM url_eligibility
  WHERE url_eligibility.eligible;

-- Create view followed_batches_recount.
CREATE VIEW followed_batches_recount AS
SELECT f.user_id,
    array_agg(DISTINCT f.batch_id ORDER BY f.batch_id) AS batch_ids
   FROM batch_followers f
  GROUP BY f.user_id;

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
   FROM annotation__url_type__user
UNION ALL
 SELECT annotation__agency__anon.url_id,
    'anon_agency'::text AS kind
   FROM annotation__agency__anon
UNION ALL
 SELECT annotation__location__anon.url_id,
    'anon_location'::text AS kind
   FROM annotation__location__anon
UNION ALL
 SELECT annotation__record_type__anon.url_id,
    'anon_record_type'::text AS kind
   FROM annotation__record_type__anon
UNION ALL
 SELECT annotation__url_type__anon.url_id,
    'anon_url_type'::text AS kind
   FROM annotation__url_type__anon;

-- Set the comment of view url_annotations.
COMMENT ON VIEW url_annotations IS 'Robots count by subtask, not by suggestion. Names and not-found flags do not count.';

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
    COALESCE(n.anon_agency_count, (0)::bigint) AS anon_agency_count,
    COALESCE(n.anon_location_count, (0)::bigint) AS anon_location_count,
    COALESCE(n.anon_record_type_count, (0)::bigint) AS anon_record_type_count,
    COALESCE(n.anon_url_type_count, (0)::bigint) AS anon_url_type_count,
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
            count(*) FILTER (WHERE (annotation.kind = 'anon_agency'::text)) AS anon_agency_count,
            count(*) FILTER (WHERE (annotation.kind = 'anon_location'::text)) AS anon_location_count,
            count(*) FILTER (WHERE (annotation.kind = 'anon_record_type'::text)) AS anon_record_type_count,
            count(*) FILTER (WHERE (annotation.kind = 'anon_url_type'::text)) AS anon_url_type_count,
            count(*) AS total_anno_count
           FROM url_annotations annotation
          GROUP BY annotation.url_id) n ON ((n.url_id = urls.id)));

-- Comment on it.
COMMENT ON MATERIALIZED VIEW url_annotation_count_view IS 'The rows of url_annotations, by URL and kind.';

-- Create an index on materialized view url_annotation_count_view.
CREATE UNIQUE INDEX url_annotation_count_view_url_id_key ON url_annotation_count_view USING btree (url_id);

-- Drop enum url_status, which is no longer used.
DROP TYPE url_status;

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

-- Compute the queue. URLs that were broken or duplicates are offered from now on.
INSERT INTO annotation_queue (
    url_id, eligible, followed, manual, user_url_type_count, anon_url_type_count, auto_url_type_count, batch_id,
    user_agency_count, changed_xid
)
SELECT
    e.url_id, e.eligible, false, e.manual, counts.user_url_type_count, counts.anon_url_type_count, counts.auto_url_type_count,
    link.batch_id, counts.user_agency_count, 0
FROM url_eligibility e
JOIN url_annotation_count_view counts ON counts.url_id = e.url_id
LEFT JOIN link_batches__urls link ON link.url_id = e.url_id
ORDER BY e.url_id;

INSERT INTO user_url_done (user_id, url_id)
SELECT DISTINCT a.user_id, a.url_id
FROM url_former_status former
JOIN annotation_queue q ON q.url_id = former.url_id AND q.eligible
JOIN user_url_annotations a ON a.url_id = former.url_id
ON CONFLICT ON CONSTRAINT user_url_done_pkey DO NOTHING;

INSERT INTO anonymous_url_done (session_id, url_id)
SELECT DISTINCT a.session_id, a.url_id
FROM url_former_status former
JOIN annotation_queue q ON q.url_id = former.url_id AND q.eligible
JOIN anonymous_url_annotations a ON a.url_id = former.url_id
ON CONFLICT ON CONSTRAINT anonymous_url_done_pkey DO NOTHING;

INSERT INTO batch_progress (batch_id, total, annotated)
SELECT want.batch_id, want.total, want.annotated
FROM batch_progress_recount want
WHERE want.total > 0
ON CONFLICT ON CONSTRAINT batch_progress_pkey DO UPDATE SET total = excluded.total, annotated = excluded.annotated;
