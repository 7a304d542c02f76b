package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/tools/txtar"

	"docket/api"
	"docket/internal/agreement"
	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/export"
	"docket/internal/follows"
	"docket/internal/history"
	"docket/internal/postgres"
	"docket/internal/progress"
	"docket/internal/ranking"
	"docket/internal/robots"
	"docket/internal/submissions"
	"docket/internal/tasks"
)

var update = flag.Bool("update", false, "write the responses into the scripts")

// TestScripts runs the conversations in testdata/<tag> over HTTP, each on its own database and with each ranking. Both
// rankings must give the same responses, because the views are refreshed after each setup and no script depends on a count
// that changes later. A script is a txtar archive of these sections, in any number and order:
//
//	setup     SQL
//	request   METHOD PATH, then headers, an empty line and the body; "User: 7" is replaced by a token of that user, who has
//	          an ordinary account, "Admin: 7" by one of an administrator, "Claims: {}" by a signed token with these
//	          claims, {session} by the last anonymous session in a response
//	response  status and body of the response to that request; a session is printed as {session}, and an html_info
//	          without any text as { all empty }
//	rows      every row of the tables that store answers, without their times; "rows a b" prints tables a and b instead
//
// Sections response and rows are compared, or written with -update.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		for name, rank := range map[string]func() annotation.Ranking{
			"queue":   func() annotation.Ranking { return ranking.NewQueue() },
			"matview": func() annotation.Ranking { return ranking.Matview{} },
		} {
			t.Run(scriptName(file)+"/"+name, func(t *testing.T) {
				t.Parallel()
				runScript(t, file, rank())
			})
		}
	}
}

// scriptName returns the tag and the name, or just the name for scripts of the annotation cycle.
func scriptName(file string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/"), ".txtar")
	return strings.TrimPrefix(name, "annotate/")
}

func runScript(t *testing.T, file string, rank annotation.Ranking) {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	archive := txtar.Parse(data)
	require.NotEmpty(t, archive.Comment, "a script says what it shows")

	conversation := newConversation(t, rank)
	compared := 0
	for i, section := range archive.Files {
		var got string
		kind, tables, _ := strings.Cut(section.Name, " ")
		switch kind {
		case "setup":
			dbtest.Exec(t, conversation.pool, string(section.Data))
			conversation.settle(t)
			continue
		case "request":
			conversation.send(t, string(section.Data))
			require.Less(t, i+1, len(archive.Files), "the last request has no response")
			require.Equal(t, "response", archive.Files[i+1].Name, "section %d", i+1)
			continue
		case "response":
			got = conversation.response
		case "rows":
			of := annotationTables
			if tables != "" {
				of = strings.Fields(tables)
			}
			got = rowsOf(t, conversation.pool, of)
		default:
			t.Fatalf("unknown section %q", section.Name)
		}
		compared++
		if *update {
			archive.Files[i].Data = []byte(got)
			continue
		}
		require.Equal(t, string(section.Data), got, "section %d of %s (%s)", i+1, file, section.Name)
	}
	require.Positive(t, compared, "the script compares nothing")
	if *update {
		require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
	}
}

// conversation is a client with its own server and database.
type conversation struct {
	pool     *postgres.Pool
	server   *httptest.Server
	session  string // the last one in a response
	response string // the last one, as it is printed
}

var testKey = []byte("a key for tests, of thirty-two bytes and more")

func newConversation(t *testing.T, rank annotation.Ranking) *conversation {
	pool := dbtest.New(t)
	return &conversation{pool: pool, server: serve(t, pool, rank)}
}

// settle updates what each ranking reads, which the SQL of a setup does not do.
func (c *conversation) settle(t *testing.T) {
	require.NoError(t, ranking.Reconcile(t.Context(), c.pool, func(ranking.Difference) {}))
	dbtest.Exec(t, c.pool, "REFRESH MATERIALIZED VIEW url_annotation_count_view")
}

// serve runs the whole REST interface on a database, and checks every response against the contract.
func serve(t testing.TB, pool *postgres.Pool, rank annotation.Ranking) *httptest.Server {
	server := httptest.NewServer(api.Conforming(t, newHandler(t, pool, rank, zap.NewNop())))
	t.Cleanup(server.Close)
	return server
}

// newHandler returns the whole REST interface on a database.
func newHandler(
	t testing.TB, pool *postgres.Pool, rank annotation.Ranking, log *zap.Logger, change ...func(*api.Config),
) http.Handler {
	verifier, err := auth.NewVerifier(testKey, nil, auth.DefaultLeeway, time.Now)
	require.NoError(t, err)
	cfg := api.Config{
		Annotations: annotation.New(pool, rank),
		Catalog:     catalog.New(pool),
		Robots:      robots.New(pool),
		Submissions: submissions.New(pool),
		Consensus:   consensus.NewExplainer(pool),
		Reopener:    consensus.NewReopener(pool),
		History:     history.NewReader(pool),
		Progress:    progress.New(pool),
		Agreement:   agreement.New(pool),
		Export:      export.New(pool, testKey),
		Follows:     follows.New(pool),
		Tasks:       tasks.NewHistory(pool),
		Control:     tasks.NewControl(pool, oneJob{}),
		Verifier:    verifier,
		Metrics:     api.NewMetrics(func() api.PoolStats { return api.PoolStats{} }),
		Log:         log,
		Timings:     true,
	}
	for _, f := range change {
		f(&cfg)
	}
	handler, err := api.New(cfg)
	require.NoError(t, err)
	return handler
}

// oneJob has a job, of type Auto Name, whose runs begin when they are started and never end.
type oneJob struct{}

func (oneJob) Types() []tasks.Type { return []tasks.Type{tasks.AutoName} }

func (oneJob) RunNow(ctx context.Context, tx pgx.Tx, taskType tasks.Type) ([]tasks.Start, error) {
	_, err := tasks.Begin(ctx, tx, taskType, "auto_name", nil)
	return []tasks.Start{{Job: "auto_name", State: tasks.Started}}, err
}

// tokenFor returns a token of a user who has an ordinary account unless permissions are granted.
func tokenFor(t testing.TB, user int32, permissions ...auth.Permission) string {
	token, err := auth.Issue(testKey, user, permissions, time.Hour, time.Now())
	require.NoError(t, err)
	return token
}

var uuidPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func (c *conversation) send(t *testing.T, script string) {
	head, content, _ := strings.Cut(script, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, path, ok := strings.Cut(lines[0], " ")
	require.True(t, ok, "a request begins with METHOD PATH")

	path = strings.ReplaceAll(path, "{session}", c.session)
	req, err := http.NewRequestWithContext(t.Context(), method, c.server.URL+path, strings.NewReader(strings.TrimSpace(content)))
	require.NoError(t, err)
	req.Header.Set("X-Request-Id", "script")
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		require.True(t, ok, "a header is NAME: VALUE, not %q", line)
		switch name {
		case "User", "Admin":
			user, err := strconv.Atoi(value)
			require.NoError(t, err)
			var permissions []auth.Permission
			if name == "Admin" {
				permissions = []auth.Permission{auth.AccessSourceCollector}
			}
			name, value = "Authorization", "Bearer "+tokenFor(t, int32(user), permissions...)
		case "Claims":
			var claims jwt.MapClaims
			require.NoError(t, json.Unmarshal([]byte(value), &claims))
			token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(testKey)
			require.NoError(t, err)
			name, value = "Authorization", "Bearer "+token
		}
		req.Header.Set(name, value)
	}
	resp, err := c.server.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)

	var opened struct {
		Session string `json:"session_id"`
	}
	if json.Unmarshal(body, &opened) == nil && uuidPattern.MatchString(opened.Session) {
		c.session = opened.Session
	}
	c.response = uuidPattern.ReplaceAllString(
		fmt.Sprintf("%d %s\n%s\n", resp.StatusCode, resp.Header.Get("Content-Type"), pretty(body)), "{session}")
}

// htmlInfo matches the texts of a page in indented JSON.
var htmlInfo = regexp.MustCompile(`"html_info": (\{[^{}]*\})`)

// pretty indents a body that is JSON. It prints an html_info without any text as one line: most pages of the scripts have none.
func pretty(body []byte) string {
	var indented bytes.Buffer
	if json.Indent(&indented, body, "", "  ") != nil {
		return strings.TrimSpace(string(body))
	}
	text := htmlInfo.ReplaceAllStringFunc(indented.String(), func(match string) string {
		var info api.HTMLInfo
		err := json.Unmarshal([]byte(htmlInfo.FindStringSubmatch(match)[1]), &info)
		if err != nil || info != (api.HTMLInfo{Index: -1, HTTPResponse: -1}) {
			return match
		}
		return `"html_info": { all empty }`
	})
	return strings.TrimSpace(text)
}

// annotationTables are the tables that an answer may write to.
var annotationTables = []string{
	"annotation__url_type__user", "annotation__record_type__user", "annotation__agency__user",
	"annotation__location__user", "annotation__name__suggestions", "annotation__name__user__endorsements",
	"link_user_suggestion_agency_not_found", "link_user_suggestion_location_not_found",
	"annotation__url_type__anon", "annotation__record_type__anon", "annotation__agency__anon",
	"annotation__location__anon", "annotation__name__anon__endorsements",
}

// annotationRows prints the rows of annotationTables.
func annotationRows(t testing.TB, pool *postgres.Pool) string {
	return rowsOf(t, pool, annotationTables)
}

// rowsOf prints the rows of tables, one JSON object per line.
func rowsOf(t testing.TB, pool *postgres.Pool, tables []string) string {
	var out strings.Builder
	for _, table := range tables {
		lines := dbtest.List(t, pool, fmt.Sprintf(`SELECT (to_jsonb(r) - 'created_at' - 'updated_at' - 'returns_at')::text
			FROM %s r ORDER BY 1`, pgx.Identifier{table}.Sanitize()))
		for _, line := range lines {
			fmt.Fprintf(&out, "%s %s\n", table, uuidPattern.ReplaceAllString(line, "{session}"))
		}
	}
	return out.String()
}
