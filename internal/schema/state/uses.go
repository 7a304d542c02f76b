package state

import (
	"cmp"
	"context"
	"slices"
)

// optionsOf is an SQL expression for the storage parameters of a row of pg_class and of its TOAST table, sorted.
func optionsOf(class string) string {
	return `(SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(` + class + `.reloptions ||
        (SELECT array_agg('toast.' || p) FROM pg_class t, unnest(t.reloptions) AS p
         WHERE t.oid = ` + class + `.reltoastrelid)) AS o)`
}

// withoutStorage is an SQL expression for a definition without the storage parameters of its index, a row of pg_class. PostgreSQL
// prints them before the tail, quotes values that are not identifiers, and keeps the order in which they were set.
func withoutStorage(definition, class, tail string) string {
	return `(SELECT left(whole, length(whole) - length(concat(storage, tail))) || tail
     FROM (SELECT ` + definition + ` AS whole, concat(` + tail + `) AS tail,
             ' WITH (' || string_agg(quote_ident(split_part(o, '=', 1)) || '=' || CASE quote_ident(v) WHEN v THEN v
                 ELSE '''' || replace(v, '''', '''''') || '''' END, ', ' ORDER BY n) || ')' AS storage
         FROM unnest(` + class + `.reloptions) WITH ORDINALITY AS p (o, n), substr(o, strpos(o, '=') + 1) AS v) AS parts)`
}

// indexDefinition and constraintDefinition are SQL expressions for definitions without storage parameters.
var (
	indexDefinition      = withoutStorage("pg_get_indexdef(x.indexrelid)", "i", "' WHERE ' || pg_get_expr(x.indpred, x.indrelid)")
	constraintDefinition = `CASE k.contype WHEN 'x' THEN (SELECT ` + withoutStorage("pg_get_constraintdef(k.oid)", "i",
		`' WHERE (' || pg_get_expr(x.indpred, x.indrelid) || ')', CASE WHEN k.condeferrable THEN ' DEFERRABLE' END,
             CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' END`) + `
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE i.oid = k.conindid) ELSE pg_get_constraintdef(k.oid) END`
)

// namesOf is an SQL expression for the names of the numbered columns of a relation, in the order of the numbers.
func namesOf(numbers, relation string) string {
	return `(SELECT array_agg(b.attname ORDER BY n) FROM unnest(` + numbers + `) WITH ORDINALITY AS list (number, n)
        JOIN pg_attribute b ON b.attrelid = ` + relation + ` AND b.attnum = list.number AND b.attnum <> 0)`
}

// enumOf is an SQL expression for the name of the enum that is the type or the type of its elements. Enums of other schemas
// and of extensions are not managed.
func enumOf(typ string) string {
	return `(SELECT e.typname FROM pg_type s JOIN pg_type e ON e.oid = CASE s.typcategory WHEN 'A' THEN s.typelem ELSE s.oid END
     WHERE s.oid = ` + typ + ` AND e.typtype = 'e' AND e.typnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT
         FROM pg_depend x WHERE x.classid = 'pg_type'::regclass AND x.objid = e.oid AND x.deptype = 'e'))`
}

// usesQuery lists what views, expressions of columns, constraints and indexes depend on. The index of a constraint counts as
// the constraint: the columns in its expressions are dependencies of the index alone. A view depends on the types of its columns
// too. A column of a materialized view with the row type of a table counts as all columns of the table, because PostgreSQL
// cannot change their types then. Objects of extensions are left out: a plan never changes them. So is a table's dependency on
// itself as a whole.
var usesQuery = `
WITH objects AS (
    SELECT 'view' AS kind, w.ev_class AS relation, '' AS part, 'pg_rewrite'::regclass AS class, w.oid
    FROM pg_rewrite w WHERE w.rulename = '_RETURN'
    UNION ALL SELECT 'view', c.oid, '', 'pg_class'::regclass, c.oid FROM pg_class c WHERE c.relkind IN ('v', 'm')
    UNION ALL SELECT 'column', d.adrelid, a.attname, 'pg_attrdef'::regclass, d.oid
    FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    UNION ALL SELECT 'constraint', k.conrelid, k.conname, o.class, o.oid
    FROM pg_constraint k, LATERAL (VALUES ('pg_constraint'::regclass, k.oid), ('pg_class', k.conindid)) AS o (class, oid)
    WHERE o.oid = k.oid OR k.contype IN ('p', 'u', 'x')
    UNION ALL SELECT 'index', x.indrelid, i.relname, 'pg_class'::regclass, x.indexrelid
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
)
SELECT DISTINCT o.kind, c.relname AS owner, o.part, a.attname AS column, k.conname AS constraint,
    CASE WHEN rel.relkind <> 'S' OR o.kind = 'view' THEN rel.name END AS relation,
    CASE WHEN rel.relkind = 'S' AND o.kind <> 'view' THEN rel.name END AS sequence,
    e.type, p.oid::regprocedure::text AS function
FROM objects o
JOIN pg_class c ON c.oid = o.relation AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm')
JOIN pg_depend d ON d.classid = o.class AND d.objid = o.oid
    AND (d.deptype = 'n' OR d.deptype = 'a' AND o.kind IN ('constraint', 'index'))
LEFT JOIN pg_constraint k ON o.kind = 'view' AND d.refclassid = 'pg_constraint'::regclass AND k.oid = d.refobjid
LEFT JOIN (SELECT r.*, CASE relnamespace WHEN 'public'::regnamespace THEN relname::text
        ELSE format('%s.%s', relnamespace::regnamespace, quote_ident(relname)) END AS name
    FROM pg_class r WHERE relkind <> 'i') AS rel
    ON rel.oid = CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid WHEN 'pg_type'::regclass THEN CASE c.relkind
        WHEN 'm' THEN (SELECT s.typrelid FROM pg_type s WHERE s.oid = d.refobjid) END ELSE k.conrelid END
    AND (rel.oid <> c.oid OR d.refobjsubid > 0 AND o.kind <> 'view') AND (rel.oid = c.oid OR o.kind NOT IN ('constraint', 'index'))
LEFT JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND (d.refclassid = 'pg_class'::regclass AND a.attnum = d.refobjsubid OR d.refclassid = 'pg_type'::regclass)
CROSS JOIN LATERAL (SELECT CASE d.refclassid WHEN 'pg_type'::regclass THEN ` + enumOf("d.refobjid") + ` END AS type) AS e
LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid AND p.pronamespace = c.relnamespace
    AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype = 'e')
WHERE coalesce(rel.name, e.type, p.proname) IS NOT NULL`

// readUses reads what definitions depend on, excludes the parts of tables by it, and orders the views.
func (r *reader) readUses(ctx context.Context) error {
	type object struct{ Kind, Owner, Part string }
	type row struct {
		object
		Reference
	}
	all, err := query[row](ctx, r.db, "inspect dependencies", usesQuery)
	if err != nil {
		return err
	}
	uses := map[object][]Reference{}
	for _, u := range all {
		uses[u.object] = append(uses[u.object], u.Reference)
	}
	for _, references := range uses {
		slices.SortFunc(references, func(a, b Reference) int {
			return cmp.Or(cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Constraint, b.Constraint),
				cmp.Compare(a.Type, b.Type), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Sequence, b.Sequence))
		})
	}
	for _, t := range r.Details {
		for i := range t.Columns {
			t.Columns[i].Uses = uses[object{"column", t.Name, t.Columns[i].Name}]
		}
		for i := range t.Constraints {
			t.Constraints[i].Uses = uses[object{"constraint", t.Name, t.Constraints[i].Name}]
		}
		for _, index := range t.Indexes {
			index.Uses = uses[object{"index", t.Name, index.Name}]
		}
	}
	for _, v := range r.Views {
		v.Reads = uses[object{"view", v.Name, ""}]
		for _, index := range v.Indexes {
			index.Uses = uses[object{"index", v.Name, index.Name}]
		}
	}
	r.excludeParts()
	r.Views = inOrder(r.Views)
	return nil
}

func (r *reader) readCasts(ctx context.Context) (err error) {
	r.Casts, err = query[Cast](ctx, r.db, "inspect casts", `
SELECT format_type(castsource, NULL) AS "From", format_type(casttarget, NULL) AS "To", castcontext AS "Context",
    castmethod AS "Method", coalesce(p.prosupport <> 0, false) AS "Skipped"
FROM pg_cast LEFT JOIN pg_proc p ON p.oid = castfunc
ORDER BY 1, 2`)
	return err
}
