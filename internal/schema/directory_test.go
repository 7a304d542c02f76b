package schema_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
	sqlfiles "docket/sql"
)

// hashed returns the files as a directory with its atlas.sum.
func hashed(t *testing.T, files map[string]string) fstest.MapFS {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	require.NoError(t, schema.Hash(dir, advice))
	return loaded(t, dir)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
}

func loaded(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	files := os.DirFS(dir)
	require.NoError(t, fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		m[path] = &fstest.MapFile{Data: content}
		return err
	}))
	return m
}

var aAndB = map[string]string{
	fileA: "CREATE TABLE a (id int);", "down/" + fileA: "DROP TABLE a;",
	fileB: "CREATE TABLE b (id int);", "down/" + fileB: "DROP TABLE b;",
}

func TestShippedMigrationsAreValid(t *testing.T) {
	t.Parallel()
	require.NoError(t, schema.Validate(sqlfiles.Migrations, advice))
}

func TestValidateComparesWithSum(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(fstest.MapFS)
		want   string
	}{
		"edited": {
			func(m fstest.MapFS) { m["20260101000000_a.sql"].Data = []byte("CREATE TABLE other (id int);") },
			"20260101000000_a.sql was edited",
		},
		"added": {
			func(m fstest.MapFS) {
				m["20260101000001_c.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE c (id int);")}
			},
			"20260101000001_c.sql was added",
		},
		"removed": {
			func(m fstest.MapFS) { delete(m, "20260101000000_a.sql") },
			"20260101000000_a.sql was removed",
		},
		"no sum": {
			func(m fstest.MapFS) { delete(m, "atlas.sum") },
			"checksum file not found",
		},
		"down file edited": {
			func(m fstest.MapFS) { m["down/20260102000000_b.sql"].Data = []byte("SELECT 1;") },
			"down/20260102000000_b.sql was edited",
		},
		"down file removed": {
			func(m fstest.MapFS) { delete(m, "down/20260102000000_b.sql") },
			"down/20260102000000_b.sql was removed",
		},
		"all down files removed": {
			func(m fstest.MapFS) { delete(m, "down/"+fileA); delete(m, "down/"+fileB) },
			"was removed",
		},
		"no sum of down files": {
			func(m fstest.MapFS) { delete(m, "down/atlas.sum") },
			"checksum file not found",
		},
		"a merge's marks in the sum": {
			func(m fstest.MapFS) { m["atlas.sum"].Data = append([]byte("<<<<<<< HEAD\n"), m["atlas.sum"].Data...) },
			"atlas.sum holds conflict markers of a merge; put the migration that no database has yet after the last one: " +
				`run "docket migrate rebase FILE"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := hashed(t, aAndB)
			require.NoError(t, schema.Validate(m, advice))
			test.change(m)
			err := schema.Validate(m, advice)
			require.ErrorIs(t, err, schema.ErrChecksum)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "docket migrate hash")
		})
	}
}

func TestHashRefusesWhatApplyCouldNotRun(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"name": {
			map[string]string{"1_a.sql": "SELECT 1;"}, "rename it to YYYYMMDDHHMMSS_name.sql",
		},
		"same version twice": {
			map[string]string{"20260101000000_a.sql": "SELECT 1;", "20260101000000_b.sql": "SELECT 2;"},
			"20260101000000_b.sql: has the same version as 20260101000000_a.sql; put the one that no database has yet after the " +
				`last one: run "docket migrate rebase 20260101000000_b.sql"`,
		},
		"commit in the down file": {
			map[string]string{fileA: "SELECT 1;", "down/" + fileA: "DROP TABLE a;\nCOMMIT;"},
			`down/20260101000000_a.sql: line 2: a migration runs in a transaction of its own; remove "COMMIT;"`,
		},
		"down file outside a transaction": {
			map[string]string{fileA: "SELECT 1;", "down/" + fileA: "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY a;"},
			"down/20260101000000_a.sql: a down file runs in one transaction",
		},
		"down file of no migration": {
			map[string]string{fileA: "SELECT 1;", "down/" + fileB: "SELECT 1;"},
			"down/20260102000000_b.sql: no migration has this version",
		},
		"down file of another name": {
			map[string]string{fileA: "SELECT 1;", "down/20260101000000_b.sql": "SELECT 1;"},
			"down/20260101000000_b.sql: the migration of this version is called 20260101000000_a.sql",
		},
		"two down files of one version": {
			map[string]string{fileA: "SELECT 1;", "down/" + fileA: "SELECT 1;", "down/20260101000000_b.sql": "SELECT 1;"},
			"down/20260101000000_b.sql: has the same version as 20260101000000_a.sql",
		},
		"commit in the file": {
			map[string]string{"20260101000000_a.sql": "CREATE TABLE a (id int);\nCOMMIT;\nSELECT 1;"},
			`line 2: a migration runs in a transaction of its own; remove "COMMIT;"`,
		},
		"commit after a comment": {
			map[string]string{"20260101000000_a.sql": "SELECT 1;\n/* all of it */ COMMIT;"},
			`line 2: a migration runs in a transaction of its own; remove "COMMIT;"`,
		},
		"begin outside of a transaction": {
			map[string]string{fileA: "-- atlas:txmode none\n\nBEGIN;\nCREATE TABLE a (id int);"},
			`line 3: with atlas:txmode none each statement is recorded when it is done, and must be a transaction of its own; remove "BEGIN;"`,
		},
		"rows for psql": {
			map[string]string{fileA: "CREATE TABLE a (id int);\n/* rows */ copy a (id)\n  from /* here */ STDIN;\n1\n\\.\n"},
			"20260101000000_a.sql: line 2: COPY FROM STDIN waits for rows that only psql would send",
		},
		"rows for psql in the down file": {
			map[string]string{fileA: "SELECT 1;", "down/" + fileA: "COPY a FROM STDIN;"}, "down/20260101000000_a.sql: line 1: COPY FROM STDIN",
		},
		"byte order mark that hides a directive": {
			map[string]string{fileA: "\ufeff-- atlas:txmode none\n\nSELECT 1;"}, "line 1: a byte order mark",
		},
		"another encoding": {
			map[string]string{fileA: "SELECT 1;\nSELECT 'caf\xe9';"}, "line 2: the statement is not UTF-8",
		},
		"NUL": {
			map[string]string{fileA: "SELECT 1;\nSELECT '\x00';"}, "line 2: the statement holds a NUL byte",
		},
		"directive that Atlas would not see": {
			map[string]string{"20260101000000_a.sql": "-- atlas:txmode none\nSELECT 1;"}, "an empty line after it",
		},
		"unknown mode": {
			map[string]string{"20260101000000_a.sql": "-- atlas:txmode all\n\nSELECT 1;"}, `atlas:txmode "all" is not known`,
		},
		"two modes": {
			map[string]string{"20260101000000_a.sql": "-- atlas:txmode none\n-- atlas:txmode file\n\nSELECT 1;"},
			"more than one atlas:txmode",
		},
		"file without checksum": {
			map[string]string{"20260101000000_a.sql": "-- atlas:sum ignore\n\nSELECT 1;"}, "remove atlas:sum",
		},
		"no statements to be found": {
			map[string]string{"20260101000000_a.sql": "SELECT (1;"}, "unclosed '('",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, test.files)
			require.ErrorContains(t, schema.Hash(dir, advice), test.want)
			require.NoFileExists(t, filepath.Join(dir, "atlas.sum"))
			require.NoFileExists(t, filepath.Join(dir, "down", "atlas.sum"))
		})
	}
}

func TestValidateRefusesAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, schema.Validate(fstest.MapFS{}, advice), "no .sql file")
}

// File names are printed in messages and on terminals, so line breaks and control characters in them are escaped.
func TestValidateQuotesStrangeNames(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"", "down/"} {
		m := hashed(t, aAndB)
		m[at+"new\nline\x1b[31m.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;")}
		require.ErrorContains(t, schema.Validate(m, advice), `migration "`+at+`new\nline\x1b[31m.sql": rename it to YYYYMMDDHHMMSS_name.sql`)
	}
}

// For two files with the same version, the message suggests another command than for a wrong checksum.
func TestMergedBranchesAreAdvisedToRebase(t *testing.T) {
	t.Parallel()
	m := hashed(t, aAndB)
	m["20260102000000_c.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;")}
	err := schema.Validate(m, advice)
	require.ErrorContains(t, err, "docket migrate rebase 20260102000000_c.sql")
	require.NotErrorIs(t, err, schema.ErrChecksum)
}

func TestValidateRequiresDownFilesAndStatements(t *testing.T) {
	t.Parallel()
	err := schema.Validate(hashed(t, map[string]string{
		fileA: "CREATE TABLE a ();",
		fileB: "-- to be written\n", "down/" + fileB: "-- to be written\n",
	}), advice)
	require.ErrorContains(t, err, "migration 20260101000000_a.sql: down/20260101000000_a.sql is missing")
	require.ErrorContains(t, err, "migration 20260102000000_b.sql: holds no statement")
	require.ErrorContains(t, err, "migration down/20260102000000_b.sql: holds no statement")
}
