package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// sectionCommands returns the command lines in the console blocks of a section of the DBA's page, split at &&, without comments
// and redirections.
func sectionCommands(t *testing.T, page, title string) (commands []string) {
	t.Helper()
	_, section, found := strings.Cut(page, "\n## "+title+"\n")
	require.True(t, found, title)
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range fenced.FindAllStringSubmatch(section, -1) {
		for line := range strings.Lines(block[2]) {
			if typed, ok := strings.CutPrefix(line, "$ "); ok {
				typed, _, _ = strings.Cut(typed, " #")
				typed, _, _ = strings.Cut(typed, " >")
				for command := range strings.SplitSeq(typed, "&&") {
					commands = append(commands, strings.TrimSpace(command))
				}
			}
		}
	}
	require.NotEmpty(t, commands, title)
	return commands
}

// psqlStatement is a statement in a psql command.
var psqlStatement = regexp.MustCompile(` -c '([^']+)'`)

// TestOperationsCommands runs the commands of the page, section by section, in a checkout, on a database named by DATABASE_URL.
// TestOperationsSession, TestAdoption and TestServeWithGrants run those of the other sections.
func TestOperationsCommands(t *testing.T) {
	s := newSchemaTest(t, dbtest.Empty(t))
	parsed, err := url.Parse(s.url)
	require.NoError(t, err)
	t.Setenv("PGHOST", parsed.Query().Get("host"))
	t.Setenv("PGPORT", parsed.Query().Get("port"))
	t.Setenv("DATABASE_URL", "postgres://docket@"+parsed.Path)
	t.Setenv("DOCKET_DEV_URL", s.url)
	backup, err := os.ReadFile(filepath.Join(repository, "docs", "backup.md"))
	require.NoError(t, err)
	page, dir := operations(t), sqlCopy(t)
	t.Chdir(dir)
	for _, arguments := range []string{
		"init -q", "add .", "-c user.name=t -c user.email=t@example.org commit -qm t", "update-ref refs/remotes/origin/main HEAD",
	} {
		output, err := exec.CommandContext(t.Context(), "git", strings.Fields(arguments)...).CombinedOutput()
		require.NoError(t, err, "git %s: %s", arguments, output)
	}
	succeed(t, "migrate", "apply")
	succeed(t, "seed", "--urls", "20")

	runSection := func(title string, want ...string) {
		t.Helper()
		require.Equal(t, want, sectionCommands(t, page, title), title)
		for _, command := range want {
			if strings.HasPrefix(command, `psql "$DATABASE_URL" -c`) {
				for _, statement := range psqlStatement.FindAllStringSubmatch(command, -1) {
					s.exec(t, statement[1])
				}
				continue
			}
			words := strings.Fields(command)
			require.Equal(t, "docket", words[0])
			if strings.HasPrefix(command, "docket migrate down") && words[len(words)-1] != "--dry-run" {
				words = append(words, "--auto-approve") // there is no terminal to ask on
			}
			succeed(t, words[1:]...)
		}
	}

	runSection("Run regularly", "docket queue reconcile", "docket refresh", "docket queue verify")
	runSection("Review a change",
		"docket schema diff", "docket schema inspect", "docket schema diff --exit-code", "docket migrate apply --dry-run",
		"docket migrate lint --git-base origin/main")
	runSection("Apply", "docket migrate status", "docket migrate apply --dry-run", "docket migrate apply --lock-timeout 5s")
	runSection("Roll back", "docket migrate down --dry-run", "docket migrate down", "docket migrate down --to 20261123064500")
	require.Equal(t, []string{"20261123064500"}, dbtest.List(t, s.db, "SELECT max(version) FROM atlas_schema_revisions"))
	succeed(t, "migrate", "apply")
	// scripts/check-backup runs the other commands of that page.
	updates := psqlStatement.FindAllStringSubmatch(string(backup), -1)
	require.Len(t, updates, 2)
	for _, update := range updates {
		s.exec(t, update[1])
	}
	succeed(t, "refresh")
	succeed(t, "queue", "verify")

	// The database has run a migration of another branch, with a later version.
	for name, column := range map[string]string{"20261201101500_add_urls_language.sql": "language", "20261202000000_add_urls_other.sql": "other"} {
		up, down := filepath.Join("sql", "migrations", name), filepath.Join("sql", "migrations", "down", name)
		require.NoError(t, os.WriteFile(down, []byte("ALTER TABLE urls DROP COLUMN "+column+";\n"), 0o600))
		require.NoError(t, os.WriteFile(up, []byte("ALTER TABLE urls ADD COLUMN "+column+" text;\n"), 0o600))
	}
	hidden, file := filepath.Join(dir, "hidden"), filepath.Join("sql", "migrations", "20261201101500_add_urls_language.sql")
	require.NoError(t, os.Rename(file, hidden))
	downFile := filepath.Join("sql", "migrations", "down", filepath.Base(file))
	require.NoError(t, os.Rename(downFile, hidden+".down"))
	succeed(t, "migrate", "hash")
	succeed(t, "migrate", "apply")
	require.NoError(t, os.Rename(hidden, file))
	require.NoError(t, os.Rename(hidden+".down", downFile))
	succeed(t, "migrate", "hash")
	status, _, stderr := docket(t, "migrate", "apply")
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "docket migrate rebase 20261201101500_add_urls_language.sql")
	runSection("Two heads after a merge",
		"docket migrate rebase 20261201101500_add_urls_language.sql", "docket migrate lint", "docket migrate apply")
	succeed(t, "migrate", "status")
}

// TestAdditionsStay adds to a database what a DBA may add. With --env prod they stay and are listed, and no command refuses the
// database because of them.
func TestAdditionsStay(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.URL(t))
	prod := func(args ...string) []string {
		return append(args, "--env", "prod", "--config", "file://"+repository+"/atlas.hcl", "--to", schemaFolder)
	}
	s.exec(t, `
CREATE TABLE theirs (id integer CONSTRAINT theirs_pkey PRIMARY KEY);
CREATE INDEX their_idx ON urls (name text_pattern_ops) WHERE name IS NOT NULL;
CREATE UNIQUE INDEX their_key ON agencies (lower(name), id);
CREATE INDEX their_view_idx ON url_annotation_flags (was_reviewed);
ALTER TABLE agencies ADD CONSTRAINT their_check CHECK (name <> '');
ALTER TABLE logs ADD CONSTRAINT their_unique UNIQUE (log, batch_id);
ALTER TABLE user_url_done ADD CONSTRAINT their_fkey FOREIGN KEY (url_id) REFERENCES annotation_queue (url_id) ON DELETE CASCADE;
COMMENT ON COLUMN urls.source IS 'Ours.';
COMMENT ON INDEX batches_pkey IS 'Ours.';
DROP INDEX batches_user_id_idx;
ALTER INDEX duplicates_batch_id_idx RENAME TO their_name;
DROP MATERIALIZED VIEW url_status_mat_view`)
	additions := []string{
		"table theirs", "index their_idx on urls", "unique index their_key on agencies", "index their_view_idx on url_annotation_flags",
		"check constraint their_check on agencies", "unique constraint their_unique on logs", "foreign key their_fkey on user_url_done",
		"comment on column urls.source", "comment on index batches_pkey",
	}
	stdout, _ := s.succeed(t, prod("schema", "diff")...)
	require.NotContains(t, stdout, "drops a rule")
	require.Contains(t, stdout, "ALTER INDEX their_name RENAME TO duplicates_batch_id_idx")
	for _, addition := range additions {
		require.Contains(t, stdout, "-- Left alone: "+addition+".\n")
	}
	s.succeed(t, prod("schema", "apply", "--auto-approve")...)
	stdout, _ = s.succeed(t, prod("schema", "diff", "--exit-code")...)
	require.Contains(t, stdout, "-- Nothing has to be done.\n")
	for _, addition := range additions {
		require.Contains(t, stdout, "-- Left alone: "+addition+".\n")
	}
	s.succeed(t, "migrate", "apply", "--baseline", "latest")
	s.succeed(t, "migrate", "status")
	s.succeed(t, "seed", "--urls", "20")
	s.succeed(t, "refresh")
	s.succeed(t, "queue", "verify")

	stdout, _ = s.succeed(t, "schema", "diff")
	for _, rule := range []string{
		"their_key: CREATE UNIQUE INDEX ON agencies USING btree (lower((name)::text), id)", "their_unique: UNIQUE (log, batch_id)",
		"their_check: CHECK", "their_fkey: FOREIGN KEY",
	} {
		require.Contains(t, stdout, "--   drops a rule: "+rule)
	}
}
