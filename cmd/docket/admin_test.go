package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

func send(handler http.Handler, method, path, host string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, nil)
	req.Host = host
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, req)
	return response
}

func TestProfilesAreForOperators(t *testing.T) {
	t.Parallel()
	metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats{} })
	admin := adminHandler(metrics.Handler(), http.NotFoundHandler(), "docket.internal")
	for path, shows := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile: total",
		"/debug/pprof/heap?debug=1":      "heap profile: ",
		"/debug/pprof/symbol":            "num_symbols: 1",
	} {
		response := send(admin, http.MethodGet, path, "127.0.0.1:9090")
		require.Equal(t, http.StatusOK, response.Code, path)
		require.Contains(t, response.Body.String(), shows, path)
		require.Equal(t, http.StatusForbidden, send(admin, http.MethodGet, path, "rebound.example.org").Code, path)
	}
	require.Equal(t, http.StatusNotFound, send(admin, http.MethodGet, "/debug/pprof/cmdline", "127.0.0.1").Code,
		"it may contain a password")
	require.Equal(t, http.StatusOK, send(admin, http.MethodGet, "/internal/metrics", "docket").Code, "Prometheus asks by any name")
	for _, path := range []string{"/", "/internal/metrics", "/admin/jobs/", "/debug/pprof/", "/debug/pprof/heap"} {
		require.Equal(t, "nosniff", send(admin, http.MethodGet, path, "127.0.0.1").Header().Get("X-Content-Type-Options"), path)
	}
}

// The public address serves nothing that is for operators.
func TestPublicAddressHasNoProfiles(t *testing.T) {
	t.Parallel()
	cfg := &serveConfig{ranking: rankingQueue}
	metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats{} })
	handler, err := cfg.handler(dbtest.New(t), newDatabase("", nil), ranking.NewQueue(), []byte(strings.Repeat("k", 32)),
		&background{}, metrics, zap.NewNop())
	require.NoError(t, err)
	for _, path := range []string{
		"/debug/pprof/", "/debug/pprof", "/debug/pprof/cmdline", "/debug/pprof/profile", "/debug/pprof/heap", "/debug/pprof/symbol",
		"/debug/pprof/trace", "/debug/vars", "/internal/metrics", "/admin/jobs/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			require.Equal(t, http.StatusNotFound, send(handler, method, path, "127.0.0.1").Code, "%s %s", method, path)
		}
	}
	require.Equal(t, http.StatusOK, send(handler, http.MethodGet, "/healthz", "127.0.0.1").Code)
}
