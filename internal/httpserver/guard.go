package httpserver

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// OnlyFor refuses requests for other names than localhost and host. A page of another site whose name resolves to the address of
// this server cannot use the handler through the browser of an operator.
func OnlyFor(host string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked := (&url.URL{Host: req.Host}).Hostname()
		if _, err := netip.ParseAddr(asked); err != nil && asked != "localhost" && (host == "" || !strings.EqualFold(asked, host)) {
			http.Error(w, "open this page by an IP address, localhost, or the name in --admin-addr", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, req)
	})
}

// NotFromOtherSites refuses requests that a browser sends for a page of another site, even those that only read.
func NotFromOtherSites(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if site := req.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
			http.Error(w, "open this page itself: it takes no requests of other sites", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, req)
	})
}

// secureHeaders keep browsers from running, framing, storing and referring from a response.
var secureHeaders = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"X-Frame-Options":              "DENY",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// Secured sets the headers that every response to operators has. A response over TLS also requires TLS from then on.
func Secured(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for name, value := range secureHeaders {
			w.Header().Set(name, value)
		}
		if req.TLS != nil {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		handler.ServeHTTP(w, req)
	})
}
