package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealthTarget(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/readyz",
		":8080":          "http://127.0.0.1:8080/readyz",
		"0.0.0.0:1":      "http://127.0.0.1:1/readyz",
		"[::]:8080":      "http://[::1]:8080/readyz",
		"docket:8080":    "http://docket:8080/readyz",
	} {
		target, err := (&healthConfig{addr: addr, timeout: 1}).target()
		require.NoError(t, err)
		require.Equal(t, want, target)
	}
	for base, want := range map[string]string{
		"https://docket.example.org":      "https://docket.example.org/healthz",
		"https://docket.example.org/api/": "https://docket.example.org/api/healthz",
	} {
		target, err := (&healthConfig{url: base, live: true, timeout: 1}).target()
		require.NoError(t, err)
		require.Equal(t, want, target)
	}
}

func TestHealthRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--url", "127.0.0.1:8080"}, {"--url", "ftp://a"}, {"--url", "http://"}, {"--addr", "8080"}, {"--timeout", "0s"}, {"now"},
	} {
		status, _, stderr := docket(t, append([]string{"health"}, args...)...)
		require.Equal(t, exitUsage, status, "%v: %s", args, stderr)
	}
}

// TestHealth asks an instance that is alive and not ready.
func TestHealth(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/ready/readyz":
			return
		case "/readyz":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"detail": "database: refused"}`))
		case "/moved/readyz":
			http.Redirect(w, r, "/healthz", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")

	status, stdout, stderr := docket(t, "health", "--addr", addr)
	require.Equal(t, []any{exitFailure, "", "docket: 503 Service Unavailable: database: refused\n"}, []any{status, stdout, stderr})
	require.Equal(t, "ok\n", succeed(t, "health", "--addr", addr, "--live"))
	require.Equal(t, "ok\n", succeed(t, "health", "--url", server.URL+"/ready"))
	status, _, stderr = docket(t, "health", "--url", server.URL+"/moved")
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "302 Found")

	server.Close()
	status, _, stderr = docket(t, "health", "--addr", addr)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "refused")
}
