package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"docket/internal/unknown"
)

func setupCORS(t *testing.T, origins ...string) bundle {
	t.Helper()
	return setup(t, func(c *gin.Context, fail func(*gin.Context, error)) {
		if c.Param("id") == "404" {
			fail(c, &unknown.Error{Kind: "thing"})
			return
		}
		echoRequest(c)
	}, func(cfg *Config) { cfg.CORSOrigins = origins })
}

func (b bundle) preflight(path, origin, method, headers string) *httptest.ResponseRecorder {
	return b.send("OPTIONS", path, "", "Authorization", "", "Origin", origin,
		"Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	b := setupCORS(t, DefaultCORSOrigins()...)
	for _, origin := range DefaultCORSOrigins() {
		response := b.preflight("/things/7", origin, "POST", "authorization,content-type,idempotency-key,x-anything")
		require.Equal(t, http.StatusNoContent, response.Code, "without a token")
		header := response.Header()
		require.Equal(t, origin, header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "true", header.Get("Access-Control-Allow-Credentials"))
		require.Equal(t, "POST", header.Get("Access-Control-Allow-Methods"))
		require.Equal(t, "authorization,content-type,idempotency-key,x-anything", header.Get("Access-Control-Allow-Headers"))
		require.Equal(t, "7200", header.Get("Access-Control-Max-Age"))
		for _, name := range []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
			require.Contains(t, strings.Join(header.Values("Vary"), ", "), name)
		}
	}
	for name, response := range map[string]*httptest.ResponseRecorder{
		"another origin":   b.preflight("/things/7", "https://evil.example", "POST", ""),
		"a longer origin":  b.preflight("/things/7", "https://pdap.io.evil.example", "POST", ""),
		"another scheme":   b.preflight("/things/7", "http://pdap.io", "POST", ""),
		"no origin at all": b.preflight("/things/7", "null", "POST", ""),
		"an unused method": b.preflight("/things/7", "https://pdap.io", "TRACE", ""),
	} {
		require.Equal(t, http.StatusNoContent, response.Code, name)
		require.Empty(t, response.Header().Get("Access-Control-Allow-Origin"), name)
	}
	// OPTIONS without the header of a preflight is an ordinary method.
	require.Equal(t, http.StatusMethodNotAllowed, b.send("OPTIONS", "/things/7", "", "Origin", "https://pdap.io").Code)
}

// A page of an admitted origin can read every response, also a problem.
func TestCrossOriginResponses(t *testing.T) {
	t.Parallel()
	b := setupCORS(t, "https://pdap.io")
	for name, test := range map[string]struct {
		target, token string
		status        int
	}{
		"success":        {"/things/7", b.bearer, 200},
		"no token":       {"/things/7", "", 401},
		"a problem":      {"/things/404", b.bearer, 404},
		"invalid":        {"/things/x", b.bearer, 422},
		"no route":       {"/nowhere", b.bearer, 404},
		"another method": {"/secret/", b.bearer, 405},
		"an extra slash": {"/things/7/", b.bearer, 307},
	} {
		response := b.send("POST", test.target, `{"color":"red"}`, "Authorization", test.token, "Origin", "https://pdap.io")
		require.Equal(t, test.status, response.Code, name)
		require.Equal(t, "https://pdap.io", response.Header().Get("Access-Control-Allow-Origin"), name)
		require.Equal(t, "true", response.Header().Get("Access-Control-Allow-Credentials"), name)
		require.Contains(t, response.Header().Values("Vary"), "Origin", name)
		require.Equal(t, "X-Request-Id, Etag, Server-Timing, Idempotency-Replayed, Retry-After, Www-Authenticate, "+
			"Content-Disposition, Location, Next-Annotation-Failed, Annotation-Reason, Reserved-Until, Ratelimit, Ratelimit-Policy",
			response.Header().Get("Access-Control-Expose-Headers"), name)
	}
	for _, origin := range []string{"https://evil.example", ""} {
		response := b.send("POST", "/things/7", `{"color":"red"}`, "Origin", origin)
		require.Equal(t, http.StatusOK, response.Code)
		require.Empty(t, response.Header().Get("Access-Control-Allow-Origin"), origin)
		require.Contains(t, response.Header().Values("Vary"), "Origin", "a cache must not serve it to an admitted origin")
	}
}

func TestAnyOriginWithoutCredentials(t *testing.T) {
	t.Parallel()
	response := setupCORS(t, "*").send("POST", "/things/7", `{"color":"red"}`, "Origin", "https://any.example")
	require.Equal(t, "*", response.Header().Get("Access-Control-Allow-Origin"))
	require.Empty(t, response.Header().Get("Access-Control-Allow-Credentials"))
}

func TestNoAdmittedOrigins(t *testing.T) {
	t.Parallel()
	b := setupCORS(t)
	response := b.send("POST", "/things/7", `{"color":"red"}`, "Origin", "https://pdap.io")
	require.Equal(t, http.StatusOK, response.Code)
	require.Empty(t, response.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, http.StatusMethodNotAllowed, b.preflight("/things/7", "https://pdap.io", "POST", "").Code)
}

func TestInvalidOriginsAreRefused(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{
		"", "pdap.io", "ftp://pdap.io", "https://pdap.io/", "https://pdap.io/x", "https://*.pdap.io", "https://pdap.io*", "https://",
		"https://u@pdap.io", "https://pdap.io?x", "https://pdap.io#x", "none", "http://a b",
	} {
		require.Error(t, CheckCORSOrigins([]string{"https://pdap.io", origin}), "%q", origin)
	}
	require.NoError(t, CheckCORSOrigins(append(DefaultCORSOrigins(), "*", "http://[::1]:3000")))
	cfg := testConfig(t)
	cfg.CORSOrigins = []string{"https://*.pdap.io"}
	_, err := New(cfg)
	require.ErrorContains(t, err, `"https://*.pdap.io": it is a pattern`)
}
