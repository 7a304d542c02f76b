package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

func TestDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
		require.NotNil(t, c.Done(), "gin's context ends with the request's")
		<-c.Done()
		fail(c, errors.New("query: canceling statement"))
	}, func(cfg *Config) { cfg.RequestTimeout = time.Millisecond })
	response := b.send("POST", "/things/7", `{"color":"red"}`)
	require.Equal(t, http.StatusGatewayTimeout, response.Code)
	require.NotContains(t, problemIn(t, response).Detail, "statement")
}

// A client that leaves gets no response, and no error is logged.
func TestClientCloses(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(context.Background())
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
		leave()
		require.ErrorIs(t, c.Err(), context.Canceled)
		fail(c, errors.New("query: conn closed"))
	})
	req := httptest.NewRequestWithContext(ctx, "POST", "/things/7", strings.NewReader(`{"color":"red"}`))
	req.Header.Set("Authorization", b.bearer)
	response := httptest.NewRecorder()
	b.handler.ServeHTTP(response, req)
	require.Equal(t, statusClientClosed, response.Code)
	require.Empty(t, response.Body.String())
	require.Equal(t, zapcore.InfoLevel, b.line(t).Level)
	require.Equal(t, "query: conn closed", b.line(t).ContextMap()["error"])
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	frame := `{"color":"red","free":{"a":""}}`
	fits := strings.Replace(frame, `""`, `"`+strings.Repeat("x", DefaultMaxBodyBytes-len(frame))+`"`, 1)
	require.Len(t, fits, DefaultMaxBodyBytes)
	for name, test := range map[string]struct {
		body   io.Reader
		length int64
		status int
	}{
		"fits":                         {strings.NewReader(fits), DefaultMaxBodyBytes, 200},
		"fits, length unknown":         {strings.NewReader(fits), -1, 200},
		"one more byte":                {strings.NewReader(fits + " "), DefaultMaxBodyBytes + 1, 413},
		"one more, length unknown":     {strings.NewReader(fits + " "), -1, 413},
		"one more, length understated": {strings.NewReader(fits + " "), 5, 413},
		"length overstated":            {strings.NewReader("{}"), 1 << 40, 413},
		"endless":                      {endless{}, -1, 413},
		"ends early":                   {io.MultiReader(strings.NewReader(`{"col`), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, 400},
		"too slow":                     {iotest.ErrReader(os.ErrDeadlineExceeded), -1, 408},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			req := httptest.NewRequest("POST", "/things/7", test.body)
			req.ContentLength = test.length
			req.Header.Set("Authorization", b.bearer)
			response := httptest.NewRecorder()
			b.handler.ServeHTTP(response, req)
			require.Equal(t, test.status, response.Code)
			if test.status == 413 {
				require.Equal(t, "The body is larger than 1048576 bytes", problemIn(t, response).Detail)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for name, test := range map[string]struct {
		method, target string
		status         int
		header, value  string
		detail         string
	}{
		"nowhere":                {"GET", "/nowhere", 404, "", "", "Not Found"},
		"wrong method":           {"DELETE", "/open", 405, "Allow", "POST, GET", "Method Not Allowed"},
		"invented method":        {"BREW", "/things/7", 405, "Allow", "POST", "Method Not Allowed"},
		"extra slash":            {"GET", "/open/?need=1&x=%20", 307, "Location", "/open?need=1&x=%20", ""},
		"extra slash, POST":      {"POST", "/things/7/", 307, "Location", "/things/7", ""},
		"extra slash, DELETE":    {"DELETE", "/things/7/", 307, "Location", "/things/7", ""},
		"escaped slash":          {"GET", "/open%2F?need=1", 307, "Location", "/open?need=1", ""},
		"slash missing":          {"GET", "/secret", 307, "Location", "/secret/", ""},
		"escaped":                {"POST", "/things/a%20b/", 307, "Location", "/things/a%20b", ""},
		"two slashes":            {"GET", "/open//", 404, "", "", "Not Found"},
		"empty parameter":        {"POST", "/things//", 404, "", "", "Not Found"},
		"another host":           {"GET", "//open/", 404, "", "", "Not Found"},
		"slash inside a segment": {"POST", "/things/7%2F8", 404, "", "", "Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := b.send(test.method, test.target, "")
			require.Equal(t, test.status, response.Code)
			if test.header != "" {
				require.Equal(t, test.value, response.Header().Get(test.header))
			}
			if test.detail != "" {
				require.Equal(t, test.detail, problemIn(t, response).Detail)
			} else {
				require.Empty(t, response.Body.String())
			}
			require.NotEmpty(t, response.Header().Get("X-Request-Id"))
			require.NotEmpty(t, response.Header().Get("Server-Timing"))
		})
	}
}

// Each response is the same with the prefix as without it. Where a response names the path, it names the one that was sent.
func TestPrefix(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(cfg *Config) { cfg.CORSOrigins = []string{"https://pdap.io"} })
	withoutTime := func(header http.Header) http.Header {
		header = header.Clone()
		header.Del("Server-Timing")
		header.Set("Location", strings.TrimPrefix(header.Get("Location"), "/api"))
		return header
	}
	for name, test := range map[string]struct {
		method, target string
		header         []string
		status         int
		location       string // with the prefix
		instance       string // likewise
	}{
		"success":                  {"POST", "/things/7?page=2", nil, 200, "", ""},
		"path in another spelling": {"POST", "/things/%37", nil, 200, "", ""},
		"invalid":                  {"POST", "/things/x", nil, 422, "", "/api/things/x"},
		"no token":                 {"POST", "/things/7", []string{"Authorization", ""}, 401, "", "/api/things/7"},
		"nowhere":                  {"GET", "/nowhere", nil, 404, "", "/api/nowhere"},
		"another method":           {"DELETE", "/open", nil, 405, "", "/api/open"},
		"extra slash":              {"GET", "/open/?need=1&x=%20", nil, 307, "/api/open?need=1&x=%20", ""},
		"extra slash, escaped":     {"POST", "/things/a%2Fb%20c/", nil, 404, "", "/api/things/a/b c/"},
		"slash missing":            {"GET", "/secret", nil, 307, "/api/secret/", ""},
		"head":                     {"HEAD", "/open?need=6ba7b810-9dad-11d1-80b4-00c04fd430c8", nil, 200, "", ""},
		"preflight": {"OPTIONS", "/things/7", []string{"Authorization", "", "Origin", "https://pdap.io",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"}, 204, "", ""},
		"another origin": {"POST", "/things/7", []string{"Origin", "https://evil.example"}, 200, "", ""},
		"prefix twice":   {"POST", "/api/things/7", nil, 404, "", "/api/api/things/7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := append(test.header, "X-Request-Id", "same")
			prefixed := b.send(test.method, "/api"+test.target, red, header...)
			require.Equal(t, test.status, prefixed.Code, prefixed.Body.String())
			require.Equal(t, test.location, prefixed.Header().Get("Location"))
			if test.instance != "" {
				require.Equal(t, test.instance, problemIn(t, prefixed).Instance)
			}
			if name == "prefix twice" {
				return // it is the first prefix
			}
			plain := b.send(test.method, test.target, red, header...)
			require.Equal(t, plain.Code, prefixed.Code)
			require.Equal(t, withoutTime(plain.Header()), withoutTime(prefixed.Header()))
			require.Equal(t, plain.Body.String(), strings.Replace(prefixed.Body.String(), `"instance":"/api/`, `"instance":"/`, 1))
		})
	}
}

// Paths that only resemble the prefix are not changed, and a redirect leads to no other host.
func TestNoPrefix(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for target, want := range map[string]struct {
		status   int
		location string
	}{
		"/api":                 {307, "docs"},
		"/api/":                {307, "/api"},
		"/api/api":             {307, "docs"}, // relative, that is /api/docs
		"/api/docs":            {200, ""},
		"/api/docs/init.js":    {200, ""},
		"/api/openapi.json":    {200, ""},
		"/api//open/":          {404, ""},
		"/api//":               {307, "/api/"},
		"/apiopen":             {404, ""},
		"/API/open":            {404, ""},
		"//api/open":           {404, ""},
		"/api//evil.example/":  {404, ""},
		"/%61pi/open/":         {307, "/api/open"},
		"/api%2Fopen/":         {307, "/api/open"},
		"/api/things/../open/": {404, ""},
	} {
		response := b.send("GET", target, "")
		require.Equal(t, want.status, response.Code, target)
		require.Equal(t, want.location, response.Header().Get("Location"), target)
	}
}

// The log and the metrics have one name for an operation.
func TestPrefixIsNotObserved(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.Equal(t, http.StatusOK, b.send("POST", "/api/things/7", red).Code)
	require.Equal(t, "/things/:id", b.line(t).ContextMap()["route"])
	response := httptest.NewRecorder()
	b.metrics.Handler().ServeHTTP(response, httptest.NewRequest("GET", "/internal/metrics", nil))
	require.Contains(t, response.Body.String(), `duration_seconds_count{method="POST",route="/things/:id",status="2xx"} 1`)
	require.NotContains(t, response.Body.String(), "/api")
}
