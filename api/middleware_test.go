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
