package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/dbtest"
	"docket/internal/dbtest/pgbouncer"
)

// A server behind a PgBouncer with four sessions answers many annotators, and imports and migrations go past it. Without a way past
// it, it is refused.
func TestServeBehindPgBouncer(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	direct := dbtest.Empty(t)
	through := pgbouncer.Start(t, direct, nil)
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

	var group errgroup.Group
	for range annotators {
		group.Go(func() error {
			for range each {
				for _, path := range []string{"/annotate/all", "/search/agency?query=police", "/url?page=1", "/readyz"} {
					request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+path, nil)
					if err != nil {
						return err
					}
					request.Header.Set("Authorization", "Bearer "+s.token)
					response, err := http.DefaultClient.Do(request)
					if err != nil {
						return err
					}
					_ = response.Body.Close()
					if response.StatusCode >= http.StatusInternalServerError {
						return fmt.Errorf("%s: %s", path, response.Status)
					}
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())

	parsed, err := url.Parse(through)
	require.NoError(t, err)
	query := parsed.Query()
	query.Set("default_query_exec_mode", "describe_exec")
	parsed.RawQuery = query.Encode()
	status, _, stderr = docket(t, "serve", "--database-url", parsed.String())
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "describe_exec")
}
