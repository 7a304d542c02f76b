-- Create table anonymous_answer_addresses.
--   locks out writers: anonymous_sessions
--   locks out writers: urls
CREATE TABLE anonymous_answer_addresses (
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    url_id integer NOT NULL,
    session_id uuid NOT NULL,
    address_hash bytea NOT NULL,
    CONSTRAINT anonymous_answer_addresses_pkey PRIMARY KEY (session_id, url_id),
    CONSTRAINT anonymous_answer_addresses_address_hash_check CHECK ((length(address_hash) = 16)),
    CONSTRAINT anonymous_answer_addresses_session_id_fkey FOREIGN KEY (session_id) REFERENCES anonymous_sessions(id) ON DELETE CASCADE,
    CONSTRAINT anonymous_answer_addresses_url_id_fkey FOREIGN KEY (url_id) REFERENCES urls(id) ON DELETE CASCADE
);

-- Comment on it.
COMMENT ON TABLE anonymous_answer_addresses IS 'From which address a session answered a URL. Of the answers of one address about one URL, only that with the smallest id has votes.';

-- Comment on it.
COMMENT ON COLUMN anonymous_answer_addresses.address_hash IS 'A keyed hash of the address and the URL: an address has another hash for each URL.';

-- Create an index on anonymous_answer_addresses.
CREATE INDEX anonymous_answer_addresses_url_id_idx ON anonymous_answer_addresses USING btree (url_id, address_hash, id);

-- Create view uncounted_answers.
CREATE VIEW uncounted_answers AS
SELECT later.session_id,
    later.url_id
   FROM anonymous_answer_addresses later
  WHERE (EXISTS ( SELECT
           FROM anonymous_answer_addresses earlier
          WHERE ((earlier.url_id = later.url_id) AND (earlier.address_hash = later.address_hash) AND (earlier.id < later.id))));

-- Replace view annotation_votes; the views that read it are not changed.
--   locks out readers: annotation_votes
CREATE OR REPLACE VIEW annotation_votes AS
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
 SELECT vote.url_id,
    'url_type'::text AS attribute,
    (vote.url_type)::text AS value,
    NULL::integer AS user_id,
    vote.session_id,
    vote.created_at
   FROM annotation__url_type__anon vote
  WHERE (NOT (EXISTS ( SELECT
           FROM uncounted_answers u
          WHERE ((u.session_id = vote.session_id) AND (u.url_id = vote.url_id)))))
UNION ALL
 SELECT vote.url_id,
    'record_type'::text AS attribute,
    (vote.record_type)::text AS value,
    NULL::integer AS user_id,
    vote.session_id,
    vote.created_at
   FROM annotation__record_type__anon vote
  WHERE (NOT (EXISTS ( SELECT
           FROM uncounted_answers u
          WHERE ((u.session_id = vote.session_id) AND (u.url_id = vote.url_id)))))
UNION ALL
 SELECT vote.url_id,
    'agency'::text AS attribute,
    (vote.agency_id)::text AS value,
    NULL::integer AS user_id,
    vote.session_id,
    vote.created_at
   FROM annotation__agency__anon vote
  WHERE (NOT (EXISTS ( SELECT
           FROM uncounted_answers u
          WHERE ((u.session_id = vote.session_id) AND (u.url_id = vote.url_id)))))
UNION ALL
 SELECT vote.url_id,
    'location'::text AS attribute,
    (vote.location_id)::text AS value,
    NULL::integer AS user_id,
    vote.session_id,
    vote.created_at
   FROM annotation__location__anon vote
  WHERE (NOT (EXISTS ( SELECT
           FROM uncounted_answers u
          WHERE ((u.session_id = vote.session_id) AND (u.url_id = vote.url_id)))))
UNION ALL
 SELECT name.url_id,
    'name'::text AS attribute,
    name.suggestion AS value,
    NULL::integer AS user_id,
    vote.session_id,
    vote.created_at
   FROM (annotation__name__suggestions name
     JOIN annotation__name__anon__endorsements vote ON ((vote.suggestion_id = name.id)))
  WHERE (NOT (EXISTS ( SELECT
           FROM uncounted_answers u
          WHERE ((u.session_id = vote.session_id) AND (u.url_id = name.url_id)))));
