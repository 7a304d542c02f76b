package jobs

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"riverqueue.com/riverui"
)

// UI returns River's page of jobs, for all paths below prefix. It shows, cancels and repeats jobs, and it does not ask who does so:
// it must only be served where operators alone can reach it. Pages of other sites can neither use nor frame it, not even those of a
// site whose name resolves to the address of this server: requests must be for an IP address, localhost, or the given host.
func (r *Runner) UI(prefix, host string) (http.Handler, error) {
	// It is not started: that would count the jobs every few seconds, for tables far larger than these.
	page, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(r.client, nil), Logger: riverLog(r.cfg.Log), Prefix: prefix,
	})
	if err != nil {
		return nil, fmt.Errorf("make the page of jobs: %w", err)
	}
	return http.NewCrossOriginProtection().Handler(onlyFor(host, secured(page))), nil
}

// uiHeaders keep browsers from running code that is not the page's own, and from showing the page within another one.
var uiHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"X-Frame-Options":              "DENY",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// onlyFor refuses requests for other names than localhost and host.
func onlyFor(host string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked := (&url.URL{Host: req.Host}).Hostname()
		if _, err := netip.ParseAddr(asked); err != nil && asked != "localhost" && (host == "" || !strings.EqualFold(asked, host)) {
			http.Error(w, "open this page by an IP address, localhost, or the name in --admin-addr", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, req)
	})
}

func secured(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for name, value := range uiHeaders {
			w.Header().Set(name, value)
		}
		handler.ServeHTTP(w, req)
	})
}
