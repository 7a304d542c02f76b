package jobs_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/jobs"
	"docket/internal/tasks"
)

// TestUI shows the page and its scripts, and that pages of other sites can change nothing.
func TestUI(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	runner, err := jobs.New(jobs.Config{Pool: pool, Jobs: []jobs.Job{job("test", succeed)}})
	require.NoError(t, err)
	startNow(t, tasks.NewControl(pool, runner), tasks.Started)
	page, err := runner.UI("/admin/jobs", "docket.internal")
	require.NoError(t, err)
	host := "127.0.0.1:9090"
	send := func(method, path, site string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, strings.NewReader(`{"ids": ["1"]}`))
		req.Host = host
		req.Header.Set("Content-Type", "text/plain")
		req.Header.Set("Sec-Fetch-Site", site)
		response := httptest.NewRecorder()
		page.ServeHTTP(response, req)
		return response
	}

	index := send(http.MethodGet, "/admin/jobs/", "none")
	require.Equal(t, http.StatusOK, index.Code)
	script := regexp.MustCompile(`src="(/admin/jobs/assets/[^"]+\.js)"`).FindStringSubmatch(index.Body.String())
	require.NotNil(t, script, index.Body.String())
	require.NotContains(t, index.Body.String(), "<script>", "the policy forbids scripts within the page")
	require.Equal(t, http.StatusOK, send(http.MethodGet, script[1], "same-origin").Code)

	const list, cancel = "/admin/jobs/api/jobs?state=available", "/admin/jobs/api/jobs/cancel"
	require.Contains(t, send(http.MethodGet, list, "same-origin").Body.String(), `"kind":"test"`)
	require.Equal(t, http.StatusForbidden, send(http.MethodPost, cancel, "cross-site").Code)
	require.Contains(t, send(http.MethodGet, list, "same-origin").Body.String(), `"kind":"test"`)
	require.Equal(t, http.StatusOK, send(http.MethodPost, cancel, "same-origin").Code)
	require.NotContains(t, send(http.MethodGet, list, "same-origin").Body.String(), `"kind":"test"`)

	for _, path := range []string{"/admin/jobs/", script[1], list} {
		header := send(http.MethodGet, path, "same-origin").Header()
		require.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		require.Equal(t, "DENY", header.Get("X-Frame-Options"))
	}

	for name, status := range map[string]int{
		"127.0.0.1": http.StatusOK, "[::1]:9090": http.StatusOK, "localhost:9090": http.StatusOK, "DOCKET.internal:9090": http.StatusOK,
		"127.0.0.1.example.org": http.StatusForbidden, "localhost.example.org:9090": http.StatusForbidden, "": http.StatusForbidden,
	} {
		host = name
		require.Equal(t, status, send(http.MethodGet, list, "same-origin").Code, name)
	}
}
