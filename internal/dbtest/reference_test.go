package dbtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestReference checks that the database has the properties that make it a good test: rows everywhere, Docket's columns, no
// secondary index, and violations of rules that the tables do not enforce.
func TestReference(t *testing.T) {
	t.Parallel()
	reference := lister(t, Reference(t))

	tables := reference(`SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`)
	for _, table := range tables {
		require.Equal(t, []string{"rows"}, reference("SELECT DISTINCT 'rows' FROM "+pgx.Identifier{table}.Sanitize()), table)
	}
	const columns = `
SELECT concat_ws(' ', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    AND c.relname NOT IN ('materialized_view_refreshes', 'annotation_queue', 'user_url_done', 'anonymous_url_done',
        'batch_progress', 'idempotency_keys', 'alembic_version', 'labeler_notes')`
	require.ElementsMatch(t, append(lister(t, URL(t))(columns), "batches ticket text f"), reference(columns),
		"the tables are those that Docket takes over")

	require.Empty(t, reference(`
SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> 'labeler_notes'
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)`), "no secondary index anywhere")
	require.Equal(t, []string{"batch_url_status_mat_view", "mat_view__html_duplicate_url", "url_status_mat_view"},
		reference(`SELECT matviewname::text FROM pg_matviews ORDER BY 1`))
	require.Equal(t, []string{"Monroeville"}, reference(`
SELECT locality_name FROM locations_expanded WHERE type = 'Locality' GROUP BY locality_name HAVING count(*) > 1`),
		"one place can have two locations")
	require.NotEmpty(t, reference(`SELECT url_id::text FROM url_status_mat_view GROUP BY 1 HAVING count(*) > 1`),
		"a unique index on this view would fail")
	require.Equal(t, []string{""}, reference(`SELECT coalesce(pg_get_serial_sequence('agencies', 'id'), '')`),
		"no column owns the sequence of the agencies")
	require.NotEmpty(t, reference(`SELECT table_name FROM change_log WHERE operation_type = 'UPDATE'`))
}

func TestAddReferenceTriggers(t *testing.T) {
	t.Parallel()
	url := URL(t)
	AddReferenceTriggers(t, url)
	docket := lister(t, url)
	const triggers = `SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal`
	require.ElementsMatch(t, lister(t, Reference(t))(triggers), docket(triggers))
	docket(`INSERT INTO us_states (state_iso) VALUES ('PA') RETURNING state_iso`) // fires a trigger
	require.Equal(t, []string{"PA"}, docket("SELECT state_iso FROM locations_expanded"))
}

// lister returns a function that runs a query on the database and returns its one column.
func lister(t *testing.T, url string) func(sql string) []string {
	conn := Connect(t, url)
	return func(sql string) []string { return List(t, conn, sql) }
}
