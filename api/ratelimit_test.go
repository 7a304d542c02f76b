package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/internal/annotation"
	"docket/internal/ratelimit"
)

// limitedServer serves the contract without use cases: a request that passes the limits gets 500 or a refusal of the contract.
type limitedServer struct {
	handler http.Handler
	metrics *Metrics
	logs    *observer.ObservedLogs
	ids     *annotation.SessionIDs
	now     time.Time
}

func newLimitedServer(t *testing.T, limits RateLimits, proxies ...string) *limitedServer {
	t.Helper()
	cfg := testConfig(t)
	core, logs := observer.New(zap.WarnLevel)
	s := &limitedServer{
		metrics: cfg.Metrics, logs: logs, ids: annotation.NewSessionIDs(testKey), now: time.Now(),
	}
	cfg.Log, cfg.RateLimits, cfg.TrustedProxies = zap.New(core), limits, proxies
	cfg.CORSOrigins = []string{"https://pdap.io"}
	cfg.Clock = func() time.Time { return s.now }
	cfg.IssuedSession = s.ids.Issued
	var err error
	s.handler, err = New(cfg)
	require.NoError(t, err)
	return s
}

// send sends a request from an address. The pairs are headers.
func (s *limitedServer) send(t *testing.T, from, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(method, path, nil)
	req.RemoteAddr = from
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response := httptest.NewRecorder()
	s.handler.ServeHTTP(response, req)
	if response.Code == http.StatusTooManyRequests {
		require.NoError(t, Conforms(req, response))
		require.Equal(t, "urn:docket:problem:too-many-requests", problemIn(t, response).Type)
	}
	return response
}

// passes returns how many of so many equal requests pass.
func (s *limitedServer) passes(t *testing.T, n int, from, method, path string, header ...string) (passed int) {
	t.Helper()
	for range n {
		if s.send(t, from, method, path, header...).Code != http.StatusTooManyRequests {
			passed++
		}
	}
	return passed
}

const client = "203.0.113.9:4711"

func perMinute(requests int) ratelimit.Quota {
	return ratelimit.Quota{Requests: requests, Window: time.Minute}
}

func TestRateLimitOfAUser(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, RateLimits{User: perMinute(6), Address: perMinute(1)})
	token := []string{"Authorization", bearer(t, 7)}
	response := s.send(t, client, "GET", "/annotate/all", token...)
	require.Equal(t, `"user";q=6;w=60`, response.Header().Get("RateLimit-Policy"))
	require.Equal(t, `"user";r=5;t=10`, response.Header().Get("RateLimit"))
	require.Empty(t, response.Header().Get("Retry-After"))

	// All of these count: HEAD, the prefix, a missing permission, an invalid request, an operation without security.
	require.Equal(t, 1, s.passes(t, 1, client, "HEAD", "/api/annotate/all", token...))
	require.Equal(t, 1, s.passes(t, 1, client, "GET", "/url/7/consensus", token...))
	require.Equal(t, http.StatusUnprocessableEntity, s.send(t, client, "GET", "/annotate/all?batch_id=x", token...).Code)
	require.Equal(t, 2, s.passes(t, 9, "[2001:db8::1]:1", "GET", "/search/url?url=x", token...))
	// These do not.
	require.Equal(t, 20, s.passes(t, 20, client, "GET", "/healthz", token...))
	require.Equal(t, 20, s.passes(t, 20, client, "GET", "/readyz", token...))
	require.Equal(t, 20, s.passes(t, 20, client, "GET", "/nowhere", token...))
	require.Equal(t, 20, s.passes(t, 20, client, "OPTIONS", "/annotate/all",
		"Origin", "https://pdap.io", "Access-Control-Request-Method", "GET"))

	response = s.send(t, client, "GET", "/annotate/all", append(token, "Origin", "https://pdap.io")...)
	require.Equal(t, http.StatusTooManyRequests, response.Code)
	require.Equal(t, "10", response.Header().Get("Retry-After"))
	require.Equal(t, `"user";r=0;t=60`, response.Header().Get("RateLimit"))
	require.Equal(t, `More than 6 requests in 1m0s (limit "user"); send the request again after 10 seconds`, problemIn(t, response).Detail)
	exposed := strings.ToLower(response.Header().Get("Access-Control-Expose-Headers"))
	for _, name := range []string{"ratelimit", "ratelimit-policy", "retry-after"} {
		require.Contains(t, strings.Split(strings.ReplaceAll(exposed, " ", ""), ","), name)
	}
	require.Equal(t, 1, s.passes(t, 1, client, "GET", "/annotate/all", "Authorization", bearer(t, 8)), "another user")
	require.InDelta(t, 8, testutil.ToFloat64(s.metrics.limited.WithLabelValues("user")), 0)
	s.now = s.now.Add(10 * time.Second)
	require.Equal(t, 1, s.passes(t, 5, client, "GET", "/annotate/all", token...))
}

// An address is known by what its host cannot change. A token that is not valid makes no user.
func TestRateLimitOfAnAddress(t *testing.T) {
	t.Parallel()
	for name, senders := range map[string][]string{
		"ports":     {"203.0.113.9:1", "203.0.113.9:2"},
		"IPv6 /64":  {"[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff:ffff:ffff:ffff]:1", "[2001:db8:1:2::7%eth0]:1"},
		"IPv4 in 6": {"203.0.113.9:1", "[::ffff:203.0.113.9]:1", "[::ffff:cb00:7109]:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLimitedServer(t, RateLimits{Address: perMinute(4), User: perMinute(1)})
			passed := 0
			for i := range 12 {
				passed += s.passes(t, 1, senders[i%len(senders)], "GET", "/search/url?url=x",
					"X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i), "Authorization", []string{"", "Bearer x", "Basic x"}[i%3])
			}
			require.Equal(t, 4, passed)
			require.Equal(t, 1, s.passes(t, 1, "[2001:db8:1:3::1]:1", "GET", "/search/url?url=x"))
			require.Equal(t, 1, s.passes(t, 1, "203.0.113.10:1", "GET", "/search/url?url=x"))
		})
	}
}

func TestRateLimitBehindProxies(t *testing.T) {
	t.Parallel()
	const path = "/search/url?url=x"
	s := newLimitedServer(t, RateLimits{Address: perMinute(2)}, "127.0.0.1", "10.0.0.0/8")
	require.Equal(t, 20, s.passes(t, 20, "127.0.0.1:1", "GET", path), "this host has no limits")
	require.Equal(t, 20, s.passes(t, 20, "[::1]:1", "GET", path))
	require.Equal(t, 20, s.passes(t, 20, "[::ffff:127.0.0.1]:1", "GET", path))
	require.Equal(t, 2, s.passes(t, 5, "127.0.0.1:1", "GET", path, "X-Forwarded-For", "203.0.113.1"), "but clients of its proxy have")
	require.Equal(t, 2, s.passes(t, 5, "10.1.2.3:1", "GET", path, "X-Forwarded-For", "203.0.113.2"))
	// What a client sends itself is at the front of what its proxy sends.
	require.Equal(t, 2, s.passes(t, 5, "127.0.0.1:1", "GET", path, "X-Forwarded-For", "127.0.0.1, 203.0.113.3"))
	require.Equal(t, 0, s.passes(t, 5, "127.0.0.1:1", "GET", path, "X-Forwarded-For", "198.51.100.1, 203.0.113.3, 10.9.9.9"))
	require.Equal(t, 2, s.passes(t, 5, "127.0.0.1:1", "GET", path, "X-Forwarded-For", "127.0.0.1"), "a proxy that passes all on")
	require.Empty(t, s.logs.FilterMessageSnippet("--trusted-proxy").All())

	// The clients of a proxy that is not trusted cannot be told apart. Limiting them together would refuse people.
	require.Equal(t, 9, s.passes(t, 9, "[::1]:1", "GET", path, "X-Forwarded-For", "203.0.113.4"))
	require.Equal(t, 1, s.logs.FilterMessageSnippet("--trusted-proxy").Len())
}

func TestRateLimitOfSessions(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, RateLimits{Session: perMinute(3), NewSessions: perMinute(2), Address: perMinute(100)})
	response := s.send(t, client, "GET", "/annotate/anonymous")
	require.Equal(t, `"new-sessions";q=2;w=60, "address";q=100;w=60`, response.Header().Get("RateLimit-Policy"))
	require.Equal(t, 1, s.passes(t, 5, client, "GET", "/annotate/anonymous"))

	// Sessions that Docket has opened are not opened again. The session is known in each spelling.
	session := s.ids.New().String()
	require.Equal(t, 2, s.passes(t, 2, client, "GET", "/annotate/anonymous?session_id="+session))
	require.Equal(t, 1, s.passes(t, 5, "203.0.113.10:1", "POST", "/annotate/anonymous/7?session_id="+strings.ToUpper(session)))
	response = s.send(t, client, "GET", "/annotate/anonymous?session_id="+session)
	require.Contains(t, response.Header().Get("RateLimit"), `"session";r=0`)

	// Made-up ids open sessions. So does the id of an older session, one time.
	require.Zero(t, s.passes(t, 1, client, "POST", "/annotate/anonymous/7?session_id="+uuid.NewString()))
	const other = "203.0.113.11:1"
	old := uuid.NewString()
	require.Equal(t, 3, s.passes(t, 5, other, "GET", "/annotate/anonymous?session_id="+old))
	require.Equal(t, 1, s.passes(t, 1, other, "GET", "/annotate/anonymous?session_id="+uuid.NewString()))
	require.Zero(t, s.passes(t, 1, other, "GET", "/annotate/anonymous?session_id="+uuid.NewString()))
	require.Equal(t, 3, s.passes(t, 3, other, "GET", "/annotate/anonymous?session_id=x"), "refused by the contract")
}

func TestRateLimitOfSubmissions(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, RateLimits{Submissions: perMinute(2), User: perMinute(3)})
	require.Equal(t, 2, s.passes(t, 5, client, "POST", "/submit/data-source"))
	require.Equal(t, 3, s.passes(t, 5, client, "POST", "/submit/data-source", "Authorization", bearer(t, 7)))
	require.Equal(t, 5, s.passes(t, 5, client, "GET", "/search/url?url=x"))
}

func TestNoRateLimits(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, RateLimits{})
	response := s.send(t, client, "GET", "/annotate/anonymous")
	require.Empty(t, response.Header().Get("RateLimit"))
	require.Empty(t, response.Header().Get("RateLimit-Policy"))
}
