package jobs

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"docket/internal/tasks"
)

// metrics count the runs of this process.
type metrics struct {
	runs     *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(jobs []Job) *metrics {
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "docket_job_runs_total", Help: "Runs of jobs that this process has ended.",
		}, []string{"job", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "docket_job_run_seconds", Help: "Duration of runs of jobs.",
			Buckets: []float64{.01, .1, 1, 10, 60, 600, 3600},
		}, []string{"job"}),
	}
	// From the start, so that Prometheus sees the first failure as an increase.
	for _, job := range jobs {
		for _, outcome := range []string{succeeded, failed} {
			m.runs.WithLabelValues(job.Name, outcome)
		}
	}
	return m
}

// The outcomes of a run.
const (
	succeeded = "succeeded"
	failed    = "failed"
)

func (m *metrics) observe(job, outcome string, took time.Duration) {
	m.runs.WithLabelValues(job, outcome).Inc()
	m.duration.WithLabelValues(job).Observe(took.Seconds())
}

// Metrics returns the collectors of the Runner, for a registry.
func (r *Runner) Metrics() []prometheus.Collector {
	desc := prometheus.NewDesc("docket_job_overdue_seconds", "How long a job has been due and was not inserted.", []string{"job"}, nil)
	overdue := func(ctx context.Context) (map[string]time.Duration, error) {
		scheduled, err := tasks.Schedule(ctx, r.cfg.Pool)
		found := map[string]time.Duration{}
		for _, s := range scheduled {
			// A job that is disabled is never inserted, and keeps the row that it had.
			if slices.ContainsFunc(r.periods, func(p tasks.Period) bool { return p.Job == s.Job }) {
				found[s.Job] = s.Overdue
			}
		}
		return found, err
	}
	last := prometheus.NewDesc("docket_job_last_success_timestamp_seconds",
		"When the last successful run of a job ended, in seconds since 1970, in whichever process.", []string{"job"}, nil)
	ended := func(ctx context.Context) (map[string]time.Duration, error) {
		return tasks.LastSuccesses(ctx, r.cfg.Pool)
	}
	return []prometheus.Collector{r.metrics.runs, r.metrics.duration, ages{desc, overdue}, ages{last, ended}}
}

// Age returns a metric without labels, whose value is read at every scrape.
func Age(name, help string, read func(context.Context) (time.Duration, error)) prometheus.Collector {
	return ages{prometheus.NewDesc(name, help, nil, nil), func(ctx context.Context) (map[string]time.Duration, error) {
		age, err := read(ctx)
		return map[string]time.Duration{"": age}, err
	}}
}

// ages are times since something was due; 0 for what is not. There is no series while they cannot be read: an invalid one would
// fail the whole scrape.
type ages struct {
	desc *prometheus.Desc
	read func(context.Context) (map[string]time.Duration, error)
}

func (a ages) Describe(descs chan<- *prometheus.Desc) { descs <- a.desc }

// agesTimeout limits how long a scrape waits for the database.
const agesTimeout = 2 * time.Second

func (a ages) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), agesTimeout)
	defer cancel()
	found, err := a.read(ctx)
	if err != nil {
		return
	}
	for label, age := range found {
		var labels []string
		if label != "" {
			labels = []string{label}
		}
		metrics <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, max(0, age.Seconds()), labels...)
	}
}
