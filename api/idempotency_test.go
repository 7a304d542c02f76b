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
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/idempotency"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// counted is a bundle with a database. Each request adds an agency by idempotency.Once and returns its number.
type counted struct {
	bundle
	pool *postgres.Pool
}

// setupCounted returns a counted bundle. work, if it is not nil, runs in the transaction as well.
func setupCounted(t *testing.T, work func(context.Context) error, change ...func(*Config)) counted {
	t.Helper()
	pool := dbtest.New(t)
	add := func(ctx context.Context) (number int, err error) {
		return idempotency.Once(ctx, pool, func(tx pgx.Tx) (int, error) {
			err := tx.QueryRow(ctx, `INSERT INTO agencies (name, jurisdiction_type) SELECT count(*) + 1, 'local' FROM agencies
				RETURNING name::integer`).Scan(&number)
			if err == nil && work != nil {
				err = work(ctx)
			}
			return number, err
		})
	}
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
		handler := markReplay(func(c *gin.Context, _ any) (any, error) { return add(c.Request.Context()) }, "add")
		number, err := handler(c, nil)
		if err != nil {
			fail(c, err)
			return
		}
		c.JSON(http.StatusAccepted, number)
	}, change...)
	return counted{b, pool}
}

// keyed sends a POST with an Idempotency-Key.
func (b counted) keyed(key, target, body string, header ...string) *httptest.ResponseRecorder {
	return b.send("POST", target, body, append(header, "Idempotency-Key", key)...)
}

func (b counted) executed(t *testing.T, response *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusAccepted, response.Code, response.Body.String())
	require.Empty(t, response.Header().Get("Idempotency-Replayed"))
}

func (b counted) replayed(t *testing.T, response *httptest.ResponseRecorder, number string) {
	t.Helper()
	require.Equal(t, http.StatusAccepted, response.Code, response.Body.String())
	require.Equal(t, "true", response.Header().Get("Idempotency-Replayed"))
	require.Equal(t, number, response.Body.String())
}

func (b counted) calls(t *testing.T) int {
	t.Helper()
	return dbtest.Count(t, b.pool, "SELECT count(*) FROM agencies")
}

func (b counted) keys(t *testing.T) int {
	t.Helper()
	return dbtest.Count(t, b.pool, "SELECT count(*) FROM idempotency_keys")
}

const red = `{"color":"red","count":1}`

func TestReplay(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	first := b.keyed("k", "/things/7?page=2", red)
	b.executed(t, first)
	// Equal requests in different spellings.
	for target, body := range map[string]string{
		"/things/7?page=2": red, "/things/07.0?page=2.0&unknown=x": `{ "count": "1", "color": "red" }`,
	} {
		again := b.keyed("k", target, body, "X-Request-Id", "again")
		b.replayed(t, again, "1")
		require.Equal(t, first.Header().Get("Content-Type"), again.Header().Get("Content-Type"))
		require.Equal(t, "again", again.Header().Get("X-Request-Id"), "the request id is not replayed")
		require.Contains(t, again.Header().Get("Server-Timing"), "idempotency;dur=")
	}
	require.Equal(t, 1, b.calls(t))
}

func TestWithoutKeyEachTakesEffect(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	for range 2 {
		b.executed(t, b.send("POST", "/things/7", red))
		b.executed(t, b.send("POST", "/polled", "", "Idempotency-Key", "k")) // this operation takes no key
	}
	require.Equal(t, 4, b.calls(t))
	require.Zero(t, b.keys(t))
}

func TestKeyOfDifferentRequest(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	b.executed(t, b.keyed("k", "/things/7?page=2", red))
	for name, test := range map[string][2]string{
		"body":  {"/things/7?page=2", `{"color":"red","count":2}`},
		"path":  {"/things/8?page=2", red},
		"query": {"/things/7?page=3", red},
	} {
		p := problemIn(t, b.keyed("k", test[0], test[1]))
		require.EqualValues(t, http.StatusUnprocessableEntity, p.Status, name)
		require.Equal(t, "urn:docket:problem:idempotency-key-reused", p.Type, name)
		require.Nil(t, p.Errors)
	}
	require.Equal(t, 1, b.calls(t))
}

// A key that was used with the prefix is the same key without it.
func TestKeysWithPrefix(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	for i, test := range []struct{ token, path string }{{b.bearer, "/things/7?page=2"}, {"", "/open"}} {
		b.executed(t, b.keyed("k", "/api"+test.path, red, "Authorization", test.token))
		b.replayed(t, b.keyed("k", test.path, red, "Authorization", test.token), []string{"1", "2"}[i])
	}
	require.Equal(t, 2, b.calls(t))
	require.Equal(t, 2, b.keys(t))
}

func TestKeysOfDifferentCallers(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	other := bearer(t, 8, auth.AccessSourceCollector)
	b.executed(t, b.keyed("k", "/things/7", red))
	b.executed(t, b.keyed("k", "/things/7", `{"color":"blue"}`, "Authorization", other))
	b.executed(t, b.keyed("k", "/open", red, "Authorization", ""))
	require.Equal(t, 3, b.calls(t))

	b.replayed(t, b.keyed("k", "/open", red, "Authorization", ""), "3")
	require.Equal(t, http.StatusUnauthorized, b.keyed("k", "/things/7", red, "Authorization", "").Code, "a key does not replace the token")
	require.Equal(t, 3, b.calls(t))
}

// Callers without a token have their own keys by address. The header of a proxy counts only if the proxy is trusted.
func TestKeysOfAddresses(t *testing.T) {
	t.Parallel()
	const client, proxy, far = "203.0.113.7:4000", "10.0.0.1:5000", "198.51.100.1"
	for name, test := range map[string]struct {
		trusted   []string
		addresses [2]string
		forwarded [2]string
		same      bool
	}{
		"same client, another port":            {nil, [2]string{client, "203.0.113.7:4001"}, [2]string{}, true},
		"two clients":                          {nil, [2]string{client, "203.0.113.8:4000"}, [2]string{}, false},
		"two clients of an unknown proxy":      {nil, [2]string{proxy, proxy}, [2]string{far, "198.51.100.2"}, true},
		"two clients of a trusted proxy":       {[]string{"10.0.0.0/8"}, [2]string{proxy, proxy}, [2]string{far, "198.51.100.2"}, false},
		"one client of a trusted proxy":        {[]string{"10.0.0.0/8"}, [2]string{proxy, "10.0.0.2:1"}, [2]string{far, far}, true},
		"a client that pretends to be a proxy": {[]string{"10.0.0.0/8"}, [2]string{client, client}, [2]string{far, "198.51.100.2"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupCounted(t, nil, func(cfg *Config) { cfg.TrustedProxies = test.trusted })
			for i, address := range test.addresses {
				req := httptest.NewRequest("POST", "/open", strings.NewReader(red))
				req.RemoteAddr = address
				req.Header.Set("Idempotency-Key", "k")
				if test.forwarded[i] != "" {
					req.Header.Set("X-Forwarded-For", test.forwarded[i])
				}
				response := httptest.NewRecorder()
				b.handler.ServeHTTP(response, req)
				require.Equal(t, i == 1 && test.same, response.Header().Get("Idempotency-Replayed") == "true")
			}
		})
	}
}

// After any result but a success, a repetition is executed, and the key may be used for a corrected request.
func TestFailureFreesTheKey(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for name, test := range map[string]struct {
		work   func(context.Context) error
		status int
	}{
		"unknown":  {func(context.Context) error { return &unknown.Error{Kind: unknown.URL} }, 404},
		"conflict": {func(context.Context) error { return annotation.ErrAlreadyAnnotated }, 409},
		"bug":      {func(context.Context) error { return crash }, 500},
		"panic":    {func(context.Context) error { panic(crash) }, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failing := true
			b := setupCounted(t, func(ctx context.Context) error {
				if failing {
					return test.work(ctx)
				}
				return nil
			})
			response := b.keyed("k", "/things/7", red)
			require.Equal(t, test.status, response.Code)
			problemIn(t, response)
			require.Zero(t, b.keys(t))
			require.Zero(t, b.calls(t))
			failing = false
			b.executed(t, b.keyed("k", "/things/7", `{"color":"blue"}`))
		})
	}
}

func TestInvalidRequestUsesNoKey(t *testing.T) {
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
	b.executed(t, b.keyed(strings.Repeat("ä", 255), "/things/7", red))
}

func TestConcurrentRequestWithSameKey(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	b := setupCounted(t, func(context.Context) error {
		begun <- struct{}{}
		<-end
		return nil
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
	b.executed(t, <-first)
	b.replayed(t, b.keyed("k", "/things/7", red), "1")
}

// A client that left before the commit gets an effect from its repetition only.
func TestClientThatLeft(t *testing.T) {
	t.Parallel()
	var leave context.CancelFunc
	left := new(atomic.Bool)
	b := setupCounted(t, func(context.Context) error {
		if !left.Swap(true) {
			leave()
		}
		return nil
	})
	req := httptest.NewRequest("POST", "/things/7", strings.NewReader(red))
	req.Header.Set("Authorization", b.bearer)
	req.Header.Set("Idempotency-Key", "k")
	ctx, cancel := context.WithCancel(t.Context())
	leave = cancel
	b.handler.ServeHTTP(httptest.NewRecorder(), req.WithContext(ctx))
	require.Zero(t, b.calls(t))
	b.executed(t, b.keyed("k", "/things/7", red))
	require.Equal(t, 1, b.calls(t))
}

// When the key cannot be looked up, the request is not executed.
func TestKeyThatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	b := setupCounted(t, nil)
	dbtest.Exec(t, b.pool, "DROP TABLE idempotency_keys")
	require.Equal(t, http.StatusInternalServerError, b.keyed("k", "/things/7", red).Code)
	require.Zero(t, b.calls(t))
	b.executed(t, b.send("POST", "/things/7", red))
}

// A use case that does not call Once is a bug, which the log reports. The client gets the success, because the work is done.
func TestSuccessWithoutResultIsLogged(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) {
		_, err := markReplay(func(*gin.Context, any) (any, error) { return nil, nil }, "forgetful")(c, nil)
		require.NoError(t, err)
		c.Status(http.StatusOK)
	})
	require.Equal(t, http.StatusOK, b.send("POST", "/things/7", red, "Idempotency-Key", "k").Code)
	require.Equal(t, zapcore.ErrorLevel, b.line(t).Level)
	require.Contains(t, b.line(t).ContextMap()["error"], "forgetful stored no result")
}

// Every POST in the contract takes a key, because clients rely on it. Only that of a reservation takes none: its repetition extends
// the reservation, and an expiry that is replayed would be wrong. PUT /follows takes one too: a client that repeats it gets the
// numbers of its first attempt.
func TestEveryPostTakesAKey(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	compiled, err := compileOperations(doc)
	require.NoError(t, err)
	posts := 0
	for name, op := range compiled {
		takes := strings.HasPrefix(name, "POST ") && !strings.HasSuffix(name, "/reservation") || name == "PUT /follows"
		require.Equal(t, takes, op.takesKey, name)
		if op.takesKey {
			posts++
		}
	}
	require.Greater(t, posts, 5)
}
