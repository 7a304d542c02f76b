package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestAdoptionOfOtherRevisions: a database of a revision that Docket does not know is refused before anything is planned.
func TestAdoptionOfOtherRevisions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ sql, has string }{
		"a later one":  {"UPDATE alembic_version SET version_num = '88ac26c3b025'", "has revision 88ac26c3b025"},
		"in between":   {"UPDATE alembic_version SET version_num = '30ee666f15d1'", "has revision 30ee666f15d1"},
		"none":         {"DELETE FROM alembic_version", "has no revision"},
		"two heads":    {"INSERT INTO alembic_version VALUES ('1d3398f9cd8a')", "has revision 1d3398f9cd8a, 759ce7d0772b"},
		"odd one":      {"UPDATE alembic_version SET version_num = ''", "has revision ;"},
		"another case": {"UPDATE alembic_version SET version_num = '759CE7D0772B'", "has revision 759CE7D0772B"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := newAdoptee(t, dbtest.January)
			dbtest.Exec(t, other.db, test.sql)
			catalog := other.catalog()
			for _, args := range [][]string{
				{"schema", "diff", "--env", "prod"}, {"schema", "diff"}, {"schema", "apply", "--env", "prod", "--auto-approve"},
				{"schema", "apply", "--env", "prod", "--dry-run"},
			} {
				status, stdout, stderr := other.schema(args...)
				require.NotZero(t, status)
				require.Empty(t, stdout, "nothing is planned")
				for _, text := range []string{test.has, "1d3398f9cd8a (December 2025)", "759ce7d0772b (January 2026)", "docs/operations.md"} {
					require.Contains(t, stderr, text)
				}
			}
			require.Equal(t, catalog, other.catalog())
		})
	}
}

// TestAdoptionOfALaterRevision adopts the revision that only adds a value to batch_strategy, and refuses it when more differs.
func TestAdoptionOfALaterRevision(t *testing.T) {
	t.Parallel()
	const later = "ALTER TYPE batch_strategy ADD VALUE 'internet_archive' BEFORE 'manual'; " +
		"UPDATE alembic_version SET version_num = '1fb2286a016c'"
	t.Run("adopted", func(t *testing.T) {
		t.Parallel()
		adopt := newAdoptee(t, dbtest.January)
		dbtest.Exec(t, adopt.db, later)
		dbtest.Exec(t, adopt.db, "INSERT INTO batches (strategy, status) VALUES ('internet_archive', 'ready to label')")
		rows := adopt.rows()
		status, stdout, stderr := adopt.schema("schema", "apply", "--env", "prod", "--auto-approve")
		require.Zero(t, status, stderr)
		require.Contains(t, stdout, "Left alone: value 'internet_archive' of enum batch_strategy.")
		after := adopt.rows()
		for table := range rows {
			require.Equal(t, rows[table], after[table], table)
		}
		status, stdout, stderr = adopt.schema(noDifference...)
		require.Zero(t, status, "%s%s", stdout, stderr)
		succeed(t, "migrate", "apply", "--baseline", "latest", "--dir", migrationsFolder, "--database-url", adopt.url, "--dev-url", adopt.url)
	})
	for name, test := range map[string]struct{ sql, refusal string }{
		"a column less": {"ALTER TABLE logs DROP COLUMN log", "it has no column logs.log"},
		"a table less":  {"DROP TABLE missing", "it has no table missing"},
		"another type":  {"ALTER TABLE logs ALTER COLUMN log TYPE varchar", "logs.log is character varying"},
		"another value": {"ALTER TYPE url_source ADD VALUE 'archive'", "it has other values of enum url_source"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := newAdoptee(t, dbtest.January)
			dbtest.Exec(t, other.db, later)
			dbtest.Exec(t, other.db, test.sql)
			status, stdout, stderr := other.schema("schema", "diff", "--env", "prod")
			require.Equal(t, 2, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "1fb2286a016c (after January 2026) differs from 759ce7d0772b in more than values of batch_strategy: "+test.refusal)
		})
	}
}

// TestAdoptionWithAViewOfTheStatus refuses before anything is planned, not in the last transaction, which drops the column.
func TestAdoptionWithAViewOfTheStatus(t *testing.T) {
	t.Parallel()
	other := newAdoptee(t, dbtest.December)
	dbtest.Exec(t, other.db, "CREATE VIEW broken_urls AS SELECT id FROM urls WHERE status = 'broken'")
	status, stdout, stderr := other.schema("schema", "apply", "--env", "prod", "--auto-approve")
	require.NotZero(t, status)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "view broken_urls reads urls.status, which is dropped")
	dbtest.Exec(t, other.db, "DROP VIEW broken_urls")
	status, _, stderr = other.schema("schema", "diff", "--env", "prod")
	require.Zero(t, status, stderr)
}

// TestAdoptionCutOff ends an adoption of December before its last transaction. The other service can go on until the next run.
func TestAdoptionCutOff(t *testing.T) {
	t.Parallel()
	cut := newAdoptee(t, dbtest.December)
	dbtest.Exec(t, cut.db, "CREATE FUNCTION cut_off() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'cut off'; END $$")
	dbtest.Exec(t, cut.db, "CREATE EVENT TRIGGER cut_off ON ddl_command_start WHEN TAG IN ('DROP TYPE') EXECUTE FUNCTION cut_off()")
	apply := []string{"schema", "apply", "--env", "prod", "--auto-approve"}
	status, _, stderr := cut.schema(apply...)
	require.NotZero(t, status)
	require.Contains(t, stderr, "cut off")
	require.Contains(t, stderr, "the earlier transactions were kept, and nothing of this part")

	dbtest.Exec(t, cut.db, "UPDATE urls SET status = 'broken' WHERE id = 2")
	dbtest.Exec(t, cut.db, "INSERT INTO user_url_type_suggestions (url_id, user_id, type) VALUES (2, 2001, 'broken page')")
	rows, former := cut.rows(), cut.former()
	require.Contains(t, former, "2 broken")
	dbtest.Exec(t, cut.db, "DROP EVENT TRIGGER cut_off")
	status, stdout, stderr := cut.schema(apply...)
	require.Zero(t, status, stderr)
	require.NotContains(t, stdout, "CREATE", "only the conversion is left")
	after := cut.rows()
	for table := range rows {
		if table != "url_former_status" {
			require.Equal(t, rows[table], after[table], table)
		}
	}
	require.Equal(t, former, cut.list("SELECT concat_ws(' ', url_id, status) FROM url_former_status ORDER BY url_id"))
	status, stdout, stderr = cut.schema(noDifference...)
	require.Zero(t, status, "%s%s", stdout, stderr)
}

// TestAdoptionRefused applies the schema to databases whose rows violate it: nothing changes, and the message names the rows.
func TestAdoptionRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil, mend string
		refusal     []string
	}{
		"a rule that the trigger did not enforce on updates": {
			spoil: "UPDATE annotation__agency__user SET agency_id = 23191 WHERE is_new AND id = (SELECT min(id) FROM annotation__agency__user WHERE is_new)",
			mend:  "UPDATE annotation__agency__user SET is_new = NULL WHERE agency_id IS NOT NULL",
			refusal: []string{
				"annotation__agency__user_is_new_check", "rows of annotation__agency__user that break it (1): id ",
				"SELECT * FROM",
			},
		},
		"a proposal that names an agency before its approval": {
			spoil: "UPDATE proposal__agencies SET promoted_agency_id = 23191 WHERE id = 1",
			mend:  "UPDATE proposal__agencies SET promoted_agency_id = NULL WHERE id = 1",
			refusal: []string{
				"proposal__agencies_promoted_agency_id_check", "rows of proposal__agencies that break it (1): id 1", "SELECT * FROM",
			},
		},
		"a dropped key": {
			spoil: `ALTER TABLE annotation__location__auto__subtasks DROP CONSTRAINT uq_auto_location_id_subtasks_url_id_type;
				INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found) VALUES (17, 3, 'batch_link', false)`,
			mend: "DELETE FROM annotation__location__auto__subtasks WHERE id = (SELECT max(id) FROM annotation__location__auto__subtasks)",
			refusal: []string{
				"annotation__location__auto__subtasks_url_id_type_key", "rows of annotation__location__auto__subtasks that break it (2): id ", "SELECT * FROM",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused := newAdoptee(t, dbtest.January)
			_, err := refused.db.Exec(t.Context(), test.spoil)
			require.NoError(t, err)
			rows, theirs, catalog := refused.rows(), refused.neighbours(), refused.catalog()

			apply := []string{"schema", "apply", "--env", "prod"}
			status, _, stderr := refused.schema(append(apply, "--auto-approve")...)
			require.NotZero(t, status)
			for _, text := range test.refusal {
				require.Contains(t, stderr, text)
			}
			require.Equal(t, rows, refused.rows())
			require.Equal(t, theirs, refused.neighbours())
			require.Equal(t, catalog, refused.catalog(), "nothing changed")

			_, err = refused.db.Exec(t.Context(), test.mend)
			require.NoError(t, err)
			status, _, stderr = refused.schema(append(apply, "--auto-approve")...)
			require.Zero(t, status, stderr)
			status, _, stderr = refused.schema(noDifference...)
			require.Zero(t, status, stderr)
		})
	}
}

// catalog lists every relation, constraint and view definition.
func (a *adoptee) catalog() []string {
	a.t.Helper()
	return a.list(`
SELECT concat_ws(' ', relname, relkind, pg_get_viewdef(oid)) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'S', 'm', 'v')
UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
ORDER BY 1`)
}
