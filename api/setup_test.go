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

// bundle is a router over the contract of testdata, whose one handler answers what it was given.
type bundle struct {
	handler http.Handler
	metrics *Metrics
	logs    *observer.ObservedLogs
	bearer  string // the Authorization header of user 7, who may do the usual
}

// setup makes a bundle. With a handler, that one answers in place of the echo; s.fail is its second
// argument.
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
		handler = func(c *gin.Context, _ func(*gin.Context, error)) { answerEcho(c) }
	}
	router, err := newRouter(cfg, doc, func(router gin.IRouter, s *server) {
		answer := func(c *gin.Context) { handler(c, s.fail) }
		router.POST("/things/:id", answer)
		router.GET("/open", answer)
		router.POST("/open", answer)
		router.GET("/polled", answer)
		router.POST("/polled", answer)
		router.GET("/secret/", answer)
	})
	require.NoError(t, err)
	return bundle{handler: router, metrics: cfg.Metrics, logs: logs, bearer: bearer(t, 7, auth.AccessSourceCollector)}
}

func testConfig(t testing.TB) Config {
	t.Helper()
	verifier, err := auth.NewVerifier(testKey, time.Now)
	require.NoError(t, err)
	return Config{
		Verifier: verifier,
		Metrics:  NewMetrics(func() PoolStats { return PoolStats{Max: 8, AcquireTime: 1500 * time.Millisecond} }),
		Log:      zap.NewNop(),
		Timings:  true,
	}
}

func bearer(t testing.TB, user int32, permissions ...auth.Permission) string {
	t.Helper()
	token, err := auth.Issue(testKey, user, permissions, 0, time.Now())
	require.NoError(t, err)
	return "Bearer " + token
}

func answerEcho(c *gin.Context) {
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

// send sends a request with the bundle's token; header pairs come last and may replace it.
func (b bundle) send(method, target, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Authorization", b.bearer)
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	answer := httptest.NewRecorder()
	b.handler.ServeHTTP(answer, req)
	return answer
}

// problemIn decodes a problem and checks what every problem has.
func problemIn(t testing.TB, answer *httptest.ResponseRecorder) Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", answer.Header().Get("Content-Type"), answer.Body.String())
	decoder := json.NewDecoder(bytes.NewReader(answer.Body.Bytes()))
	decoder.DisallowUnknownFields()
	var p Problem
	require.NoError(t, decoder.Decode(&p))
	require.Equal(t, answer.Code, int(p.Status))
	require.NotEmpty(t, p.Type)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	require.NotEmpty(t, p.RequestID)
	require.Equal(t, answer.Header().Get("X-Request-Id"), p.RequestID)
	return p
}

// line returns the only log line.
func (b bundle) line(t testing.TB) observer.LoggedEntry {
	t.Helper()
	require.Equal(t, 1, b.logs.Len(), "one line per request")
	return b.logs.All()[0]
}
