package schemacmd_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// A dump of a database is a schema file that equals the database.
func TestDumpIsASchemaFile(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	for _, options := range [][]string{nil, {"--clean", "--if-exists"}, {"--no-owner", "--no-privileges"}} {
		files := t.TempDir()
		text := runPgDump(t, url, options...)
		require.Contains(t, text, "CREATE TABLE")
		require.NoError(t, os.WriteFile(filepath.Join(files, "dump.sql"), []byte(text), 0o600))
		status, stdout, stderr := program(t, "schema", "diff", "--exit-code", "--to", "file://"+files, "--"+databaseFlag, url, "--dev-url", url)
		require.Zero(t, status, stdout+stderr)
	}
}
