package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/project"
)

// TestRepositoryFile reads the atlas.hcl of the repository.
func TestRepositoryFile(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	load := func(t *testing.T, env string, environment map[string]string) *project.Environment {
		e, err := project.Load(filepath.Join(root, "atlas.hcl"), env, project.Options{
			Getenv: func(name string) string { return environment[name] },
		})
		require.NoError(t, err)
		return e
	}
	for _, env := range []string{"local", "ci", "prod"} {
		t.Run(env, func(t *testing.T) {
			t.Parallel()
			e := load(t, env, map[string]string{
				"DATABASE_URL":  "postgres://docket@db.example.org/docket?sslmode=require",
				"ATLAS_DEV_URL": "postgres://localhost/scratch",
			})
			require.Equal(t, env, e.Name)
			require.Equal(t, "postgres://docket@db.example.org/docket?search_path=public&sslmode=require", e.URL)
			require.Equal(t, "postgres://localhost/scratch?search_path=public", e.Dev)
			require.Equal(t, "file://sql/schema", e.Src)
			require.Equal(t, "file://sql/migrations", e.MigrationDir)
			for _, dir := range []string{e.Src, e.MigrationDir} {
				_, err := os.Stat(filepath.Join(root, strings.TrimPrefix(dir, "file://")))
				require.NoError(t, err)
			}
			require.Equal(t, "public", e.RevisionsSchema)
			require.Contains(t, e.Exclude, "atlas_schema_revisions")
			require.Equal(t, map[string]bool{"destructive": true, "incompatible": true}, e.Lint.Errors)

			none := load(t, env, nil)
			require.Empty(t, none.URL)
			require.Empty(t, none.Dev)
		})
	}
	require.Equal(t, 1, load(t, "local", nil).Lint.Latest)
	require.Equal(t, "origin/main", load(t, "ci", nil).Lint.GitBase)
	prod := load(t, "prod", nil)
	require.Equal(t, 30*time.Second, prod.LockTimeout)
	require.Equal(t, project.Diff{
		KeepTables: true, KeepColumns: true, KeepViews: true,
		KeepIndexes: true, KeepForeignKeys: true, KeepChecks: true, KeepComments: true,
		Online: true,
	}, prod.Diff)
	require.Equal(t, project.Diff{}, load(t, "local", nil).Diff)
}
