package state

// factQueries describe the objects in public, with one row for each property. A property with its default value has no row,
// so that a new property of an object does not change its other facts.
var factQueries = []string{
	`SELECT format('extension %s', extname) AS object, format('version %s in %s', extversion, extnamespace::regnamespace) AS text
FROM pg_extension`,

	`SELECT format('type %I', t.typname) AS object, format('value %s: %s', lpad((row_number() OVER (PARTITION BY t.oid
    ORDER BY e.enumsortorder))::text, 4, '0'), e.enumlabel) AS text
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typnamespace = 'public'::regnamespace`,

	`SELECT format('domain %I', typname) AS object, format('is %s default %s not null %s', format_type(typbasetype, typtypmod),
    typdefault, typnotnull) AS text
FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'`,

	`SELECT format('relation %I', c.relname) AS object, f.text, c.relname AS relation
FROM pg_class c CROSS JOIN LATERAL (
    SELECT 'kind ' || c.relkind::text AS text
    UNION ALL SELECT 'option ' || unnest(c.reloptions)
    UNION ALL SELECT 'option toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid
    UNION ALL SELECT 'persistence ' || c.relpersistence::text WHERE c.relpersistence <> 'p'
    UNION ALL SELECT 'row security' WHERE c.relrowsecurity
    UNION ALL SELECT 'forced row security' WHERE c.relforcerowsecurity
    UNION ALL SELECT 'partitioned by ' || pg_get_partkeydef(c.oid) WHERE c.relkind = 'p'
    UNION ALL SELECT 'of ' || i.inhparent::regclass || coalesce(' ' || pg_get_expr(c.relpartbound, c.oid), '')
        FROM pg_inherits i WHERE i.inhrelid = c.oid
) AS f
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'S')`,

	`SELECT format('column %I.%I', c.relname, a.attname) AS object, f.text, c.relname AS relation
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (
    SELECT 'type ' || format_type(a.atttypid, a.atttypmod) AS text
    UNION ALL SELECT 'not null' WHERE a.attnotnull
    UNION ALL SELECT 'identity ' || a.attidentity::text WHERE a.attidentity <> ''
    UNION ALL SELECT 'default ' || pg_get_expr(d.adbin, d.adrelid) WHERE a.attgenerated = '' AND d.oid IS NOT NULL
    UNION ALL SELECT 'generated ' || a.attgenerated::text || ' ' || pg_get_expr(d.adbin, d.adrelid) WHERE a.attgenerated <> ''
    UNION ALL SELECT 'collation ' || a.attcollation::regcollation WHERE a.attcollation <> t.typcollation
    UNION ALL SELECT 'storage ' || a.attstorage::text WHERE a.attstorage <> t.typstorage AND c.relkind NOT IN ('v', 'c')
    UNION ALL SELECT 'compression ' || a.attcompression::text WHERE a.attcompression <> ''
    UNION ALL SELECT 'statistics target ' || a.attstattarget WHERE a.attstattarget <> -1
    UNION ALL SELECT 'option ' || unnest(a.attoptions)
    -- Not for tables, where no ALTER changes the position of a column.
    UNION ALL SELECT 'number ' || (SELECT count(*) FROM pg_attribute b
            WHERE b.attrelid = a.attrelid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped)
        WHERE c.relkind IN ('v', 'm', 'c')
) AS f
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped`,

	// NOT NULL is a property of the column above; from PostgreSQL 18 on, it is also a constraint.
	`SELECT format('constraint %I on %s%s', conname, nullif(conrelid, 0)::regclass, nullif(contypid, 0)::regtype) AS object,
    ` + constraintDefinition + ` AS text, c.relname AS relation
FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'`,

	`SELECT format('index %I', i.relname) AS object, f.text, c.relname AS relation
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
CROSS JOIN LATERAL (
    SELECT ` + indexDefinition + ` AS text
    UNION ALL SELECT 'option ' || unnest(i.reloptions)
    UNION ALL SELECT 'not valid' WHERE NOT x.indisvalid OR NOT x.indisready
    UNION ALL SELECT 'replica identity' WHERE x.indisreplident
    UNION ALL SELECT 'clustered' WHERE x.indisclustered
    UNION ALL SELECT format('statistics target %s of column %s', a.attstattarget, a.attnum)
        FROM pg_attribute a WHERE a.attrelid = i.oid AND a.attstattarget <> -1
) AS f
WHERE c.relnamespace = 'public'::regnamespace`,

	`SELECT format('sequence %I', c.relname) AS object, f.text, coalesce(t.relname, c.relname) AS relation
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype IN ('a', 'i')
    AND d.refobjsubid > 0
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
CROSS JOIN LATERAL (VALUES ('type ' || s.seqtypid::regtype), ('start ' || s.seqstart), ('increment ' || s.seqincrement),
    ('min ' || s.seqmin), ('max ' || s.seqmax), ('cache ' || s.seqcache), ('cycle ' || s.seqcycle),
    ('owned by ' || CASE WHEN t.oid IS NULL THEN 'nothing' ELSE format('%s %I.%I', d.deptype, t.relname, a.attname) END),
    (CASE WHEN c.relpersistence <> 'p' THEN 'persistence ' || c.relpersistence::text END)
) AS f (text)
WHERE c.relnamespace = 'public'::regnamespace AND f.text IS NOT NULL`,

	`SELECT format('view %I', c.relname) AS object, format('line %s: %s', lpad(n::text, 4, '0'), line) AS text, c.relname AS relation
FROM pg_class c, unnest(string_to_array(pg_get_viewdef(c.oid), E'\n')) WITH ORDINALITY AS l(line, n)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')`,

	`SELECT format('function %s', p.oid::regprocedure) AS object, format('line %s: %s', lpad(n::text, 4, '0'), line) AS text
FROM pg_proc p, unnest(string_to_array(pg_get_functiondef(p.oid), E'\n')) WITH ORDINALITY AS l(line, n)
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind <> 'a'
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')`,

	`SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass) AS object, format('%s enabled %s', pg_get_triggerdef(t.oid),
    t.tgenabled) AS text, c.relname AS relation
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal`,

	`SELECT format('rule %I on %s', r.rulename, r.ev_class::regclass) AS object, format('%s enabled %s', pg_get_ruledef(r.oid),
    r.ev_enabled) AS text, c.relname AS relation
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = 'public'::regnamespace AND r.rulename <> '_RETURN'`,

	`SELECT format('policy %I on %s', polname, polrelid::regclass) AS object, format('for %s %s roles %s using %s check %s', polcmd,
    polpermissive, ARRAY(SELECT pg_get_userbyid(r) FROM unnest(polroles) AS r), pg_get_expr(polqual, polrelid),
    pg_get_expr(polwithcheck, polrelid)) AS text, c.relname AS relation
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace`,

	`SELECT format('statistics object %I.%I', stxnamespace::regnamespace, stxname) AS object, pg_get_statisticsobjdef(s.oid) AS text,
    c.relname AS relation
FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid WHERE c.relnamespace = 'public'::regnamespace`,

	// Comments on objects in public and on objects of its relations.
	`SELECT i.type || ' ' || i.identity AS object, 'comment ' || s.description AS text, c.relname AS relation
FROM pg_description s
CROSS JOIN LATERAL pg_identify_object(s.classoid, s.objoid, s.objsubid) AS i
LEFT JOIN pg_constraint k ON s.classoid = 'pg_constraint'::regclass AND k.oid = s.objoid
LEFT JOIN pg_trigger g ON s.classoid = 'pg_trigger'::regclass AND g.oid = s.objoid
LEFT JOIN pg_rewrite w ON s.classoid = 'pg_rewrite'::regclass AND w.oid = s.objoid
LEFT JOIN pg_policy p ON s.classoid = 'pg_policy'::regclass AND p.oid = s.objoid
LEFT JOIN pg_index x ON s.classoid = 'pg_class'::regclass AND x.indexrelid = s.objoid
LEFT JOIN pg_class c ON c.oid = coalesce(k.conrelid, g.tgrelid, w.ev_class, p.polrelid, x.indrelid,
    CASE s.classoid WHEN 'pg_class'::regclass THEN s.objoid END)
WHERE (s.objoid >= 16384 OR s.classoid = 'pg_namespace'::regclass) -- 16384 is the first oid that is not PostgreSQL's own
    AND CASE WHEN s.classoid = 'pg_namespace'::regclass
        THEN s.objoid = 'public'::regnamespace AND s.description <> 'standard public schema' -- PostgreSQL's default
        ELSE coalesce(c.relnamespace = 'public'::regnamespace, i.schema = 'public', true) END
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = s.classoid AND e.objid = s.objoid AND e.deptype = 'e')
    AND s.classoid <> 'pg_extension'::regclass`,
}

// accessQueries describe owners and privileges.
var accessQueries = []string{
	`SELECT format('relation %I', relname) AS object, f.text, relname AS relation
FROM pg_class CROSS JOIN LATERAL (VALUES ('owner ' || pg_get_userbyid(relowner)), ('acl ' || relacl::text)) AS f (text)
WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i' AND f.text IS NOT NULL`,

	`SELECT format('column %I.%I', c.relname, a.attname) AS object, 'acl ' || a.attacl::text AS text, c.relname AS relation
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL`,

	`SELECT format('type %s', t.oid::regtype) AS object, f.text
FROM pg_type t CROSS JOIN LATERAL (VALUES ('owner ' || pg_get_userbyid(t.typowner)), ('acl ' || t.typacl::text)) AS f (text)
WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd') AND f.text IS NOT NULL
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')`,

	`SELECT format('function %s', p.oid::regprocedure) AS object, f.text
FROM pg_proc p CROSS JOIN LATERAL (VALUES ('owner ' || pg_get_userbyid(p.proowner)), ('acl ' || p.proacl::text)) AS f (text)
WHERE p.pronamespace = 'public'::regnamespace AND f.text IS NOT NULL
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')`,

	`SELECT i.type || ' ' || i.identity AS object, 'acl ' || a.defaclacl::text AS text
FROM pg_default_acl a, pg_identify_object('pg_default_acl'::regclass, a.oid, 0) AS i
WHERE a.defaclnamespace IN (0, 'public'::regnamespace)`,
}
