package schemacmd_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres/embedded"
)

// caseDatabase is a new database and a connection to it.
type caseDatabase struct {
	url  string
	conn *pgx.Conn
}

func newCaseDatabase(t *testing.T) caseDatabase {
	t.Helper()
	url := dbtest.Empty(t)
	return caseDatabase{url, dbtest.Connect(t, url)}
}

// execute runs statements as one transaction.
func (d caseDatabase) execute(t *testing.T, sql string) {
	t.Helper()
	_, err := d.conn.PgConn().Exec(t.Context(), sql).ReadAll()
	require.NoError(t, err, "the case is wrong: %s", sql)
}

// query runs statements as one transaction and returns their rows as text, one a line.
func (d caseDatabase) query(ctx context.Context, sql string) (string, error) {
	results, err := d.conn.PgConn().Exec(ctx, sql).ReadAll()
	var lines []string
	for _, result := range results {
		for _, row := range result.Rows {
			lines = append(lines, string(bytes.Join(row, []byte("|"))))
		}
	}
	return strings.Join(lines, "\n"), err
}

// answers returns the rows of each query.
func (d caseDatabase) answers(t *testing.T, queries []string) []string {
	t.Helper()
	answers := make([]string, len(queries))
	for i, sql := range queries {
		var err error
		answers[i], err = d.query(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	return answers
}

// fileNodes returns the number of the file of each relation. It changes when PostgreSQL writes the relation again.
func (d caseDatabase) fileNodes(t *testing.T, relations []string) []string {
	t.Helper()
	queries := make([]string, len(relations))
	for i, relation := range relations {
		queries[i] = fmt.Sprintf("SELECT pg_relation_filenode('%s'::regclass)", relation)
	}
	return d.answers(t, queries)
}

// pgDump is the program in the directory of the server programs.
var pgDump = sync.OnceValues(func() (string, error) {
	programs, err := embedded.FindBinaries()
	if err != nil {
		return "", err
	}
	return exec.LookPath(filepath.Join(programs.Dir, "pg_dump"))
})

// runPgDump returns the output of pg_dump for the schema of a database.
func runPgDump(t *testing.T, url string, options ...string) string {
	t.Helper()
	program, err := pgDump()
	require.NoError(t, err, "pg_dump is needed: install PostgreSQL's client programs")
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, slices.Concat([]string{"--schema-only"}, options, []string{url})...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	return stdout.String()
}

// dump returns the lines of pg_dump that describe objects of schema public, sorted, because the order of columns and of objects may
// differ.
func (d caseDatabase) dump(t *testing.T) (lines []string) {
	t.Helper()
	text := runPgDump(t, d.url, "--no-owner", "--no-privileges", "--schema=public")
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ",")
		noise := line == "" || line == "(" || line == ");" || slices.ContainsFunc([]string{"--", "SET ", "SELECT pg_catalog", `\`},
			func(prefix string) bool { return strings.HasPrefix(line, prefix) })
		if !noise {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// dropRoles drops the roles whose names begin with a prefix.
func (d caseDatabase) dropRoles(t *testing.T, prefix string) {
	ctx := context.Background() // the context of the test has ended
	roles, err := d.query(ctx, "SELECT rolname FROM pg_roles WHERE starts_with(rolname, '"+prefix+"')")
	require.NoError(t, err)
	for _, role := range strings.Fields(roles) {
		_, err := d.query(ctx, "DROP OWNED BY "+role+"; DROP ROLE "+role)
		require.NoError(t, err)
	}
}
