package httpserver_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/httpserver"
)

func TestGuards(t *testing.T) {
	t.Parallel()
	handler := httpserver.Secured(httpserver.OnlyFor("docket.internal", httpserver.NotFromOtherSites(http.NotFoundHandler())))
	for _, test := range []struct {
		host, site string
		status     int
	}{
		{"127.0.0.1:9090", "", http.StatusNotFound},
		{"[::1]:9090", "none", http.StatusNotFound},
		{"Docket.internal", "same-origin", http.StatusNotFound},
		{"rebound.example.org", "same-origin", http.StatusForbidden},
		{"", "", http.StatusForbidden},
		{"127.0.0.1", "cross-site", http.StatusForbidden},
		{"127.0.0.1", "same-site", http.StatusForbidden},
	} {
		for _, secure := range []bool{false, true} {
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			req.Host = test.host
			req.Header.Set("Sec-Fetch-Site", test.site)
			if secure {
				req.TLS = &tls.ConnectionState{}
			}
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, req)
			require.Equal(t, test.status, response.Code, test)
			for name, value := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
				"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			} {
				require.Equal(t, []string{value}, response.Header().Values(name), test)
			}
			require.Equal(t, secure, response.Header().Get("Strict-Transport-Security") != "", test)
		}
	}
}
