package phase

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Buckets are the upper bounds, in seconds, for durations of requests and their phases: from one
// indexed lookup to a request that is about to be given up.
var Buckets = []float64{
	50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10,
}

// Histogram distributes the phases of many requests; it is a Prometheus collector.
type Histogram struct {
	*prometheus.HistogramVec
}

// NewHistogram returns an empty histogram, to be registered by the caller.
func NewHistogram() *Histogram {
	return &Histogram{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "docket_phase_duration_seconds",
		Help:    "Time requests spent in each phase.",
		Buckets: Buckets,
	}, []string{"phase"})}
}

// Observe adds the phases of one finished request, one observation each.
func (h *Histogram) Observe(rec *Recorder) {
	for _, t := range rec.Timings() {
		h.WithLabelValues(strings.TrimSuffix(t.Name, "_s")).Observe(t.Duration.Seconds())
	}
}
