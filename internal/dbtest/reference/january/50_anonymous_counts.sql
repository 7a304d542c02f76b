-- The view counts the annotations of sessions too. Each of these counts is joined by the condition of the count of users of its
-- kind. So a URL without annotations by users has none, and any other has a row for every URL that sessions annotated.

DROP VIEW labeler_dashboard;
DROP VIEW url_annotation_count_view;
CREATE VIEW url_annotation_count_view AS
WITH auto_agency_count AS (SELECT url_id, count(*) AS cnt FROM annotation__agency__auto__subtasks GROUP BY url_id),
auto_location_count AS (SELECT url_id, count(*) AS cnt FROM annotation__location__auto__subtasks GROUP BY url_id),
auto_record_type_count AS (SELECT url_id, count(*) AS cnt FROM annotation__record_type__auto GROUP BY url_id),
auto_url_type_count AS (SELECT url_id, count(*) AS cnt FROM annotation__url_type__auto GROUP BY url_id),
user_agency_count AS (SELECT url_id, count(*) AS cnt FROM annotation__agency__user GROUP BY url_id),
user_location_count AS (SELECT url_id, count(*) AS cnt FROM annotation__location__user GROUP BY url_id),
user_record_type_count AS (SELECT url_id, count(*) AS cnt FROM annotation__record_type__user GROUP BY url_id),
user_url_type_count AS (SELECT url_id, count(*) AS cnt FROM annotation__url_type__user GROUP BY url_id),
anon_agency_count AS (SELECT url_id, count(*) AS cnt FROM annotation__agency__anon GROUP BY url_id),
anon_location_count AS (SELECT url_id, count(*) AS cnt FROM annotation__location__anon GROUP BY url_id),
anon_record_type_count AS (SELECT url_id, count(*) AS cnt FROM annotation__record_type__anon GROUP BY url_id),
anon_url_type_count AS (SELECT url_id, count(*) AS cnt FROM annotation__url_type__anon GROUP BY url_id)
SELECT
    u.id AS url_id,
    coalesce(aa.cnt, 0) AS auto_agency_count,
    coalesce(al.cnt, 0) AS auto_location_count,
    coalesce(ar.cnt, 0) AS auto_record_type_count,
    coalesce(at.cnt, 0) AS auto_url_type_count,
    coalesce(ua.cnt, 0) AS user_agency_count,
    coalesce(ul.cnt, 0) AS user_location_count,
    coalesce(ur.cnt, 0) AS user_record_type_count,
    coalesce(ut.cnt, 0) AS user_url_type_count,
    coalesce(na.cnt, 0) AS anon_agency_count,
    coalesce(nl.cnt, 0) AS anon_location_count,
    coalesce(nr.cnt, 0) AS anon_record_type_count,
    coalesce(nt.cnt, 0) AS anon_url_type_count,
    coalesce(aa.cnt, 0) + coalesce(al.cnt, 0) + coalesce(ar.cnt, 0) + coalesce(at.cnt, 0)
        + coalesce(ua.cnt, 0) + coalesce(ul.cnt, 0) + coalesce(ur.cnt, 0) + coalesce(ut.cnt, 0)
        + coalesce(na.cnt, 0) + coalesce(nl.cnt, 0) + coalesce(nr.cnt, 0) + coalesce(nt.cnt, 0) AS total_anno_count
FROM urls u
LEFT JOIN auto_agency_count aa ON aa.url_id = u.id
LEFT JOIN auto_location_count al ON al.url_id = u.id
LEFT JOIN auto_record_type_count ar ON ar.url_id = u.id
LEFT JOIN auto_url_type_count at ON at.url_id = u.id
LEFT JOIN user_agency_count ua ON ua.url_id = u.id
LEFT JOIN user_location_count ul ON ul.url_id = u.id
LEFT JOIN user_record_type_count ur ON ur.url_id = u.id
LEFT JOIN user_url_type_count ut ON ut.url_id = u.id
LEFT JOIN anon_agency_count na ON ua.url_id = u.id
LEFT JOIN anon_location_count nl ON ul.url_id = u.id
LEFT JOIN anon_record_type_count nr ON ur.url_id = u.id
LEFT JOIN anon_url_type_count nt ON ut.url_id = u.id;
UPDATE alembic_version SET version_num = '42933d84aa52';

-- The operators create their view again.
CREATE VIEW labeler_dashboard AS
SELECT w.user_id, sum(c.total_anno_count) AS annotations
FROM labeler_workload w
JOIN annotation__url_type__user s ON s.user_id = w.user_id
JOIN url_annotation_count_view c ON c.url_id = s.url_id
GROUP BY w.user_id;
COMMENT ON VIEW labeler_dashboard IS 'Hangs in the office.';
GRANT SELECT ON labeler_dashboard TO PUBLIC;
