package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// docket runs one command line to its end.
func docket(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), append(args, "--log-level", "error"), &out, &errs)
	return status, out.String(), errs.String()
}

// succeed runs one command line that must work and returns what it printed.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := docket(t, args...)
	require.Zero(t, status, "docket %v: %s", args, stderr)
	return stdout
}

// dataDir returns a directory that PostgreSQL can use, even when root runs the test.
func dataDir(t *testing.T) string {
	base, err := os.MkdirTemp("", "docket-command-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(base)) })
	require.NoError(t, os.Chmod(base, 0o755))
	return filepath.Join(base, "data")
}

// output can be written by a command and read by its test at the same time.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// serving is a running docket serve.
type serving struct {
	address, token string
	printed        func() string                      // on standard output so far
	stop           func() (status int, stderr string) // as SIGTERM would
	ended          func() (status int, stderr string) // waits until it ends by itself
}

var curlLine = regexp.MustCompile(`curl -H 'Authorization: Bearer (\S+)' https?://(\S+)/annotate/all`)

// serve runs docket serve until it is ready, without jobs unless the arguments ask for them.
func serve(t *testing.T, args ...string) serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr output
	ended := make(chan int, 1)
	go func() {
		args := append([]string{"serve", "--print-curl", "--addr", "127.0.0.1:0", "--log-level", "error", "--jobs=false"}, args...)
		ended <- run(ctx, args, &stdout, &stderr)
	}()
	wait := sync.OnceValues(func() (int, string) { return <-ended, stderr.String() })
	stop := func() (int, string) {
		cancel()
		return wait()
	}
	t.Cleanup(func() { stop() })
	for {
		if found := curlLine.FindStringSubmatch(stdout.String()); found != nil {
			return serving{token: found[1], address: found[2], printed: stdout.String, stop: stop, ended: wait}
		}
		select {
		case status := <-ended:
			ended <- status
			t.Fatalf("docket serve ended with %d: %s", status, stderr.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s serving) get(t *testing.T, path, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

// ready requests /readyz until Docket is ready and returns the body: the checks have a deadline that a busy machine may miss.
func (s serving) ready(t *testing.T) (body string) {
	t.Helper()
	for {
		status, body := s.get(t, "/readyz", "")
		if status == http.StatusOK {
			return body
		}
		require.Equal(t, http.StatusServiceUnavailable, status, body)
		time.Sleep(100 * time.Millisecond)
	}
}

// TestServeWithItsOwnServer does the first steps of a new user: start, get a URL, seed while it runs, stop, start again.
func TestServeWithItsOwnServer(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	status, _, stderr := docket(t, "db", "url", "--data-dir", dir)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "start it with docket serve")

	first := serve(t, "--data-dir", dir)
	code, body := first.get(t, "/annotate/all", first.token)
	require.Equal(t, http.StatusOK, code, body)
	require.JSONEq(t, `{"next_annotation": null}`, body)
	first.ready(t)

	status, _, stderr = docket(t, "serve", "--data-dir", dir, "--addr", "127.0.0.1:0")
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "docket serve", "the refusal names the command that uses the directory")

	dbtest.Connect(t, strings.TrimSpace(succeed(t, "db", "url", "--data-dir", dir)))

	require.Contains(t, succeed(t, "seed", "--urls", "50", "--data-dir", dir), "50 URLs")
	require.Contains(t, succeed(t, "seed", "--urls", "50", "--if-empty", "--data-dir", dir), "nothing to do")
	token := strings.TrimSpace(succeed(t, "token", "--user", "2000000000", "--data-dir", dir))
	code, before := first.get(t, "/annotate/all", token)
	require.Equal(t, http.StatusOK, code, before)
	require.Contains(t, before, `"url_id"`)

	status, stderr = first.stop()
	require.Zero(t, status, stderr)
	status, _, _ = docket(t, "db", "url", "--data-dir", dir)
	require.Equal(t, exitFailure, status, "the server stopped with docket serve")
	require.Contains(t, succeed(t, "migrate", "status", "--data-dir", dir), "state     ok", "a command starts the server for itself")

	second := serve(t, "--data-dir", dir)
	code, after := second.get(t, "/annotate/all", token)
	require.Equal(t, http.StatusOK, code, after)
	require.JSONEq(t, before, after, "data and key are kept")
}

// TestServeRefuses starts docket serve with settings and databases that would fail later: each is refused at the start.
func TestServeRefuses(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	refusal := func(t *testing.T, args ...string) string {
		status, _, stderr := docket(t, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
		require.NotZero(t, status)
		return stderr
	}
	url := dbtest.Empty(t)

	t.Setenv("DS_APP_SECRET_KEY", "")
	require.Contains(t, refusal(t, "--database-url", url), "DS_APP_SECRET_KEY is not set")
	t.Setenv("DS_APP_SECRET_KEY", key[1:])
	require.Contains(t, refusal(t, "--database-url", url), "holds 31 bytes")
	t.Setenv("DS_APP_SECRET_KEY", key)
	require.Contains(t, refusal(t, "--database-url", url, "--migrate=false"), "pending")
	require.Contains(t, refusal(t, "--database-url", strings.Replace(url, "/testdb", "/nodb", 1)), "does not exist")

	succeed(t, "migrate", "apply", "--database-url", url)
	dbtest.Exec(t, dbtest.Connect(t, url), "UPDATE atlas_schema_revisions SET hash = 'another text'")
	require.Contains(t, refusal(t, "--database-url", url), "edited")
	status, stdout, _ := docket(t, "migrate", "status", "--json", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stdout, `"state": "edited"`)
}

func TestImport(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	succeedMigrated := func(args ...string) string { return succeed(t, append(args, "--database-url", url)...) }
	succeedMigrated("migrate", "apply")

	file := filepath.Join(t.TempDir(), "agencies.csv")
	require.NoError(t, os.WriteFile(file, []byte(`agency,jurisdiction_type,state,county_fips,county,locality,homepage_url
Pittsburgh Bureau of Police - PA,local,PA,42003,Allegheny,Pittsburgh,
Nowhere Police - ZZ,local,ZZ,,,,
`), 0o600))

	status, stdout, stderr := docket(t, "import", "agencies", file, "--strict", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stdout, "line 3")
	require.Contains(t, stderr, "nothing was imported")

	status, text, stderr := docket(t, "import", "agencies", file, "--database-url", url)
	require.Equal(t, exitRejected, status)
	require.Equal(t, "docket: "+file+": rejected: 1; the other rows are stored\n", stderr)
	require.Regexp(t, `(?m)^ +1 +created`, text)
	require.Regexp(t, `(?m)^ +1 +rejected`, text)

	var result importResult
	status, stdout, _ = docket(t, "import", "agencies", file, "--json", "--database-url", url)
	require.Equal(t, exitRejected, status)
	require.NoError(t, json.Unmarshal([]byte(stdout), &result))
	require.Equal(t, []int64{2, 0, 1, 1}, []int64{result.Rows, result.Created, result.Duplicate, result.Rejected})
	require.True(t, result.Unchanged)

	urls := filepath.Join(t.TempDir(), "urls.csv")
	require.NoError(t, os.WriteFile(urls, []byte(`url,url_type,record_type,name,description,agencies
https://pittsburghpa.gov/police/#top,data source,Stops,Stops,,Pittsburgh Bureau of Police - PA
`), 0o600))
	text = succeedMigrated("import", "urls", urls, "--robo")
	require.Regexp(t, `(?m)^ +1 +suggested agencies`, text)
	require.Contains(t, succeedMigrated("import", "urls", urls, "--robo"), "nothing new")

	require.Equal(t, "0 differences\n", succeedMigrated("queue", "verify"), "an import keeps the queue")
	dbtest.Exec(t, dbtest.Connect(t, url), "UPDATE annotation_queue SET user_url_type_count = 99")
	status, stdout, _ = docket(t, "queue", "verify", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Equal(t, "URL 1: wrong count of user URL types: has 99, should have 0\n1 differences\n", stdout)
	require.Contains(t, succeedMigrated("queue", "reconcile", "--wait=false", "--json"), `"kind":"wrong count of user URL types","url_id":1`)
	require.Equal(t, "0 differences\n", succeedMigrated("queue", "verify"))
}

func TestUsage(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1")
	for _, args := range [][]string{
		{"serve", "--nonsense"},
		{"nonsense"},
		{"token"},
		{"token", "--user", "1", "--permission", "everything"},
		{"import", "urls"},
		{"import", "urls", "x.csv", "--confidence", "101"},
		{"serve", "--log-format", "xml"},
		{"serve", "--log-level", "loud"},
		{"serve", "--reserve", "1ms"},
		{"serve", "--overlap", "-1"},
		{"serve", "--when-all-reserved", "hope"},
		{"explain"},
		{"explain", "--user", "7", "--session", "00000000-0000-0000-0000-000000000007"},
		{"explain", "--session", "7"},
		{"explain", "--session", "00000000-0000-0000-0000-000000000007", "--batch", "1"},
	} {
		status := run(t.Context(), args, io.Discard, io.Discard)
		require.Equal(t, exitUsage, status, "docket %v", args)
	}
	t.Setenv("DOCKET_REQUEST_TIMEOUT", "soon")
	status, _, stderr := docket(t, "serve")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "DOCKET_REQUEST_TIMEOUT")
}

// TestFlagWinsOverEnvironment also shows that a variable is read.
func TestFlagWinsOverEnvironment(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://from/environment")
	require.Equal(t, "postgres://from/environment\n", succeed(t, "db", "url"))
	require.Equal(t, "postgres://from/flag\n", succeed(t, "db", "url", "--database-url", "postgres://from/flag"))
}

// TestHelpNamesEveryVariable requires that the help of a flag names its environment variable.
func TestHelpNamesEveryVariable(t *testing.T) {
	t.Parallel()
	help := succeed(t, "serve", "--help")
	for _, variable := range []string{"DATABASE_URL", "DOCKET_DATA_DIR", "DOCKET_ADDR", "DOCKET_ADMIN_ADDR", "DOCKET_MIGRATE",
		"DOCKET_MAX_CONNS", "DOCKET_STATEMENT_TIMEOUT", "DOCKET_LOG_FORMAT", "DOCKET_REQUEST_TIMEOUT"} {
		require.Contains(t, help, "[$"+variable+"]")
	}
	require.NotContains(t, help, "DOCKET_HELP")
}
