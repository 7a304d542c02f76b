package schema_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
	sqlfiles "docket/sql"
)

// hashed gives the files as a directory with its atlas.sum.
func hashed(t *testing.T, files map[string]string) fstest.MapFS {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	require.NoError(t, schema.Hash(dir))
	return loaded(t, dir)
}

func loaded(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	m := fstest.MapFS{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		m[e.Name()] = &fstest.MapFile{Data: content}
	}
	return m
}

func TestShippedMigrationsAreValid(t *testing.T) {
	t.Parallel()
	require.NoError(t, schema.Validate(sqlfiles.Migrations))
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
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := hashed(t, map[string]string{
				"20260101000000_a.sql": "CREATE TABLE a (id int);",
				"20260102000000_b.sql": "CREATE TABLE b (id int);",
			})
			require.NoError(t, schema.Validate(m))
			test.change(m)
			err := schema.Validate(m)
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
			"20260101000000_b.sql: has the same version as 20260101000000_a.sql",
		},
		"commit in the file": {
			map[string]string{"20260101000000_a.sql": "CREATE TABLE a (id int);\nCOMMIT;\nSELECT 1;"},
			`line 2: a migration runs in a transaction of its own; remove "COMMIT;"`,
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
			map[string]string{"20260101000000_a.sql": "-- atlas:sum ignore\n\nSELECT 1;"}, "leave out atlas:sum",
		},
		"no statements to be found": {
			map[string]string{"20260101000000_a.sql": "SELECT (1;"}, "unclosed '('",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, content := range test.files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
			}
			require.ErrorContains(t, schema.Hash(dir), test.want)
			require.NoFileExists(t, filepath.Join(dir, "atlas.sum"))
		})
	}
}

func TestValidateRefusesAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, schema.Validate(fstest.MapFS{}), "no .sql file")
}

func TestTransactionControlIsAllowedOutsideTransactions(t *testing.T) {
	t.Parallel()
	require.NoError(t, schema.Validate(hashed(t, map[string]string{
		"20260101000000_a.sql": "-- atlas:txmode none\n\nBEGIN;\nSELECT 1;\nCOMMIT;",
	})))
}
