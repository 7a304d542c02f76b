-- Create table consensus_due.
CREATE TABLE consensus_due (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT consensus_due_pkey PRIMARY KEY (id)
);

-- Comment on it.
COMMENT ON TABLE consensus_due IS 'URLs whose votes may complete a consensus, until a process has decided about them. A row is added in the transaction of the vote.';

-- Comment on it.
COMMENT ON COLUMN consensus_due.url_id IS 'No foreign key, which would slow down answers: the row of a deleted URL is removed like any other.';

-- Comment on it.
COMMENT ON COLUMN consensus_due.attempts IS 'How many decisions about the URL have failed.';

-- Create table consensus_facts.
--   locks out writers: flag_url_validated
CREATE TABLE consensus_facts (
    url_id integer NOT NULL,
    rule_version integer NOT NULL,
    threshold double precision NOT NULL,
    anonymous_weight double precision NOT NULL,
    url_type url_type NOT NULL,
    record_type record_type,
    agency_id integer,
    location_id bigint,
    name text,
    users integer NOT NULL,
    sessions integer NOT NULL,
    votes jsonb NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT consensus_facts_pkey PRIMARY KEY (url_id),
    CONSTRAINT consensus_facts_url_id_fkey FOREIGN KEY (url_id) REFERENCES flag_url_validated(url_id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE consensus_facts IS 'Why a URL was validated automatically: what was decided, by which rule, and the votes at that moment. It is never changed.';

-- Comment on it.
COMMENT ON COLUMN consensus_facts.agency_id IS 'No foreign key: the record stays when the agency is deleted.';

-- Comment on it.
COMMENT ON COLUMN consensus_facts.location_id IS 'No foreign key: the record stays when the location is deleted.';

-- Comment on it.
COMMENT ON COLUMN consensus_facts.users IS 'How many users had voted about the URL.';

-- Comment on it.
COMMENT ON COLUMN consensus_facts.sessions IS 'How many anonymous sessions had voted about the URL.';

-- Comment on it.
COMMENT ON COLUMN consensus_facts.votes IS 'For each attribute, for each value: {"users": n, "sessions": n}.';

-- Create an index on consensus_facts.
CREATE INDEX consensus_facts_created_at_idx ON consensus_facts USING btree (created_at, url_id);

-- Create table link_locations__urls.
--   locks out writers: locations
--   locks out writers: urls
CREATE TABLE link_locations__urls (
    url_id integer NOT NULL,
    location_id bigint NOT NULL,
    created_at timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT link_locations__urls_pkey PRIMARY KEY (url_id, location_id),
    CONSTRAINT link_locations__urls_location_id_fkey FOREIGN KEY (location_id) REFERENCES locations(id) ON DELETE CASCADE,
    CONSTRAINT link_locations__urls_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE link_locations__urls IS 'The agreed locations, not suggestions. The reference stores them nowhere.';

-- Create an index on link_locations__urls.
CREATE INDEX link_locations__urls_location_id_idx ON link_locations__urls USING btree (location_id);

-- Create table task_runs.
--   locks out writers: tasks
CREATE TABLE task_runs (
    task_id integer NOT NULL,
    job text NOT NULL,
    job_id bigint,
    started_at timestamp without time zone NOT NULL DEFAULT now(),
    finished_at timestamp without time zone,
    result text,
    CONSTRAINT task_runs_pkey PRIMARY KEY (task_id),
    CONSTRAINT task_runs_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE task_runs IS 'What Docket knows of its own tasks beyond what the table tasks has columns for.';

-- Comment on it.
COMMENT ON COLUMN task_runs.job_id IS 'The job of River that did the run; null when a process did it without one.';

-- Comment on it.
COMMENT ON COLUMN task_runs.result IS 'What the run did, in words; null until it has succeeded.';

-- Create an index on task_runs.
CREATE INDEX task_runs_job_id_idx ON task_runs USING btree (job_id);

-- Create table task_schedule.
CREATE TABLE task_schedule (
    job text NOT NULL,
    next_run_at timestamp without time zone NOT NULL,
    CONSTRAINT task_schedule_pkey PRIMARY KEY (job)
);

-- Comment on it.
COMMENT ON TABLE task_schedule IS 'When each periodic job is due. The instance that moves next_run_at forward inserts the job in the same transaction.';

-- Create view annotation_votes.
CREATE VIEW annotation_votes AS
SELECT annotation__url_type__user.url_id,
    'url_type'::text AS attribute,
    (annotation__url_type__user.type)::text AS value,
    annotation__url_type__user.user_id,
    NULL::uuid AS session_id,
    annotation__url_type__user.created_at
   FROM annotation__url_type__user
UNION ALL
 SELECT annotation__record_type__user.url_id,
    'record_type'::text AS attribute,
    (annotation__record_type__user.record_type)::text AS value,
    annotation__record_type__user.user_id,
    NULL::uuid AS session_id,
    annotation__record_type__user.created_at
   FROM annotation__record_type__user
UNION ALL
 SELECT vote.url_id,
    'agency'::text AS attribute,
    (vote.agency_id)::text AS value,
    vote.user_id,
    NULL::uuid AS session_id,
    answer.created_at
   FROM (annotation__agency__user vote
     LEFT JOIN annotation__url_type__user answer ON (((answer.user_id = vote.user_id) AND (answer.url_id = vote.url_id))))
  WHERE (vote.agency_id IS NOT NULL)
UNION ALL
 SELECT annotation__location__user.url_id,
    'location'::text AS attribute,
    (annotation__location__user.location_id)::text AS value,
    annotation__location__user.user_id,
    NULL::uuid AS session_id,
    annotation__location__user.created_at
   FROM annotation__location__user
UNION ALL
 SELECT name.url_id,
    'name'::text AS attribute,
    name.suggestion AS value,
    vote.user_id,
    NULL::uuid AS session_id,
    vote.created_at
   FROM (annotation__name__suggestions name
     JOIN annotation__name__user__endorsements vote ON ((vote.suggestion_id = name.id)))
UNION ALL
 SELECT annotation__url_type__anon.url_id,
    'url_type'::text AS attribute,
    (annotation__url_type__anon.url_type)::text AS value,
    NULL::integer AS user_id,
    annotation__url_type__anon.session_id,
    annotation__url_type__anon.created_at
   FROM annotation__url_type__anon
UNION ALL
 SELECT annotation__record_type__anon.url_id,
    'record_type'::text AS attribute,
    (annotation__record_type__anon.record_type)::text AS value,
    NULL::integer AS user_id,
    annotation__record_type__anon.session_id,
    annotation__record_type__anon.created_at
   FROM annotation__record_type__anon
UNION ALL
 SELECT annotation__agency__anon.url_id,
    'agency'::text AS attribute,
    (annotation__agency__anon.agency_id)::text AS value,
    NULL::integer AS user_id,
    annotation__agency__anon.session_id,
    annotation__agency__anon.created_at
   FROM annotation__agency__anon
UNION ALL
 SELECT annotation__location__anon.url_id,
    'location'::text AS attribute,
    (annotation__location__anon.location_id)::text AS value,
    NULL::integer AS user_id,
    annotation__location__anon.session_id,
    annotation__location__anon.created_at
   FROM annotation__location__anon
UNION ALL
 SELECT name.url_id,
    'name'::text AS attribute,
    name.suggestion AS value,
    NULL::integer AS user_id,
    vote.session_id,
    vote.created_at
   FROM (annotation__name__suggestions name
     JOIN annotation__name__anon__endorsements vote ON ((vote.suggestion_id = name.id)));

-- Create view consensus_rule.
CREATE VIEW consensus_rule AS
SELECT 1 AS version,
    (2)::double precision AS threshold,
    anonymous_weight.weight AS anonymous_weight
   FROM anonymous_weight;
