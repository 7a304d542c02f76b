package main

import (
	"io/fs"
	"slices"

	"github.com/stretchr/testify/require"

	sqlfiles "docket/sql"

	"docket/internal/dbtest"
)

// migrateEarlier migrates the database as an earlier Docket had adopted it: the migrations after it are undone, and its last one is its
// baseline. A view of the operators that reads a replaced one must be dropped before.
func (a *adoptee) migrateEarlier() {
	a.t.Helper()
	dashboard := a.list("SELECT pg_get_viewdef('labeler_dashboard'::regclass)")[0]
	const earlier = "20261130044041"
	files, err := fs.Glob(sqlfiles.Migrations, "down/*.sql") // by version
	require.NoError(a.t, err)
	statements := []string{"DROP VIEW labeler_dashboard"}
	for _, file := range slices.Backward(files) {
		if file > "down/"+earlier+"_~" {
			undo, err := fs.ReadFile(sqlfiles.Migrations, file)
			require.NoError(a.t, err)
			statements = append(statements, string(undo))
		}
	}
	statements = append(statements, "DROP TABLE atlas_schema_revisions",
		"CREATE VIEW labeler_dashboard AS SELECT sum(total_anno_count) FROM url_annotation_count_view")
	for _, statement := range statements {
		dbtest.Exec(a.t, a.db, statement)
	}
	require.NotEmpty(a.t, a.list("SELECT status::text FROM urls WHERE status <> 'ok'"), "the former status is restored")

	rows := a.rows()
	status, _, stderr := docket(a.t, "migrate", "apply", "--baseline", earlier)
	require.Equal(a.t, exitFailure, status)
	require.Contains(a.t, stderr, "labeler_dashboard")
	dbtest.Exec(a.t, a.db, "DROP VIEW labeler_dashboard")
	status, _, stderr = docket(a.t, "schema", "apply", "--env", "prod", "--auto-approve")
	require.Equal(a.t, exitFailure, status)
	require.Contains(a.t, stderr, "migrate apply, which may also move data")
	succeed(a.t, "migrate", "apply")
	dbtest.Exec(a.t, a.db, "CREATE VIEW labeler_dashboard AS "+dashboard)
	after := a.rows()
	for _, computed := range []string{"annotation_queue", "user_url_done", "anonymous_url_done", "batch_progress"} {
		delete(rows, computed)
	}
	for table := range rows {
		require.Equal(a.t, rows[table], after[table], table)
	}
	succeed(a.t, noDifference...)
	_, differences, _ := docket(a.t, "queue", "verify")
	require.Equal(a.t, "0 differences\n", differences)
}
