package scratch_test

import (
	"io/fs"
	"testing"

	"ariga.io/atlas/sql/postgres"
	"github.com/stretchr/testify/require"

	"docket/internal/schema/scratch"
	sqlfiles "docket/sql"
)

// Statements must split every text exactly as Atlas does, which applies the same files.
func TestStatementsAreThoseOfAtlas(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"empty":           "",
		"comment only":    "-- nothing\n",
		"no last ;":       "SELECT 1;\nSELECT 2",
		"dollar quotes":   "DO $$ DECLARE n int; BEGIN n = 1; END $$;\nDO $x$ SELECT ';' $x$;",
		"quotes":          `SELECT ';', E'\';', "a;b"; SELECT 'it''s; one';`,
		"comments":        "SELECT 1; -- one; two\n/* three; */ SELECT 2;",
		"begin atomic":    "CREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC\n    SELECT 1;\n    SELECT 2;\nEND;\nSELECT 3;",
		"begin in lower":  "CREATE FUNCTION f() RETURNS int begin\tatomic SELECT 1; SELECT 2; end; SELECT 3;",
		"transaction":     "BEGIN;\nSELECT 1;\nCOMMIT;",
		"begin, no block": "BEGIN WORK;\nSELECT 1;\nCOMMIT;",
		"a block":         "BEGIN SELECT 1; SELECT 2; END; SELECT 3;",
		"begins":          "CREATE TABLE t (begins int); SELECT beginning FROM t;",
		"delimiter":       "-- atlas:delimiter \\n\\n\nSELECT 1;\nSELECT 2;\n\nSELECT 3;",
		"open quote":      "SELECT 'x;",
		"open bracket":    "SELECT (1;",
	}
	for _, files := range []fs.FS{sqlfiles.Schema, sqlfiles.Migrations} {
		require.NoError(t, fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, path)
			texts[path] = string(text)
			return err
		}))
	}
	for name, text := range texts {
		want, wantErr := (&postgres.Driver{}).ScanStmts(text)
		got, err := scratch.Statements(text)
		require.Equal(t, wantErr, err, name)
		require.Equal(t, want, got, name)
	}
}
