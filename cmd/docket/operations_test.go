package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// operations returns the text of the DBA's page.
func operations(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	require.NoError(t, err)
	return string(text)
}

// pageCommands returns the words of each docket command in the first console block of a section of the DBA's page.
func pageCommands(t *testing.T, title string) (commands [][]string) {
	t.Helper()
	_, section, found := strings.Cut(operations(t), "\n## "+title+"\n")
	require.True(t, found, title)
	block := fenced.FindStringSubmatch(section)
	require.NotNil(t, block, title)
	for line := range strings.Lines(block[2]) {
		line, _, _ = strings.Cut(line, " #")
		line, _, _ = strings.Cut(line, " >")
		if _, command, found := strings.Cut(line, "docket "); found {
			commands = append(commands, strings.Fields(command))
		}
	}
	return commands
}

var (
	fenced    = regexp.MustCompile("(?s)```(diff|console)\n(.*?)```")
	durations = regexp.MustCompile(`\b[0-9.]+(ms|s)\b`)
	written   = regexp.MustCompile(`sql/migrations/(20[0-9]{12})_add_urls_language\.sql`)
	sockets   = regexp.MustCompile(`/\S+/run\b`)
)

// TestOperationsSession changes the schema as the page says, on a running Docket with data, and compares the output of the
// commands with that on the page. Only times, the data directory and the version of the new migration may differ.
func TestOperationsSession(t *testing.T) {
	_, section, found := strings.Cut(operations(t), "\n## Make a change\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := fenced.FindAllStringSubmatch(section, -1)
	require.GreaterOrEqual(t, len(blocks), 2)
	change, session := blocks[0], blocks[1]
	require.Equal(t, []string{"diff", "console"}, []string{change[1], session[1]})

	checkout, dir := t.TempDir(), dataDir(t)
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(filepath.Join(checkout, "sql"), os.DirFS(filepath.Join(repository, "sql"))))
	t.Chdir(checkout)
	apply := exec.CommandContext(t.Context(), "git", "apply")
	apply.Stdin = strings.NewReader(change[2])
	output, err := apply.CombinedOutput()
	require.NoError(t, err, "%s", output)
	succeed(t, "seed", "--urls", "200", "--data-dir", dir)
	running := serve(t, "--data-dir", dir)

	neutral := func(text string) string {
		version := written.FindStringSubmatch(text)
		require.NotNil(t, version, text)
		text = strings.ReplaceAll(text, version[1], "the new version")
		for _, varying := range []*regexp.Regexp{durations, sockets} {
			text = varying.ReplaceAllString(text, "…")
		}
		return text
	}
	var printed strings.Builder
	for line := range strings.Lines(session[2]) {
		typed, isCommand := strings.CutPrefix(line, "$ ")
		if !isCommand {
			continue
		}
		printed.WriteString(line)
		for command := range strings.SplitSeq(typed, "&&") {
			words := strings.Fields(command)
			require.Equal(t, "bin/docket", words[0])
			status := run(t.Context(), append(words[1:], "--data-dir", dir, "--log-level", "error"), &printed, &printed)
			require.Zero(t, status, printed.String())
		}
	}
	require.Equal(t, neutral(session[2]), neutral(printed.String()))

	code, body := running.get(t, "/annotate/all", running.token)
	require.Equal(t, http.StatusOK, code, body)
	code, body = running.get(t, "/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, code, body)
	db := dbtest.Connect(t, strings.TrimSpace(succeed(t, "db", "url", "--data-dir", dir)))
	for _, sql := range []string{
		"REFRESH MATERIALIZED VIEW CONCURRENTLY url_annotation_flags",
		"DO $$ BEGIN ASSERT (SELECT count(*) FROM url_annotation_flags WHERE has_name_suggestion) > 0; END $$",
		"DO $$ BEGIN ASSERT (SELECT count(*) FROM urls WHERE language IS NULL) = 200; END $$",
	} {
		_, err := db.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
}

var lockRow = regexp.MustCompile("(?m)^\\| ([^|]+) \\| (?:`([A-Z ]+)`|none) on ([^|]+) \\| ([^|]+) \\| ([^|]+) \\| [^|]+ \\|$")

// TestOperationsLocks executes each step of the table of locks on a database, and compares the locks that it holds.
func TestOperationsLocks(t *testing.T) {
	t.Parallel()
	conn := dbtest.Connect(t, dbtest.URL(t))
	steps := map[string]struct{ sql, on string }{
		"add a column, with a constant default or none": {"ALTER TABLE urls ADD COLUMN language text DEFAULT 'en'", "urls"},
		"drop a column, change a default":               {"ALTER TABLE urls DROP COLUMN description", "urls"},
		"rename a column or a constraint":               {"ALTER TABLE urls RENAME CONSTRAINT urls_url_key TO u", "urls"},
		"change a column's type":                        {"ALTER TABLE logs ALTER COLUMN log TYPE varchar", "logs"},
		"set NOT NULL, add a CHECK":                     {"ALTER TABLE urls ADD CONSTRAINT c CHECK (id > 0)", "urls"},
		"add a key":                                     {"ALTER TABLE urls ADD CONSTRAINT c UNIQUE (name)", "urls"},
		"add a foreign key":                             {"ALTER TABLE logs ADD CONSTRAINT c FOREIGN KEY (batch_id) REFERENCES batches", "batches"},
		"create an index":                               {"CREATE INDEX i ON urls (name)", "urls"},
		"create or drop an index concurrently":          {"", ""},
		"drop an index":                                 {"DROP INDEX batches_user_id_idx", "batches"},
		"rename an index":                               {"ALTER INDEX batches_user_id_idx RENAME TO i", "batches_user_id_idx"},
		"comment":                                       {"COMMENT ON COLUMN urls.name IS 'x'", "urls"},
		"add a value to an enum":                        {"ALTER TYPE url_source ADD VALUE 'letter'", "urls"},
		"rename a value of an enum":                     {"ALTER TYPE url_source RENAME VALUE 'manual' TO 'by hand'", "urls"},
		"create a table, a type or a view":              {"CREATE VIEW v AS SELECT id FROM urls", "urls"},
		"replace a plain view":                          {"CREATE OR REPLACE VIEW meta_url_view AS SELECT url_id FROM flag_url_validated", "meta_url_view"},
		"drop a view, rebuild a materialized one":       {"DROP MATERIALIZED VIEW url_annotation_flags", "url_annotation_flags"},
		"fill a materialized view for the first time":   {"REFRESH MATERIALIZED VIEW url_annotation_flags", "url_annotation_flags"},
		"refresh a materialized view concurrently":      {"REFRESH MATERIALIZED VIEW CONCURRENTLY url_annotation_flags", "url_annotation_flags"},

		"add a key `USING INDEX`": {
			"CREATE UNIQUE INDEX i ON urls (id); ALTER TABLE urls ADD CONSTRAINT c UNIQUE USING INDEX i", "urls",
		},
		"set NOT NULL that a validated check proves, add a CHECK that is `NOT VALID`": {
			"ALTER TABLE urls ADD CONSTRAINT c CHECK (id > 0) NOT VALID", "urls",
		},
		"add a foreign key that is `NOT VALID`": {
			"ALTER TABLE logs ADD CONSTRAINT c FOREIGN KEY (batch_id) REFERENCES batches NOT VALID", "batches",
		},
		"validate a constraint": {"ALTER TABLE logs VALIDATE CONSTRAINT logs_batch_id_fkey", "logs"},
	}
	rows := lockRow.FindAllStringSubmatch(operations(t), -1)
	require.Len(t, rows, len(steps), "the table has a row for each step")
	for _, row := range rows {
		name, mode, readers, writers := row[1], row[2], row[4], row[5]
		step, ok := steps[name]
		require.True(t, ok, name)
		if step.sql == "" { // it cannot run in a transaction, whose locks could be read
			mode = "SHARE UPDATE EXCLUSIVE"
		} else {
			require.Equal(t, strongestLock(t, conn, step.sql, step.on), strings.ReplaceAll(mode, " ", ""), name)
		}
		require.Equal(t, waits(mode, "ACCESS EXCLUSIVE"), readers, "readers: %s", name)
		if writers != "none" {
			require.Equal(t, waits(mode, "ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE"), writers, "writers: %s", name)
		}
	}
}

// strongestLock returns the strongest lock of a statement on a relation except that of a reader, in capitals without blanks.
func strongestLock(t *testing.T, conn *pgx.Conn, sql, relation string) string {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	var oid uint32
	require.NoError(t, tx.QueryRow(t.Context(), "SELECT $1::text::regclass::oid", relation).Scan(&oid))
	_, err = tx.Exec(t.Context(), sql)
	require.NoError(t, err, sql)
	var mode string
	require.NoError(t, tx.QueryRow(t.Context(), `
SELECT coalesce(max(upper(replace(mode, 'Lock', ''))), '') FROM (
    SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = $1 AND mode <> 'AccessShareLock'
    ORDER BY array_position(ARRAY['RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
        'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'], mode) DESC
    LIMIT 1
) AS strongest`, oid).Scan(&mode))
	return mode
}

func waits(mode string, conflicting ...string) string {
	if slices.Contains(conflicting, mode) {
		return "wait"
	}
	return "continue"
}

// TestOperationsHazards shows that the page explains each hazard that a plan can name, and no other.
func TestOperationsHazards(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("..", "..", "internal", "schema", "plan", "plan.go"))
	require.NoError(t, err)
	_, section, found := strings.Cut(operations(t), "\n## Review a change\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n#")
	var hazards, explained []string
	for _, constant := range regexp.MustCompile(`\bHazardKind += "([^"]+)"`).FindAllSubmatch(source, -1) {
		hazards = append(hazards, string(constant[1]))
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		explained = append(explained, row[1])
	}
	require.NotEmpty(t, hazards)
	require.ElementsMatch(t, hazards, explained)
}
