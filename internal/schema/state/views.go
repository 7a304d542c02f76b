package state

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	atlas "ariga.io/atlas/sql/schema"
)

func (r *reader) readViews(ctx context.Context) error {
	all, err := query[View](ctx, r.db, "inspect views", `
SELECT c.relname AS name, c.relkind = 'm' AS materialized, pg_get_viewdef(c.oid) AS definition,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
         'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
         'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    ARRAY(SELECT o FROM unnest(c.reloptions || (SELECT array_agg('toast.' || p) FROM pg_class t, unnest(t.reloptions) AS p
        WHERE t.oid = c.reltoastrelid)) AS o ORDER BY o COLLATE "C") AS options,
    obj_description(c.oid, 'pg_class') AS comment, pg_get_userbyid(c.relowner) AS owner, c.relispopulated AS populated
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')
ORDER BY c.relname COLLATE "C"`)
	if err != nil {
		return err
	}
	byName := map[string]*View{}
	for _, v := range all {
		if !r.relations[v.Name].managed() {
			continue
		}
		v.Definition = strings.TrimSuffix(strings.TrimSpace(v.Definition), ";")
		v.Populated = v.Populated && v.Materialized
		v.Indexes = r.viewIndexes[v.Name]
		byName[v.Name] = &v
		r.Views = append(r.Views, &v)
	}
	if err := r.readGrants(ctx, byName); err != nil {
		return err
	}
	if err := r.readReferences(ctx, byName); err != nil {
		return err
	}
	r.Views = inOrder(r.Views)
	return nil
}

func (r *reader) readReferences(ctx context.Context, views map[string]*View) error {
	type row struct {
		Reference
		View string
	}
	// Objects of extensions are left out: a plan never changes them.
	all, err := query[row](ctx, r.db, "inspect what views read", `
SELECT DISTINCT v.relname AS view,
    CASE WHEN rel.relnamespace <> v.relnamespace THEN format('%s.%s', rel.relnamespace::regnamespace, quote_ident(rel.relname))
        ELSE rel.relname::text END AS relation,
    a.attname AS column, k.conname AS constraint, t.typname AS type, p.oid::regprocedure::text AS function
FROM pg_class v
JOIN pg_rewrite w ON w.ev_class = v.oid AND w.rulename = '_RETURN'
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.deptype = 'n'
LEFT JOIN pg_constraint k ON d.refclassid = 'pg_constraint'::regclass AND k.oid = d.refobjid
LEFT JOIN pg_class rel ON rel.oid = CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid ELSE k.conrelid END
LEFT JOIN pg_attribute a ON d.refclassid = 'pg_class'::regclass AND a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    AND d.refobjsubid <> 0
LEFT JOIN pg_type array_type ON d.refclassid = 'pg_type'::regclass AND array_type.oid = d.refobjid
LEFT JOIN pg_type t ON t.oid = CASE array_type.typcategory WHEN 'A' THEN array_type.typelem ELSE array_type.oid END
    AND t.typtype = 'e' AND t.typnamespace = v.relnamespace
LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid AND p.pronamespace = v.relnamespace
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
WHERE v.relnamespace = 'public'::regnamespace AND v.relkind IN ('v', 'm') AND coalesce(rel.oid, t.oid, p.oid) IS NOT NULL
    AND rel.oid IS DISTINCT FROM v.oid`)
	if err != nil {
		return err
	}
	for _, ref := range all {
		if v, ok := views[ref.View]; ok {
			v.Reads = append(v.Reads, ref.Reference)
		}
	}
	for _, v := range views {
		slices.SortFunc(v.Reads, func(a, b Reference) int {
			return cmp.Or(cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Column, b.Column),
				cmp.Compare(a.Constraint, b.Constraint), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Function, b.Function))
		})
	}
	return nil
}

// ReadRefreshes sets LastRefresh of the materialized views from a table of public with the columns view_name text and
// seconds double precision. It does nothing if the table is missing, has other columns, or may not be read.
func ReadRefreshes(ctx context.Context, db atlas.ExecQuerier, s *State, table string) error {
	type check struct{ Readable bool }
	checks, err := query[check](ctx, db, "inspect refreshes", `
SELECT count(*) = 2 AND bool_and(has_table_privilege(attrelid, 'SELECT')) AS readable FROM pg_attribute
WHERE attrelid = to_regclass('public.' || quote_ident($1))
    AND (attname, atttypid) IN (('view_name', 'text'::regtype), ('seconds', 'double precision'::regtype))`, table)
	if err != nil || !checks[0].Readable {
		return err
	}
	type refresh struct {
		View    string
		Seconds float64
	}
	all, err := query[refresh](ctx, db, "inspect refreshes",
		`SELECT view_name AS view, seconds FROM public.`+Ident(table)+` WHERE seconds IS NOT NULL`)
	if err != nil {
		return err
	}
	for _, f := range all {
		if v := s.View(f.View); v != nil && v.Materialized {
			took := time.Duration(f.Seconds * float64(time.Second))
			v.LastRefresh = &took
		}
	}
	return nil
}

// inOrder moves each view after those that it reads, and does not change the order otherwise.
func inOrder(views []*View) []*View {
	return dependencyOrder(views, func(v *View) string { return v.Name }, func(v *View) []string {
		relations := make([]string, len(v.Reads))
		for i, ref := range v.Reads {
			relations[i] = ref.Relation
		}
		return relations
	})
}

func (v *View) String() string { return strings.ToLower(v.Kind()) + " " + v.Name }
