package state

import (
	"context"
	"slices"
)

// Dependent is an object that the state does not have and that needs something that it has. PostgreSQL refuses to drop what is
// needed while the object exists, and to change the type of a needed column. On is the relation of the state with which it is
// dropped. Of a sequence, Needs also has the column that owns it.
type Dependent struct {
	Object
	Needs   Reference
	RowType bool // it needs the type of the rows of Needs.Relation
	Column  bool // it is a column with values
}

// Taken is a name in public of an object that the state does not have. New objects cannot get the name.
type Taken struct {
	Object
	Bare     string // the name alone
	Relation bool   // no relation, index or sequence can get the name; else, with On, no constraint of that table
	Type     bool   // no type and no relation with rows can get the name
}

// readDependents reads the two lists. It must run after everything that is in the state was read.
func (r *reader) readDependents(ctx context.Context) error {
	type dependent struct {
		Dependent
		Home    string // the relation in public that it belongs to, or ""
		InModel bool   // of a kind that the state has, if the state has Home
	}
	type name struct {
		Taken
		Home string
	}
	dependents, err := query[dependent](ctx, r.db, "inspect dependencies", blockersQuery)
	if err != nil {
		return err
	}
	for _, d := range dependents {
		d.Name = withoutPublic(d.Name)
		if home := r.relations[d.Home]; home.managed() {
			if d.InModel {
				continue
			}
			d.On = d.Home
		}
		r.Dependents = append(r.Dependents, d.Dependent)
	}
	taken, err := query[name](ctx, r.db, "inspect names", takenQuery)
	if err != nil {
		return err
	}
	ours := r.RelationNames()
	for _, e := range r.Enums {
		ours = append(ours, e.Name)
	}
	for _, t := range taken {
		if t.On = t.Home; t.Kind == "constraint" || !slices.Contains(ours, t.Bare) {
			r.Taken = append(r.Taken, t.Taken)
		}
	}
	return nil
}

// RelationNames lists the names of tables, views, sequences and indexes, which are all different in one schema.
func (s *State) RelationNames() []string {
	var names []string
	indexes := func(all []*Index) {
		for _, index := range all {
			names = append(names, index.Name)
		}
	}
	for _, t := range s.Details {
		names = append(names, t.Name)
		indexes(t.Indexes)
		for _, c := range t.Constraints {
			if c.HasIndex() {
				names = append(names, c.Name)
			}
		}
	}
	for _, v := range s.Views {
		names = append(names, v.Name)
		indexes(v.Indexes)
	}
	for _, q := range s.Sequences {
		names = append(names, q.Name)
	}
	return names
}

// blockersQuery lists the objects that depend on something in public and are not dropped with it.
const blockersQuery = `
SELECT DISTINCT CASE WHEN v.relkind = 'v' THEN 'view' WHEN v.relkind = 'm' THEN 'materialized view'
        WHEN d.classid = 'pg_type'::regclass THEN
            (SELECT CASE typtype WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type' ELSE 'type' END FROM pg_type WHERE oid = d.objid)
        ELSE i.type END AS kind,
    coalesce(v.oid::regclass::text, i.identity) AS name, home.relname AS home,
    d.classid IN ('pg_class'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass) OR v.oid IS NOT NULL AS "inModel",
    jsonb_build_object('relation', c.relname, 'column', a.attname, 'constraint', coalesce(k.conname, index.relname),
        'type', e.typname, 'sequence', sequence.relname) AS needs,
    d.refclassid = 'pg_type'::regclass AND c.oid IS NOT NULL AS "rowType",
    d.objsubid > 0 AND (SELECT relkind IN ('r', 'p', 'm') FROM pg_class WHERE oid = d.objid) AS column
FROM pg_depend d
-- What is needed.
LEFT JOIN pg_class r ON d.refclassid = 'pg_class'::regclass AND r.oid = d.refobjid
LEFT JOIN pg_class sequence ON sequence.oid = r.oid AND sequence.relkind = 'S'
LEFT JOIN pg_depend o ON o.classid = d.refclassid AND o.objid = sequence.oid AND o.refclassid = d.refclassid AND o.refobjsubid > 0
LEFT JOIN pg_attribute a ON a.attrelid = coalesce(o.refobjid, r.oid) AND a.attnum = coalesce(o.refobjsubid, d.refobjsubid)
    AND a.attnum > 0
LEFT JOIN pg_index x ON x.indexrelid = r.oid
LEFT JOIN pg_class index ON index.oid = x.indexrelid
LEFT JOIN pg_constraint k ON d.refclassid = 'pg_constraint'::regclass AND k.oid = d.refobjid
LEFT JOIN pg_type named ON d.refclassid = 'pg_type'::regclass AND named.oid = d.refobjid
LEFT JOIN pg_type t ON t.oid = CASE named.typcategory WHEN 'A' THEN named.typelem ELSE named.oid END
LEFT JOIN pg_type e ON e.oid = t.oid AND e.typtype = 'e'
LEFT JOIN pg_class c ON c.oid = coalesce(x.indrelid, k.conrelid, t.typrelid, o.refobjid, r.oid) AND c.relkind IN ('r', 'v', 'm')
-- What needs it.
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_class v ON v.oid = CASE WHEN w.rulename = '_RETURN' THEN w.ev_class ELSE d.objid END AND v.relkind IN ('v', 'm')
    AND d.classid IN ('pg_rewrite'::regclass, 'pg_class'::regclass)
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_class home ON home.relnamespace = 'public'::regnamespace AND home.oid = CASE d.classid
    WHEN 'pg_rewrite'::regclass THEN w.ev_class
    WHEN 'pg_trigger'::regclass THEN g.tgrelid
    WHEN 'pg_class'::regclass THEN coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = d.objid), d.objid)
    WHEN 'pg_attrdef'::regclass THEN (SELECT adrelid FROM pg_attrdef WHERE oid = d.objid)
    WHEN 'pg_constraint'::regclass THEN (SELECT conrelid FROM pg_constraint WHERE oid = d.objid)
    WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxrelid FROM pg_statistic_ext WHERE oid = d.objid)
    WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy WHERE oid = d.objid)
    WHEN 'pg_publication_rel'::regclass THEN (SELECT prrelid FROM pg_publication_rel WHERE oid = d.objid) END
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
WHERE d.deptype = 'n' AND 'public'::regnamespace IN (c.relnamespace, e.typnamespace)
    AND NOT coalesce(g.tgisinternal, false) AND (v.oid IS NOT NULL OR d.objsubid > 0 OR ` + notPart + `)
    -- A partition has a copy of each foreign key, and an inherited column is dropped with that of the parent.
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE d.classid = 'pg_constraint'::regclass AND oid = d.objid AND conparentid <> 0)
    AND NOT (d.classid = 'pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = home.oid))
ORDER BY kind, name`

// takenQuery lists the names of relations and types in public, and those of constraints of kinds that a state does not have.
const takenQuery = `
SELECT o.kind || coalesce((SELECT ' of extension ' || quote_ident(e.extname)
        FROM pg_depend m JOIN pg_extension e ON e.oid = m.refobjid
        WHERE m.classid = o.classid AND m.objid = o.oid AND m.deptype = 'e'), '') AS kind,
    quote_ident(o.bare) || coalesce(' on ' || quote_ident(o.home), '') AS name, o.bare, o.home, o.relation, o.type
FROM (
    SELECT 'pg_class'::regclass AS classid, c.oid, c.relname AS bare, t.relname AS home, true AS relation,
        c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AS type, CASE c.relkind WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'composite type'
            WHEN 'r' THEN CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
                THEN 'inherited table or partition' ELSE 'table' END ELSE 'index' END AS kind
    FROM pg_class c LEFT JOIN pg_index x ON x.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = x.indrelid
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typname, NULL, false, true,
        CASE t.typtype WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range type' WHEN 'm' THEN 'multirange type'
            ELSE 'type' END
    FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typrelid = 0
        AND NOT (t.typtype = 'b' AND t.typcategory = 'A') -- PostgreSQL renames an array that is in the way
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid, k.conname, c.relname, false, false, 'constraint'
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = 'public'::regnamespace AND k.contype NOT IN ('p', 'u', 'x', 'c', 'f')
) AS o`
