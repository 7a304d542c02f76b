package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"docket/internal/phase"
	"docket/internal/progress"
	"docket/internal/views"
)

// PoolStats is the current state of the pool of database connections.
type PoolStats struct {
	Max, Open, Idle, Acquired int32
	Acquires                  int64         // connections acquired since the start
	EmptyAcquires             int64         // acquires that had to wait
	CanceledAcquires          int64         // acquires canceled while waiting
	AcquireTime               time.Duration // time spent acquiring, summed
	EmptyAcquireWait          time.Duration // the part of it that was spent waiting for another caller or a new connection
}

// Metrics are the metrics for Prometheus. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	inFlight prometheus.Gauge
	phases   *phase.Histogram
	limited  *prometheus.CounterVec
}

// NewMetrics returns empty metrics that call pool at every scrape.
func NewMetrics(pool func() PoolStats) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "docket_http_request_duration_seconds",
			Help:    "Time from the start of a request to the end of its response.",
			Buckets: phase.Buckets,
		}, []string{"method", "route", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "docket_http_requests_in_flight",
			Help: "Requests that have begun and not ended.",
		}),
		phases: phase.NewHistogram(),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "docket_http_requests_rate_limited_total",
			Help: "Requests that were refused because their caller had used up a quota.",
		}, []string{"limit"}),
	}
	m.registry.MustRegister(m.requests, m.inFlight, m.phases, m.limited, poolCollector(pool),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Add adds metrics of other packages.
func (m *Metrics) Add(collectors ...prometheus.Collector) { m.registry.MustRegister(collectors...) }

// Describe sends the descriptions of all metrics that were added.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) { m.registry.Describe(descs) }

// observe adds one finished request. Requests that match no route share one series per class of status, because clients
// could invent any number of methods and paths.
func (m *Metrics) observe(method, route string, status int, total time.Duration, rec *phase.Recorder) {
	if route == "" {
		method, route = "", "unmatched"
	}
	m.requests.WithLabelValues(method, route, fmt.Sprintf("%dxx", status/100)).Observe(total.Seconds())
	m.phases.Observe(rec)
}

// ViewsFunc returns the materialized views and their last refreshes.
type ViewsFunc func(context.Context) ([]views.View, error)

// AddViews adds the ages of materialized views. It calls views at every scrape. There is no series for a view that was never
// refreshed, and none at all when views fails.
func (m *Metrics) AddViews(views ViewsFunc) { m.registry.MustRegister(viewCollector(views)) }

// readTimeout limits how long a scrape waits for the database. The other metrics matter most while the database is slow.
const readTimeout = 2 * time.Second

// viewCollector reads the refreshes of views at every scrape.
type viewCollector ViewsFunc

var viewMetrics = []struct {
	desc  *prometheus.Desc
	value func(views.View) float64
}{
	{viewDesc("docket_view_age_seconds", "Time since the last successful refresh began."),
		func(v views.View) float64 { return v.Age.Seconds() }},
	{viewDesc("docket_view_rows", "Rows after that refresh."), func(v views.View) float64 { return float64(v.Rows) }},
	{viewDesc("docket_view_refresh_seconds", "Duration of that refresh."), func(v views.View) float64 { return v.Took.Seconds() }},
}

func viewDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, []string{"view"}, nil)
}

func (viewCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range viewMetrics {
		descs <- m.desc
	}
}

func (views viewCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	all, err := views(ctx)
	if err != nil {
		return // an invalid metric would fail the whole scrape
	}
	for _, view := range all {
		if view.RefreshedAt == nil {
			continue
		}
		for _, m := range viewMetrics {
			metrics <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.value(view), view.Name)
		}
	}
}

// SkipsFunc counts skips by reason.
type SkipsFunc func(context.Context) ([]progress.SkipCounts, error)

// AddSkips adds the numbers of URLs that are often skipped. It calls skips at every scrape. There is no series when skips fails.
func (m *Metrics) AddSkips(skips SkipsFunc) { m.registry.MustRegister(skipCollector(skips)) }

// skipCollector reads the numbers at every scrape.
type skipCollector SkipsFunc

var skippedURLs = prometheus.NewDesc("docket_skipped_urls",
	"URLs that annotators are offered and that at least three people have skipped for one reason.", []string{"reason"}, nil)

func (skipCollector) Describe(descs chan<- *prometheus.Desc) { descs <- skippedURLs }

func (skips skipCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	all, err := skips(ctx)
	if err != nil {
		return // as for views
	}
	for _, of := range all {
		metrics <- prometheus.MustNewConstMetric(skippedURLs, prometheus.GaugeValue, float64(of.URLs), of.Reason)
	}
}

// CountFunc counts something in the database.
type CountFunc func(context.Context) (int64, error)

// AddReservations adds the number of annotators who have a URL reserved. It calls live at every scrape. There is no series when
// live fails.
func (m *Metrics) AddReservations(live CountFunc) {
	m.registry.MustRegister(reservationCollector(live))
}

// reservationCollector reads the number at every scrape.
type reservationCollector CountFunc

var reservations = prometheus.NewDesc("docket_reservations", "Annotators who have a URL reserved.", nil, nil)

func (reservationCollector) Describe(descs chan<- *prometheus.Desc) { descs <- reservations }

func (live reservationCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	number, err := live(ctx)
	if err != nil {
		return // as for views
	}
	metrics <- prometheus.MustNewConstMetric(reservations, prometheus.GaugeValue, float64(number))
}

// poolCollector reads the state of a pool at every scrape.
type poolCollector func() PoolStats

var poolMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(PoolStats) float64
}{
	{poolDesc("docket_pool_max_connections", "Largest number of connections the pool opens."), prometheus.GaugeValue,
		func(s PoolStats) float64 { return float64(s.Max) }},
	{poolDesc("docket_pool_open_connections", "Open connections."), prometheus.GaugeValue,
		func(s PoolStats) float64 { return float64(s.Open) }},
	{poolDesc("docket_pool_idle_connections", "Idle connections."), prometheus.GaugeValue,
		func(s PoolStats) float64 { return float64(s.Idle) }},
	{poolDesc("docket_pool_acquired_connections", "Connections in use."), prometheus.GaugeValue,
		func(s PoolStats) float64 { return float64(s.Acquired) }},
	{poolDesc("docket_pool_acquires_total", "Connections acquired."), prometheus.CounterValue,
		func(s PoolStats) float64 { return float64(s.Acquires) }},
	{poolDesc("docket_pool_empty_acquires_total", "Connections acquired after a wait."), prometheus.CounterValue,
		func(s PoolStats) float64 { return float64(s.EmptyAcquires) }},
	{poolDesc("docket_pool_canceled_acquires_total", "Waits for a connection that were canceled."), prometheus.CounterValue,
		func(s PoolStats) float64 { return float64(s.CanceledAcquires) }},
	{poolDesc("docket_pool_acquire_seconds_total", "Time spent acquiring connections."), prometheus.CounterValue,
		func(s PoolStats) float64 { return s.AcquireTime.Seconds() }},
	{poolDesc("docket_pool_empty_acquire_wait_seconds_total", "Time spent waiting for a connection because none was idle."),
		prometheus.CounterValue,
		func(s PoolStats) float64 { return s.EmptyAcquireWait.Seconds() }},
}

func poolDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, nil, nil)
}

func (poolCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range poolMetrics {
		descs <- m.desc
	}
}

func (pool poolCollector) Collect(metrics chan<- prometheus.Metric) {
	stats := pool()
	for _, m := range poolMetrics {
		metrics <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(stats))
	}
}
