package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres/embedded"
	"docket/internal/schema/scratch"
)

// repository is the root of the checkout, relative to this package.
const repository = "../.."

const (
	schemaFolder     = "file://" + repository + "/sql/schema"
	migrationsFolder = "file://" + repository + "/sql/migrations"
)

// schemaTest is a database and a connection to it. Commands create their scratch databases on the same server.
type schemaTest struct {
	url string
	db  *pgx.Conn
}

func newSchemaTest(t *testing.T, url string) schemaTest {
	t.Helper()
	return schemaTest{url: url, db: dbtest.Connect(t, url)}
}

// run executes a command on the database.
func (s schemaTest) run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	args = append(args, "--database-url", s.url)
	if args[0] == "schema" || args[0] == "migrate" {
		args = append(args, "--dev-url", s.url)
	}
	return docket(t, args...)
}

func (s schemaTest) succeed(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	status, stdout, stderr := s.run(t, args...)
	require.Zero(t, status, "docket %v: %s", args, stderr)
	return stdout, stderr
}

func (s schemaTest) fail(t *testing.T, status int, args ...string) (stderr string) {
	t.Helper()
	got, stdout, stderr := s.run(t, args...)
	require.Equal(t, status, got, "docket %v: %s%s", args, stdout, stderr)
	return stderr
}

func (s schemaTest) exec(t *testing.T, sql string) {
	t.Helper()
	dbtest.Exec(t, s.db, sql)
}

func (s schemaTest) count(t *testing.T, sql string) int {
	t.Helper()
	return dbtest.Count(t, s.db, sql)
}

// folder writes files into a new directory.
func folder(t *testing.T, files map[string]string) (path string) {
	t.Helper()
	path = t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(path, name), []byte(text), 0o600))
	}
	return path
}

func TestSchemaInspect(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.URL(t))
	text, _ := s.succeed(t, "schema", "inspect")
	again := newSchemaTest(t, dbtest.Empty(t))
	again.exec(t, text)
	same, _ := again.succeed(t, "schema", "inspect")
	require.Equal(t, text, same)
	fromFiles, _ := s.succeed(t, "schema", "inspect", "--url", schemaFolder)
	require.Equal(t, text, fromFiles)
	fromMigrations, _ := s.succeed(t, "schema", "inspect", "--url", migrationsFolder)
	require.Contains(t, fromMigrations, "CREATE MATERIALIZED VIEW")

	asJSON, _ := s.succeed(t, "schema", "inspect", "--format", "json")
	var found struct {
		Views []struct{ Name string } `json:"views"`
	}
	require.NoError(t, json.Unmarshal([]byte(asJSON), &found))
	require.NotEmpty(t, found.Views)

	s.exec(t, "CREATE FUNCTION theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	_, stderr := s.succeed(t, "schema", "inspect")
	require.Contains(t, stderr, "not managed, and not printed: function theirs()")
	require.Contains(t, s.fail(t, exitUsage, "schema", "inspect", "--format", "hcl"), "neither sql nor json")
	require.Contains(t, s.fail(t, exitUsage, "schema", "inspect", "--url", "mysql://x"), "file://FOLDER")
}

func TestSchemaDiff(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.URL(t))
	stdout, stderr := s.succeed(t, "schema", "diff", "--to", schemaFolder, "--exit-code")
	require.Equal(t, "-- Nothing has to be done.\n", stdout)
	require.NotContains(t, stderr, "differ")

	// The migrations lead to the same schema, and so does the program's own copy.
	s.succeed(t, "schema", "diff", "--from", migrationsFolder, "--to", schemaFolder, "--exit-code")
	s.succeed(t, "schema", "diff", "--exit-code")

	s.exec(t, "ALTER TABLE urls DROP COLUMN description; CREATE TABLE theirs (id int)")
	stdout, _ = s.succeed(t, "schema", "diff", "--to", schemaFolder)
	require.Contains(t, stdout, `ADD COLUMN`)
	require.Contains(t, stdout, "drops data")
	require.Contains(t, s.fail(t, exitFailure, "schema", "diff", "--exit-code"), "differ")

	// After the printed statements there is no difference.
	s.exec(t, stdout)
	s.succeed(t, "schema", "diff", "--exit-code")

	stdout, _ = s.succeed(t, "schema", "diff", "--from", schemaFolder, "--to", s.url, "--json")
	var p struct {
		Phases []any `json:"phases"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &p))
	require.NotNil(t, p.Phases)
	require.Empty(t, p.Phases)
}

// A script must be able to tell an error from a difference by the exit status.
func TestSchemaDiffErrors(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	bad := folder(t, map[string]string{"10_a.sql": "CREATE TABLE a (id int);\n\nCREATE TABLE b (\n  id itn\n);\n"})
	stderr := s.fail(t, 2, "schema", "diff", "--exit-code", "--to", "file://"+bad)
	require.Contains(t, stderr, "10_a.sql:4: ")
	unmanaged := folder(t, map[string]string{"10_a.sql": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"})
	require.Contains(t, s.fail(t, 2, "schema", "diff", "--exit-code", "--to", "file://"+unmanaged), "function f()")
	require.Contains(t, s.fail(t, 2, "schema", "diff", "--exit-code", "--to", "file://"+filepath.Join(bad, "missing")), "no such file")
	require.Contains(t, s.fail(t, 2, "schema", "diff", "--exit-code", "--to", "file://"+filepath.Join(bad, "10_a.sql")), "not a file")

	status, _, stderr := docket(t, "schema", "diff", "--exit-code", "--database-url", strings.Replace(s.url, "/testdb", "/nodb", 1))
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "does not exist")
	status, _, _ = docket(t, "schema", "diff", "--nonsense")
	require.Equal(t, 2, status)
}

func TestSchemaApply(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	tables := func() int { return s.count(t, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") }

	stdout, _ := s.succeed(t, "schema", "apply", "--dry-run")
	require.Contains(t, stdout, "CREATE TABLE")
	require.Zero(t, tables())
	stderr := s.fail(t, exitUsage, "schema", "apply")
	require.Contains(t, stderr, "--auto-approve", "there is no terminal to ask on")
	require.Contains(t, s.fail(t, exitUsage, "schema", "apply", "--to", s.url), "file://FOLDER")
	require.Contains(t, s.fail(t, exitUsage, "schema", "apply", "--url", schemaFolder), "postgres://")
	require.Zero(t, tables())

	_, stderr = s.succeed(t, "schema", "apply", "--auto-approve")
	require.NotContains(t, stderr, "reconcile", "there are no URLs yet")
	require.Contains(t, stderr, "docket migrate apply --baseline latest")
	s.succeed(t, "schema", "diff", "--exit-code")
	stdout, _ = s.succeed(t, "schema", "apply") // no confirmation is needed
	require.Equal(t, "-- Nothing has to be done.\n", stdout)
}

func TestSchemaApplyKeepsData(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.URL(t))
	s.exec(t, "CREATE TABLE theirs (id int); INSERT INTO theirs VALUES (1); ALTER TABLE urls ADD COLUMN their_note text")
	stderr := s.fail(t, exitFailure, "schema", "apply", "--auto-approve")
	require.Contains(t, stderr, "theirs")
	require.Contains(t, stderr, "their_note")
	require.Contains(t, stderr, "--allow-destructive")
	require.Equal(t, 1, s.count(t, "SELECT count(*) FROM theirs"))
	_, stderr = s.succeed(t, "schema", "apply", "--dry-run")
	require.Contains(t, stderr, "would be refused")

	// An environment may keep them.
	config := filepath.Join(folder(t, map[string]string{"atlas.hcl": `
variable "src" { type = string }
env "careful" {
  src = var.src
  diff {
    skip {
      drop_table  = true
      drop_column = true
    }
  }
}`}), "atlas.hcl")
	stdout, _ := s.succeed(t, "schema", "apply", "--auto-approve",
		"--env", "careful", "--config", "file://"+config, "--var", "src="+schemaFolder)
	require.Contains(t, stdout, "Nothing has to be done")
	require.Contains(t, stdout, "theirs")

	s.succeed(t, "schema", "apply", "--auto-approve", "--allow-destructive")
	require.Zero(t, s.count(t, "SELECT count(*) FROM pg_class WHERE relname = 'theirs'"))
	s.succeed(t, "schema", "diff", "--exit-code")
}

// The output names the next command for a database that has migrations or an empty queue. A database that is ahead of the
// migrations is not changed.
func TestSchemaApplyHints(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	s.succeed(t, "migrate", "apply")
	s.succeed(t, "seed", "--urls", "20")
	s.exec(t, "DROP TABLE annotation_queue CASCADE")
	_, stderr := s.succeed(t, "schema", "apply", "--auto-approve")
	require.Contains(t, stderr, "docket migrate diff NAME")
	require.NotContains(t, stderr, "--baseline")
	require.Contains(t, stderr, "run docket queue reconcile")
	s.succeed(t, "queue", "reconcile", "--wait=false")
	s.succeed(t, "queue", "verify")

	// Older files must not undo a later migration.
	s.exec(t, `INSERT INTO atlas_schema_revisions SELECT '29991231235959', description, type, applied, total, executed_at,
		execution_time, error, error_stmt, hash, partial_hashes, operator_version FROM atlas_schema_revisions LIMIT 1;
		ALTER TABLE urls ADD CONSTRAINT urls_later_check CHECK (id > 0)`)
	require.Contains(t, s.fail(t, exitFailure, "schema", "apply", "--auto-approve"), "29991231235959")
	_, stderr = s.succeed(t, "schema", "apply", "--dry-run")
	require.Contains(t, stderr, "would be refused")
	require.Equal(t, 1, s.count(t, "SELECT count(*) FROM pg_constraint WHERE conname = 'urls_later_check'"))
	s.succeed(t, "schema", "apply", "--auto-approve", "--allow-destructive")
	require.Zero(t, s.count(t, "SELECT count(*) FROM pg_constraint WHERE conname = 'urls_later_check'"))
}

// A command drops its scratch databases when it succeeds, fails or is interrupted.
func TestScratchDatabasesAreDropped(t *testing.T) {
	t.Parallel()
	server, err := scratch.Start(t.Context(), embedded.StartScratch, 0) // its own server: other tests create scratch databases on the shared one
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	own, err := server.Create(t.Context())
	require.NoError(t, err)
	s := newSchemaTest(t, own.URL)
	left := func() int {
		return s.count(t, "SELECT count(*) FROM pg_database WHERE datname LIKE 'schema\\_scratch\\_%'") - 1
	}

	target := folder(t, map[string]string{"10_a.sql": "CREATE TABLE a (id int);"})
	s.succeed(t, "schema", "diff", "--to", "file://"+target)
	require.Zero(t, left())
	s.fail(t, 2, "schema", "diff", "--to", "file://"+folder(t, map[string]string{"10_a.sql": "CREATE TABLE a ();\nCREATE TABLE a ();"}))
	require.Zero(t, left())

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var stderr output
	endless := folder(t, map[string]string{"10_a.sql": "SELECT pg_sleep(600);"})
	go func() {
		ended <- run(ctx, []string{"schema", "diff", "--to", "file://" + endless, "--database-url", s.url, "--dev-url", s.url},
			io.Discard, &stderr)
	}()
	require.Eventually(t, func() bool {
		return s.count(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0
	}, time.Minute, 5*time.Millisecond)
	require.Equal(t, 1, left())
	cancel()
	require.Equal(t, 2, <-ended, "1 would mean that there are differences")
	require.Contains(t, stderr.String(), "interrupted")
	require.Zero(t, left())
}

// A baseline is refused when the database lacks something that the migrations create.
func TestBaselineIsChecked(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.URL(t))
	s.exec(t, "ALTER TABLE urls DROP COLUMN collector_metadata")
	names, err := filepath.Glob(repository + "/sql/migrations/*.sql")
	require.NoError(t, err)
	last, _, _ := strings.Cut(filepath.Base(names[len(names)-1]), "_")
	stderr := s.fail(t, exitFailure, "migrate", "apply", "--dir", migrationsFolder, "--baseline", last)
	require.Contains(t, stderr, "ADD COLUMN collector_metadata")
	require.Contains(t, stderr, "docket schema apply")
	s.succeed(t, "schema", "apply", "--to", schemaFolder, "--auto-approve")
	first, _, _ := strings.Cut(filepath.Base(names[0]), "_")
	stderr = s.fail(t, exitFailure, "migrate", "apply", "--dir", migrationsFolder, "--baseline", first)
	require.Contains(t, stderr, "--baseline "+last, "the database has the schema of a later version")
	stdout, _ := s.succeed(t, "migrate", "apply", "--dir", migrationsFolder, "--baseline", "latest")
	require.Contains(t, stdout, "baseline "+last+": recorded, nothing up to it was run\n")
	stdout, _ = s.succeed(t, "migrate", "status", "--dir", migrationsFolder)
	require.Contains(t, stdout, "latest    "+last+"\n")
}
