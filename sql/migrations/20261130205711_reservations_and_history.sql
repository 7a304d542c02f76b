-- Create enum skip_reason.
CREATE TYPE skip_reason AS ENUM ('not sure', 'page does not load', 'language', 'needs sign-in', 'other');

-- Create enum url_event.
CREATE TYPE url_event AS ENUM ('answered', 'changed', 'taken back', 'skipped', 'suggested', 'validated', 'reopened', 'suspended');

-- Change annotation_queue: add column reserved.
--   locks out readers: annotation_queue
ALTER TABLE annotation_queue ADD COLUMN reserved boolean NOT NULL DEFAULT false;

-- Create table flag_batch_suggestions_hidden.
--   locks out writers: batches
CREATE TABLE flag_batch_suggestions_hidden (
    batch_id integer NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT flag_batch_suggestions_hidden_pkey PRIMARY KEY (batch_id),
    CONSTRAINT flag_batch_suggestions_hidden_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES batches(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE flag_batch_suggestions_hidden IS 'Batches whose URLs are shown to annotators without suggestions.';

-- Create table flag_url_reopened.
--   locks out writers: urls
CREATE TABLE flag_url_reopened (
    url_id integer NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT flag_url_reopened_pkey PRIMARY KEY (url_id),
    CONSTRAINT flag_url_reopened_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls(id) ON DELETE CASCADE
);

-- Create table url_history.
CREATE TABLE url_history (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    event url_event NOT NULL,
    user_id integer,
    session_id uuid,
    suggestions_shown boolean,
    robots jsonb,
    detail jsonb NOT NULL DEFAULT '{}'::jsonb,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT url_history_pkey PRIMARY KEY (id)
);

-- Comment on it.
COMMENT ON TABLE url_history IS 'What happened to URLs, in the order of the ids. Rows are never changed; they are deleted with their URL.';

-- Comment on it.
COMMENT ON COLUMN url_history.url_id IS 'No foreign key, which would slow down answers.';

-- Comment on it.
COMMENT ON COLUMN url_history.user_id IS 'The user who did it; null for a session, and for what happened by itself.';

-- Comment on it.
COMMENT ON COLUMN url_history.suggestions_shown IS 'Whether the annotator was shown suggestions; null for what is no answer.';

-- Comment on it.
COMMENT ON COLUMN url_history.robots IS 'What robots suggested when the URL was answered: an array of values for each attribute; null for what is no answer.';

-- Comment on it.
COMMENT ON COLUMN url_history.detail IS 'The answer, the reason, the rule: what depends on the event.';

-- Create an index on url_history.
CREATE INDEX url_history_url_id_idx ON url_history USING btree (url_id, id);

-- Create table url_reservations.
CREATE UNLOGGED TABLE url_reservations (
    annotator text NOT NULL,
    url_id integer NOT NULL,
    slot integer NOT NULL,
    suggestions_hidden boolean NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT url_reservations_pkey PRIMARY KEY (annotator),
    CONSTRAINT url_reservations_url_id_slot_key UNIQUE (url_id, slot),
    CONSTRAINT url_reservations_slot_check CHECK ((slot > 0))
) WITH (autovacuum_vacuum_scale_factor = 0.02, vacuum_truncate = false);

-- Comment on it.
COMMENT ON TABLE url_reservations IS 'The URL that each annotator works on. Soft state: after a crash of the server it is empty, which harms nothing.';

-- Comment on it.
COMMENT ON COLUMN url_reservations.annotator IS 'The id of a user or the UUID of a session, as text, as in docket queue verify.';

-- Comment on it.
COMMENT ON COLUMN url_reservations.url_id IS 'No foreign key, which would slow down requests: the row of a URL that another program deletes is removed once it has expired.';

-- Comment on it.
COMMENT ON COLUMN url_reservations.slot IS 'At most as large as the answers that the URL needed. So the unique key bounds the reservations of a URL.';

-- Comment on it.
COMMENT ON COLUMN url_reservations.suggestions_hidden IS 'Whether the annotator was shown the URL without suggestions.';

-- Create an index on url_reservations.
CREATE INDEX url_reservations_expires_at_idx ON url_reservations USING btree (expires_at);

-- Create table url_skips.
--   locks out writers: anonymous_sessions
--   locks out writers: urls
CREATE TABLE url_skips (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    user_id integer,
    session_id uuid,
    reason skip_reason NOT NULL,
    note text,
    active boolean NOT NULL DEFAULT true,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    returns_at timestamp with time zone,
    CONSTRAINT url_skips_pkey PRIMARY KEY (id),
    CONSTRAINT url_skips_session_id_url_id_key UNIQUE (session_id, url_id),
    CONSTRAINT url_skips_user_id_url_id_key UNIQUE (user_id, url_id),
    CONSTRAINT url_skips_annotator_check CHECK ((num_nonnulls(user_id, session_id) = 1)),
    CONSTRAINT url_skips_note_check CHECK ((length(note) <= 500)),
    CONSTRAINT url_skips_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions(id) ON DELETE CASCADE,
    CONSTRAINT url_skips_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE url_skips IS 'URLs that annotators did not answer, one row for each annotator and URL: the latest. An answer deletes it.';

-- Comment on it.
COMMENT ON COLUMN url_skips.active IS 'Whether the URL still comes after all others for the annotator.';

-- Comment on it.
COMMENT ON COLUMN url_skips.returns_at IS 'When it stops being active; null for not before the annotator has nothing else left.';

-- Create an index on url_skips.
CREATE INDEX url_skips_returns_at_idx ON url_skips USING btree (returns_at) WHERE active;

-- Create an index on url_skips.
CREATE INDEX url_skips_url_id_idx ON url_skips USING btree (url_id, reason);

-- Set the comment of table annotation_queue.
COMMENT ON TABLE annotation_queue IS 'One row for each URL; those that are eligible and not reserved, in (priority, url_id) order, are the queue.';

-- Set the comment of column annotation_queue.changed_xid.
COMMENT ON COLUMN annotation_queue.changed_xid IS 'The transaction that last changed what annotators are shown of the URL, or whether they are offered it. Meaningless after a restore into another cluster.';

-- Set the comment of column annotation_queue.reserved.
COMMENT ON COLUMN annotation_queue.reserved IS 'Whether as many annotators work on the URL as it needs answers, so that it is offered to no other. A hint, which a reservation sets that finds it so. Recounts, skips, releases and the sweep clear it; an answer leaves it while others work on the URL. What counts is url_reservations.';

-- Set the comment of table anonymous_url_done.
COMMENT ON TABLE anonymous_url_done IS 'The eligible URLs of anonymous_passed_urls: those that an anonymous session has annotated, or had before a migration, or put off.';

-- Set the comment of table user_url_done.
COMMENT ON TABLE user_url_done IS 'The eligible URLs of user_passed_urls: those that a user has annotated, or put off.';

-- Create view anonymous_passed_urls.
CREATE VIEW anonymous_passed_urls AS
SELECT anonymous_url_annotations.session_id,
    anonymous_url_annotations.url_id
   FROM anonymous_url_annotations
UNION ALL
 SELECT url_skips.session_id,
    url_skips.url_id
   FROM url_skips
  WHERE (url_skips.active AND (url_skips.session_id IS NOT NULL));

-- Create view often_skipped_urls.
CREATE VIEW often_skipped_urls AS
SELECT skipped.url_id,
    skipped.reason,
    unanswered.people
   FROM ((( SELECT s.url_id,
            s.reason
           FROM url_skips s
          GROUP BY s.url_id, s.reason
         HAVING (count(*) >= 3)) skipped
     JOIN eligible_urls e ON ((e.url_id = skipped.url_id)))
     CROSS JOIN LATERAL ( SELECT (count(*))::integer AS people
           FROM url_skips s
          WHERE ((s.url_id = skipped.url_id) AND (s.reason = skipped.reason) AND (NOT (EXISTS ( SELECT
                   FROM user_url_annotations a
                  WHERE ((a.user_id = s.user_id) AND (a.url_id = s.url_id))
                 OFFSET 0))) AND (NOT (EXISTS ( SELECT
                   FROM anonymous_url_annotations a
                  WHERE ((a.session_id = s.session_id) AND (a.url_id = s.url_id))
                 OFFSET 0))))) unanswered)
  WHERE (unanswered.people >= 3);

-- Create view robot_values.
CREATE VIEW robot_values AS
SELECT said.url_id,
    jsonb_object_agg(said.attribute, said.vals) AS robots
   FROM ( SELECT s.url_id,
            s.attribute,
            jsonb_agg(s.value ORDER BY s.confidence DESC, s.id) AS vals
           FROM ( SELECT subtask.url_id,
                    'agency'::text AS attribute,
                    (s_1.agency_id)::text AS value,
                    s_1.confidence,
                    (s_1.agency_id)::bigint AS id
                   FROM (annotation__agency__auto__subtasks subtask
                     JOIN annotation__agency__auto__suggestions s_1 ON ((s_1.subtask_id = subtask.id)))
                  WHERE (s_1.confidence > 0)
                UNION ALL
                 SELECT subtask.url_id,
                    'location'::text AS attribute,
                    (s_1.location_id)::text AS value,
                    s_1.confidence,
                    s_1.location_id AS id
                   FROM (annotation__location__auto__subtasks subtask
                     JOIN annotation__location__auto__suggestions s_1 ON ((s_1.subtask_id = subtask.id)))
                  WHERE (s_1.confidence > (0)::double precision)
                UNION ALL
                 SELECT annotation__record_type__auto.url_id,
                    'record_type'::text AS attribute,
                    (annotation__record_type__auto.record_type)::text AS value,
                    0 AS confidence,
                    0 AS id
                   FROM annotation__record_type__auto
                UNION ALL
                 SELECT annotation__url_type__auto.url_id,
                    'url_type'::text AS attribute,
                        CASE
                            WHEN annotation__url_type__auto.relevant THEN 'relevant'::text
                            ELSE 'not relevant'::text
                        END AS value,
                    0 AS confidence,
                    0 AS id
                   FROM annotation__url_type__auto
                UNION ALL
                 SELECT annotation__name__suggestions.url_id,
                    'name'::text AS attribute,
                    annotation__name__suggestions.suggestion AS value,
                    0 AS confidence,
                    annotation__name__suggestions.id
                   FROM annotation__name__suggestions
                  WHERE (annotation__name__suggestions.source = 'HTML Metadata Title'::suggestion_source_enum)) s
          GROUP BY s.url_id, s.attribute) said
  GROUP BY said.url_id;

-- Create view session_answers.
CREATE VIEW session_answers AS
SELECT answer.session_id,
    answer.url_id,
    answer.created_at,
    answer.url_type,
    ( SELECT a.record_type
           FROM annotation__record_type__anon a
          WHERE ((a.session_id = answer.session_id) AND (a.url_id = answer.url_id))
          ORDER BY a.created_at DESC, a.record_type
         LIMIT 1) AS record_type,
    ARRAY( SELECT a.agency_id
           FROM annotation__agency__anon a
          WHERE ((a.session_id = answer.session_id) AND (a.url_id = answer.url_id))
          ORDER BY a.agency_id) AS agency_ids,
    false AS agency_not_found,
    ARRAY( SELECT a.location_id
           FROM annotation__location__anon a
          WHERE ((a.session_id = answer.session_id) AND (a.url_id = answer.url_id))
          ORDER BY a.location_id) AS location_ids,
    false AS location_not_found,
    ( SELECT name.suggestion
           FROM (annotation__name__suggestions name
             JOIN annotation__name__anon__endorsements e ON (((e.suggestion_id = name.id) AND (e.session_id = answer.session_id))))
          WHERE (name.url_id = answer.url_id)
          ORDER BY e.created_at DESC, name.id DESC
         LIMIT 1) AS name
   FROM ( SELECT DISTINCT ON (a.session_id, a.url_id) a.session_id,
            a.url_id,
            a.url_type,
            a.created_at
           FROM annotation__url_type__anon a
          ORDER BY a.session_id, a.url_id, a.created_at DESC, a.url_type) answer;

-- Create view user_answers.
CREATE VIEW user_answers AS
SELECT answer.user_id,
    answer.url_id,
    answer.created_at,
    answer.type AS url_type,
    ( SELECT a.record_type
           FROM annotation__record_type__user a
          WHERE ((a.user_id = answer.user_id) AND (a.url_id = answer.url_id))) AS record_type,
    ARRAY( SELECT a.agency_id
           FROM annotation__agency__user a
          WHERE ((a.user_id = answer.user_id) AND (a.url_id = answer.url_id) AND (a.agency_id IS NOT NULL))
          ORDER BY a.agency_id) AS agency_ids,
    (EXISTS ( SELECT
           FROM link_user_suggestion_agency_not_found a
          WHERE ((a.user_id = answer.user_id) AND (a.url_id = answer.url_id)))) AS agency_not_found,
    ARRAY( SELECT a.location_id
           FROM annotation__location__user a
          WHERE ((a.user_id = answer.user_id) AND (a.url_id = answer.url_id))
          ORDER BY a.location_id) AS location_ids,
    (EXISTS ( SELECT
           FROM link_user_suggestion_location_not_found a
          WHERE ((a.user_id = answer.user_id) AND (a.url_id = answer.url_id)))) AS location_not_found,
    ( SELECT name.suggestion
           FROM (annotation__name__suggestions name
             JOIN annotation__name__user__endorsements e ON (((e.suggestion_id = name.id) AND (e.user_id = answer.user_id))))
          WHERE (name.url_id = answer.url_id)
          ORDER BY e.created_at DESC, name.id DESC
         LIMIT 1) AS name
   FROM annotation__url_type__user answer;

-- Create view user_passed_urls.
CREATE VIEW user_passed_urls AS
SELECT user_url_annotations.user_id,
    user_url_annotations.url_id
   FROM user_url_annotations
UNION ALL
 SELECT url_skips.user_id,
    url_skips.url_id
   FROM url_skips
  WHERE (url_skips.active AND (url_skips.user_id IS NOT NULL));
