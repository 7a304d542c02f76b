package phase

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Buckets are the upper bounds, in seconds, for durations of requests and phases: from one index lookup to a request that is
// about to reach its deadline.
var Buckets = []float64{
	50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
}

// Histogram is a Prometheus histogram of the phases of all requests.
type Histogram struct {
	*prometheus.HistogramVec
}

// NewHistogram returns an empty histogram, which the caller must register.
func NewHistogram() *Histogram {
	return &Histogram{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "docket_phase_duration_seconds",
		Help:    "Time that requests spend in each phase.",
		Buckets: Buckets,
	}, []string{"phase"})}
}

// Observe adds one observation per phase of a finished request.
func (h *Histogram) Observe(rec *Recorder) {
	for _, t := range rec.Timings() {
		h.WithLabelValues(strings.TrimSuffix(t.Name, "_s")).Observe(t.Duration.Seconds())
	}
}
