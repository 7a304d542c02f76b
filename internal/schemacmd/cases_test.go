package schemacmd_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/scratch"
)

// A testCase is a folder of SQL files: before.sql is the schema of the files before, rows.sql adds data and what else the live
// database has, after.sql is the target. The fields are those of case.json.
type testCase struct {
	About  string
	Source string // the public report that the case comes from
	// "converges", "refused", or "destructive": refused without --allow-destructive and converging with it.
	Expect    string
	Says      []string // regular expressions that plans and messages must match
	SaysNot   []string `json:"says_not"`   // … must not match
	NoRewrite []string `json:"no_rewrite"` // relations whose file must remain the same
	Same      []string // queries whose results must be the same before and after
	True      []string // queries whose last row must be t afterwards
	Dump      *bool    // false: the database has more than the files, and dumps are not compared
	Env       []string // further flags

	before, rows, after string
	roles               string // prefix of the roles that the case creates
}

// handled are cases for objects that a tool may refuse by name or manage. They expect a refusal; here the plan must converge.
var handled = []string{"exclusion", "fk-deferrable", "fk-set-null-columns", "names-with-quotes"}

// TestCases runs cases that other people have reported for schema tools. For each one it creates a database from before.sql and
// rows.sql, runs schema diff, schema apply and schema diff again, and compares the result with a database of after.sql. That
// comparison uses pg_dump, which is independent of this project.
func TestCases(t *testing.T) {
	t.Parallel()
	shared := dbtest.Cases(t)
	for _, folders := range []string{shared, filepath.Join("testdata", "cases")} {
		paths, err := filepath.Glob(filepath.Join(folders, "*", "case.json"))
		require.NoError(t, err)
		require.NotEmpty(t, paths, "no case in %s", folders)
		for _, path := range paths {
			name := filepath.Base(filepath.Dir(path))
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				problems, said := readCase(t, filepath.Dir(path)).run(t)
				require.Empty(t, problems, said)
			})
		}
	}
}

// readCase reads a folder. Roles belong to the server, which parallel cases and other processes share. The names of those that
// cases create begin with dba_, which is replaced with a prefix of this run and case.
func readCase(t *testing.T, folder string) testCase {
	t.Helper()
	c := testCase{roles: fmt.Sprintf("dba_%x_", rand.Uint64())}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if name == "rows.sql" && os.IsNotExist(err) {
			return ""
		}
		require.NoError(t, err)
		return strings.ReplaceAll(string(text), "dba_", c.roles)
	}
	c.before, c.rows, c.after = read("before.sql"), read("rows.sql"), read("after.sql")
	decoder := json.NewDecoder(strings.NewReader(read("case.json")))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&c))
	require.Contains(t, []string{"converges", "refused", "destructive"}, c.Expect)
	if slices.Contains(handled, filepath.Base(folder)) {
		c.Expect, c.Says = "converges", nil
	}
	if filepath.Base(folder) == "unlogged-live" { // it expects that the files cannot say UNLOGGED
		require.Equal(t, "Left alone: unlogged table", c.Says[0])
		c.Says[0] = "Make t logged"
	}
	return c
}

// run returns what is not as the case requires, and the output of the commands.
func (c testCase) run(t *testing.T) (problems []string, said string) {
	t.Helper()
	db, target := newCaseDatabase(t), newCaseDatabase(t)
	t.Cleanup(func() { db.dropRoles(t, c.roles) })
	db.execute(t, c.before)
	for _, statement := range statements(t, c.rows) {
		db.execute(t, statement)
	}
	db.execute(t, "ANALYZE")
	for _, statement := range statements(t, psqlLines.ReplaceAllString(c.after, "")) {
		target.execute(t, statement)
	}
	files := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(files, "after.sql"), []byte(c.after), 0o600))
	docket := func(args ...string) int {
		args = slices.Concat([]string{"schema"}, args, c.Env,
			[]string{"--to", "file://" + files, "--" + databaseFlag, db.url, "--dev-url", db.url})
		status, stdout, stderr := program(t, args...)
		said += fmt.Sprintf("== %s ==\n%s%s", strings.Join(args[1:3], " "), stdout, stderr)
		return status
	}
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	same, nodes, dump := db.answers(t, c.Same), db.fileNodes(t, c.NoRewrite), db.dump(t)
	if status := docket("diff", "--exit-code"); status == 2 && c.Expect != "refused" {
		problem("schema diff ended with 2")
	}
	applied := docket("apply", "--auto-approve")
	if c.Expect != "converges" {
		if applied == 0 {
			problem("schema apply was not refused")
		}
		if after := db.dump(t); !slices.Equal(after, dump) {
			problem("schema apply was refused and has changed the schema: %s", difference(after, dump))
		}
		if after := db.answers(t, c.Same); !slices.Equal(after, same) {
			problem("schema apply was refused and has changed rows: %q, before %q", after, same)
		}
	}
	if c.Expect == "destructive" {
		applied = docket("apply", "--auto-approve", "--allow-destructive")
	}
	if c.Expect != "refused" {
		if applied != 0 {
			problem("schema apply ended with %d", applied)
		}
		plans := said
		said = ""
		if status := docket("diff", "--exit-code"); status != 0 {
			problem("the second schema diff ended with %d:\n%s", status, said)
		}
		said = plans
		if after, want := db.dump(t), target.dump(t); (c.Dump == nil || *c.Dump) && applied == 0 && !slices.Equal(after, want) {
			problem("dumps differ: %s", difference(after, want))
		}
		for i, after := range db.answers(t, c.Same) {
			if after != same[i] {
				problem("%s: was %q, is %q", c.Same[i], same[i], after)
			}
		}
		for i, after := range db.fileNodes(t, c.NoRewrite) {
			if after != nodes[i] {
				problem("%s was rewritten", c.NoRewrite[i])
			}
		}
		for _, query := range c.True {
			if result, err := db.query(t.Context(), query); err != nil || result != "t" && !strings.HasSuffix(result, "\nt") {
				problem("not true: %s: %s %v", query, result, err)
			}
		}
	}
	for _, pattern := range c.Says {
		if !regexp.MustCompile("(?s)" + pattern).MatchString(said) {
			problem("does not say: %s", pattern)
		}
	}
	for _, pattern := range c.SaysNot {
		if regexp.MustCompile("(?s)" + pattern).MatchString(said) {
			problem("says: %s", pattern)
		}
	}
	return problems, said
}

// psqlLines are commands of psql, as in the output of pg_dump.
var psqlLines = regexp.MustCompile(`(?m)^\\.*`)

func statements(t *testing.T, text string) (texts []string) {
	t.Helper()
	all, err := scratch.Statements(text)
	require.NoError(t, err)
	for _, s := range all {
		texts = append(texts, s.Text)
	}
	return texts
}

// difference lists the lines that only one of two sorted lists has.
func difference(have, want []string) string {
	only := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) })
	}
	return fmt.Sprintf("only here %q, only in the target %q", only(have, want), only(want, have))
}
