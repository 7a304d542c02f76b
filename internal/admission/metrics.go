package admission

import (
	"github.com/prometheus/client_golang/prometheus"

	"docket/internal/phase"
)

type metrics struct {
	refused *prometheus.CounterVec
	waits   *prometheus.HistogramVec
	waiting prometheus.GaugeFunc
}

func newMetrics(waiting func() int) *metrics {
	return &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "docket_shed_requests_total",
			Help: "Requests that were refused because the server is overloaded.",
		}, []string{"class", "reason"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "docket_admission_wait_seconds",
			Help:    "Time that requests have waited for their turn before they were processed, of those that had to wait.",
			Buckets: phase.Buckets,
		}, []string{"class"}),
		waiting: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "docket_waiting_requests",
			Help: "Requests that wait for their turn.",
		}, func() float64 { return float64(waiting()) }),
	}
}

// Metrics returns the metrics of the Limiter, which the caller must register.
func (l *Limiter) Metrics() []prometheus.Collector {
	return []prometheus.Collector{l.metrics.refused, l.metrics.waits, l.metrics.waiting}
}
