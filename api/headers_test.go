package api

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// securedBy sends a request to a server that these origins may call, and checks the headers that every response has.
func securedBy(t *testing.T, handler http.Handler, method, path string, header ...string) http.Header {
	t.Helper()
	req := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, req)
	require.NoError(t, protected(response), "%s %s: %d", method, path, response.Code)
	return response.Header()
}

// Every route has the security headers: all of the contract, the documentation, paths without a route, other methods, preflights.
// Most responses are problems, because the requests are invalid or have no token, and 500 where a handler finds no use case.
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	for origins, screenshots := range map[string]string{"": "same-origin", "https://pdap.io": "cross-origin", "*": "cross-origin"} {
		cfg := testConfig(t)
		if origins != "" {
			cfg.CORSOrigins = []string{origins}
		}
		handler, err := New(cfg)
		require.NoError(t, err)
		routes := map[string][]string{"/nowhere": {"GET", "POST"}, "/docs/": {"GET"}, "/healthz": {"PUT", "OPTIONS"}}
		for _, path := range documentation {
			routes[path] = []string{"GET", "HEAD"}
		}
		for path, item := range doc.Paths.Map() {
			for method := range item.Operations() {
				routes[path] = append(routes[path], method)
			}
		}
		for pattern, methods := range routes {
			path := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(pattern, "x") // invalid
			for _, method := range methods {
				header := securedBy(t, handler, method, path)
				want := "same-origin"
				if pattern == "/url/{url_id}/screenshot" {
					want = screenshots
				}
				require.Equal(t, want, header.Get("Cross-Origin-Resource-Policy"), "%s %s", method, pattern)
			}
			securedBy(t, handler, "OPTIONS", path, "Origin", "https://pdap.io", "Access-Control-Request-Method", methods[0])
		}
	}
}

func TestTransportSecurityOverTLS(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	req := httptest.NewRequest("GET", "/open", nil)
	req.TLS = &tls.ConnectionState{}
	response := httptest.NewRecorder()
	b.handler.ServeHTTP(response, req)
	require.Equal(t, "max-age=31536000", response.Header().Get("Strict-Transport-Security"))
	require.Empty(t, b.send("GET", "/open", "").Header().Get("Strict-Transport-Security"))
}
