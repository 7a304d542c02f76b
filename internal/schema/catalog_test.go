package schema_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// catalogQueries describe everything in public, one line per fact, so that two
// databases built alike give the same lines. Each line names its object.
var catalogQueries = []string{
	`SELECT format('schema %s', nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`,

	`SELECT format('extension %s %s in %s', extname, extversion, extnamespace::regnamespace) FROM pg_extension`,

	// Whatever kind of object no query below has heard of is at least counted here.
	`SELECT format('object %s', pg_describe_object(d.classid, d.objid, d.objsubid))
FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')`,

	`SELECT format('type %s value %s: %s', t.typname, row_number() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder), e.enumlabel)
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typnamespace = 'public'::regnamespace`,

	`SELECT format('domain %s is %s default %s not null %s', typname, format_type(typbasetype, typtypmod), typdefault, typnotnull)
FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'`,

	`SELECT format('relation %s kind %s persistence %s options %s row security %s/%s acl %s', relname, relkind, relpersistence,
    reloptions, relrowsecurity, relforcerowsecurity, relacl)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i'`,

	`SELECT format('column %s.%s number %s type %s not null %s identity %s generated %s default %s collation %s acl %s', c.relname, a.attname,
    row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull,
    nullif(a.attidentity, ''), nullif(a.attgenerated, ''), pg_get_expr(d.adbin, d.adrelid),
    nullif(a.attcollation, t.typcollation), a.attacl)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped`,

	`SELECT format('constraint %s of %s%s: %s validated %s', conname, nullif(conrelid, 0)::regclass, nullif(contypid, 0)::regtype,
    pg_get_constraintdef(oid), convalidated)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace`,

	`SELECT format('index %s valid %s replica identity %s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace`,

	`SELECT format('sequence %s type %s start %s increment %s min %s max %s cache %s cycle %s owner %s', s.seqrelid::regclass,
    s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
    (SELECT pg_describe_object(refclassid, refobjid, refobjsubid) FROM pg_depend
     WHERE classid = 'pg_class'::regclass AND objid = s.seqrelid AND deptype IN ('a', 'i')))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE c.relnamespace = 'public'::regnamespace`,

	`SELECT format('view %s: %s', c.relname, line)
FROM pg_class c, unnest(string_to_array(pg_get_viewdef(c.oid), E'\n')) WITH ORDINALITY AS l(line, n)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') ORDER BY c.relname, n`,

	`SELECT format('function %s: %s', p.oid::regprocedure, line)
FROM pg_proc p, unnest(string_to_array(pg_get_functiondef(p.oid), E'\n')) WITH ORDINALITY AS l(line, n)
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind <> 'a'
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
ORDER BY p.oid::regprocedure::text, n`,

	`SELECT format('trigger %s enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal`,

	`SELECT format('rule %s', pg_get_ruledef(r.oid))
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = 'public'::regnamespace AND r.rulename <> '_RETURN'`,

	`SELECT format('policy %s on %s for %s roles %s using %s check %s', polname, polrelid::regclass, polcmd, polroles,
    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace`,

	// 16384 is the first number PostgreSQL gives to objects that users make.
	`SELECT format('comment on %s: %s', pg_describe_object(classoid, objoid, objsubid), description)
FROM pg_description WHERE objoid >= 16384
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = classoid AND e.objid = objoid AND e.deptype = 'e')`,
}

// describe gives all lines, sorted within each query unless it sorts itself.
func describe(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	lines, err := catalog(t.Context(), conn)
	require.NoError(t, err)
	return lines
}

func catalog(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	// Deparsed text names a table's schema unless it is on the path.
	if _, err := conn.Exec(ctx, "SET search_path = public"); err != nil {
		return nil, err
	}
	var all []string
	for _, query := range catalogQueries {
		rows, err := conn.Query(ctx, query)
		if err != nil {
			return nil, err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		if !strings.Contains(query, "WITH ORDINALITY") {
			slices.Sort(lines)
		}
		all = append(all, lines...)
	}
	positions, err := sequencePositions(ctx, conn)
	return append(all, positions...), err
}

// sequencePositions tells where each sequence stands: a RESTART shows nowhere
// else.
func sequencePositions(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `SELECT format('SELECT %L || last_value || %L || is_called FROM %s',
    'sequence ' || c.relname || ' at ', ' called ', c.oid::regclass)
FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname`)
	if err != nil {
		return nil, err
	}
	queries, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(queries) == 0 {
		return nil, err
	}
	rows, err = conn.Query(ctx, strings.Join(queries, " UNION ALL ")+" ORDER BY 1")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
