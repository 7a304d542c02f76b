-- The reference before its views became materialized, as far as its next URL reads them.

CREATE SCHEMA plain;

-- Twelve counts, each over all URLs, then joined. As meant: the reference joins the counts of sessions by the wrong condition.
CREATE VIEW plain.url_annotation_count_view AS
WITH auto_agency AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__agency__auto__subtasks a ON a.url_id = u.id GROUP BY u.id
), auto_location AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__location__auto__subtasks a ON a.url_id = u.id GROUP BY u.id
), auto_record_type AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__record_type__auto a ON a.url_id = u.id GROUP BY u.id
), auto_url_type AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__url_type__auto a ON a.url_id = u.id GROUP BY u.id
), user_agency AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__agency__user a ON a.url_id = u.id GROUP BY u.id
), user_location AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__location__user a ON a.url_id = u.id GROUP BY u.id
), user_record_type AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__record_type__user a ON a.url_id = u.id GROUP BY u.id
), user_url_type AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__url_type__user a ON a.url_id = u.id GROUP BY u.id
), anon_agency AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__agency__anon a ON a.url_id = u.id GROUP BY u.id
), anon_location AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__location__anon a ON a.url_id = u.id GROUP BY u.id
), anon_record_type AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__record_type__anon a ON a.url_id = u.id GROUP BY u.id
), anon_url_type AS (
    SELECT u.id AS url_id, count(a.url_id) AS n FROM urls u LEFT JOIN annotation__url_type__anon a ON a.url_id = u.id GROUP BY u.id
)
SELECT
    u.id AS url_id,
    auto_agency.n AS auto_agency_count,
    auto_location.n AS auto_location_count,
    auto_record_type.n AS auto_record_type_count,
    auto_url_type.n AS auto_url_type_count,
    user_agency.n AS user_agency_count,
    user_location.n AS user_location_count,
    user_record_type.n AS user_record_type_count,
    user_url_type.n AS user_url_type_count,
    anon_agency.n AS anon_agency_count,
    anon_location.n AS anon_location_count,
    anon_record_type.n AS anon_record_type_count,
    anon_url_type.n AS anon_url_type_count,
    auto_agency.n + auto_location.n + auto_record_type.n + auto_url_type.n
        + user_agency.n + user_location.n + user_record_type.n + user_url_type.n
        + anon_agency.n + anon_location.n + anon_record_type.n + anon_url_type.n AS total_anno_count
FROM urls u
JOIN auto_agency ON auto_agency.url_id = u.id
JOIN auto_location ON auto_location.url_id = u.id
JOIN auto_record_type ON auto_record_type.url_id = u.id
JOIN auto_url_type ON auto_url_type.url_id = u.id
JOIN user_agency ON user_agency.url_id = u.id
JOIN user_location ON user_location.url_id = u.id
JOIN user_record_type ON user_record_type.url_id = u.id
JOIN user_url_type ON user_url_type.url_id = u.id
JOIN anon_agency ON anon_agency.url_id = u.id
JOIN anon_location ON anon_location.url_id = u.id
JOIN anon_record_type ON anon_record_type.url_id = u.id
JOIN anon_url_type ON anon_url_type.url_id = u.id;

CREATE VIEW plain.url_annotation_flags AS
SELECT
    u.id AS url_id,
    EXISTS (SELECT FROM annotation__record_type__auto s WHERE s.url_id = u.id) AS has_auto_record_type_suggestion,
    EXISTS (SELECT FROM annotation__url_type__auto s WHERE s.url_id = u.id) AS has_auto_relevant_suggestion,
    EXISTS (SELECT FROM annotation__agency__auto__subtasks s WHERE s.url_id = u.id) AS has_auto_agency_suggestion,
    EXISTS (SELECT FROM annotation__location__auto__subtasks s WHERE s.url_id = u.id) AS has_auto_location_suggestion,
    EXISTS (SELECT FROM annotation__record_type__user s WHERE s.url_id = u.id) AS has_user_record_type_suggestion,
    EXISTS (SELECT FROM annotation__url_type__user s WHERE s.url_id = u.id) AS has_user_relevant_suggestion,
    EXISTS (SELECT FROM annotation__agency__user s WHERE s.url_id = u.id) AS has_user_agency_suggestion,
    EXISTS (SELECT FROM annotation__location__user s WHERE s.url_id = u.id) AS has_user_location_suggestion,
    EXISTS (SELECT FROM link_agencies__urls l WHERE l.url_id = u.id) AS has_confirmed_agency,
    EXISTS (SELECT FROM reviewing_user_url r WHERE r.url_id = u.id) AS was_reviewed
FROM urls u;

CREATE VIEW plain.unvalidated_url_view AS
SELECT u.id AS url_id FROM urls u LEFT JOIN flag_url_validated f ON f.url_id = u.id WHERE f.type IS NULL;
