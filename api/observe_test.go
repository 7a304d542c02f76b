package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"docket/internal/phase"
)

// ticking returns a clock that advances by a millisecond with every call.
func ticking() func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	}
}

func TestOneLogLine(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		_, end := phase.Start(c, phase.MainQuery) // through gin's context, as handlers see it
		end()
		c.String(http.StatusOK, "hello")
	}, func(cfg *Config) { cfg.Clock = ticking() })
	response := b.send("POST", "/things/7?word=query", `{"color":"red","note":"body"}`, "X-Request-Id", "abc-1")
	require.Equal(t, http.StatusOK, response.Code)
	require.Equal(t, "abc-1", response.Header().Get("X-Request-Id"))
	// Calls of the clock: begin, auth 2, main query 2, the header, the end.
	require.Equal(t, "auth;dur=1.000, main_query;dur=1.000, total;dur=5.000", response.Header().Get("Server-Timing"))

	line := b.line(t)
	require.Equal(t, "request", line.Message)
	require.Equal(t, zapcore.InfoLevel, line.Level)
	require.Equal(t, map[string]any{
		"request_id": "abc-1", "method": "POST", "route": "/things/:id", "status": int64(200), "bytes": int64(5),
		"total_s": 0.006, "auth_s": 0.001, "main_query_s": 0.001, "user_id": int32(7),
	}, line.ContextMap())
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]zapcore.Level{
		200: zapcore.InfoLevel, 204: zapcore.InfoLevel, 307: zapcore.InfoLevel, 404: zapcore.WarnLevel, 500: zapcore.ErrorLevel, 503: zapcore.ErrorLevel,
	} {
		b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) { c.Status(status) })
		response := b.send("POST", "/things/7", `{"color":"red"}`)
		require.Equal(t, status, response.Code)
		require.Equal(t, want, b.line(t).Level, "%d", status)
		require.NotEmpty(t, response.Header().Get("Server-Timing"), "a response without a body has it too")
	}
}

func TestTimingsOff(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		require.Nil(t, phase.FromContext(c))
		c.Status(http.StatusOK)
	}, func(cfg *Config) { cfg.Timings = false })
	response := b.send("POST", "/things/7", `{"color":"red"}`)
	require.Empty(t, response.Header().Get("Server-Timing"))
	require.NotContains(t, b.line(t).ContextMap(), "auth_s")
	require.Contains(t, b.line(t).ContextMap(), "total_s")
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for given, accepted := range map[string]bool{
		"a":                      true,
		strings.Repeat("x", 128): true,
		"~!{}\"'":                true,
		"":                       false,
		strings.Repeat("x", 129): false,
		"with space":             false,
		"tab\tbed":               false,
		"line\nbreak":            false,
		"ünïcode":                false,
		"\x7f":                   false,
	} {
		b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) { c.String(http.StatusOK, RequestID(c)) })
		response := b.send("POST", "/things/7", `{"color":"red"}`, "X-Request-Id", given)
		id := response.Header().Get("X-Request-Id")
		require.Equal(t, accepted, id == given, "%q", given)
		require.NotEmpty(t, id)
		require.Equal(t, id, response.Body.String())
		require.Equal(t, id, b.line(t).ContextMap()["request_id"])
	}
	require.Empty(t, RequestID(context.Background()))
}

// A path that matches no route reaches neither the log nor the labels: any client could fill them.
func TestUnmatchedRequestIsNotLogged(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.Equal(t, http.StatusNotFound, b.send("GET", "/secret-path?secret=query", "secret body").Code)
	line := b.line(t).ContextMap()
	require.Empty(t, line["route"])
	for key, value := range line {
		if text, ok := value.(string); ok {
			require.NotContains(t, text, "secret", key)
		}
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	b := setup(t, func(*gin.Context, func(*gin.Context, error)) { panic("boom " + secret) })
	response := b.send("POST", "/things/7", `{"color":"red"}`)
	require.Equal(t, "Internal Server Error", problemIn(t, response).Detail)
	require.NotContains(t, response.Body.String(), secret)
	line := b.line(t)
	require.Equal(t, zapcore.ErrorLevel, line.Level)
	require.Equal(t, "panic: boom "+secret, line.ContextMap()["error"])
	require.Contains(t, line.ContextMap()["stack"], "TestPanics")
}

// A response that was sent in part is broken off, so that it does not look whole.
func TestPanicsAfterFirstByte(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"panic": errors.New("boom"), "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
				c.String(http.StatusOK, "part")
				panic(value)
			})
			require.PanicsWithValue(t, http.ErrAbortHandler, func() { b.send("POST", "/things/7", `{"color":"red"}`) })
			line := b.line(t)
			require.Equal(t, zapcore.ErrorLevel, line.Level)
			require.Contains(t, line.ContextMap()["error"], value.(error).Error())
			require.Equal(t, name == "panic", line.ContextMap()["stack"] != nil)
		})
	}
}

// The phase of encoding begins when the handler returns and ends with the first byte.
func TestEncodeIsTimed(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	cfg := testConfig(t)
	cfg.Log, cfg.Clock = zap.New(core), ticking()
	router, err := New(cfg)
	require.NoError(t, err)
	response := httptest.NewRecorder()
	router.ServeHTTP(response, httptest.NewRequest("GET", "/healthz", nil))
	require.Equal(t, http.StatusOK, response.Code)
	require.Equal(t, "encode;dur=1.000, total;dur=3.000", response.Header().Get("Server-Timing"))
	require.Equal(t, 0.001, logs.All()[0].ContextMap()["encode_s"])
}

// A slow request is a warning that names its slowest phase.
func TestSlowRequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		slow    time.Duration
		timings bool
		phase   string // that takes ten ticks
		status  int
		level   zapcore.Level
		slowest any
	}{
		"in a phase":      {9 * time.Millisecond, true, phase.Acquire, 200, zapcore.WarnLevel, "acquire"},
		"outside phases":  {9 * time.Millisecond, true, "", 200, zapcore.WarnLevel, "other"},
		"without timings": {time.Millisecond, false, "", 200, zapcore.WarnLevel, nil},
		"failed":          {9 * time.Millisecond, true, phase.Acquire, 500, zapcore.ErrorLevel, "acquire"},
		"fast":            {time.Second, true, phase.Acquire, 200, zapcore.InfoLevel, nil},
		"off":             {0, true, phase.Acquire, 200, zapcore.InfoLevel, nil},
	} {
		clock := ticking()
		b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
			end := func() {}
			if test.phase != "" {
				_, end = phase.Start(c, test.phase)
			}
			for range 9 {
				clock()
			}
			end()
			c.Status(test.status)
		}, func(cfg *Config) { cfg.Clock, cfg.SlowRequest, cfg.Timings = clock, test.slow, test.timings })
		b.send("POST", "/things/7", `{"color":"red"}`)
		require.Equal(t, test.level, b.line(t).Level, name)
		require.Equal(t, test.slowest, b.line(t).ContextMap()["slowest_phase"], name)
	}
}

// An export takes as long as its client, and is not slow.
func TestStreamedRequestIsNotSlow(t *testing.T) {
	t.Parallel()
	s := &server{cfg: Config{SlowRequest: time.Millisecond}, operations: operations{"GET /export": {streamed: true}, "GET /other": {}}}
	router := gin.New()
	slow := map[string]bool{}
	handle := func(c *gin.Context) { slow[c.FullPath()] = s.isSlow(c, time.Second) }
	router.GET("/export", handle)
	router.GET("/other", handle)
	router.GET("/docs", handle)
	for _, path := range []string{"/export", "/other", "/docs"} {
		router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	require.Equal(t, map[string]bool{"/export": false, "/other": true, "/docs": true}, slow)
}
