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
