package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// sqlCopy returns a copy of the repository's SQL that the test may change.
func sqlCopy(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, sub := range []string{"schema", "migrations"} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, "sql", sub), os.DirFS(filepath.Join(repository, "sql", sub))))
	}
	return dir
}

// edit replaces a text that a file contains once.
func edit(t *testing.T, path, before, after string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), before), "%s: %s", path, before)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), before, after, 1)), 0o600))
}

// TestMigrateDiff adds a column to a table and to a materialized view: the generated migration works on a database with data.
func TestMigrateDiff(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	s.succeed(t, "migrate", "apply", "--dir", migrationsFolder)
	s.succeed(t, "seed", "--urls", "30")
	dir := sqlCopy(t)
	migrations, target := "file://"+filepath.Join(dir, "sql/migrations"), "file://"+filepath.Join(dir, "sql/schema")
	diff := func(name string) (stdout, stderr string) {
		return s.succeed(t, "migrate", "diff", name, "--dir", migrations, "--to", target)
	}
	stdout, stderr := diff("nothing")
	require.Empty(t, stdout)
	require.Contains(t, stderr, "nothing to do")

	edit(t, filepath.Join(dir, "sql/schema/30_urls.sql"), "    description varchar,\n",
		"    description varchar,\n    language text NOT NULL DEFAULT 'en',\n")
	edit(t, filepath.Join(dir, "sql/schema/75_materialized_views.sql"), "AS total_anno_count\nFROM urls\n",
		"AS total_anno_count,\n    urls.language\nFROM urls\n")
	stdout, _ = diff("add_language")
	written := strings.Fields(stdout)
	require.Len(t, written, 2)
	require.Regexp(t, `/sql/migrations/\d{14}_add_language\.sql$`, written[0])
	require.Equal(t, filepath.Join(dir, "sql/migrations/down", filepath.Base(written[0])), written[1])
	s.succeed(t, "migrate", "validate", "--dir", migrations)
	s.succeed(t, "migrate", "lint", "--dir", migrations)
	stdout, _ = diff("again")
	require.Empty(t, stdout)

	s.succeed(t, "migrate", "apply", "--dir", migrations)
	s.succeed(t, "schema", "diff", "--to", target, "--exit-code")
	require.Equal(t, s.count(t, "SELECT count(*) FROM urls"),
		s.count(t, "SELECT count(*) FROM url_annotation_count_view WHERE language = 'en'"))
	s.exec(t, "REFRESH MATERIALIZED VIEW CONCURRENTLY url_annotation_count_view")

	s.succeed(t, "migrate", "down", "--auto-approve", "--dir", migrations)
	s.succeed(t, "migrate", "apply", "--dir", migrations)
	s.succeed(t, "schema", "diff", "--to", target, "--exit-code")

	edit(t, filepath.Join(dir, "sql/schema/10_types.sql"), "'root_url', 'manual')", "'root_url', 'manual', 'letter')")
	edit(t, filepath.Join(dir, "sql/schema/30_urls.sql"), "    source url_source NOT NULL,\n",
		"    source url_source NOT NULL DEFAULT 'letter',\n")
	stdout, stderr = diff("add_letter")
	require.Len(t, strings.Fields(stdout), 4)
	require.Contains(t, stderr, "docket migrate lint --latest 2")
	stdout, _ = s.succeed(t, "migrate", "lint", "--dir", migrations, "--latest", "2")
	require.Contains(t, stdout, "checked 2 files")

	status, _, stderr := s.run(t, "migrate", "diff", "Bad Name", "--dir", migrations, "--to", target)
	require.NotZero(t, status)
	require.Contains(t, stderr, "lower-case")
}
