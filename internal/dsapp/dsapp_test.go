package dsapp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dsapp"
)

const (
	token = "Secret-token-0123456789"
	good  = `{"follows":[{"user_id":7,"location_id":1},{"user_id":8,"location_id":2,"since":"2025"}],"count":2}`
)

// application is a fake of the data-sources application. It answers the n-th request, from 1, by a function.
type application struct {
	*httptest.Server
	requests atomic.Int32
}

func start(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *application {
	t.Helper()
	app := &application{}
	app.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(int(app.requests.Add(1)), w, r)
	}))
	t.Cleanup(app.Close)
	return app
}

// client returns a client of the application that waits as little as possible between attempts.
func (a *application) client(t *testing.T, change ...func(*dsapp.Config)) *dsapp.Client {
	t.Helper()
	config := dsapp.Config{
		Address: a.URL + "/base/", Token: token, Attempts: 3, WaitMin: time.Microsecond, WaitMax: time.Minute, MaxBytes: 1000,
	}
	for _, change := range change {
		change(&config)
	}
	client, err := dsapp.New(config)
	require.NoError(t, err)
	return client
}

func TestFollows(t *testing.T) {
	t.Parallel()
	app := start(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.String() != "/base/v3/sync/follows" || r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusTeapot)
		}
		fmt.Fprint(w, good)
	})
	follows, err := app.client(t).Follows(t.Context())
	require.NoError(t, err)
	require.Equal(t, []dsapp.Follow{{UserID: 7, LocationID: 1}, {UserID: 8, LocationID: 2}}, follows)
}

func TestNoFollows(t *testing.T) {
	t.Parallel()
	app := start(t, func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"follows":[]}`) })
	follows, err := app.client(t).Follows(t.Context())
	require.NoError(t, err)
	require.Empty(t, follows)
}

// cut sends the beginning of a response and breaks the connection.
func cut(w http.ResponseWriter) {
	w.Header().Set("Content-Length", fmt.Sprint(len(good)))
	fmt.Fprint(w, good[:len(good)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// TestFollowsAfterRetries shows which failures are temporary.
func TestFollowsAfterRetries(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			if len(header) == 2 {
				w.Header().Set(header[0], header[1])
			}
			w.WriteHeader(code)
		}
	}
	for name, failure := range map[string]func(http.ResponseWriter, *http.Request){
		"500":                 status(500),
		"502":                 status(502),
		"503, with a wait":    status(503, "Retry-After", "0"),
		"429":                 status(429),
		"429, with a wait":    status(429, "Retry-After", "1"),
		"connection broken":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"body cut":            func(w http.ResponseWriter, _ *http.Request) { cut(w) },
		"body cut, no length": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, good); panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := start(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n < 3 {
					failure(w, r)
				}
				fmt.Fprint(w, good)
			})
			began := time.Now()
			follows, err := app.client(t).Follows(t.Context())
			require.NoError(t, err)
			require.Len(t, follows, 2)
			require.EqualValues(t, 3, app.requests.Load())
			if strings.HasPrefix(name, "429, with") {
				require.GreaterOrEqual(t, time.Since(began), 2*time.Second, "it waits as long as it is asked to")
			}
		})
	}
}

// TestFollowsFail shows what is reported of each failure, after how many attempts.
func TestFollowsFail(t *testing.T) {
	t.Parallel()
	body := func(text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	redirect := func(location string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, location, http.StatusMovedPermanently)
		}
	}
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "not with "+r.Header.Get("Authorization"), code)
		}
	}
	for name, test := range map[string]struct {
		answer   func(http.ResponseWriter, *http.Request)
		attempts int
		want     string
	}{
		"500":                {status(500), 3, "status 500 Internal Server Error; gave up after 3 attempts"},
		"501":                {status(501), 1, "status 501 Not Implemented"},
		"400":                {status(400), 1, "status 400 Bad Request"},
		"401":                {status(401), 1, "status 401 Unauthorized: the token is not accepted"},
		"403":                {status(403), 1, "status 403 Forbidden: the token is not accepted"},
		"404":                {status(404), 1, "status 404 Not Found"},
		"204":                {status(204), 1, "status 204 No Content"},
		"redirect":           {redirect("https://other.example/follows?x=1"), 1, "status 301 Moved Permanently: configure the address that this one redirects to, at https://other.example"},
		"redirect, secret":   {redirect("https://" + token + ".example/"), 1, "repeats the token"},
		"cut":                {func(w http.ResponseWriter, _ *http.Request) { cut(w) }, 3, "read response: unexpected EOF; gave up after 3 attempts"},
		"broken":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3, "EOF; gave up after 3 attempts"},
		"huge":               {body(strings.Repeat(" ", 1001)), 1, "the response has more than 1000 bytes"},
		"empty":              {body(""), 1, "the response is not JSON: unexpected end of JSON input"},
		"a page":             {body("<html>" + token), 1, "the response is not JSON: invalid character '<'"},
		"two values":         {body(good + good), 1, "the response is not JSON: invalid character '{' after"},
		"half":               {body(good[:30]), 1, "the response is not JSON: unexpected end of JSON input"},
		"null":               {body("null"), 1, "it has no list of follows"},
		"list":               {body("[]"), 1, "the response has another shape: array is unexpected at its beginning"},
		"no list":            {body(`{"follow":[]}`), 1, "it has no list of follows"},
		"null list":          {body(`{"follows":null}`), 1, "it has no list of follows"},
		"object":             {body(`{"follows":{}}`), 1, "the response has another shape: object is unexpected at follows"},
		"null follow":        {body(`{"follows":[null]}`), 1, "follow 1 has no user_id above 0"},
		"no user":            {body(`{"follows":[{"user_id":1,"location_id":1},{"location_id":1}]}`), 1, "follow 2 has no user_id above 0"},
		"no location":        {body(`{"follows":[{"user_id":1,"location":1}]}`), 1, "follow 1 has no location_id above 0"},
		"negative location":  {body(`{"follows":[{"user_id":1,"location_id":-1}]}`), 1, "follow 1 has no location_id above 0"},
		"text":               {body(`{"follows":[{"user_id":"1","location_id":1}]}`), 1, "string is unexpected at follows.user_id"},
		"fraction":           {body(`{"follows":[{"user_id":1.5,"location_id":1}]}`), 1, "number 1.5 is unexpected at follows.user_id"},
		"beyond the columns": {body(`{"follows":[{"user_id":3000000000,"location_id":1}]}`), 1, "number 3000000000 is unexpected at follows.user_id"},
		"long wait": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 1, "status 429 Too Many Requests: asks to wait for 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := start(t, func(_ int, w http.ResponseWriter, r *http.Request) { test.answer(w, r) })
			follows, err := app.client(t).Follows(t.Context())
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, strings.ToLower(err.Error()), strings.ToLower(token))
			require.Empty(t, follows)
			require.EqualValues(t, test.attempts, app.requests.Load())
			if name != "redirect, secret" {
				require.ErrorContains(t, err, "request "+app.URL+"/base/v3/sync/follows: ", "the error names the address")
			}
		})
	}
}

// TestSlowApplication shows that an attempt is ended and repeated, before the headers of the response and within its body.
func TestSlowApplication(t *testing.T) {
	t.Parallel()
	for _, began := range []bool{false, true} {
		app := start(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if began {
				fmt.Fprint(w, good[:10])
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		_, err := app.client(t, func(c *dsapp.Config) { c.Timeout = 20 * time.Millisecond }).Follows(t.Context())
		require.ErrorContains(t, err, "Client.Timeout")
		require.ErrorContains(t, err, "gave up after 3 attempts")
	}
}

// TestFollowsEnd shows that a request and a wait end with the context.
func TestFollowsEnd(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, http.StatusServiceUnavailable} {
		ctx, cancel := context.WithCancel(t.Context())
		app := start(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if code != 0 {
				w.WriteHeader(code)
				_ = http.NewResponseController(w).Flush()
			}
			cancel()
			if code == 0 {
				<-r.Context().Done()
			}
		})
		_, err := app.client(t, func(c *dsapp.Config) { c.WaitMin, c.WaitMax = time.Hour, time.Hour }).Follows(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.EqualValues(t, 1, app.requests.Load())
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	app := start(t, nil)
	client := app.client(t)
	app.Close()
	_, err := client.Follows(t.Context())
	require.ErrorContains(t, err, "connection refused; gave up after 3 attempts")
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ address, token, want string }{
		"no address":  {"", token, "does not begin with https:// or http:// and a host"},
		"no scheme":   {"example.org/api", token, "does not begin with https:// or http:// and a host"},
		"other":       {"ftp://example.org", token, "does not begin with https:// or http:// and a host"},
		"no host":     {"https:///api", token, "does not begin with https:// or http:// and a host"},
		"user":        {"https://me:" + token + "@example.org", token, "contains a user"},
		"no URL":      {"https://me:" + token + "@exam ple.org:x", token, "is not a URL"},
		"query":       {"https://example.org/?token=" + token, token, "contains a query"},
		"fragment":    {"https://example.org/#x", token, "contains a query or a fragment"},
		"no token":    {"https://example.org", "", "the token for the data-sources application is missing"},
		"line break":  {"https://example.org", token + "\n", "contains a character that no token has"},
		"other bytes": {"https://example.org", token + "é", "contains a character that no token has"},
	} {
		_, err := dsapp.New(dsapp.Config{Address: test.address, Token: test.token})
		require.ErrorContains(t, err, test.want, name)
		require.NotContains(t, err.Error(), token, name)
	}
}
