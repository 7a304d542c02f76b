package schema_test

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema"
	sqlfiles "docket/sql"
)

const (
	fileA = "20260101000000_a.sql"
	fileB = "20260102000000_b.sql"
)

// bundle is a new database and a connection to it.
type bundle struct {
	url  string
	conn *pgx.Conn
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{url: dbtest.Empty(t)}
	b.conn = dbtest.Connect(t, b.url)
	return b
}

func (b bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	dbtest.Exec(t, b.conn, sql, args...)
}

func (b bundle) strings(t *testing.T, sql string) []string {
	t.Helper()
	return dbtest.List(t, b.conn, sql)
}

func (b bundle) tables(t *testing.T) []string {
	t.Helper()
	return b.strings(t, `SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
}

// advice is that of the program, whose commands the messages name.
var advice = schema.Advice{Program: "docket", AdoptionPage: "docs/operations.md"}

func (b bundle) migrator(t *testing.T, files fs.FS) *schema.Migrator {
	t.Helper()
	m, err := schema.New(b.url, files, schema.Options{Advice: advice, Operator: "Docket test"})
	require.NoError(t, err)
	return m
}

func TestApplyShippedMigrations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, sqlfiles.Migrations)
	require.ErrorIs(t, m.Check(t.Context()), schema.ErrPending)
	require.Empty(t, b.tables(t), "a check must not write")

	report, err := m.Apply(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, report.Files)
	require.Equal(t, report.Files[len(report.Files)-1].Version, report.To)
	require.NoError(t, m.Check(t.Context()))

	again, err := m.Apply(t.Context())
	require.NoError(t, err)
	require.Empty(t, again.Files)
	require.Equal(t, report.To, again.From)
}

func TestApplyRecordsLikeAtlas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := hashed(t, map[string]string{
		fileA: "CREATE TABLE a (id int);\nCREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;",
		fileB: "SELECT pg_sleep(0.02);\nCREATE TABLE b (id int);",
	})
	report, err := b.migrator(t, files).Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "atlas_schema_revisions", "b"}, b.tables(t))
	require.Empty(t, report.From)
	require.Equal(t, "20260102000000", report.To)
	require.Len(t, report.Files, 2)
	require.Equal(t, 2, report.Files[0].Statements)
	require.Equal(t, []string{
		"20260101000000 a 2 2/2 Docket test, no error, no partial hashes",
		"20260102000000 b 2 2/2 Docket test, no error, no partial hashes",
	}, b.strings(t, `
SELECT format('%s %s %s %s/%s %s, %s, %s', version, description, type, applied, total, operator_version,
    coalesce(error, 'no error'), coalesce(partial_hashes::text, 'no partial hashes'))
FROM atlas_schema_revisions ORDER BY version`))
	sum := string(files["atlas.sum"].Data)
	for _, hash := range b.strings(t, "SELECT hash FROM atlas_schema_revisions") {
		require.Contains(t, sum, "h1:"+hash)
	}

	status, err := b.migrator(t, files).Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.OK, status.State)
	require.Equal(t, "20260102000000", status.Version)
	require.Len(t, status.Applied, 2)
	require.Equal(t, "applied", status.Applied[0].Kind)
	require.GreaterOrEqual(t, status.Applied[1].Duration, 20*time.Millisecond, "the duration of all statements, not of the last one")
	require.WithinDuration(t, time.Now(), status.Applied[0].At, time.Hour)
}

func TestApplyIgnoresRowsOfAtlasItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := hashed(t, map[string]string{fileA: "CREATE TABLE a (id int);"})
	_, err := b.migrator(t, files).Apply(t.Context())
	require.NoError(t, err)
	b.exec(t, `
INSERT INTO atlas_schema_revisions (version, description, executed_at, execution_time, hash, partial_hashes, operator_version)
VALUES ('.atlas_cloud_identifier', 'e0a5b2d6-0000-4000-8000-000000000000', now(), 0, '', 'null', 'Atlas CLI')`)
	status, err := b.migrator(t, files).Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.OK, status.State)
	require.Len(t, status.Applied, 1)
}

func TestApplyUsesPublicWhateverTheRoleSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `CREATE SCHEMA elsewhere`)
	b.exec(t, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = elsewhere', current_database()); END $$`)
	_, err := b.migrator(t, hashed(t, map[string]string{fileA: "CREATE TABLE a (id int);"})).Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "atlas_schema_revisions"}, b.tables(t))
}

// A database that Docket has not built must not be changed.
func TestApplyRefusesAForeignDatabase(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before string
		want   string
	}{
		"table":    {"CREATE TABLE urls (id int)", "table urls"},
		"enum":     {"CREATE TYPE url_type AS ENUM ('x')", "type url_type"},
		"function": {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function f()"},
		"many":     {"CREATE TABLE a (); CREATE TABLE b (); CREATE TABLE c (); CREATE TABLE d ()", "table a, table b, table c, 1 more"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.exec(t, test.before)
			before := b.tables(t)
			m := b.migrator(t, sqlfiles.Migrations)
			_, err := m.Apply(t.Context())
			require.ErrorIs(t, err, schema.ErrForeign)
			require.ErrorContains(t, err, test.want)
			require.Equal(t, before, b.tables(t))
			status, err := m.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, schema.Foreign, status.State)
		})
	}
}

func TestApplyTakesADatabaseWithExtensionsAndOtherSchemas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "CREATE EXTENSION pgcrypto; CREATE SCHEMA river; CREATE TABLE river.river_job (id int)")
	_, err := b.migrator(t, sqlfiles.Migrations).Apply(t.Context())
	require.NoError(t, err)
}

// An error in the history stops Apply before it changes anything.
func TestApplyRefusesABrokenHistory(t *testing.T) {
	t.Parallel()
	first := map[string]string{fileA: "CREATE TABLE a (id int);", fileB: "CREATE TABLE b (id int);"}
	tests := map[string]struct {
		then map[string]string
		want error
	}{
		"edited": {
			map[string]string{fileA: "CREATE TABLE a (id bigint);", fileB: first[fileB], "20260103000000_c.sql": "CREATE TABLE c ();"},
			schema.ErrEdited,
		},
		"ahead": {
			map[string]string{fileA: first[fileA]}, schema.ErrAhead,
		},
		"out of order": {
			map[string]string{fileA: first[fileA], "20260101120000_c.sql": "CREATE TABLE c ();", fileB: first[fileB]},
			schema.ErrOutOfOrder,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, err := b.migrator(t, hashed(t, first)).Apply(t.Context())
			require.NoError(t, err)
			m := b.migrator(t, hashed(t, test.then))
			_, err = m.Apply(t.Context())
			require.ErrorIs(t, err, test.want)
			require.ErrorIs(t, m.Check(t.Context()), test.want)
			require.Equal(t, []string{"a", "atlas_schema_revisions", "b"}, b.tables(t))
		})
	}
}

// Settings that a file makes for its session do not affect the next file.
func TestFilesDoNotShareASession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	settings := "SELECT set_config('search_path', '', false);\nSET default_transaction_read_only = on;\nCREATE TEMP TABLE c (id int);\n"
	m := b.migrator(t, hashed(t, map[string]string{
		fileA: settings + "CREATE TABLE public.a (id int);", "down/" + fileA: "DROP TABLE a;",
		fileB:                  "-- atlas:txmode none\n\nCREATE TABLE b (id int);\nSET search_path = nowhere;",
		"down/" + fileB:        settings + "DROP TABLE public.b;",
		"20260103000000_c.sql": "CREATE TABLE c (id int);", "down/20260103000000_c.sql": "DROP TABLE c;",
	}))
	_, err := m.Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "atlas_schema_revisions", "b", "c"}, b.tables(t))
	preview, err := m.PreviewDown(t.Context(), 3)
	require.NoError(t, err)
	_, err = m.Down(t.Context(), preview)
	require.NoError(t, err)
	require.Equal(t, []string{"atlas_schema_revisions"}, b.tables(t))
}

// When a role may not change a database, the error names this role and one that may.
func TestApplyWithoutRights(t *testing.T) {
	t.Parallel()
	const owner, primary = "connect as the owner of the tables", "the database is read-only"
	for name, test := range map[string]struct {
		to, as, want string // version that is applied before; setting of the session; message
	}{
		"new database":            {"", "role=pg_monitor", owner},
		"no right to the record":  {"20260101000000", "role=pg_monitor", owner},
		"new database, read only": {"", "default_transaction_read_only=on", primary},
		"read only":               {"20260101000000", "default_transaction_read_only=on", primary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dir := hashed(t, aAndB)
			if test.to != "" {
				_, err := b.migrator(t, dir).Apply(t.Context(), schema.To(test.to))
				require.NoError(t, err)
			}
			b.url += "&" + test.as
			_, err := b.migrator(t, dir).Apply(t.Context())
			require.ErrorContains(t, err, test.want)
			require.Regexp(t, `database "testdb_\w+" at `, err.Error())
		})
	}
}

func TestNewChecksTheDirectory(t *testing.T) {
	t.Parallel()
	_, err := schema.New("postgres://localhost/x", fstest.MapFS{fileA: {Data: []byte("SELECT 1;")}}, schema.Options{})
	require.ErrorIs(t, err, schema.ErrChecksum)
	_, err = schema.New("postgres://localhost:x", sqlfiles.Migrations, schema.Options{})
	require.ErrorContains(t, err, "cannot be read")
}
