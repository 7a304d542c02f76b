package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/dbtest"
	"docket/internal/dbtest/pgbouncer"
)

// TestServeBehindPgBouncer lets annotators answer through a PgBouncer with the settings of docs/operations.md and four server
// connections. Imports and migrations go past it. Without a way past it, Docket is refused.
func TestServeBehindPgBouncer(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	direct := dbtest.Empty(t)
	through := pgbouncer.Start(t, direct, pgbouncerSettings(t))
	for _, command := range [][]string{{"serve"}, {"work"}, {"migrate", "apply"}, {"refresh"}} {
		status, _, stderr := docket(t, append(command, "--database-url", through)...)
		require.Equal(t, exitFailure, status)
		require.Contains(t, stderr, "--direct-url or DOCKET_DIRECT_URL", command)
	}
	for wrong, want := range map[string]string{through + "&application_name=x": "names a connection pooler", dbtest.Empty(t): "different databases"} {
		status, _, stderr := docket(t, "serve", "--database-url", through, "--direct-url", wrong)
		require.Equal(t, exitFailure, status)
		require.Contains(t, stderr, want)
	}
	status, _, stderr := docket(t, "serve", "--direct-url", direct)
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "--database-url")

	t.Setenv("DOCKET_DIRECT_URL", direct)
	s := serve(t, "--database-url", through, "--jobs=true")
	var text strings.Builder
	text.WriteString("url\n")
	const annotators, each = 8, 4
	for i := range 2 * annotators * each {
		fmt.Fprintf(&text, "https://example.org/page/%d\n", i)
	}
	file := filepath.Join(t.TempDir(), "urls.csv")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	succeed(t, "import", "urls", file, "--database-url", through)
	require.Equal(t, "0 differences\n", succeed(t, "queue", "verify", "--database-url", through))

	// Each annotator is given the id of its session back, so that a response to another one would be noticed.
	nextURL := regexp.MustCompile(`"url_id":(\d+)`)
	var group errgroup.Group
	for range annotators {
		group.Go(func() error {
			session := uuid.NewString()
			for range each {
				next, err := s.expect(t.Context(), http.MethodGet, "/annotate/anonymous?session_id="+session, "", session)
				if err != nil {
					return err
				}
				answer := "/annotate/anonymous/" + nextURL.FindStringSubmatch(next)[1] + "?session_id=" + session
				if _, err := s.expect(t.Context(), http.MethodPost, answer, `{"suggested_status": "not relevant"}`, session); err != nil {
					return err
				}
				if _, err := s.expect(t.Context(), http.MethodGet, "/annotate/all", "", `"url_info"`); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	stored := dbtest.Count(t, dbtest.Connect(t, direct), "SELECT count(*) FROM annotation__url_type__anon")
	require.EqualValues(t, annotators*each, stored)
	require.Equal(t, "0 differences\n", succeed(t, "queue", "verify", "--database-url", through))

	parsed, err := url.Parse(through)
	require.NoError(t, err)
	query := parsed.Query()
	query.Set("default_query_exec_mode", "describe_exec")
	parsed.RawQuery = query.Encode()
	status, _, stderr = docket(t, "serve", "--database-url", parsed.String())
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "describe_exec")
}

// pgbouncerSettings are the settings on the page, except those that name where to listen and whom to trust.
func pgbouncerSettings(t *testing.T) map[string]string {
	t.Helper()
	_, ini, found := strings.Cut(operations(t), "[pgbouncer]\n")
	require.True(t, found)
	ini, _, _ = strings.Cut(ini, "```")
	settings := make(map[string]string)
	for line := range strings.Lines(ini) {
		name, value, found := strings.Cut(strings.TrimSpace(line), " = ")
		require.True(t, found, line)
		settings[name] = value
	}
	require.Equal(t, "transaction", settings["pool_mode"])
	for _, name := range []string{"listen_addr", "listen_port", "auth_type", "auth_file"} {
		require.Contains(t, settings, name)
		delete(settings, name)
	}
	settings["default_pool_size"] = "4"
	return settings
}

// expect sends a request and returns the body of the response. It fails unless the request succeeds with a body that contains a
// text.
func (s serving) expect(ctx context.Context, method, path, body, text string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	received, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || !strings.Contains(string(received), text)) {
		err = fmt.Errorf("%s %s: %s, %s", method, path, response.Status, received)
	}
	return string(received), err
}
