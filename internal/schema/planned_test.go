package schema_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
	"docket/internal/schema/plan"
)

// kept is a directory of migrations and the databases on which it is tested.
type kept struct {
	bundle
	path  string
	bench *schema.Workbench
}

func keep(t *testing.T, first string) kept {
	t.Helper()
	k := kept{bundle: setup(t), path: t.TempDir()}
	k.bench = &schema.Workbench{DevURL: k.url, Advice: advice}
	t.Cleanup(func() { require.NoError(t, k.bench.Close()) })
	_, err := schema.Add(k.path, advice, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		schema.Draft{Name: "first", Up: first, Down: "SELECT 1;"})
	require.NoError(t, err)
	return k
}

func (k kept) plan(t *testing.T, want string, policy plan.Policy) (schema.Planned, error) {
	t.Helper()
	return schema.PlanMigration(t.Context(), k.bench, schema.Migrations(os.DirFS(k.path), k.path), folderOf(want), "second", policy)
}

// add plans a migration, writes its files and returns them.
func (k kept) add(t *testing.T, want string, policy plan.Policy) (schema.Planned, []string) {
	t.Helper()
	planned, err := k.plan(t, want, policy)
	require.NoError(t, err)
	paths, err := schema.Add(k.path, advice, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), planned.Drafts...)
	require.NoError(t, err)
	require.NoError(t, schema.Validate(os.DirFS(k.path), advice))
	again, err := k.plan(t, want, policy)
	require.NoError(t, err)
	require.Empty(t, again.Drafts, "the files lead there")
	return planned, paths
}

func (k kept) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestPlanMigration(t *testing.T) {
	t.Parallel()
	const first = "CREATE TABLE a (id int, CONSTRAINT a_pkey PRIMARY KEY (id)); " +
		"CREATE MATERIALIZED VIEW m AS SELECT id FROM a; CREATE UNIQUE INDEX m_id_key ON m (id);"
	k := keep(t, first)
	_, err := k.migrator(t, os.DirFS(k.path)).Apply(t.Context())
	require.NoError(t, err)
	k.exec(t, "INSERT INTO a VALUES (1)")

	planned, paths := k.add(t, "CREATE TABLE a (id int, note text NOT NULL DEFAULT '', CONSTRAINT a_pkey PRIMARY KEY (id)); "+
		"CREATE MATERIALIZED VIEW m AS SELECT id, note FROM a; CREATE UNIQUE INDEX m_id_key ON m (id);", plan.Policy{})
	require.Empty(t, planned.Lost)
	require.Equal(t, []string{
		filepath.Join(k.path, "20260102000000_second.sql"), filepath.Join(k.path, "down", "20260102000000_second.sql"),
	}, paths)
	require.Contains(t, k.read(t, paths[0]), string(plan.RebuildsView), "hazards are reported")
	require.Contains(t, k.read(t, paths[1]), "is dropped, with the data in it")

	m := k.migrator(t, os.DirFS(k.path))
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"1"}, k.strings(t, "SELECT id || note FROM m"))
	preview, err := m.PreviewDown(t.Context(), 1)
	require.NoError(t, err)
	_, err = m.Down(t.Context(), preview)
	require.NoError(t, err)
	require.Equal(t, []string{"(1)"}, k.strings(t, "SELECT m::text FROM m"), "the down file keeps the row")
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
}

func TestPlanMigrationInPhases(t *testing.T) {
	t.Parallel()
	k := keep(t, "CREATE TYPE mood AS ENUM ('good');\nCREATE TABLE a (id int, mood mood);")
	planned, paths := k.add(t, "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE a (id int, mood mood); "+
		"CREATE INDEX a_id_idx ON a (id); CREATE VIEW v AS SELECT id FROM a WHERE mood = 'bad';", plan.Policy{Online: true})
	require.Len(t, planned.Drafts, 3)
	for i, name := range []string{"20260102000000_second_enum_values.sql", "20260102000001_second.sql", "20260102000002_second_online.sql"} {
		require.Equal(t, filepath.Join(k.path, name), paths[2*i])
		require.Equal(t, filepath.Join(k.path, "down", name), paths[2*i+1])
	}
	require.NotContains(t, k.read(t, paths[0]), "txmode", "all values are added, or none")
	require.Contains(t, k.read(t, paths[0]), "ADD VALUE")
	require.Contains(t, k.read(t, paths[1]), "cannot be undone: it adds to enum mood, and PostgreSQL cannot remove a value of an enum")
	require.NotContains(t, k.read(t, paths[1]), "scratch", "what is committed does not name a database that is gone")
	require.Contains(t, k.read(t, paths[2]), "CREATE VIEW")
	require.True(t, strings.HasPrefix(k.read(t, paths[4]), "-- atlas:txmode none\n\n"))
	require.Contains(t, k.read(t, paths[4]), "CONCURRENTLY")
	require.NotContains(t, k.read(t, paths[5]), "CONCURRENTLY", "a down file runs in a transaction")

	m := k.migrator(t, os.DirFS(k.path))
	_, err := m.Apply(t.Context())
	require.NoError(t, err)
	preview, err := m.PreviewDown(t.Context(), 2)
	require.NoError(t, err)
	_, err = m.Down(t.Context(), preview)
	require.NoError(t, err)
	preview, err = m.PreviewDown(t.Context(), 1)
	require.NoError(t, err)
	_, err = m.Down(t.Context(), preview)
	require.ErrorContains(t, err, "this migration cannot be undone")
}

func TestPlanMigrationRefuses(t *testing.T) {
	t.Parallel()
	k := keep(t, "CREATE TABLE a (id int, name text);\nCREATE TYPE mood AS ENUM ('good', 'bad');\nGRANT SELECT ON a TO public;")
	_, err := k.plan(t, "CREATE TABLE a (id int, note text, name text); CREATE TYPE mood AS ENUM ('good', 'bad');", plan.Policy{})
	require.ErrorIs(t, err, schema.ErrNotReached)
	require.ErrorContains(t, err, "\n+ relation a: acl")
	_, err = k.plan(t, "CREATE TABLE a (id int, name text); GRANT SELECT ON a TO public; INSERT INTO a VALUES (1);", plan.Policy{})
	require.ErrorContains(t, err, "privileges on a; rows of a")
	_, err = k.plan(t, "CREATE TABLE a (id int, name text); CREATE TYPE mood AS ENUM ('good');", plan.Policy{})
	require.ErrorIs(t, err, plan.ErrEnumValueRemoved)
	_, err = k.plan(t, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", plan.Policy{})
	require.ErrorContains(t, err, "are not managed")
	_, err = k.plan(t, "CREATE TABLE a (id int,, name text);", plan.Policy{})
	require.ErrorContains(t, err, "10_all.sql:1")
	require.NoError(t, os.WriteFile(filepath.Join(k.path, "20260101000000_first.sql"), []byte("SELECT 1;"), 0o600))
	_, err = k.plan(t, "CREATE TABLE a (id int);", plan.Policy{})
	require.ErrorIs(t, err, schema.ErrChecksum)
	require.NoError(t, os.Remove(filepath.Join(k.path, "atlas.sum")))
	_, err = k.plan(t, "CREATE TABLE a (id int);", plan.Policy{})
	require.ErrorIs(t, err, schema.ErrChecksum, "they are migrations all the same")
}

func TestPlanMigrationBegins(t *testing.T) {
	t.Parallel()
	k := kept{bundle: setup(t), path: t.TempDir()}
	k.bench = &schema.Workbench{DevURL: k.url, Advice: advice}
	t.Cleanup(func() { require.NoError(t, k.bench.Close()) })
	_, paths := k.add(t, "CREATE TABLE a (id int);", plan.Policy{})
	require.Contains(t, k.read(t, paths[0]), "CREATE TABLE a")
	require.Contains(t, k.read(t, paths[1]), "DROP TABLE a")
}

// Objects that are dropped together with another one, and that are not planned, are not restored; the down file says so.
func TestPlanMigrationListsWhatIsLost(t *testing.T) {
	t.Parallel()
	k := keep(t, "CREATE TABLE a (id int);\nCREATE TABLE gone (id int);\nGRANT SELECT ON gone TO public;")
	planned, paths := k.add(t, "CREATE TABLE a (id int);", plan.Policy{})
	require.NotEmpty(t, planned.Lost)
	require.Contains(t, k.read(t, paths[0]), string(plan.DropsData))
	require.Contains(t, k.read(t, paths[1]), "-- This file does not restore everything")
	require.Contains(t, k.read(t, paths[1]), planned.Lost[0])
}

func TestVerifyBaseline(t *testing.T) {
	t.Parallel()
	k := keep(t, "CREATE TABLE a (id int);")
	_, err := schema.Add(k.path, advice, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), schema.Draft{
		Name: "more", Up: "CREATE TABLE b (id int);", Down: "DROP TABLE b;",
	})
	require.NoError(t, err)
	migrations := schema.Migrations(os.DirFS(k.path), k.path)
	m, err := schema.New(k.url, os.DirFS(k.path), schema.Options{Advice: advice, VerifyBaseline: schema.VerifyBaseline(k.bench, migrations, nil)})
	require.NoError(t, err)
	k.exec(t, "CREATE TABLE a (id bigint); CREATE TABLE theirs (id int)")
	_, err = m.Apply(t.Context(), schema.FromBaseline("20260101000000"))
	require.ErrorIs(t, err, schema.ErrBaseline)
	require.ErrorContains(t, err, `ALTER TABLE`)
	require.ErrorContains(t, err, `no other version fits it either: run "docket schema apply" first`)
	k.exec(t, "ALTER TABLE a ALTER COLUMN id TYPE int")
	k.exec(t, `CREATE INDEX theirs_idx ON a (id); ALTER TABLE a ADD CONSTRAINT theirs_key UNIQUE (id), ADD CONSTRAINT theirs_check CHECK (id > 0);
		COMMENT ON TABLE a IS 'Theirs.'; ALTER TABLE a ADD CONSTRAINT theirs_fkey FOREIGN KEY (id) REFERENCES a (id)`)
	_, err = m.Apply(t.Context(), schema.FromBaseline("20260102000000"))
	require.ErrorIs(t, err, schema.ErrBaseline)
	require.ErrorContains(t, err, `CREATE TABLE`)
	require.ErrorContains(t, err, `it has what the migrations up to 20260101000000 make: run "docket migrate apply --baseline 20260101000000"`)
	_, err = m.PreviewApply(t.Context(), schema.FromBaseline(schema.Latest))
	require.ErrorContains(t, err, `--baseline 20260101000000"`)

	report, err := m.Apply(t.Context(), schema.FromBaseline("20260101000000"))
	require.NoError(t, err)
	require.Len(t, report.Files, 1)
	require.Equal(t, []string{"a", "atlas_schema_revisions", "b", "theirs"}, k.tables(t))
}
