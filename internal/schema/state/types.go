package state

import "context"

// Type is the type of a column, of the elements of an array, or below a domain.
type Type struct {
	Name        string // format_type without sizes: "numeric", "integer[]", "mood"
	Element     string // of an array: the type of its elements
	Base        string // of a domain: the type below it
	Modifier    int    // of a domain: the pg_attribute.atttypmod that it gives to the type below; otherwise -1
	Constrained bool   // whether it is a domain that has a NOT NULL or a CHECK of its own
	Enum        bool
	String      bool // whether it is in PostgreSQL's category of strings, to which every type can be assigned
	// Its default operator class for btree indexes, and the family of that: types of one family can be compared. "" if it has none.
	Class, Family string
}

// readTypes reads the types of the columns, and how their values are stored.
func (r *reader) readTypes(ctx context.Context) error {
	all, err := query[Type](ctx, r.db, "inspect types", `
WITH RECURSIVE used (id) AS (
    SELECT a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT v.id FROM used JOIN pg_type t ON t.oid = used.id CROSS JOIN LATERAL (VALUES (t.typelem), (t.typbasetype)) AS v (id)
    WHERE v.id <> 0
)
SELECT format_type(t.oid, NULL) AS name, t.typtypmod AS modifier, t.typtype = 'e' AS enum, t.typcategory = 'S' AS string,
    CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN format_type(t.typelem, NULL) END AS element,
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, NULL) END AS base,
    t.typtype = 'd' AND (t.typnotnull OR EXISTS (SELECT FROM pg_constraint k WHERE k.contypid = t.oid)) AS constrained,
    class.name AS class, class.family
FROM used JOIN pg_type t ON t.oid = used.id
-- The class for exactly this type comes first, then the one for a type with the same values.
LEFT JOIN LATERAL (
    SELECT format('%I.%I', o.opcnamespace::regnamespace, o.opcname) AS name,
        format('%I.%I', f.opfnamespace::regnamespace, f.opfname) AS family
    FROM pg_opclass o JOIN pg_type i ON i.oid = o.opcintype JOIN pg_opfamily f ON f.oid = o.opcfamily
    LEFT JOIN pg_cast k ON k.castsource = t.oid AND k.casttarget = i.oid AND k.castmethod = 'b' AND k.castcontext = 'i'
    WHERE o.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree') AND o.opcdefault
        AND (i.oid = t.oid OR k.oid IS NOT NULL OR t.typtype = 'e' AND i.oid = 'anyenum'::regtype)
    ORDER BY i.oid <> t.oid, NOT i.typispreferred, o.oid LIMIT 1
) AS class ON true
ORDER BY t.oid`)
	if err != nil {
		return err
	}
	r.Types = map[string]Type{}
	for _, t := range all {
		r.Types[t.Name] = t
	}
	type storage struct {
		Table, Column, Type string
		Modifier            int
		Volatile            bool
	}
	// pg_depend does not list PostgreSQL's own functions. The tree of an expression has the oids of all functions, also of those
	// below its operators; constants are numbers in it.
	columns, err := query[storage](ctx, r.db, "inspect the storage of columns", `
SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type, a.atttypmod AS modifier,
    EXISTS (SELECT FROM pg_attrdef d, regexp_matches(d.adbin::text, ':(?:funcid|opfuncid) (\d+)', 'g') AS f
        JOIN pg_proc p ON p.oid = f[1]::oid
        WHERE d.adrelid = c.oid AND d.adnum = a.attnum AND p.provolatile = 'v') AS volatile
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped`)
	if err != nil {
		return err
	}
	found := map[[2]string]storage{}
	for _, s := range columns {
		found[[2]string{s.Table, s.Column}] = s
	}
	for _, t := range r.Details {
		for i := range t.Columns {
			s := found[[2]string{t.Name, t.Columns[i].Name}]
			t.Columns[i].TypeName, t.Columns[i].Modifier, t.Columns[i].Volatile = s.Type, s.Modifier, s.Volatile
		}
	}
	return nil
}
