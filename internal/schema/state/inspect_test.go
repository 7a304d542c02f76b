package state_test

import (
	"database/sql"
	"io/fs"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/state"
	sqlfiles "docket/sql"
)

// open connects to a database with public on the search path.
func open(t testing.TB, url string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	config.RuntimeParams["search_path"] = "public"
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func run(t testing.TB, db *sql.DB, text string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

func inspect(t testing.TB, db *sql.DB, exclude ...string) *state.State {
	t.Helper()
	s, err := state.Inspect(t.Context(), db, exclude)
	require.NoError(t, err)
	return s
}

// files is sql/schema in one text.
func files(t testing.TB) string {
	t.Helper()
	names, err := fs.Glob(sqlfiles.Schema, "*.sql")
	require.NoError(t, err)
	var text string
	for _, name := range names {
		content, err := fs.ReadFile(sqlfiles.Schema, name)
		require.NoError(t, err)
		text += string(content) + "\n"
	}
	return text
}

func TestInspectSchemaOfTheFiles(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.URL(t))
	s := inspect(t, db)
	require.Equal(t, []string{"pg_trgm", "pgcrypto"}, s.Extensions)
	require.NotEmpty(t, s.Details)
	require.Len(t, s.Details, len(s.Tables.Tables))
	require.Empty(t, s.Unmanaged)
	require.Empty(t, s.Excluded)
}

func BenchmarkInspect(b *testing.B) {
	db := open(b, dbtest.URL(b))
	for b.Loop() {
		inspect(b, db)
	}
}
