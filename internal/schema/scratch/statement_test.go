package scratch_test

import (
	"io/fs"
	"strings"
	"testing"

	"ariga.io/atlas/sql/postgres"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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
		"later block":     "-- a\nSELECT 1;\n\n-- b\n\n-- c\nSELECT 2;\n-- d\nDO $$\nBEGIN\n    PERFORM 1;\nEND $$;\n-- e\nBEGIN SELECT 1; END; SELECT 4;",
		"error after it":  "SELECT 1;\nDO $$\nBEGIN\nEND $$;\nSELECT (1;",
		"block by quote":  "SELECT $$ begin $$, 1 FROM begin\n; SELECT 2; END; SELECT '$$'; begin SELECT 3; END; SELECT '$$';",
		"block in quote":  "SELECT 1 /* $$ */; BEGIN SELECT 2; END; SELECT 3 /* $$ */;",
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
		requireSameStatements(t, text, name)
	}
}

// The lines that pg_dump writes for psql alone do not change the statements and their positions.
func TestStatementsWithoutRestrict(t *testing.T) {
	t.Parallel()
	const plain = "SELECT 1;\n--restrict it\n-- a\nSELECT 2;\n--unrestrict it\n"
	want, err := scratch.Statements(plain)
	require.NoError(t, err)
	got, err := scratch.Statements(strings.NewReplacer("--restrict", `\restrict`, "--unrestrict", `\unrestrict`).Replace(plain))
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i := range 2 {
		require.Equal(t, want[i].Text, got[i].Text)
	}
	got, err = scratch.Statements(`SELECT '\restrict it'`)
	require.NoError(t, err)
	require.Equal(t, `SELECT '\restrict it'`, got[0].Text)
}

func TestRandomStatementsAreThoseOfAtlas(t *testing.T) {
	t.Parallel()
	words := rapid.SampledFrom([]string{
		"SELECT 1;", ";", " ", "\n", "begin ", "BEGIN\n", "BEGIN ATOMIC ", "END", "END;", "$$", "$x$", "'", `"`, `E'\'`, "(", ")", "-- c\n",
		"/* d; */", "a", "beginning ",
	})
	rapid.Check(t, func(rt *rapid.T) {
		requireSameStatements(rt, strings.Join(rapid.SliceOfN(words, 0, 25).Draw(rt, "words"), ""))
	})
}

func requireSameStatements(t require.TestingT, text string, message ...any) {
	want, wantErr := (&postgres.Driver{}).ScanStmts(text)
	got, err := scratch.Statements(text)
	require.Equal(t, wantErr, err, message...)
	require.Equal(t, want, got, message...)
}

func TestCheckStatementRefusesRowsOfClients(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`/* a */ COPY "t ""x" (a) FROM /* b */ STDIN WITH (FORMAT csv)`, "copy t from stdin where a > 1", "COPY t FROM STDIN WITH (new_option)",
	} {
		require.ErrorContains(t, scratch.CheckStatement(text), "COPY FROM STDIN waits for rows", text)
	}
	for _, text := range []string{
		"COPY (SELECT 'stdin') TO PROGRAM 'true'", "COPY t FROM '/tmp/stdin'", `COPY "stdin" TO '/tmp/x'`, "COMMENT ON TABLE t IS 'copy from stdin'",
	} {
		require.NoError(t, scratch.CheckStatement(text), text)
	}
}
