package dbtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// DataFile opens one of the two real files, agencies.csv and urls.csv. The repository does not contain them: by default they
// are in ../shared/data, and DOCKET_TEST_DATA names another directory.
func DataFile(t testing.TB, name string) *os.File {
	t.Helper()
	dir := os.Getenv("DOCKET_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data") // of a package at depth two
	}
	file, err := os.Open(filepath.Join(dir, name))
	require.NoError(t, err, "the real data files are needed: set DOCKET_TEST_DATA to the directory that has them")
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// Cases returns the folder of the cases for schema management. The repository does not contain them: by default they are in
// ../shared/cases/schema, and DOCKET_TEST_CASES names another directory.
func Cases(t testing.TB) (path string) {
	t.Helper()
	path = os.Getenv("DOCKET_TEST_CASES")
	if path == "" {
		path = filepath.Join("..", "..", "..", "shared", "cases", "schema") // of a package at depth two
	}
	require.DirExists(t, path, "the cases are needed: set DOCKET_TEST_CASES to the directory that has them")
	return path
}
