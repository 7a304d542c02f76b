package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema"
)

// checkout creates a directory like a checkout, with two migrations, and returns the directory of the migrations.
func checkout(t *testing.T, root string) string {
	t.Helper()
	dir := filepath.Join(root, "sql", "migrations")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "down"), 0o700))
	for name, text := range map[string]string{
		"20260101000000_a.sql": "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1);", "down/20260101000000_a.sql": "DROP TABLE a;",
		"20260102000000_b.sql": "CREATE TABLE b (id int);", "down/20260102000000_b.sql": "DROP TABLE b;",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	require.NoError(t, schema.Hash(dir, advice))
	return dir
}

// tables lists the tables of public except the revisions.
func tables(t *testing.T, url string) string {
	t.Helper()
	return strings.Join(dbtest.List(t, dbtest.Connect(t, url), `SELECT tablename::text FROM pg_tables
		WHERE schemaname = 'public' AND tablename <> 'atlas_schema_revisions' ORDER BY 1`), " ")
}

// TestMigrateFindsItsFiles changes the working directory, so it runs alone.
func TestMigrateFindsItsFiles(t *testing.T) {
	url := dbtest.Empty(t)
	root, other := t.TempDir(), t.TempDir()
	dir := checkout(t, root)
	t.Chdir(other)
	status, stdout, stderr := docket(t, "migrate", "status", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "migrations: built into docket development\n")
	require.Contains(t, stdout, "pending   20261123054300_initial.sql\n")
	status, _, stderr = docket(t, "migrate", "hash")
	require.Equal(t, exitUsage, status, "what is built in cannot be written to")
	require.Contains(t, stderr, "--dir")

	_, stdout, stderr = docket(t, "migrate", "status", "--database-url", url, "--dir", "file://"+dir)
	require.Contains(t, stderr, "migrations: "+dir+"\n")
	require.Contains(t, stdout, "pending   20260101000000_a.sql\n")
	for _, wrong := range []string{"file:///nowhere/at/all", "s3://bucket", filepath.Join(dir, "atlas.sum")} {
		status, _, stderr = docket(t, "migrate", "status", "--database-url", url, "--dir", wrong)
		require.Equal(t, exitUsage, status)
		require.Contains(t, stderr, wrong)
	}

	t.Chdir(root)
	_, stdout, stderr = docket(t, "migrate", "status", "--database-url", url)
	require.Contains(t, stderr, "migrations: sql/migrations\n")
	require.NotContains(t, stderr, "note:")
	require.Contains(t, stdout, "pending   20260102000000_b.sql\n")

	// A server applies only the migrations that are built into it.
	future := time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)
	_, err := schema.Add("sql/migrations", advice, future, schema.Draft{Name: "future", Up: "SELECT 1;", Down: "SELECT 1;"})
	require.NoError(t, err)
	_, _, stderr = docket(t, "migrate", "status", "--database-url", url)
	require.Regexp(t, `note: they go up to 21000101120000 and this program knows them up to 20\d{12}:`, stderr)
	succeed(t, "seed", "--urls", "1", "--data-dir", dataDir(t))

	require.NoError(t, os.Remove("sql/migrations/atlas.sum"))
	_, _, stderr = docket(t, "migrate", "status", "--database-url", url)
	require.Contains(t, stderr, "migrations: built into docket development\n")
	succeed(t, "migrate", "hash")
	require.FileExists(t, "sql/migrations/atlas.sum")
}

func TestMigrateApplyDryRun(t *testing.T) {
	t.Parallel()
	url, dir := dbtest.Empty(t), checkout(t, t.TempDir())
	args := func(more ...string) []string {
		return append([]string{"migrate", "apply", "--dir", "file://" + dir, "--database-url", url}, more...)
	}
	require.Equal(t, "-- "+dir+`/20260101000000_a.sql: 2 statements, in one transaction

CREATE TABLE a (id int);

INSERT INTO a VALUES (1);

`, succeed(t, args("--dry-run", "--to", "20260101000000")...))
	var preview schema.Preview
	require.NoError(t, json.Unmarshal([]byte(succeed(t, args("--dry-run", "--json")...)), &preview))
	require.Len(t, preview.Files, 2)
	require.Empty(t, tables(t, url))

	require.Regexp(t, `^applied 20260101000000 a: 2 statements in .*\n$`, succeed(t, args("--to", "20260101000000")...))
	require.Equal(t, "a", tables(t, url))
	require.Contains(t, succeed(t, args()...), "applied 20260102000000 b")
	require.Equal(t, "-- nothing to do: the database is at version 20260102000000\n", succeed(t, args("--dry-run")...))
	require.Equal(t, "nothing to do: the database is at version 20260102000000\n", succeed(t, args()...))
}

func TestMigrateApplyBaseline(t *testing.T) {
	t.Parallel()
	url, dir := dbtest.Empty(t), checkout(t, t.TempDir())
	args := []string{"migrate", "apply", "--dir", dir, "--database-url", url}
	succeed(t, append(args, "--to", "20260101000000")...)
	dbtest.Exec(t, dbtest.Connect(t, url), "DROP TABLE atlas_schema_revisions")

	status, _, stderr := docket(t, args...)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "--baseline VERSION")
	args = append(args, "--baseline", "20260101000000")
	require.Contains(t, succeed(t, append(args, "--dry-run")...), "-- baseline 20260101000000: would be recorded")
	stdout := succeed(t, args...)
	require.Contains(t, stdout, "baseline 20260101000000: recorded, nothing up to it was run\napplied 20260102000000 b")
	require.Equal(t, "a b", tables(t, url))
	require.Contains(t, succeed(t, "migrate", "status", "--dir", dir, "--database-url", url), "baseline  20260101000000 a, ")
}

func TestMigrateDown(t *testing.T) {
	t.Parallel()
	url, dir := dbtest.Empty(t), checkout(t, t.TempDir())
	args := func(command string, more ...string) []string {
		return append([]string{"migrate", command, "--dir", dir, "--database-url", url}, more...)
	}
	succeed(t, args("apply")...)
	require.Equal(t, "-- "+dir+"/down/20260102000000_b.sql: 1 statement, in one transaction\n\nDROP TABLE b;\n\n",
		succeed(t, args("down", "--dry-run")...))
	status, stdout, stderr := docket(t, args("down")...)
	require.Equal(t, exitUsage, status)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "changes from version 20260102000000 to 20260101000000 by\n  down/20260102000000_b.sql: 1 statement\n")
	require.Contains(t, stderr, "data that they drop are lost")
	require.Contains(t, stderr, "--auto-approve")
	require.Equal(t, "a b", tables(t, url))

	for _, wrong := range [][]string{{"--steps", "0"}, {"--steps", "2", "--to", "0"}} {
		status, _, _ = docket(t, args("down", append(wrong, "--auto-approve")...)...)
		require.Equal(t, exitUsage, status, wrong)
	}
	require.Equal(t, "nothing to do: the database is at version 20260102000000\n",
		succeed(t, args("down", "--to", "20260102000000")...))
	require.Regexp(t, `^undone 20260102000000 b: 1 statement in .*\n$`, succeed(t, args("down", "--auto-approve")...))
	require.Equal(t, "a", tables(t, url))
	succeed(t, args("apply")...)
	var report schema.Report
	require.NoError(t, json.Unmarshal([]byte(succeed(t, args("down", "--to", "0", "--auto-approve", "--json")...)), &report))
	require.Empty(t, report.To)
	require.Len(t, report.Files, 2)
	require.Empty(t, tables(t, url))
}

func TestMigrateStatusJSON(t *testing.T) {
	t.Parallel()
	url, dir := dbtest.Empty(t), checkout(t, t.TempDir())
	succeed(t, "migrate", "apply", "--dir", dir, "--database-url", url, "--to", "20260101000000")
	require.NoError(t, os.Remove(filepath.Join(dir, "down", "20260102000000_b.sql")))
	require.NoError(t, schema.Hash(dir, advice))
	status, stdout, stderr := docket(t, "migrate", "status", "--json", "--dir", dir, "--database-url", url)
	require.Equal(t, exitFailure, status)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Contains(t, stderr, got["problem"])
	require.Contains(t, got["problem"], "docket migrate apply")
	applied := got["applied"].([]any)[0].(map[string]any)
	require.Equal(t, "Docket development", applied["operator"])
	require.Equal(t, true, applied["down"])
	for _, changing := range []string{"problem", "database", "applied"} {
		delete(got, changing)
	}
	require.Equal(t, map[string]any{
		"migrations": dir, "state": "pending", "version": "20260101000000", "latest": "20260102000000",
		"pending": []any{"20260102000000_b.sql"},
	}, got)
}

// TestMigrateByHand writes a migration, merges another one, and applies both.
func TestMigrateByHand(t *testing.T) {
	t.Parallel()
	url, dir := dbtest.Empty(t), checkout(t, t.TempDir())
	migrate := func(args ...string) (int, string, string) {
		return docket(t, append(append([]string{"migrate"}, args...), "--dir", dir)...)
	}
	status, _, stderr := migrate("new", "Add C")
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "lower-case")
	paths := strings.Fields(succeed(t, "migrate", "new", "add_c", "--dir", dir))
	require.Len(t, paths, 2)
	require.Equal(t, filepath.Join(dir, "down"), filepath.Dir(paths[1]))
	status, _, stderr = migrate("validate")
	require.Equal(t, exitFailure, status, "no statement has been written yet")
	require.Contains(t, stderr, filepath.Base(paths[0])+": holds no statement")
	require.Contains(t, stderr, "down/"+filepath.Base(paths[1])+": holds no statement")

	for i, text := range []string{"CREATE TABLE c ();", "DROP TABLE c;"} {
		file, err := os.OpenFile(paths[i], os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = file.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	_, _, stderr = migrate("validate")
	require.Contains(t, stderr, "was edited")
	succeed(t, "migrate", "hash", "--dir", dir)
	succeed(t, "migrate", "validate", "--dir", dir)

	// A merge adds another file with the version of b, which is applied already.
	succeed(t, "migrate", "apply", "--dir", dir, "--database-url", url)
	require.Equal(t, "a b c", tables(t, url))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "20260102000000_d.sql"), []byte("CREATE TABLE d ();"), 0o600))
	_, _, stderr = migrate("hash")
	require.Contains(t, stderr, "docket migrate rebase 20260102000000_d.sql")
	require.Contains(t, succeed(t, "migrate", "rebase", "20260102000000_d.sql", "--dir", dir), "_d.sql\n")
	_, _, stderr = migrate("validate")
	require.Contains(t, stderr, "_d.sql is missing; write there what undoes it")
	succeed(t, "migrate", "apply", "--dir", dir, "--database-url", url)
	require.Equal(t, "a b c d", tables(t, url))
}
