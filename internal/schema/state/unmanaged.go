package state

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// found is an object that one of the queries below lists.
type found struct {
	Object
	Bare     string // its own name alone, for patterns
	Selector string // the name of its kind in patterns, if that is not Kind
	Relation string // the relation in public that it depends on, or ""
	Dropped  bool   // PostgreSQL drops it with the relation; otherwise it prevents dropping the relation
	Parts    []string
}

// readUnmanaged lists the objects that the state does not have. The first two queries list everything that depends on the
// schema and on its relations, so that they also find objects of kinds that this package does not know.
func (r *reader) readUnmanaged(ctx context.Context) error {
	var all []found
	for _, text := range []string{membersQuery, dependentsQuery, propertiesQuery, databaseQuery} {
		rows, err := query[found](ctx, r.db, "inspect what is not managed", text)
		if err != nil {
			return err
		}
		all = append(all, rows...)
	}
	for name, rel := range r.relations {
		switch {
		case rel.Child:
			all = append(all, found{Object: Object{Kind: "inherited table or partition", Name: name}, Relation: name})
		case !rel.managed():
			all = append(all, found{Object: Object{Kind: relationKinds[rel.Kind], Name: name}, Relation: name})
		}
	}
	for _, f := range all {
		r.list(f)
	}
	r.Unmanaged = sorted(r.Unmanaged)
	r.Excluded = sorted(r.Excluded)
	return nil
}

// list adds an object to the unmanaged or to the excluded ones.
func (r *reader) list(f found) {
	if r.relations[f.Relation].excluded || f.Bare == revisionsTable {
		return // excluding a table also excludes what depends on it
	}
	if f.Kind == "sequence" && slices.ContainsFunc(r.Sequences, func(s Sequence) bool { return s.Name == f.Bare }) {
		return
	}
	f.Name = withoutPublic(f.Name)
	if f.Dropped {
		f.On, f.Object.Parts = f.Relation, f.Parts
	}
	if f.Bare != "" && r.excludes(cmp.Or(f.Selector, f.Kind), f.Bare) {
		r.Excluded = append(r.Excluded, f.Object)
	} else {
		r.Unmanaged = append(r.Unmanaged, f.Object)
	}
}

func sorted(objects []Object) []Object {
	objects = slices.SortedFunc(slices.Values(objects), func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return slices.CompactFunc(objects, func(a, b Object) bool { return a.Kind == b.Kind && a.Name == b.Name })
}

// Unsupported returns an error if the state has unmanaged objects, or if there are uncompared ones. It is for the states of
// the project's own schema files: such objects would be in new databases and never in existing ones. An existing database may
// have any objects.
func (s *State) Unsupported(uncompared ...Object) error {
	all := slices.Concat(s.Unmanaged, uncompared)
	if len(all) == 0 {
		return nil
	}
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.String()
	}
	return fmt.Errorf("it has objects that are not managed: they are neither compared nor created in existing databases: %s; "+
		"remove them and create them by hand where they are needed (data: in a migration). Files may have extensions, enums, "+
		"tables with serial and identity columns, keys, unique, exclusion, check and foreign-key constraints, indexes, storage "+
		"parameters, comments, views and materialized views", strings.Join(names, "; "))
}

// notOfExtension leaves out the objects that CREATE EXTENSION creates.
const notOfExtension = `
    NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')`

// notPart leaves out the parts of other objects, such as the functions that construct values of a range type.
const notPart = `NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i')`

// partsOf lists the columns with which PostgreSQL drops an object.
const partsOf = `ARRAY(SELECT a.attname
    FROM pg_depend p JOIN pg_attribute a ON a.attrelid = p.refobjid AND a.attnum = p.refobjsubid
    WHERE p.classid = d.classid AND p.objid = d.objid AND p.refclassid = 'pg_class'::regclass AND p.refobjsubid > 0
        AND p.deptype = 'a' ORDER BY a.attnum)`

// membersQuery lists all objects in public except relations with rows and enums with values.
const membersQuery = `
SELECT DISTINCT i.identity AS name, coalesce(c.relname, t.typname, p.proname, i.name) AS bare,
    CASE t.typtype WHEN 'c' THEN 'composite type' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type'
        WHEN 'e' THEN 'enum without values' ELSE i.type END AS kind,
    CASE t.typtype WHEN 'e' THEN 'enum' END AS selector, coalesce(owner.relname, described.relname) AS relation,
    x.oid IS NOT NULL OR o.deptype = 'a' AS dropped, ` + partsOf + ` AS parts
FROM pg_depend d
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
LEFT JOIN pg_depend o ON c.relkind = 'S' AND o.classid = d.classid AND o.objid = d.objid AND o.refclassid = 'pg_class'::regclass
    AND o.refobjsubid > 0
LEFT JOIN pg_class owner ON owner.oid = o.refobjid
LEFT JOIN pg_statistic_ext x ON d.classid = 'pg_statistic_ext'::regclass AND x.oid = d.objid
LEFT JOIN pg_class described ON described.oid = x.stxrelid
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'public'::regnamespace AND d.classid <> 'pg_extension'::regclass
    AND coalesce(c.relkind NOT IN ('r', 'p', 'v', 'm', 'f'), true)
    AND NOT (coalesce(t.typtype, '') = 'e' AND EXISTS (SELECT FROM pg_enum e WHERE e.enumtypid = t.oid))
    AND ` + notOfExtension + ` AND ` + notPart

// dependentsQuery lists what depends on relations of public and is not a part of them: triggers, rules, policies, publications,
// and views, foreign keys and other objects outside of public.
const dependentsQuery = `
SELECT DISTINCT CASE WHEN v.oid IS NOT NULL THEN 'view outside of public' ELSE i.type END AS kind,
    coalesce(v.oid::regclass::text, i.identity) AS name, coalesce(g.tgname, w.rulename, y.polname, '') AS bare,
    c.relname AS relation, EXISTS (SELECT FROM pg_depend a WHERE a.classid = d.classid AND a.objid = d.objid
        AND a.refclassid = d.refclassid AND a.refobjid = d.refobjid AND a.deptype = 'a') AS dropped, ` + partsOf + ` AS parts
FROM pg_depend d
JOIN pg_class c ON c.oid = d.refobjid AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_policy y ON d.classid = 'pg_policy'::regclass AND y.oid = d.objid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_class k_table ON k_table.oid = k.conrelid
LEFT JOIN pg_class v ON v.oid = w.ev_class AND w.rulename = '_RETURN' AND v.relnamespace <> c.relnamespace
WHERE d.refclassid = 'pg_class'::regclass AND d.deptype IN ('n', 'a')
    AND d.classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_attrdef'::regclass)
    AND NOT coalesce(g.tgisinternal, false)
    AND NOT (coalesce(w.rulename, '') = '_RETURN' AND v.oid IS NULL)
    AND coalesce(k_table.relnamespace <> c.relnamespace, k.oid IS NULL)
    AND NOT EXISTS (SELECT FROM pg_depend n WHERE n.classid = d.classid AND n.objid = d.objid
        AND n.refclassid = 'pg_namespace'::regclass AND n.refobjid = c.relnamespace)
    AND ` + notOfExtension

// databaseQuery lists other schemas, and objects that belong to the whole database or affect all schemas.
const databaseQuery = `
SELECT 'schema' AS kind, nspname::text AS name, nspname AS bare, '' AS relation
FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')
UNION ALL
SELECT 'event trigger', evtname, evtname, '' FROM pg_event_trigger v
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_event_trigger'::regclass AND e.objid = v.oid AND e.deptype = 'e')
UNION ALL
SELECT 'publication of all tables', pubname, pubname, '' FROM pg_publication WHERE puballtables
UNION ALL
SELECT i.type, i.identity, '', '' FROM pg_default_acl a, pg_identify_object('pg_default_acl'::regclass, a.oid, 0) AS i
WHERE a.defaclnamespace = 0
UNION ALL
SELECT DISTINCT i.type, i.identity, '', ''
FROM pg_depend d JOIN pg_type t ON t.oid = d.refobjid AND t.typnamespace = 'public'::regnamespace,
    pg_identify_object(d.classid, d.objid, 0) AS i
WHERE d.refclassid = 'pg_type'::regclass AND d.classid = 'pg_cast'::regclass AND ` + notOfExtension + ` AND ` + notPart
