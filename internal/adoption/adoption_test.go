package adoption_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sqlfiles "docket/sql"

	"docket/internal/adoption"
	"docket/internal/dbtest"
	"docket/internal/schema"
)

func text(t *testing.T, files fs.FS, name string) string {
	t.Helper()
	data, err := fs.ReadFile(files, name)
	require.NoError(t, err)
	return string(data)
}

// TestUndoAndConvert: convert.sql leads from what undo.sql makes of Docket's schema back to it.
func TestUndoAndConvert(t *testing.T) {
	t.Parallel()
	for _, revision := range []dbtest.Revision{dbtest.December, dbtest.January} {
		t.Run(string(revision), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			db := dbtest.Connect(t, url)
			inspect := func() string {
				found, err := schema.ReadState(t.Context(), &schema.Workbench{}, schema.Live(url), nil)
				require.NoError(t, err)
				return found.SQL()
			}
			pending := func() bool {
				return dbtest.Value[bool](t, db, text(t, sqlfiles.Adoption, string(revision)+"/pending.sql"))
			}
			target := inspect()
			require.False(t, pending())
			dbtest.Exec(t, db, text(t, sqlfiles.Adoption, string(revision)+"/undo.sql"))
			require.NotEqual(t, target, inspect())
			require.True(t, pending())
			dbtest.Exec(t, db, text(t, sqlfiles.Adoption, string(revision)+"/convert.sql"))
			require.Equal(t, target, inspect())
			require.False(t, pending())
		})
	}
}

// TestRenamesAreThoseOfTheMigration: a database of Docket's own gets the same names by a migration.
func TestRenamesAreThoseOfTheMigration(t *testing.T) {
	t.Parallel()
	renames := regexp.MustCompile(`(?m)^ALTER TABLE \w+ RENAME TO \w+;$`)
	converted := renames.FindAllString(text(t, sqlfiles.Adoption, string(dbtest.December)+"/convert.sql"), -1)
	require.Len(t, converted, 16)
	migrations, err := fs.Glob(sqlfiles.Migrations, "*_state_of_january.sql")
	require.NoError(t, err)
	require.Len(t, migrations, 1)
	require.ElementsMatch(t, converted, renames.FindAllString(text(t, sqlfiles.Migrations, migrations[0]), -1))
}

func TestFind(t *testing.T) {
	t.Parallel()
	origin, err := adoption.Find(t.Context(), dbtest.URL(t))
	require.NoError(t, err)
	require.Equal(t, schema.Origin{}, origin, "a database of Docket's own")

	url := dbtest.Reference(t, dbtest.December)
	origin, err = adoption.Find(t.Context(), url)
	require.NoError(t, err)
	require.Equal(t, "revision 1d3398f9cd8a (December 2025) of the reference", origin.Name)
	require.Contains(t, origin.Conversion, "RENAME TO")
	require.Contains(t, origin.Undo, "RENAME TO")

	db := dbtest.Connect(t, url)
	dbtest.Exec(t, db, "UPDATE alembic_version SET version_num = 'abc'")
	_, err = adoption.Find(t.Context(), url)
	require.ErrorIs(t, err, adoption.ErrUnknown)
	dbtest.Exec(t, db, "CREATE TABLE annotation_queue ()")
	origin, err = adoption.Find(t.Context(), url)
	require.NoError(t, err, "after its adoption, the reference may go on to other revisions")
	require.Equal(t, schema.Origin{}, origin)

	_, err = adoption.Find(t.Context(), strings.Replace(url, "/testdb", "/nodb", 1))
	require.ErrorContains(t, err, "does not exist")
}

// TestFindWithoutPermission: a role that may not read alembic_version is not taken for one on a database without it.
func TestFindWithoutPermission(t *testing.T) {
	t.Parallel()
	url := dbtest.Reference(t, dbtest.January)
	db := dbtest.Connect(t, url)
	dbtest.Exec(t, db, "DO $$ BEGIN CREATE ROLE adoption_reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
	dbtest.Exec(t, db, "ALTER ROLE adoption_reader PASSWORD NULL")
	_, err := adoption.Find(t.Context(), strings.Replace(url, "postgres://docket", "postgres://adoption_reader", 1))
	require.ErrorContains(t, err, "permission denied")
}
