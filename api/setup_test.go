package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/internal/auth"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

// bundle is a router for the contract in testdata with one handler for all operations.
type bundle struct {
	handler http.Handler
	metrics *Metrics
	logs    *observer.ObservedLogs
	bearer  string // the Authorization header of user 7, an annotator
}

// setup returns a bundle. Without a handler, the response shows the request. The second argument of a handler is s.fail.
func setup(t testing.TB, handler func(c *gin.Context, fail func(*gin.Context, error)), change ...func(*Config)) bundle {
	t.Helper()
	cfg := testConfig(t)
	core, logs := observer.New(zap.DebugLevel)
	cfg.Log = zap.New(core)
	for _, f := range change {
		f(&cfg)
	}
	doc, err := openapi3.NewLoader().LoadFromFile("../internal/contract/testdata/contract.yaml")
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	if handler == nil {
		handler = func(c *gin.Context, _ func(*gin.Context, error)) { echoRequest(c) }
	}
	router, err := newRouter(cfg, doc, func(router gin.IRouter, s *server) {
		handle := func(c *gin.Context) { handler(c, s.fail) }
		router.POST("/things/:id", handle)
		router.GET("/open", handle)
		router.POST("/open", handle)
		router.GET("/polled", handle)
		router.POST("/polled", handle)
		router.GET("/secret/", handle)
	})
	require.NoError(t, err)
	return bundle{handler: router, metrics: cfg.Metrics, logs: logs, bearer: bearer(t, 7, auth.AccessSourceCollector)}
}

func testConfig(t testing.TB) Config {
	t.Helper()
	verifier, err := auth.NewVerifier(testKey, nil, auth.DefaultLeeway, time.Now)
	require.NoError(t, err)
	return Config{
		Verifier: verifier,
		Metrics: NewMetrics(func() PoolStats {
			return PoolStats{Max: 8, AcquireTime: 1500 * time.Millisecond, EmptyAcquireWait: 250 * time.Millisecond}
		}),
		Log:     zap.NewNop(),
		Timings: true,
	}
}

func bearer(t testing.TB, user int32, permissions ...auth.Permission) string {
	t.Helper()
	token, err := auth.Issue(testKey, user, permissions, 0, time.Now())
	require.NoError(t, err)
	return "Bearer " + token
}

func echoRequest(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		panic(err)
	}
	if len(body) == 0 {
		body = []byte("null")
	}
	c.JSON(http.StatusOK, map[string]any{
		"id": c.Param("id"), "query": c.Request.URL.RawQuery, "body": json.RawMessage(body),
	})
}

// send sends a request with the bundle's token. The pairs in header replace headers; an empty value removes one.
func (b bundle) send(method, target, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Authorization", b.bearer)
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	response := httptest.NewRecorder()
	b.handler.ServeHTTP(response, req)
	return response
}

// problemIn decodes a problem and checks what every problem has.
func problemIn(t testing.TB, response *httptest.ResponseRecorder) Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", response.Header().Get("Content-Type"), response.Body.String())
	decoder := json.NewDecoder(bytes.NewReader(response.Body.Bytes()))
	decoder.DisallowUnknownFields()
	var p Problem
	require.NoError(t, decoder.Decode(&p))
	require.Equal(t, response.Code, int(p.Status))
	require.NotEmpty(t, p.Type)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	require.NotEmpty(t, p.RequestID)
	require.Equal(t, response.Header().Get("X-Request-Id"), p.RequestID)
	return p
}

// line returns the log line; there must be only one.
func (b bundle) line(t testing.TB) observer.LoggedEntry {
	t.Helper()
	require.Equal(t, 1, b.logs.Len(), "one line per request")
	return b.logs.All()[0]
}
