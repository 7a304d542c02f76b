package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/idempotency"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// counted is a bundle with a database; it counts the calls of its handler.
type counted struct {
	bundle
	pool  *postgres.Pool
	calls *atomic.Int32
}

// setupCounted returns a counted bundle. Without a handler, the response shows the request.
func setupCounted(t *testing.T, handler func(c *gin.Context, fail func(*gin.Context, error))) counted {
	t.Helper()
	pool, calls := dbtest.New(t), new(atomic.Int32)
	if handler == nil {
		handler = func(c *gin.Context, _ func(*gin.Context, error)) { echoRequest(c) }
	}
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
		calls.Add(1)
		handler(c, fail)
	}, func(cfg *Config) { cfg.Idempotency = idempotency.New(pool) })
	return counted{b, pool, calls}
}

// keyed sends a POST with an Idempotency-Key.
func (b counted) keyed(key, target, body string, header ...string) *httptest.ResponseRecorder {
	return b.send("POST", target, body, append(header, "Idempotency-Key", key)...)
}

func (b counted) keys(t *testing.T) int {
	t.Helper()
	return dbtest.Count(t, b.pool, "SELECT count(*) FROM idempotency_keys")
}

const red = `{"color":"red","count":1}`

func TestReplay(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		c.Data(http.StatusAccepted, "text/plain; charset=utf-8", []byte("done"))
	})
	first := b.keyed("k", "/things/7?page=2", red)
	require.Equal(t, http.StatusAccepted, first.Code, first.Body.String())
	require.Empty(t, first.Header().Get("Idempotency-Replayed"))
	// Equal requests in different spellings.
	for target, body := range map[string]string{
		"/things/7?page=2": red, "/things/07.0?page=2.0&unknown=x": `{ "count": "1", "color": "red" }`,
	} {
		again := b.keyed("k", target, body, "X-Request-Id", "again")
		require.Equal(t, first.Code, again.Code)
		require.Equal(t, first.Body.String(), again.Body.String())
		require.Equal(t, "text/plain; charset=utf-8", again.Header().Get("Content-Type"))
		require.Equal(t, "true", again.Header().Get("Idempotency-Replayed"))
		require.Equal(t, "again", again.Header().Get("X-Request-Id"), "the request id is not replayed")
		require.Contains(t, again.Header().Get("Server-Timing"), "idempotency;dur=")
	}
	require.EqualValues(t, 1, b.calls.Load())
}

func TestWithoutKeyEachTakesEffect(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	for range 2 {
		require.Equal(t, http.StatusOK, b.send("POST", "/things/7", red).Code)
		require.Equal(t, http.StatusOK, b.send("POST", "/polled", "", "Idempotency-Key", "k").Code, "this operation takes no key")
	}
	require.EqualValues(t, 4, b.calls.Load())
	require.Zero(t, b.keys(t))
}

func TestKeyOfDifferentRequest(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	require.Equal(t, http.StatusOK, b.keyed("k", "/things/7?page=2", red).Code)
	for name, test := range map[string][2]string{
		"body":      {"/things/7?page=2", `{"color":"red","count":2}`},
		"path":      {"/things/8?page=2", red},
		"query":     {"/things/7?page=3", red},
		"operation": {"/open", red},
	} {
		if name == "operation" { // it needs no token, so its caller is another one
			require.Equal(t, http.StatusOK, b.keyed("k", test[0], test[1]).Code)
			continue
		}
		p := problemIn(t, b.keyed("k", test[0], test[1]))
		require.EqualValues(t, http.StatusUnprocessableEntity, p.Status, name)
		require.Equal(t, "urn:docket:problem:idempotency-key-reused", p.Type, name)
		require.Nil(t, p.Errors)
	}
	require.EqualValues(t, 2, b.calls.Load())
}

// A key that was used with the prefix is the same key without it.
func TestKeysWithPrefix(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	for _, test := range []struct{ token, path string }{{b.bearer, "/things/7?page=2"}, {"", "/open"}} {
		first := b.keyed("k", "/api"+test.path, red, "Authorization", test.token)
		require.Equal(t, http.StatusOK, first.Code, first.Body.String())
		again := b.keyed("k", test.path, red, "Authorization", test.token)
		require.Equal(t, "true", again.Header().Get("Idempotency-Replayed"))
		require.Equal(t, first.Body.String(), again.Body.String())
	}
	require.EqualValues(t, 2, b.calls.Load())
	require.Equal(t, 2, b.keys(t))
}

func TestKeysOfDifferentCallers(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	other := bearer(t, 8, auth.AccessSourceCollector)
	require.Equal(t, http.StatusOK, b.keyed("k", "/things/7", red).Code)
	require.Equal(t, http.StatusOK, b.keyed("k", "/things/7", `{"color":"blue"}`, "Authorization", other).Code)
	require.Equal(t, http.StatusOK, b.keyed("k", "/open", red, "Authorization", "").Code)
	require.EqualValues(t, 3, b.calls.Load())

	require.Equal(t, "true", b.keyed("k", "/open", red, "Authorization", "").Header().Get("Idempotency-Replayed"))
	require.Equal(t, http.StatusUnauthorized, b.keyed("k", "/things/7", red, "Authorization", "").Code, "a key does not replace the token")
	require.EqualValues(t, 3, b.calls.Load())
}

// After any result but a success, a repetition is executed, and the key may be used for a corrected request.
func TestFailureReleasesTheKey(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for name, test := range map[string]struct {
		handler func(*gin.Context, func(*gin.Context, error))
		status  int
	}{
		"unknown":  {func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, &unknown.Error{Kind: unknown.URL}) }, 404},
		"conflict": {func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, annotation.ErrAlreadyAnnotated) }, 409},
		"bug":      {func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, crash) }, 500},
		"panic":    {func(*gin.Context, func(*gin.Context, error)) { panic(crash) }, 500},
		"redirect": {func(c *gin.Context, _ func(*gin.Context, error)) { c.Status(http.StatusSeeOther) }, 303},
		"partial response": {func(c *gin.Context, fail func(*gin.Context, error)) {
			c.Status(http.StatusOK)
			_, _ = c.Writer.WriteString("part")
			fail(c, crash)
		}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupCounted(t, test.handler)
			response := b.keyed("k", "/things/7", red)
			require.Equal(t, test.status, response.Code)
			if test.status >= http.StatusBadRequest {
				problemIn(t, response)
			}
			require.Zero(t, b.keys(t))
			require.Equal(t, test.status, b.keyed("k", "/things/7", `{"color":"blue"}`).Code)
			require.EqualValues(t, 2, b.calls.Load())
		})
	}
}

func TestInvalidRequestClaimsNoKey(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	require.Equal(t, http.StatusUnprocessableEntity, b.keyed("k", "/things/7", `{}`).Code)
	for _, key := range []string{"", strings.Repeat("k", 256), "\xff"} {
		req := httptest.NewRequest("POST", "/things/7", strings.NewReader(red))
		req.Header.Set("Authorization", b.bearer)
		req.Header["Idempotency-Key"] = []string{key}
		response := httptest.NewRecorder()
		b.handler.ServeHTTP(response, req)
		faults := *problemIn(t, response).Errors
		require.Equal(t, []any{"header", "idempotency-key"}, faults[0].Loc, "%q", key)
	}
	require.Zero(t, b.keys(t))
	require.Equal(t, http.StatusOK, b.keyed(strings.Repeat("ä", 255), "/things/7", red).Code)
}

func TestConcurrentRequestWithSameKey(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	b := setupCounted(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		begun <- struct{}{}
		<-end
		echoRequest(c)
	})
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- b.keyed("k", "/things/7", red) }()
	<-begun
	second := b.keyed("k", "/things/7", red)
	p := problemIn(t, second)
	require.EqualValues(t, http.StatusConflict, p.Status)
	require.Equal(t, "urn:docket:problem:request-under-way", p.Type)
	require.Equal(t, "1", second.Header().Get("Retry-After"))
	close(end)
	require.Equal(t, http.StatusOK, (<-first).Code)
	require.Equal(t, "true", b.keyed("k", "/things/7", red).Header().Get("Idempotency-Replayed"))
	require.EqualValues(t, 1, b.calls.Load())
}

// The main use of a key: the client left after the request took effect and before it got the response.
func TestResponseIsStoredForClientThatLeft(t *testing.T) {
	t.Parallel()
	var leave context.CancelFunc
	b := setupCounted(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		leave()
		echoRequest(c)
	})
	req := httptest.NewRequest("POST", "/things/7", strings.NewReader(red))
	req.Header.Set("Authorization", b.bearer)
	req.Header.Set("Idempotency-Key", "k")
	ctx, cancel := context.WithCancel(t.Context())
	leave = cancel
	b.handler.ServeHTTP(httptest.NewRecorder(), req.WithContext(ctx))
	require.Equal(t, "true", b.keyed("k", "/things/7", red).Header().Get("Idempotency-Replayed"))
}

// The request has taken effect, so the client gets a success. The log has the error of storing the response.
func TestResponseThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	dbtest.Exec(t, b.pool, "ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_none_check CHECK (status IS NULL)")
	response := b.keyed("k", "/things/7", red)
	require.Equal(t, http.StatusOK, response.Code)
	require.Contains(t, response.Body.String(), "red")
	require.Equal(t, zapcore.ErrorLevel, b.line(t).Level)
	require.Contains(t, b.line(t).ContextMap()["error"], "save response of idempotency key")
	require.Equal(t, http.StatusConflict, b.keyed("k", "/things/7", red).Code, "not executed again before the lease ends")
	require.EqualValues(t, 1, b.calls.Load())
}

// When the key cannot be claimed, the request is not executed.
func TestKeyThatCannotBeClaimed(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	dbtest.Exec(t, b.pool, "DROP TABLE idempotency_keys")
	require.Equal(t, http.StatusInternalServerError, b.keyed("k", "/things/7", red).Code)
	require.Zero(t, b.calls.Load())
	require.Equal(t, http.StatusOK, b.send("POST", "/things/7", red).Code)
}

// Every POST in the contract takes a key, because clients rely on it. PUT /follows takes one too: a client that repeats it gets
// the numbers of its first attempt.
func TestEveryPostTakesAKey(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	compiled, err := compileOperations(doc)
	require.NoError(t, err)
	posts := 0
	for name, op := range compiled {
		require.Equal(t, strings.HasPrefix(name, "POST ") || name == "PUT /follows", op.takesKey, name)
		if op.takesKey {
			posts++
		}
	}
	require.Greater(t, posts, 5)
}
