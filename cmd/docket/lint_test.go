package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema"
	"docket/internal/schema/lint"
)

// dangerous returns the directory of checkout with one more migration, which contains the SQL text.
func dangerous(t *testing.T, sql string) (dir string) {
	t.Helper()
	dir = checkout(t, t.TempDir())
	require.NoError(t, os.WriteFile(filepath.Join(dir, lastMigration), []byte(sql), 0o600))
	undo(t, dir, "ALTER TABLE a ADD id int;")
	return dir
}

const lastMigration = "20260103000000_c.sql"

// undo writes the down file of the last migration, and the checksums.
func undo(t *testing.T, dir, sql string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "down", lastMigration), []byte(sql), 0o600))
	require.NoError(t, schema.Hash(dir, advice))
}

func TestMigrateLint(t *testing.T) {
	t.Parallel()
	server := dbtest.Empty(t)
	dir := dangerous(t, "SELECT 1;\nALTER TABLE a DROP COLUMN id;")
	status, stdout, stderr := docket(t, "migrate", "lint", "--dir", "file://"+dir, "--dev-url", server)
	require.Equal(t, exitFailure, status, stderr)
	require.Contains(t, stderr, "1 error in the migrations")
	at, rest, _ := strings.Cut(stdout, ": ")
	require.Equal(t, filepath.Join(dir, "20260103000000_c.sql:2"), at)
	require.True(t, strings.HasPrefix(rest, "error DS103 (destructive): "), rest)
	require.Contains(t, rest, "\n    instead: ")
	require.Contains(t, rest, "\nchecked 1 file: 1 error, 0 warnings\n")

	status, stdout, _ = docket(t, "migrate", "lint", "--dir", dir, "--dev-url", server, "--all", "--json")
	require.Equal(t, exitFailure, status)
	var report lint.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Equal(t, []string{"20260101000000_a.sql", "20260102000000_b.sql", "20260103000000_c.sql"}, report.Files)
	require.Equal(t, 1, report.Errors)

	// With warnings only the status is 0.
	dir = dangerous(t, "ALTER TABLE a RENAME COLUMN id TO number;")
	undo(t, dir, "ALTER TABLE a RENAME COLUMN number TO id;")
	require.Contains(t, succeed(t, "migrate", "lint", "--dir", dir, "--dev-url", server), "checked 1 file: 0 errors, 1 warning\n")
}

func TestMigrateLintHeedsTheProject(t *testing.T) {
	t.Parallel()
	dir := dangerous(t, "ALTER TABLE a DROP COLUMN id;")
	config := filepath.Join(t.TempDir(), "atlas.hcl")
	require.NoError(t, os.WriteFile(config, []byte(`
variable "dev" { type = string }
env "lax" {
  dev = var.dev
  migration { dir = "file://`+dir+`" }
  lint {
    latest = 2
    destructive { error = false }
  }
}`), 0o600))
	args := []string{"migrate", "lint", "--config", "file://" + config, "--env", "lax", "--var", "dev=" + dbtest.Empty(t)}
	require.Contains(t, succeed(t, args...), "checked 2 files: 0 errors, 1 warning\n")
	require.Contains(t, succeed(t, append(args, "--latest", "1")...), "checked 1 file")
}

func TestMigrateLintByGit(t *testing.T) {
	t.Parallel()
	server := dbtest.Empty(t)
	dir := checkout(t, t.TempDir())
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "20260101000000_a.sql"},
		{"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "a"}} {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	require.Contains(t, succeed(t, "migrate", "lint", "--dir", dir, "--dev-url", server, "--git-base", "HEAD"), "checked 1 file:")
	status, _, stderr := docket(t, "migrate", "lint", "--dir", dir, "--dev-url", server, "--git-base", "elsewhere")
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, `"elsewhere"`)
}

func TestMigrateLintAsksALiveDatabase(t *testing.T) {
	t.Parallel()
	live, server := dbtest.Empty(t), dbtest.Empty(t)
	dir := dangerous(t, "CREATE INDEX a_id_idx ON a (id);")
	undo(t, dir, "DROP INDEX a_id_idx;")
	args := []string{"migrate", "lint", "--dir", dir, "--dev-url", server}
	require.Contains(t, succeed(t, args...), "DK301")
	require.NotContains(t, succeed(t, append(args, "--database-url", live)...), "DK301", "it has no such table")
}

func TestMigrateLintUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--all", "--latest", "1"}, {"--latest", "-1"}, {"--env", "nowhere", "--config", "file://nothing.hcl"}, {"--dir", "file:///nowhere"},
	} {
		status, _, stderr := docket(t, append([]string{"migrate", "lint"}, args...)...)
		require.Equal(t, exitUsage, status, stderr)
	}
}
