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

// counted is a bundle on a database whose handler counts.
type counted struct {
	bundle
	pool *postgres.Pool
	done *atomic.Int32
}

// setupOnce makes a bundle whose handler echoes, unless another is given.
func setupOnce(t *testing.T, handler func(c *gin.Context, fail func(*gin.Context, error))) counted {
	t.Helper()
	pool, done := dbtest.New(t), new(atomic.Int32)
	if handler == nil {
		handler = func(c *gin.Context, _ func(*gin.Context, error)) { answerEcho(c) }
	}
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
		done.Add(1)
		handler(c, fail)
	}, func(cfg *Config) { cfg.Idempotency = idempotency.New(pool) })
	return counted{b, pool, done}
}

// keyed posts a thing with a key.
func (b counted) keyed(key, target, body string, header ...string) *httptest.ResponseRecorder {
	return b.send("POST", target, body, append(header, "Idempotency-Key", key)...)
}

func (b counted) keys(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM idempotency_keys").Scan(&n))
	return n
}

const red = `{"color":"red","count":1}`

func TestReplay(t *testing.T) {
	t.Parallel()
	b := setupOnce(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		c.Data(http.StatusAccepted, "text/plain; charset=utf-8", []byte("done"))
	})
	first := b.keyed("k", "/things/7?page=2", red)
	require.Equal(t, http.StatusAccepted, first.Code, first.Body.String())
	require.Empty(t, first.Header().Get("Idempotency-Replayed"))
	// Equal requests, however spelled.
	for target, body := range map[string]string{
		"/things/7?page=2": red, "/things/07.0?page=2.0&unknown=x": `{ "count": "1", "color": "red" }`,
	} {
		again := b.keyed("k", target, body, "X-Request-Id", "again")
		require.Equal(t, first.Code, again.Code)
		require.Equal(t, first.Body.String(), again.Body.String())
		require.Equal(t, "text/plain; charset=utf-8", again.Header().Get("Content-Type"))
		require.Equal(t, "true", again.Header().Get("Idempotency-Replayed"))
		require.Equal(t, "again", again.Header().Get("X-Request-Id"), "the id is the request's own")
		require.Contains(t, again.Header().Get("Server-Timing"), "idempotency;dur=")
	}
	require.EqualValues(t, 1, b.done.Load())
}

func TestWithoutKeyEachIsDone(t *testing.T) {
	t.Parallel()
	b := setupOnce(t, nil)
	for range 2 {
		require.Equal(t, http.StatusOK, b.send("POST", "/things/7", red).Code)
		require.Equal(t, http.StatusOK, b.send("POST", "/polled", "", "Idempotency-Key", "k").Code, "an operation that takes no key")
	}
	require.EqualValues(t, 4, b.done.Load())
	require.Zero(t, b.keys(t))
}

func TestKeyOfAnotherRequest(t *testing.T) {
	t.Parallel()
	b := setupOnce(t, nil)
	require.Equal(t, http.StatusOK, b.keyed("k", "/things/7?page=2", red).Code)
	for name, test := range map[string][2]string{
		"body":      {"/things/7?page=2", `{"color":"red","count":2}`},
		"path":      {"/things/8?page=2", red},
		"query":     {"/things/7?page=3", red},
		"operation": {"/open", red},
	} {
		if name == "operation" { // which asks for no token, so its callers are others
			require.Equal(t, http.StatusOK, b.keyed("k", test[0], test[1]).Code)
			continue
		}
		p := problemIn(t, b.keyed("k", test[0], test[1]))
		require.EqualValues(t, http.StatusUnprocessableEntity, p.Status, name)
		require.Equal(t, "urn:docket:problem:idempotency-key-reused", p.Type, name)
		require.Nil(t, p.Errors)
	}
	require.EqualValues(t, 2, b.done.Load())
}

func TestKeysOfDifferentCallers(t *testing.T) {
	t.Parallel()
	b := setupOnce(t, nil)
	other := bearer(t, 8, auth.AccessSourceCollector)
	require.Equal(t, http.StatusOK, b.keyed("k", "/things/7", red).Code)
	require.Equal(t, http.StatusOK, b.keyed("k", "/things/7", `{"color":"blue"}`, "Authorization", other).Code)
	require.Equal(t, http.StatusOK, b.keyed("k", "/open", red, "Authorization", "").Code)
	require.EqualValues(t, 3, b.done.Load())

	require.Equal(t, "true", b.keyed("k", "/open", red, "Authorization", "").Header().Get("Idempotency-Replayed"))
	require.Equal(t, http.StatusUnauthorized, b.keyed("k", "/things/7", red, "Authorization", "").Code, "a key is no token")
	require.EqualValues(t, 3, b.done.Load())
}

// What was not a success is done again, by whoever sends it again, and the key may be used for what was mended.
func TestFailureReleasesTheKey(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for name, test := range map[string]struct {
		handler func(*gin.Context, func(*gin.Context, error))
		status  int
	}{
		"unknown":  {func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, &unknown.Error{Kind: unknown.URL}) }, 404},
		"conflict": {func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, annotation.ErrAlreadyAnnotated) }, 409},
		"defect":   {func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, crash) }, 500},
		"panic":    {func(*gin.Context, func(*gin.Context, error)) { panic(crash) }, 500},
		"redirect": {func(c *gin.Context, _ func(*gin.Context, error)) { c.Status(http.StatusSeeOther) }, 303},
		"half an answer": {func(c *gin.Context, fail func(*gin.Context, error)) {
			c.Status(http.StatusOK)
			_, _ = c.Writer.WriteString("half")
			fail(c, crash)
		}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOnce(t, test.handler)
			answer := b.keyed("k", "/things/7", red)
			require.Equal(t, test.status, answer.Code)
			if test.status >= http.StatusBadRequest {
				problemIn(t, answer)
			}
			require.Zero(t, b.keys(t))
			require.Equal(t, test.status, b.keyed("k", "/things/7", `{"color":"blue"}`).Code)
			require.EqualValues(t, 2, b.done.Load())
		})
	}
}

func TestWhatDoesNotFitClaimsNoKey(t *testing.T) {
	t.Parallel()
	b := setupOnce(t, nil)
	require.Equal(t, http.StatusUnprocessableEntity, b.keyed("k", "/things/7", `{}`).Code)
	for _, key := range []string{"", strings.Repeat("k", 256), "\xff"} {
		req := httptest.NewRequest("POST", "/things/7", strings.NewReader(red))
		req.Header.Set("Authorization", b.bearer)
		req.Header["Idempotency-Key"] = []string{key}
		answer := httptest.NewRecorder()
		b.handler.ServeHTTP(answer, req)
		faults := *problemIn(t, answer).Errors
		require.Equal(t, []any{"header", "idempotency-key"}, faults[0].Loc, "%q", key)
	}
	require.Zero(t, b.keys(t))
	require.Equal(t, http.StatusOK, b.keyed(strings.Repeat("ä", 255), "/things/7", red).Code)
}

func TestOneUnderWay(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	b := setupOnce(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		begun <- struct{}{}
		<-end
		answerEcho(c)
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
	require.EqualValues(t, 1, b.done.Load())
}

// The client that a key is for: it left before it was answered, after the work was done.
func TestAnswerIsKeptForAClientThatLeft(t *testing.T) {
	t.Parallel()
	var leave context.CancelFunc
	b := setupOnce(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		leave()
		answerEcho(c)
	})
	req := httptest.NewRequest("POST", "/things/7", strings.NewReader(red))
	req.Header.Set("Authorization", b.bearer)
	req.Header.Set("Idempotency-Key", "k")
	ctx, cancel := context.WithCancel(t.Context())
	leave = cancel
	b.handler.ServeHTTP(httptest.NewRecorder(), req.WithContext(ctx))
	require.Equal(t, "true", b.keyed("k", "/things/7", red).Header().Get("Idempotency-Replayed"))
}

// It has been done, so the client hears of that; and the log of the answer that is not kept.
func TestAnswerThatCannotBeKept(t *testing.T) {
	t.Parallel()
	b := setupOnce(t, nil)
	_, err := b.pool.Exec(t.Context(), "ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_none_check CHECK (status IS NULL)")
	require.NoError(t, err)
	answer := b.keyed("k", "/things/7", red)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), "red")
	require.Equal(t, zapcore.ErrorLevel, b.line(t).Level)
	require.Contains(t, b.line(t).ContextMap()["error"], "save response of idempotency key")
	require.Equal(t, http.StatusConflict, b.keyed("k", "/things/7", red).Code, "not done again at once")
	require.EqualValues(t, 1, b.done.Load())
}

// A key is a promise: when it cannot be claimed, nothing is done.
func TestKeyThatCannotBeClaimed(t *testing.T) {
	t.Parallel()
	b := setupOnce(t, nil)
	_, err := b.pool.Exec(t.Context(), "DROP TABLE idempotency_keys")
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, b.keyed("k", "/things/7", red).Code)
	require.Zero(t, b.done.Load())
	require.Equal(t, http.StatusOK, b.send("POST", "/things/7", red).Code)
}

// Whoever writes a POST has to say that it takes a key: clients rely on every one doing so.
func TestEveryPostTakesAKey(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	compiled, err := compileOperations(doc)
	require.NoError(t, err)
	posts := 0
	for name, op := range compiled {
		require.Equal(t, strings.HasPrefix(name, "POST "), op.takesKey, name)
		if op.takesKey {
			posts++
		}
	}
	require.Greater(t, posts, 5)
}
