package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/api"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

// ask sends a request without a token and returns the response, whose body is closed.
func (s serving) ask(t *testing.T, method, path, origin string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header.Set("Origin", origin)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp
}

func TestServeDefaults(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	s := serve(t, "--database-url", dbtest.Empty(t))
	for _, origin := range []string{"http://localhost:8888", "https://pdap.io", "https://pdap.dev"} {
		require.Equal(t, origin, s.ask(t, "GET", "/healthz", origin).Header.Get("Access-Control-Allow-Origin"))
	}
	require.Equal(t, http.StatusUnauthorized, s.ask(t, "POST", "/agencies", "").StatusCode)
	require.Equal(t, http.StatusOK, s.ask(t, "GET", "/", "").StatusCode, "redirected to the documentation")
}

func TestServeFlags(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	t.Setenv("DOCKET_OPEN_CATALOG", "true")
	nextState := serviceManager(t)
	s := serve(t, "--database-url", dbtest.Empty(t), "--cors-origin", "https://a.example,https://b.example", "--cors-origin", "http://c:1")
	for _, origin := range []string{"https://a.example", "https://b.example", "http://c:1"} {
		require.Equal(t, origin, s.ask(t, "GET", "/healthz", origin).Header.Get("Access-Control-Allow-Origin"))
	}
	require.Empty(t, s.ask(t, "GET", "/healthz", "https://pdap.io").Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, http.StatusUnprocessableEntity, s.ask(t, "POST", "/agencies", "").StatusCode)
	require.Equal(t, serviceReady, nextState())
	s.stop()
	require.Equal(t, serviceStopping, nextState())
}

func TestServeWithoutOrigins(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	t.Setenv("DOCKET_CORS_ORIGIN", "none")
	s := serve(t, "--database-url", dbtest.Empty(t))
	require.Empty(t, s.ask(t, "GET", "/healthz", "https://pdap.io").Header.Get("Access-Control-Allow-Origin"))
}

func TestServeRefusesOrigins(t *testing.T) {
	t.Parallel()
	status, _, stderr := docket(t, "serve", "--cors-origin", "https://*.pdap.io")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "--cors-origin:")
	status, _, stderr = docket(t, "serve", "--trusted-proxy", "10.0.0.1,proxy.example")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, `--trusted-proxy: "proxy.example" is neither`)
}

// A server counts the requests of each client of its proxy, and none of its own host.
func TestServeLimitsRates(t *testing.T) {
	t.Parallel()
	for _, quota := range []string{"60", "0/1m", "60/0s", "60/1.5s", "many"} {
		status, _, stderr := docket(t, "serve", "--rate-limit-address", quota)
		require.Equal(t, exitUsage, status)
		require.Contains(t, stderr, "--rate-limit-address")
	}
	handler := func(proxies ...string) http.Handler {
		cfg := &serveConfig{ranking: rankingQueue, rateLimits: defaultRateLimits, trustedProxies: proxies}
		cfg.overloadConfig.addFlags(pflag.NewFlagSet("", pflag.ContinueOnError)) // the defaults
		metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats{} })
		h, err := cfg.handler(dbtest.New(t), newDatabase("", nil), ranking.NewQueue(), []byte(strings.Repeat("k", 32)), &background{},
			metrics, zap.NewNop())
		require.NoError(t, err)
		return h
	}("127.0.0.1")
	open := func(path, forwardedFor string) *httptest.ResponseRecorder {
		req := httptest.NewRequest("GET", path, nil)
		req.RemoteAddr = "127.0.0.1:4711"
		if forwardedFor != "" {
			req.Header.Set("X-Forwarded-For", forwardedFor)
		}
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, req)
		require.Equal(t, http.StatusOK, response.Code)
		return response
	}
	require.Empty(t, open("/annotate/anonymous", "").Header().Get("RateLimit"))
	response := open("/annotate/anonymous", "203.0.113.9")
	require.Equal(t, `"new-sessions";r=299;t=12, "address";r=2999;t=1`, response.Header().Get("RateLimit"))
	var opened struct {
		SessionID string `json:"session_id"`
	}
	require.NoError(t, json.Unmarshal(response.Body.Bytes(), &opened))
	response = open("/annotate/anonymous?session_id="+opened.SessionID, "203.0.113.9")
	require.Equal(t, `"session";q=600;w=60, "address";q=3000;w=60`, response.Header().Get("RateLimit-Policy"), "not opened again")
}

// With the flag, the answers of two sessions at one address, and a data source submitted there, have one vote each for their URL.
// Without it nothing is stored of an address.
func TestServeCountsAddresses(t *testing.T) {
	t.Parallel()
	for flag, want := range map[bool]string{false: "2 1 0", true: "1 1 3"} {
		pool := dbtest.New(t)
		dbtest.Exec(t, pool, `INSERT INTO urls (id, url, source) VALUES (1000, 'one.org', 'collector')`)
		require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
		cfg := &serveConfig{ranking: rankingQueue, addressVotes: flag}
		cfg.overloadConfig.addFlags(pflag.NewFlagSet("", pflag.ContinueOnError)) // the defaults
		metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats{} })
		handler, err := cfg.handler(pool, newDatabase("", nil), ranking.NewQueue(), []byte(strings.Repeat("k", 32)), &background{},
			metrics, zap.NewNop())
		require.NoError(t, err)
		for path, body := range map[string]string{
			"/annotate/anonymous/1000?session_id=11111111-1111-4111-8111-111111111111": `{"suggested_status": "not relevant"}`,
			"/annotate/anonymous/1000?session_id=22222222-2222-4222-8222-222222222222": `{"suggested_status": "not relevant"}`,
			"/submit/data-source": `{"source_url": "https://two.org", "name": "Two", "record_type": "Stops"}`,
		} {
			req := httptest.NewRequest("POST", path, strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, req)
			require.Equal(t, http.StatusOK, response.Code, response.Body.String())
		}
		require.Equal(t, []string{want}, dbtest.List(t, pool, `SELECT concat_ws(' ',
			(SELECT count(*) FROM annotation_votes WHERE attribute = 'url_type' AND url_id = 1000),
			(SELECT count(*) FROM annotation_votes WHERE attribute = 'url_type' AND url_id <> 1000),
			(SELECT count(*) FROM anonymous_answer_addresses))`))
	}
}

// A server that lets all clients write the catalog says so when it starts.
func TestOpenCatalogWarns(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for open, warnings := range map[bool]int{false: 0, true: 1} {
		cfg := &serveConfig{openCatalog: open, ranking: rankingQueue}
		core, logs := observer.New(zap.WarnLevel)
		metrics := api.NewMetrics(func() api.PoolStats { return api.PoolStats{} })
		_, err := cfg.handler(pool, newDatabase("", nil), ranking.NewQueue(), []byte(strings.Repeat("k", 32)), &background{}, metrics, zap.New(core))
		require.NoError(t, err)
		require.Equal(t, warnings, logs.FilterMessageSnippet("--open-catalog: all clients can write and delete agencies").Len())
	}
}
