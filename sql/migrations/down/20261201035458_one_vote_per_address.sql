-- What the migration added is dropped, with the data in it.

-- Save the owners and grants of what is created again.
SELECT set_config('recreated.grants', coalesce(json_agg(saved)::text, '[]'), false)
FROM (
    SELECT again.name, pg_get_userbyid(c.relowner) AS owner, lists.col, acl.privilege_type AS privilege,
        acl.is_grantable AS grantable, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee,
        acl.grantee = c.relowner AS owns
    FROM (VALUES ('annotation_votes', NULL, 'annotation_votes')) AS again (before, col, name)
    JOIN pg_class c ON c.relname = again.before AND c.relnamespace = current_schema()::regnamespace
    CROSS JOIN LATERAL (
        SELECT NULL::name AS col,
            coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
        WHERE again.col IS NULL
        UNION ALL
        SELECT a.attname, a.attacl FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped AND a.attname = coalesce(again.col, a.attname)
    ) AS lists
    CROSS JOIN LATERAL aclexplode(lists.acl) AS acl
) AS saved;

-- Drop view annotation_votes, which the files define differently.
--   locks out readers: annotation_votes
DROP VIEW annotation_votes;

-- Drop view uncounted_answers, which the files do not have.
--   locks out readers: uncounted_answers
DROP VIEW uncounted_answers;

-- Drop anonymous_answer_addresses, which the files do not have.
--   drops data: all rows of anonymous_answer_addresses
--   locks out readers: anonymous_answer_addresses
--   locks out readers: anonymous_sessions
--   locks out readers: urls
DROP TABLE anonymous_answer_addresses;

-- Create view annotation_votes again.
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

-- Restore these owners and grants.
DO $$
DECLARE
    saved json = coalesce(nullif(current_setting('recreated.grants', true), ''), '[]');
    g record;
BEGIN
    FOR g IN
        SELECT DISTINCT c.oid::regclass AS relation, CASE WHEN acl.grantee <> 0 THEN pg_get_userbyid(acl.grantee) END AS grantee
        FROM json_to_recordset(saved) AS s (name name)
        JOIN pg_class c ON c.relname = s.name AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm', 'S')
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        WHERE acl.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', g.relation, coalesce(quote_ident(g.grantee), 'PUBLIC'));
    END LOOP;
    FOR g IN
        SELECT s.*, c.oid::regclass AS relation, c.relkind
        FROM json_to_recordset(saved)
            AS s (name name, owner name, col name, privilege text, grantable boolean, grantee name, owns boolean)
        JOIN pg_class c ON c.relname = s.name AND c.relnamespace = current_schema()::regnamespace
        WHERE s.col IS NULL
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = s.col AND NOT a.attisdropped)
        ORDER BY s.name, s.owns
    LOOP
        IF NOT g.owns THEN
            EXECUTE format('GRANT %s%s ON %s TO %s%s', g.privilege, '(' || quote_ident(g.col) || ')', g.relation,
                coalesce(quote_ident(g.grantee), 'PUBLIC'), CASE WHEN g.grantable THEN ' WITH GRANT OPTION' END);
        ELSIF g.relkind IN ('v', 'm') AND g.owner <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = g.relation) THEN
            EXECUTE format('ALTER %s %s OWNER TO %I', CASE g.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                g.relation, g.owner);
        END IF;
    END LOOP;
    PERFORM set_config('recreated.grants', '', false);
END
$$;
