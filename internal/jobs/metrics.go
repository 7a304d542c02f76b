package jobs

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count the runs of this process.
type metrics struct {
	runs     *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics() *metrics {
	return &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "docket_job_runs_total", Help: "Runs of jobs that this process has ended.",
		}, []string{"job", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "docket_job_run_seconds", Help: "Duration of runs of jobs.",
			Buckets: []float64{.01, .1, 1, 10, 60, 600, 3600},
		}, []string{"job"}),
	}
}

func (m *metrics) observe(job, outcome string, took time.Duration) {
	m.runs.WithLabelValues(job, outcome).Inc()
	m.duration.WithLabelValues(job).Observe(took.Seconds())
}

// Metrics returns the collectors of the Runner, for a registry.
func (r *Runner) Metrics() []prometheus.Collector {
	return []prometheus.Collector{r.metrics.runs, r.metrics.duration}
}
