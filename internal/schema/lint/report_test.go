package lint

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres/embedded"
	"docket/internal/schema"
	"docket/internal/schema/project"
	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

const twoDrops = "DROP VIEW names;\nALTER TABLE child DROP COLUMN note;"

func TestNolint(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, sql, want string }{
		{"nothing waived", twoDrops, "1 DK205 warning, 2 DS103 error"},
		{"statement", "DROP VIEW names;\n-- atlas:nolint\nALTER TABLE child DROP COLUMN note;", "1 DK205 warning"},
		{"statement, in words before it", "DROP VIEW names;\n-- Gone since May.\n--atlas:nolint\nALTER TABLE child DROP COLUMN note;",
			"1 DK205 warning"},
		{"statement, block comment", "DROP VIEW names;\n/*atlas:nolint*/\nALTER TABLE child DROP COLUMN note;", "1 DK205 warning"},
		{"statement by analyzer", "-- atlas:nolint incompatible\nDROP VIEW names;\nALTER TABLE child DROP COLUMN note;",
			"3 DS103 error"},
		{"statement by code", "-- atlas:nolint XX1 DK205\nDROP VIEW names;\nALTER TABLE child DROP COLUMN note;", "3 DS103 error"},
		{"statement by another analyzer", "-- atlas:nolint destructive\nDROP VIEW names;\nALTER TABLE child DROP COLUMN note;",
			"2 DK205 warning, 3 DS103 error"},
		{"file", "-- atlas:nolint\n\n" + twoDrops, ""},
		{"file by analyzer", "-- atlas:nolint destructive\n\n" + twoDrops, "3 DK205 warning"},
		{"file, in two lines", "-- atlas:nolint destructive\n-- atlas:nolint DK205\n\n" + twoDrops, ""},
		{"what cannot run", "-- atlas:nolint\n\nSELECT nothing;\n", "3 DK101 error"},
		{"what cannot run in a transaction", "-- atlas:nolint\n\nDROP INDEX CONCURRENTLY child_name_idx;\n", "3 DK102 error"},
	}
	shared := server(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report := check(t, Options{Server: shared, Migrations: directory(t, map[string]string{first: before, second: tt.sql}),
				Selection: Latest(1)})
			require.Equal(t, inFile(second, tt.want), brief(report))
		})
	}
}

func TestPolicyDecidesOnSeverity(t *testing.T) {
	t.Parallel()
	files := directory(t, map[string]string{first: before, second: twoDrops + "\nCREATE INDEX child_id_idx ON child (id);"})
	shared := server(t)
	for policy, want := range map[string]string{
		"":                      "1 DK205 warning, 2 DS103 error, 3 DK301 warning",
		"destructive false":     "1 DK205 warning, 2 DS103 warning, 3 DK301 warning",
		"incompatible true":     "1 DK205 error, 2 DS103 error, 3 DK301 warning",
		"concurrent_index true": "1 DK205 warning, 2 DS103 error, 3 DK301 error",
	} {
		opts := Options{Server: shared, Migrations: files, Selection: Latest(1), Policy: Policy{}}
		if name, value, found := strings.Cut(policy, " "); found {
			opts.Policy[name] = value == "true"
		}
		report := check(t, opts)
		require.Equal(t, inFile(second, want), brief(report), policy)
		require.Equal(t, strings.Count(want, "error"), report.Errors)
		require.Equal(t, strings.Count(want, "warning")+1, report.Warnings, "that there is no down file is one more")
	}
}

// The project file accepts the names of all analyzers.
func TestProjectKnowsTheAnalyzers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "atlas.hcl")
	want := map[string]bool{}
	text := "env \"x\" {\n  lint {\n"
	for _, rule := range rules {
		if !rule.always && !want[rule.analyzer] {
			want[rule.analyzer] = true
			text += "    " + rule.analyzer + " {\n      error = true\n    }\n"
		}
	}
	require.NoError(t, os.WriteFile(path, []byte(text+"  }\n}\n"), 0o600))
	e, err := project.Load(path, "x", project.Options{Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	require.Equal(t, want, e.Lint.Errors)
}

// The operations page lists every code with its analyzer and its severity without a policy.
func TestPageListsTheCodes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/operations.md")
	require.NoError(t, err)
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([A-Z]{2}\\d{3}[A-Z0-9, ]*) \\| `(\\w+)` \\| .* \\| (\\w+) \\|$").FindAllStringSubmatch(string(page), -1) {
		for _, code := range strings.Split(row[1], ", ") {
			listed[code] = row[2] + " " + row[3]
		}
	}
	want := map[string]string{}
	for code, rule := range rules {
		want[code] = rule.analyzer + " " + string(rule.severity(nil))
	}
	require.Equal(t, want, listed)
}

func TestSelection(t *testing.T) {
	t.Parallel()
	files := directory(t, map[string]string{first: before, second: "DROP VIEW names;", third: "DROP MATERIALIZED VIEW families;"})
	shared := server(t)
	for _, tt := range []struct {
		name      string
		selection Selection
		files     []string
		findings  int
	}{
		{"all", Selection{}, []string{first, second, third}, 2},
		{"latest 1", Latest(1), []string{third}, 1},
		{"latest 2", Latest(2), []string{second, third}, 2},
		{"latest 9", Latest(9), []string{first, second, third}, 2},
		{"except none", Except(nil), []string{first, second, third}, 2},
		{"except the first", Except([]string{first}), []string{second, third}, 2},
		{"except the last", Except([]string{first, third}), []string{second, third}, 2},
		{"except all", Except([]string{first, second, third}), []string{}, 0},
	} {
		report := check(t, Options{Server: shared, Migrations: files, Selection: tt.selection})
		require.Equal(t, tt.files, report.Files, tt.name)
		require.Len(t, brief(report), tt.findings, tt.name)
	}
}

func TestNotInCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "git",
			append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.org"}, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	migrations := filepath.Join(dir, "sql", "migrations")
	require.NoError(t, os.MkdirAll(migrations, 0o750))
	git("init", "--quiet")
	for i, name := range []string{first, second, third} {
		require.NoError(t, os.WriteFile(filepath.Join(migrations, name), []byte("SELECT 1;"), 0o600))
		if i < 2 { // the third exists only in the work tree
			git("add", ".")
			git("commit", "--quiet", "-m", name)
			git("tag", "after-"+name)
		}
	}
	selection, err := NotInCommit(t.Context(), migrations, "after-"+first)
	require.NoError(t, err)
	files, err := readFiles(os.DirFS(migrations))
	require.NoError(t, err)
	before, judged := selection.split(files)
	require.Len(t, before, 1)
	require.Len(t, judged, 2)

	for _, commit := range []string{"nowhere", "--output=x"} {
		_, err = NotInCommit(t.Context(), migrations, commit)
		require.ErrorContains(t, err, commit)
		require.ErrorContains(t, err, "fetch it or name another")
	}
}

func TestFilesThatCannotRunEndTheCheck(t *testing.T) {
	t.Parallel()
	report := check(t, Options{Migrations: directory(t, map[string]string{
		first: before, second: "DROP VIEW names;\nDROP TABLE nothing;", third: "DROP TABLE child;"}), Selection: Latest(2)})
	require.Equal(t, inFile(second, "2 DK101 error"), brief(report), "the state at the end of the file is unknown")
	require.Equal(t, []string{second}, report.Files)
	require.Equal(t, []string{third}, report.Unchecked)

	report = check(t, Options{Migrations: directory(t, map[string]string{
		first: "SELECT 1;\nSELECT nothing;", second: "SELECT 1;", third: "SELECT 2;"}), Selection: Latest(2)})
	require.Equal(t, inFile(first, "2 DK101 error"), brief(report))
	require.Empty(t, report.Files)
	require.Equal(t, []string{second, third}, report.Unchecked)
}

func TestEditedFilesAreNotChecked(t *testing.T) {
	t.Parallel()
	files := directory(t, map[string]string{first: before})
	files[first].Data = append(files[first].Data, '\n')
	_, err := Run(t.Context(), Options{Server: server(t), Migrations: files})
	require.ErrorIs(t, err, schema.ErrChecksum)
}

func TestDownFiles(t *testing.T) {
	t.Parallel()
	const up = "ALTER TABLE child ADD COLUMN more int DEFAULT 1;\nCREATE EXTENSION IF NOT EXISTS pgcrypto;"
	down := "down/" + second
	tests := []struct{ name, up, down, want, text string }{
		{name: "none", up: up, want: second + ":1 DK401 warning", text: down},
		{name: "waived", up: "-- atlas:nolint down_file\n\n" + up},
		{name: "leads back", up: up, down: "ALTER TABLE child DROP COLUMN more;"},
		{name: "does not", up: up, down: "ALTER TABLE child ALTER COLUMN more DROP DEFAULT;",
			want: down + ":1 DK402 error", text: "+ column child.more"},
		{name: "cannot be made to", up: up, down: "-- atlas:nolint DK402\n\nSELECT 1;"},
		{name: "cannot run", up: up, down: "SELECT 1;\nALTER TABLE child\n  DROP COLUMN other;",
			want: down + ":2 DK403 error", text: `"other"`},
		{name: "refuses", up: up, down: "DO $$ BEGIN RAISE EXCEPTION 'this cannot be undone'; END $$;", want: down + ":1 DK404 warning",
			text: "this cannot be undone"},
		{name: "cannot be done again", up: "SELECT lo_create(4711);", down: "SELECT 1;",
			want: down + ":1 DK403 error", text: "again"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{first: before, second: tt.up}
			if tt.down != "" {
				files[down] = tt.down
			}
			report := check(t, Options{Migrations: directory(t, files), Selection: Latest(1)})
			if tt.want == "" {
				require.Empty(t, report.Findings)
				return
			}
			require.Len(t, report.Findings, 1)
			f := report.Findings[0]
			require.Equal(t, tt.want, fmt.Sprintf("%s:%d %s %s", f.File, f.Line, f.Code, f.Severity))
			require.Contains(t, f.Text, tt.text)
			require.NotEmpty(t, f.Instead)
		})
	}
}

// A down file that fails is rolled back, and the next file is still checked.
func TestDownFilesAfterOneThatFails(t *testing.T) {
	t.Parallel()
	report := check(t, Options{Migrations: directory(t, map[string]string{
		first:  before,
		second: "ALTER TABLE child ADD COLUMN more int;", "down/" + second: "ALTER TABLE child DROP COLUMN more;\nSELECT nothing;",
		third: "ALTER TABLE child ADD COLUMN rest int;", "down/" + third: "SELECT 1;",
	}), Selection: Latest(2)})
	require.Equal(t, []string{"down/" + second + ":2 DK403 error", "down/" + third + ":1 DK402 error"}, brief(report))
}

func TestSizesOfALiveDatabase(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	for _, text := range []string{before, `
INSERT INTO parent SELECT generate_series(1, 20000);
INSERT INTO child SELECT n, n, '', '', 'good' FROM generate_series(1, 100) n;
ANALYZE`} {
		_, err := db.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	live, err := state.Inspect(t.Context(), db, nil)
	require.NoError(t, err)
	took := 90 * time.Second
	live.View("families").LastRefresh = &took
	const change = "CREATE INDEX a ON parent (id);\nCREATE INDEX b ON child (id);\nALTER TABLE parent ALTER COLUMN id TYPE bigint;\n" +
		"TRUNCATE child;\nALTER TABLE child ALTER COLUMN mood TYPE text;\n" +
		"DROP MATERIALIZED VIEW families;\nCREATE MATERIALIZED VIEW families AS SELECT 1 AS one;\nCREATE UNIQUE INDEX one ON families (one);"
	opts := Options{Migrations: directory(t, map[string]string{first: before, second: change}), Selection: Latest(1), Live: live}
	report := check(t, opts)
	require.Equal(t, inFile(second, "1 DK301 warning, 3 DK303 warning, 4 DK304 error, 6 DK202 warning, 6 DK204 warning"),
		brief(report))
	texts := map[string]string{}
	for _, f := range report.Findings {
		texts[f.Code] = f.Text
	}
	for code, want := range map[string]string{
		codeCreateIndex: "(about 20000 rows)", codeRewrite: "(about 20000 rows)", codeTruncate: "(about 100 rows)", codeRebuild: "took 1m30s",
	} {
		require.Contains(t, texts[code], want)
	}
	opts.BigTable = 100
	require.Contains(t, brief(check(t, opts)), second+":2 DK301 warning")

	live.Estimates["child"] = state.Estimate{Rows: -1, Bytes: neverAnalyzed + 1}
	opts.BigTable = 0
	require.Contains(t, brief(check(t, opts)), second+":2 DK301 warning", "a large table that was never analyzed")
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	report := check(t, Options{Migrations: directory(t, map[string]string{first: before, second: "-- atlas:nolint down_file\n\nDROP VIEW names;"}),
		Selection: Latest(1)})
	text, err := json.Marshal(report)
	require.NoError(t, err)
	require.JSONEq(t, `{"files": ["`+second+`"], "unchecked": [], "errors": 0, "warnings": 1, "findings": [{
    "file": "`+second+`", "line": 3, "code": "DK205", "analyzer": "incompatible", "severity": "warning",
    "text": "Dropping view \"names\"", "instead": "`+rules[codeViewGone].instead+`"}]}`, string(text))

	report = check(t, Options{Migrations: directory(t, map[string]string{first: before}), Selection: Except([]string{first})})
	text, err = json.Marshal(report)
	require.NoError(t, err)
	require.JSONEq(t, `{"files": [], "unchecked": [], "errors": 0, "warnings": 0, "findings": []}`, string(text))
}

func TestSessionSettingsEndWithTheirFile(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "-- atlas:txmode none\n\n"} {
		report := check(t, Options{Migrations: directory(t, map[string]string{
			first:  before,
			second: mode + "SET search_path = pg_catalog;\nALTER TABLE public.child ADD COLUMN more int;\nCREATE TEMPORARY TABLE names ();",
			third:  "ALTER VIEW names RENAME TO titles;",
		}), Selection: Latest(2)})
		require.Equal(t, inFile(third, "1 DK205 warning"), brief(report))
	}
}

// Neither a complete nor an interrupted run leaves databases on the server.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	own, err := scratch.Start(t.Context(), embedded.StartScratch, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, own.Close()) })
	probe, err := own.Create(t.Context())
	require.NoError(t, err)
	left := func() (n int) {
		require.NoError(t, probe.DB.QueryRowContext(t.Context(),
			"SELECT count(*) FROM pg_database WHERE datname ~ '^schema_scratch' AND datname <> current_database()").Scan(&n))
		return n
	}
	files := map[string]string{first: before, second: "SELECT 1;", "down/" + second: "SELECT 1;"}
	check(t, Options{Server: own, Migrations: directory(t, files)})
	require.Zero(t, left())

	files[second] = "SELECT pg_sleep(60);"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := Run(ctx, Options{Server: own, Migrations: directory(t, files), Selection: Latest(1)})
		done <- err
	}()
	require.Eventually(t, func() bool {
		var sleeping bool
		err := probe.DB.QueryRowContext(t.Context(), "SELECT count(*) = 2 FROM pg_stat_activity WHERE wait_event = 'PgSleep'").Scan(&sleeping)
		return err == nil && sleeping
	}, 30*time.Second, 20*time.Millisecond, "both scratch databases are at the sleeping statement")
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Zero(t, left())
}
