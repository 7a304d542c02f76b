package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// killPostgres kills the server program of a data directory, as the kernel does when memory is short.
func killPostgres(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}

// breakPostgres lets every start of the server fail until the returned function is called.
func breakPostgres(t *testing.T, dir string) (mend func()) {
	t.Helper()
	conf := filepath.Join(dir, "postgres", "postgresql.conf")
	text, err := os.ReadFile(conf)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(conf, append(text, "no_such_setting = 1\n"...), 0))
	return func() { require.NoError(t, os.WriteFile(conf, text, 0)) }
}

// status sends a request and checks that it succeeds, or is to be repeated.
func (s serving) status(t *testing.T, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode != http.StatusOK {
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, string(data))
		require.NotEmpty(t, resp.Header.Get("Retry-After"))
	}
	return resp.StatusCode, string(data)
}

func (s serving) requireStatus(t *testing.T, want int, path string) (body string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var status int
		status, body = s.status(t, path)
		return status == want
	}, time.Minute, 20*time.Millisecond)
	return body
}

func TestServeRestartsItsPostgres(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	succeed(t, "seed", "--urls", "20", "--data-dir", dir)
	s := serve(t, "--log-level", "fatal", "--data-dir", dir)
	for range 3 {
		s.requireStatus(t, http.StatusOK, "/annotate/all")
		killPostgres(t, dir)
		s.requireStatus(t, http.StatusServiceUnavailable, "/annotate/all")
		s.requireStatus(t, http.StatusOK, "/annotate/all")
		s.requireStatus(t, http.StatusOK, "/readyz")
	}
	status, stderr := s.stop()
	require.Zero(t, status, stderr)
}

// While PostgreSQL cannot start, requests are to be repeated, /readyz and other commands say why, and a second server is refused.
func TestServeWhilePostgresRestarts(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := serve(t, "--log-level", "fatal", "--data-dir", dir, "--server-restarts", "1000")
	mend := breakPostgres(t, dir)
	killPostgres(t, dir)
	s.requireStatus(t, http.StatusServiceUnavailable, "/annotate/all")
	require.Eventually(t, func() bool { // the result of an earlier check may be cached
		status, body := s.status(t, "/readyz")
		return status == http.StatusServiceUnavailable &&
			strings.Contains(body, `"detail":"Not ready: PostgreSQL is being restarted, database`)
	}, time.Minute, 20*time.Millisecond)
	status, _, stderr := docket(t, "queue", "verify", "--data-dir", dir)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "docket: PostgreSQL is being restarted by docket serve (pid ")
	status, _, stderr = docket(t, "serve", "--data-dir", dir)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "which is restarting its PostgreSQL")
	mend()
	s.requireStatus(t, http.StatusOK, "/readyz")
	succeed(t, "queue", "verify", "--data-dir", dir)
}

func TestServeEndsWhenPostgresCannotStart(t *testing.T) {
	t.Parallel()
	for restarts, text := range map[string]string{
		"2": "gave up after 2 failed starts in a row",
		"0": "exited unexpectedly: signal: killed",
	} {
		t.Run(restarts, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			s := serve(t, "--log-level", "fatal", "--data-dir", dir, "--server-restarts", restarts)
			mend := breakPostgres(t, dir)
			killPostgres(t, dir)
			status, stderr := s.ended()
			require.Equal(t, exitFailure, status)
			require.Contains(t, stderr, text)
			require.Contains(t, stderr, "the last lines of its log "+filepath.Join(dir, "postgres.log"))
			require.Equal(t, restarts != "0", strings.Contains(stderr, "no_such_setting"), stderr)
			mend()
			succeed(t, "queue", "verify", "--data-dir", dir)
		})
	}
}
