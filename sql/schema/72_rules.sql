-- Rules of the domain that several statements and views share. Each is defined here and nowhere else.

-- Whether annotators are offered a URL: neither validated nor suspended.
CREATE VIEW url_eligibility AS
SELECT
    urls.id AS url_id,
    validated.url_id IS NULL AND suspended.url_id IS NULL AS eligible,
    urls.source = 'manual' AS manual,
    urls.url,
    urls.scheme,
    urls.trailing_slash
FROM urls
LEFT JOIN flag_url_validated validated ON validated.url_id = urls.id
LEFT JOIN flag_url_suspended suspended ON suspended.url_id = urls.id;

-- The URLs that annotators are offered.
CREATE VIEW eligible_urls AS
SELECT url_id, manual, url, scheme, trailing_slash FROM url_eligibility WHERE eligible;

-- The users who follow a location that a batch is linked to. A pair may be repeated. A followed state does not cover its
-- counties.
CREATE VIEW batch_followers AS
SELECT link.batch_id, follow.user_id
FROM link_batches__locations link
JOIN link__locations__user_follows follow ON follow.location_id = link.location_id;

-- What an answer of an anonymous session counts, wherever a user's counts 1. Sums of it are exact.
CREATE VIEW anonymous_weight AS
SELECT 0.5::double precision AS weight;

-- The rule that turns votes into facts. Changing a number takes a new version; docs/decisions/consensus-rules.md lists them all.
CREATE VIEW consensus_rule AS
SELECT 1 AS version, 2::double precision AS threshold, weight AS anonymous_weight FROM anonymous_weight;

-- The answers of sessions that have no votes: another session answered the URL before, from the same address.
CREATE VIEW uncounted_answers AS
SELECT later.session_id, later.url_id
FROM anonymous_answer_addresses later
WHERE EXISTS (
    SELECT FROM anonymous_answer_addresses earlier
    WHERE earlier.url_id = later.url_id AND earlier.address_hash = later.address_hash AND earlier.id < later.id
);

-- The votes of annotators, one row for each annotator and value. A name is voted for by endorsing it. Users' agencies have no time;
-- theirs is that of the user's type for the URL, which was stored with them, or null.
CREATE VIEW annotation_votes AS
SELECT url_id, 'url_type' AS attribute, type::text AS value, user_id, NULL::uuid AS session_id, created_at
FROM annotation__url_type__user
UNION ALL SELECT url_id, 'record_type', record_type::text, user_id, NULL, created_at FROM annotation__record_type__user
UNION ALL SELECT vote.url_id, 'agency', vote.agency_id::text, vote.user_id, NULL, answer.created_at
FROM annotation__agency__user vote
LEFT JOIN annotation__url_type__user answer ON answer.user_id = vote.user_id AND answer.url_id = vote.url_id
WHERE vote.agency_id IS NOT NULL
UNION ALL SELECT url_id, 'location', location_id::text, user_id, NULL, created_at FROM annotation__location__user
UNION ALL SELECT name.url_id, 'name', name.suggestion, vote.user_id, NULL, vote.created_at
FROM annotation__name__suggestions name
JOIN annotation__name__user__endorsements vote ON vote.suggestion_id = name.id
UNION ALL SELECT vote.url_id, 'url_type', vote.url_type::text, NULL, vote.session_id, vote.created_at
FROM annotation__url_type__anon vote
WHERE NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = vote.session_id AND u.url_id = vote.url_id)
UNION ALL SELECT vote.url_id, 'record_type', vote.record_type::text, NULL, vote.session_id, vote.created_at
FROM annotation__record_type__anon vote
WHERE NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = vote.session_id AND u.url_id = vote.url_id)
UNION ALL SELECT vote.url_id, 'agency', vote.agency_id::text, NULL, vote.session_id, vote.created_at
FROM annotation__agency__anon vote
WHERE NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = vote.session_id AND u.url_id = vote.url_id)
UNION ALL SELECT vote.url_id, 'location', vote.location_id::text, NULL, vote.session_id, vote.created_at
FROM annotation__location__anon vote
WHERE NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = vote.session_id AND u.url_id = vote.url_id)
UNION ALL SELECT name.url_id, 'name', name.suggestion, NULL, vote.session_id, vote.created_at
FROM annotation__name__suggestions name
JOIN annotation__name__anon__endorsements vote ON vote.suggestion_id = name.id
WHERE NOT EXISTS (SELECT FROM uncounted_answers u WHERE u.session_id = vote.session_id AND u.url_id = name.url_id);

-- What robots suggest about URLs, as annotators are shown it: one row for each URL about which a robot suggests something, with an
-- array of texts for each attribute. The values are those of annotation_votes, the highest confidence first, then the smallest id;
-- a value that several robots suggest is repeated. About the type, a robot says relevant or not relevant.
CREATE VIEW robot_values AS
SELECT said.url_id, jsonb_object_agg(said.attribute, said.vals) AS robots
FROM (
    SELECT s.url_id, s.attribute, jsonb_agg(s.value ORDER BY s.confidence DESC, s.id) AS vals
    FROM (
        SELECT subtask.url_id, 'agency' AS attribute, s.agency_id::text AS value, s.confidence, s.agency_id::bigint AS id
        FROM annotation__agency__auto__subtasks subtask
        JOIN annotation__agency__auto__suggestions s ON s.subtask_id = subtask.id
        WHERE s.confidence > 0
        UNION ALL
        SELECT subtask.url_id, 'location' AS attribute, s.location_id::text AS value, s.confidence, s.location_id::bigint AS id
        FROM annotation__location__auto__subtasks subtask
        JOIN annotation__location__auto__suggestions s ON s.subtask_id = subtask.id
        WHERE s.confidence > 0
        UNION ALL
        SELECT url_id, 'record_type' AS attribute, record_type::text AS value, 0 AS confidence, 0 AS id
        FROM annotation__record_type__auto
        UNION ALL
        SELECT url_id, 'url_type' AS attribute, CASE WHEN relevant THEN 'relevant' ELSE 'not relevant' END AS value,
            0 AS confidence, 0 AS id
        FROM annotation__url_type__auto
        UNION ALL
        SELECT url_id, 'name' AS attribute, suggestion AS value, 0 AS confidence, id
        FROM annotation__name__suggestions WHERE source = 'HTML Metadata Title'
    ) AS s
    GROUP BY s.url_id, s.attribute
) AS said
GROUP BY said.url_id;

-- What each user says about each URL to which the user gave a type. The name is the one that the user endorsed last.
CREATE VIEW user_answers AS
SELECT
    answer.user_id,
    answer.url_id,
    answer.created_at,
    answer.type AS url_type,
    (
        SELECT a.record_type FROM annotation__record_type__user a WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
    ) AS record_type,
    ARRAY(
        SELECT a.agency_id FROM annotation__agency__user a
        WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id AND a.agency_id IS NOT NULL
        ORDER BY a.agency_id
    ) AS agency_ids,
    EXISTS (
        SELECT FROM link_user_suggestion_agency_not_found a WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
    ) AS agency_not_found,
    ARRAY(
        SELECT a.location_id FROM annotation__location__user a
        WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
        ORDER BY a.location_id
    ) AS location_ids,
    EXISTS (
        SELECT FROM link_user_suggestion_location_not_found a WHERE a.user_id = answer.user_id AND a.url_id = answer.url_id
    ) AS location_not_found,
    (
        SELECT name.suggestion
        FROM annotation__name__suggestions name
        JOIN annotation__name__user__endorsements e ON e.suggestion_id = name.id AND e.user_id = answer.user_id
        WHERE name.url_id = answer.url_id
        ORDER BY e.created_at DESC, name.id DESC
        LIMIT 1
    ) AS name
FROM annotation__url_type__user answer;

-- The same for anonymous sessions. Of several types or record types of a session, which only the reference stores, the last one
-- counts, and of several at one time the first of the enum, as when the session is migrated.
CREATE VIEW session_answers AS
SELECT
    answer.session_id,
    answer.url_id,
    answer.created_at,
    answer.url_type,
    (
        SELECT a.record_type FROM annotation__record_type__anon a
        WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id
        ORDER BY a.created_at DESC, a.record_type
        LIMIT 1
    ) AS record_type,
    ARRAY(
        SELECT a.agency_id FROM annotation__agency__anon a
        WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id
        ORDER BY a.agency_id
    ) AS agency_ids,
    false AS agency_not_found,
    ARRAY(
        SELECT a.location_id FROM annotation__location__anon a
        WHERE a.session_id = answer.session_id AND a.url_id = answer.url_id
        ORDER BY a.location_id
    ) AS location_ids,
    false AS location_not_found,
    (
        SELECT name.suggestion
        FROM annotation__name__suggestions name
        JOIN annotation__name__anon__endorsements e ON e.suggestion_id = name.id AND e.session_id = answer.session_id
        WHERE name.url_id = answer.url_id
        ORDER BY e.created_at DESC, name.id DESC
        LIMIT 1
    ) AS name
FROM (
    SELECT DISTINCT ON (a.session_id, a.url_id) a.session_id, a.url_id, a.url_type, a.created_at
    FROM annotation__url_type__anon a
    ORDER BY a.session_id, a.url_id, a.created_at DESC, a.url_type
) AS answer;

-- The annotations that the count view counts, one row for each. Only those of the URL's type decide its place in the order.
CREATE VIEW url_annotations AS
SELECT url_id, 'auto_agency' AS kind FROM annotation__agency__auto__subtasks
UNION ALL SELECT url_id, 'auto_location' FROM annotation__location__auto__subtasks
UNION ALL SELECT url_id, 'auto_record_type' FROM annotation__record_type__auto
UNION ALL SELECT url_id, 'auto_url_type' FROM annotation__url_type__auto
UNION ALL SELECT url_id, 'user_agency' FROM annotation__agency__user
UNION ALL SELECT url_id, 'user_location' FROM annotation__location__user
UNION ALL SELECT url_id, 'user_record_type' FROM annotation__record_type__user
UNION ALL SELECT url_id, 'user_url_type' FROM annotation__url_type__user
UNION ALL SELECT url_id, 'anon_agency' FROM annotation__agency__anon
UNION ALL SELECT url_id, 'anon_location' FROM annotation__location__anon
UNION ALL SELECT url_id, 'anon_record_type' FROM annotation__record_type__anon
UNION ALL SELECT url_id, 'anon_url_type' FROM annotation__url_type__anon;

COMMENT ON VIEW url_annotations IS 'Robots count by subtask, not by suggestion. Names and not-found flags do not count.';

-- The URLs that each user has annotated, eligible or not. A pair may be repeated.
CREATE VIEW user_url_annotations AS
SELECT user_id, url_id FROM annotation__url_type__user
UNION ALL SELECT user_id, url_id FROM annotation__agency__user
UNION ALL SELECT user_id, url_id FROM annotation__location__user
UNION ALL SELECT user_id, url_id FROM annotation__record_type__user;

-- The URLs that each anonymous session has annotated, eligible or not, those migrated to a user included. A pair may be repeated.
CREATE VIEW anonymous_url_annotations AS
SELECT session_id, url_id FROM annotation__url_type__anon
UNION ALL SELECT session_id, url_id FROM annotation__agency__anon
UNION ALL SELECT session_id, url_id FROM annotation__location__anon
UNION ALL SELECT session_id, url_id FROM annotation__record_type__anon
UNION ALL SELECT session_id, url_id FROM anonymous_migrated_answers;

-- The URLs that each user is not offered, eligible or not: those annotated, and those put off. A pair may be repeated.
CREATE VIEW user_passed_urls AS
SELECT user_id, url_id FROM user_url_annotations
UNION ALL SELECT user_id, url_id FROM url_skips WHERE active AND user_id IS NOT NULL;

-- The URLs that each anonymous session is not offered, likewise.
CREATE VIEW anonymous_passed_urls AS
SELECT session_id, url_id FROM anonymous_url_annotations
UNION ALL SELECT session_id, url_id FROM url_skips WHERE active AND session_id IS NOT NULL;

-- The URLs on the list for administrators: annotators are still offered them, and at least three people have put them off for one
-- reason. A skip that has ended counts too, until its annotator answers. One that was stored at the same time as the answer of its
-- annotator does not count. OFFSET 0 has each annotator looked up by itself, and only for URLs with three skips.
CREATE VIEW often_skipped_urls AS
SELECT skipped.url_id, skipped.reason, unanswered.people
FROM (
    SELECT s.url_id, s.reason
    FROM url_skips s
    GROUP BY s.url_id, s.reason
    HAVING count(*) >= 3
) AS skipped
JOIN eligible_urls e ON e.url_id = skipped.url_id
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS people
    FROM url_skips s
    WHERE s.url_id = skipped.url_id
        AND s.reason = skipped.reason
        AND NOT EXISTS (SELECT FROM user_url_annotations a WHERE a.user_id = s.user_id AND a.url_id = s.url_id OFFSET 0)
        AND NOT EXISTS (SELECT FROM anonymous_url_annotations a WHERE a.session_id = s.session_id AND a.url_id = s.url_id OFFSET 0)
) AS unanswered
WHERE unanswered.people >= 3;

-- The status of a URL, and what it was validated as: null if it was not. Every table but url_task_error has at most one row for a
-- URL, so that nothing is counted twice.
CREATE VIEW url_status_view AS
SELECT
    urls.id AS url_id,
    validated.type AS validated_as,
    CASE
        WHEN validated.type IN ('not relevant', 'individual record', 'not found', 'broken page') THEN 'Accepted'
        WHEN validated.type IS NOT NULL AND coalesce(source.url_id, meta.url_id) IS NOT NULL THEN 'Submitted'
        WHEN validated.type IS NOT NULL THEN 'Awaiting Submission'
        WHEN html.url_id IS NOT NULL AND web.url_id IS NOT NULL AND screenshot.url_id IS NOT NULL THEN 'Community Labeling'
        WHEN failed.url_id IS NOT NULL THEN 'Error'
        ELSE 'Intake'
    END AS status
FROM urls
LEFT JOIN flag_url_validated validated ON validated.url_id = urls.id
LEFT JOIN ds_app_link_data_source source ON source.url_id = urls.id AND validated.type = 'data source'
LEFT JOIN ds_app_link_meta_url meta ON meta.url_id = urls.id AND validated.type = 'meta url'
LEFT JOIN url_compressed_html html ON html.url_id = urls.id
LEFT JOIN url_web_metadata web ON web.url_id = urls.id
LEFT JOIN url_screenshot screenshot ON screenshot.url_id = urls.id
LEFT JOIN (
    SELECT DISTINCT e.url_id FROM url_task_error e WHERE e.task_type IN ('Screenshot', 'HTML', 'URL Probe')
) AS failed ON failed.url_id = urls.id;
