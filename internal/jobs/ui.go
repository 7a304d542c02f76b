package jobs

import (
	"fmt"
	"net/http"

	"riverqueue.com/riverui"

	"docket/internal/httpserver"
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
	return http.NewCrossOriginProtection().Handler(httpserver.OnlyFor(host, secured(page))), nil
}

// uiPolicy keeps browsers from running code that is not the page's own. It replaces that of httpserver.Secured, which forbids all
// code.
const uiPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func secured(handler http.Handler) http.Handler {
	return httpserver.Secured(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Security-Policy", uiPolicy)
		handler.ServeHTTP(w, req)
	}))
}
