package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestEnvironmentGivesFlags checks the precedence of flag, environment of atlas.hcl, and environment variable.
func TestEnvironmentGivesFlags(t *testing.T) {
	s := newSchemaTest(t, dbtest.URL(t))
	other := newSchemaTest(t, dbtest.Empty(t))
	const unreachable = "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1"
	t.Setenv("DATABASE_URL", unreachable)
	t.Setenv("THE_URL", s.url)
	config := "file://" + filepath.Join(folder(t, map[string]string{"atlas.hcl": `
variable "folder" {
  type    = string
  default = "` + schemaFolder + `"
}
env "ci" {
  url     = getenv("THE_URL")
  dev     = getenv("THE_URL")
  src     = var.folder
  exclude = ["theirs"]
  migration {
    dir = "` + migrationsFolder + `"
  }
}
env "local" {
  url = getenv("NO_URL")
  dev = "docker://postgres/15/dev"
}
env "prod" {
  url = urlqueryset(getenv("NO_URL"), "search_path", "public")
}`}), "atlas.hcl")
	s.exec(t, "CREATE TABLE theirs (id int)")

	stdout := succeed(t, "schema", "diff", "--exit-code", "--env", "ci", "--config", config)
	require.Contains(t, stdout, "Nothing has to be done", "the environment's URL wins over DATABASE_URL, and its exclude counts")
	status, _, stderr := docket(t, "schema", "diff", "--exit-code", "--env", "ci", "--config", config, "--database-url", other.url)
	require.Equal(t, exitFailure, status, "a flag wins over the environment: %s", stderr)
	status, _, stderr = docket(t, "migrate", "status", "--env", "ci", "--config", config)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, repository+"/sql/migrations")
	require.Contains(t, stderr, "holds objects already", "the database is that of the environment")

	refused := func(want string, args ...string) {
		t.Helper()
		status, _, stderr := docket(t, append([]string{"schema", "diff", "--config", config}, args...)...)
		require.Equal(t, exitUsage, status, stderr)
		require.Contains(t, stderr, want)
	}
	empty := folder(t, map[string]string{"10_a.sql": "CREATE TABLE a (id int);"})
	status, _, _ = docket(t, "schema", "diff", "--exit-code", "--env", "ci", "--config", config, "--var", "folder=file://"+empty)
	require.Equal(t, exitFailure, status)
	refused("has no url", "--env", "prod")
	succeed(t, "migrate", "validate", "--env", "prod", "--config", config, "--dir", migrationsFolder) // needs no database
	refused("no container is started", "--env", "local", "--database-url", s.url)
	refused(`no env "nowhere"`, "--env", "nowhere")
	refused("write name=value", "--env", "ci", "--var", "folder")
	refused("only --env reads", "--var", "folder=x")
	refused(`no variable "x"`, "--env", "ci", "--var", "x=y")
	status, _, stderr = docket(t, "schema", "diff", "--env", "ci", "--config", "atlas.hcl")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "write file://atlas.hcl")
}
