package state

import (
	"context"
	"strings"
)

// Uncompared lists what schema files have created in an empty database and a State does not have, sorted: rows of tables,
// positions of sequences, privileges, and objects of another owner. A plan would not change any of it in a database.
//
// The requirements on db are those of Inspect.
func Uncompared(ctx context.Context, db Conn) ([]Object, error) {
	all, err := query[Object](ctx, db, "list what is not compared", uncomparedQuery)
	if err != nil {
		return nil, err
	}
	type text struct{ SQL string }
	positions, err := query[text](ctx, db, "list positions of sequences", `
SELECT format('SELECT ''position of sequence'' AS kind, %L AS name FROM public.%I WHERE is_called OR last_value <> %s',
    quote_ident(c.relname), c.relname, s.seqstart) AS "SQL"
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE c.relnamespace = 'public'::regnamespace`)
	if err != nil || len(positions) == 0 {
		return sorted(all), err
	}
	queries := make([]string, len(positions))
	for i, p := range positions {
		queries[i] = p.SQL
	}
	moved, err := query[Object](ctx, db, "list positions of sequences", strings.Join(queries, " UNION ALL "))
	return sorted(append(all, moved...)), err
}

// uncomparedQuery takes a table with a page for a table with rows, which is correct in a new database.
const uncomparedQuery = `
WITH relations AS (
    SELECT c.*, quote_ident(c.relname) AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
), types AS (
    SELECT t.*, quote_ident(t.typname) AS name FROM pg_type t
    WHERE t.typnamespace = 'public'::regnamespace AND t.typtype = 'e'
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
)
SELECT 'rows' AS kind, 'of ' || name AS name FROM relations WHERE relkind = 'r' AND pg_relation_size(oid) > 0
UNION ALL SELECT 'privileges', 'on ' || name FROM relations WHERE relacl IS NOT NULL
    OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relations.oid AND a.attacl IS NOT NULL)
UNION ALL SELECT 'privileges', 'on type ' || name FROM types WHERE typacl IS NOT NULL
UNION ALL SELECT 'privileges', 'on schema public' FROM pg_namespace n
    WHERE n.nspname = 'public' AND n.nspacl IS DISTINCT FROM (SELECT i.initprivs FROM pg_init_privs i
        WHERE i.classoid = 'pg_namespace'::regclass AND i.objoid = n.oid)
UNION ALL SELECT 'owner', 'of ' || name FROM relations WHERE pg_get_userbyid(relowner) <> current_user
UNION ALL SELECT 'owner', 'of type ' || name FROM types WHERE pg_get_userbyid(typowner) <> current_user`
