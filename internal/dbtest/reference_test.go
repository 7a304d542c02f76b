package dbtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestReference checks that the databases have the properties that make them good tests: rows everywhere, no secondary index, and
// violations of rules that the tables do not enforce.
func TestReference(t *testing.T) {
	t.Parallel()
	for revision, tables := range map[Revision]int{December: 69, January: 74} {
		t.Run(string(revision), func(t *testing.T) {
			t.Parallel()
			reference := lister(t, Reference(t, revision))
			require.Equal(t, []string{string(revision)}, reference("SELECT version_num FROM alembic_version"))
			names := reference(`SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`)
			require.Len(t, names, tables+1, "and labeler_notes")
			for _, table := range names {
				require.Equal(t, []string{"rows"}, reference("SELECT DISTINCT 'rows' FROM "+pgx.Identifier{table}.Sanitize()), table)
			}
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
		})
	}
}

// TestReferenceOfJanuary checks what only the later state has.
func TestReferenceOfJanuary(t *testing.T) {
	t.Parallel()
	reference := lister(t, Reference(t, January))
	const columns = `
SELECT concat_ws(' ', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    AND c.relname NOT IN ('materialized_view_refreshes', 'annotation_queue', 'user_url_done', 'anonymous_url_done',
        'batch_progress', 'followed_batches', 'anonymous_migrated_answers', 'anonymous_answer_addresses', 'url_former_status',
        'idempotency_keys',
        'consensus_due', 'consensus_facts', 'link_locations__urls', 'task_runs', 'task_schedule', 'flag_batch_suggestions_hidden',
        'flag_url_reopened', 'url_history', 'url_reservations', 'url_skips', 'alembic_version', 'labeler_notes')`
	require.ElementsMatch(t, append(lister(t, URL(t))(columns), "batches ticket text f"), reference(columns),
		"the tables are those that Docket takes over")

	// The view as it stands: the counts of other URLs, one row for each of them; and none without annotations by users.
	const anonymous = `SELECT count(DISTINCT url_id)::text FROM annotation__url_type__anon`
	const onlyType = ` FROM url_annotation_count_view WHERE url_id = (
    SELECT min(url_id) FROM annotation__url_type__user t WHERE type = 'not relevant'
        AND NOT EXISTS (SELECT FROM annotation__agency__user a WHERE a.url_id = t.url_id))`
	require.Equal(t, reference(anonymous), reference("SELECT count(*)::text"+onlyType))
	require.Equal(t, []string{"1 0"}, reference(`
SELECT concat(count(*), ' ', sum(anon_url_type_count)) FROM url_annotation_count_view WHERE url_id = (
    SELECT min(url_id) FROM annotation__url_type__anon n
    WHERE NOT EXISTS (SELECT FROM annotation__url_type__user t WHERE t.url_id = n.url_id))`))

	require.Equal(t, []string{
		"link__anonymous_sessions__name_suggestions_pkey", "link__anonymous_sessions__name_suggestions_session_id_fkey",
		"link__anonymous_sessions__name_suggestions_suggestion_id_fkey",
	}, reference(`SELECT conname::text FROM pg_constraint WHERE conrelid = 'annotation__name__anon__endorsements'::regclass ORDER BY 1`))
}

func TestAddReferenceTriggers(t *testing.T) {
	t.Parallel()
	url := URL(t)
	AddReferenceTriggers(t, url)
	docket := lister(t, url)
	const triggers = `SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal`
	require.ElementsMatch(t, lister(t, Reference(t, January))(triggers), docket(triggers))
	docket(`INSERT INTO us_states (state_iso) VALUES ('PA') RETURNING state_iso`) // fires a trigger
	require.Equal(t, []string{"PA"}, docket("SELECT state_iso FROM locations_expanded"))
}

// lister returns a function that runs a query on the database and returns its one column.
func lister(t *testing.T, url string) func(sql string) []string {
	conn := Connect(t, url)
	return func(sql string) []string { return List(t, conn, sql) }
}
