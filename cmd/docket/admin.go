package main

import (
	"net/http"
	"net/http/pprof"

	"docket/internal/httpserver"
)

// profilesPath is the path below which the admin address serves the profiles of this process.
const profilesPath = "/debug/pprof/"

// adminHandler returns the handler of the admin address. Scrapers may ask for the metrics by any name; browsers of operators get the
// rest only by an IP address, localhost, or host.
func adminHandler(metrics, jobs http.Handler, host string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /internal/metrics", metrics)
	mux.Handle(jobsPage+"/", jobs)
	mux.Handle(profilesPath, httpserver.OnlyFor(host, httpserver.NotFromOtherSites(profiles())))
	return httpserver.Secured(mux)
}

// profiles returns the handlers of net/http/pprof, except that of the command line, which may contain the password of a database.
// Importing that package also adds them to http.DefaultServeMux, which Docket does not serve.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(profilesPath, pprof.Index)
	mux.HandleFunc(profilesPath+"cmdline", http.NotFound)
	mux.HandleFunc(profilesPath+"profile", pprof.Profile)
	mux.HandleFunc(profilesPath+"trace", pprof.Trace)
	mux.HandleFunc(profilesPath+"symbol", pprof.Symbol)
	return mux
}
