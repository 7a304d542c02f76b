package state

import (
	"context"
	"strings"
	"time"
)

func (r *reader) readViews(ctx context.Context) error {
	type row struct {
		View
		ColumnGrants []Grant `json:"column_grants"`
	}
	all, err := query[row](ctx, r.db, "inspect views", `
SELECT c.relname AS name, c.relkind = 'm' AS materialized, pg_get_viewdef(c.oid) AS definition,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
         'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
         'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    `+optionsOf("c")+` AS options, `+grantsOf("c.relacl", "c.relowner", "''")+` AS grants,
    (SELECT json_agg(g) FROM pg_attribute a, json_array_elements(`+grantsOf("a.attacl", "c.relowner", "a.attname")+`) AS g
     WHERE a.attrelid = c.oid AND NOT a.attisdropped) AS column_grants,
    obj_description(c.oid, 'pg_class') AS comment, pg_get_userbyid(c.relowner) AS owner, c.relispopulated AS populated
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')
ORDER BY c.relname COLLATE "C"`)
	if err != nil {
		return err
	}
	for _, row := range all {
		v := row.View
		if !r.relations[v.Name].managed() {
			continue
		}
		v.Definition = strings.TrimSuffix(strings.TrimSpace(v.Definition), ";")
		v.Populated = v.Populated && v.Materialized
		v.Indexes = r.viewIndexes[v.Name]
		v.Grants = oneGrantor(append(v.Grants, row.ColumnGrants...))
		r.Views = append(r.Views, &v)
	}
	return nil
}

// ReadRefreshes sets LastRefresh of the materialized views from a table of public with the columns view_name text and
// seconds double precision. It does nothing if the table is missing, has other columns, or may not be read.
func ReadRefreshes(ctx context.Context, db Conn, s *State, table string) error {
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
