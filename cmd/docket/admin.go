package main

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"

	"docket/api"
	"docket/internal/httpserver"
	"docket/internal/jobs"
)

// profilesPath is the path below which the admin address serves the profiles of this process.
const profilesPath = "/debug/pprof/"

// adminHandler returns the handler of the admin address. Scrapers may ask for the metrics by any name; browsers of operators get
// the rest only by an IP address, localhost, or host.
func adminHandler(metrics, page http.Handler, host string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /internal/metrics", metrics)
	mux.Handle(jobsPage+"/", page)
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

// addMetrics adds the metrics of what a process does by itself.
func (b *background) addMetrics(metrics *api.Metrics) {
	metrics.Add(b.runner.Metrics()...)
	metrics.Add(jobs.Age("docket_consensus_due_seconds", "How long the oldest URL has waited whose votes may make a fact.", b.dueAge))
	metrics.Add(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "docket_queue_differences_total",
		Help: "Differences of the queue that the job reconcile_queue has repaired in this process.",
	}, func() float64 { return float64(b.works.Differences()) }))
}
