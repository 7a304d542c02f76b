package jobs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"docket/internal/dbtest"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/tasks"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// quick are times in which a test need not wait.
var quick = jobs.Times{
	Tick: 10 * time.Millisecond, Poll: 10 * time.Millisecond, FirstRun: time.Nanosecond, Stagger: time.Nanosecond,
	Rescue: 100 * time.Millisecond, Snooze: 20 * time.Millisecond, Backoff: []time.Duration{time.Millisecond, time.Millisecond},
}

// newDatabase returns a database with the tables of Docket and of River.
func newDatabase(t *testing.T) *postgres.Pool {
	t.Helper()
	pool := openPool(t, dbtest.URL(t))
	_, err := jobs.Migrate(t.Context(), pool)
	require.NoError(t, err)
	return pool
}

func openPool(t *testing.T, url string) *postgres.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: url, MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// run runs jobs on a pool until the test or stop ends it.
func run(t *testing.T, pool *postgres.Pool, all ...jobs.Job) (stop func()) {
	t.Helper()
	return runWith(t, jobs.Config{Pool: pool, Jobs: all, Log: zaptest.NewLogger(t), Times: quick})
}

func runWith(t *testing.T, cfg jobs.Config) (stop func()) {
	t.Helper()
	runner, err := jobs.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// eventually waits until a count of rows is n.
func eventually(t *testing.T, pool *postgres.Pool, n int, count string) {
	t.Helper()
	if !assert.Eventually(t, func() bool { return dbtest.Count(t, pool, count) == n }, patience, 5*time.Millisecond, count) {
		t.Fatalf("jobs: %v\nschedule: %v", dbtest.List(t, pool, "SELECT to_jsonb(j)::text FROM river.river_job j"),
			dbtest.List(t, pool, "SELECT to_jsonb(s)::text FROM task_schedule s"))
	}
}

const (
	countDone = "SELECT count(*) FROM task_runs WHERE result IS NOT NULL"
	countRuns = "SELECT count(*) FROM task_runs"
	// makeDue begins the next period of all jobs.
	makeDue = "UPDATE task_schedule SET next_run_at = now() - interval '1 second'"
)

func job(name string, work func(context.Context, int32) (string, error)) jobs.Job {
	return jobs.Job{Name: name, Type: tasks.RefreshViews, Interval: time.Hour, Timeout: time.Minute, Work: work}
}

func succeed(context.Context, int32) (string, error) { return "did it", nil }

func TestJobRunsAndIsRecorded(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	core, logs := observer.New(zap.InfoLevel)
	registry := prometheus.NewRegistry()
	cfg := jobs.Config{Pool: pool, Jobs: []jobs.Job{job("test", succeed)}, Log: zap.New(core), Times: quick}
	runner, err := jobs.New(cfg)
	require.NoError(t, err)
	registry.MustRegister(runner.Metrics()...)
	registry.MustRegister(jobs.Age("docket_test_seconds", "Test.", func(context.Context) (time.Duration, error) {
		return 2 * time.Second, nil
	}))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	eventually(t, pool, 1, "SELECT count(*) FROM task_runs WHERE result = 'did it' AND job = 'test' AND finished_at IS NOT NULL")
	stop()
	require.NoError(t, <-done)
	require.Equal(t, "complete", dbtest.Value[string](t, pool, "SELECT task_status::text FROM tasks"))
	require.Equal(t, "completed", dbtest.Value[string](t, pool, "SELECT state::text FROM river.river_job"))

	require.Equal(t, 1, logs.Len(), "one line for the run: %v", logs.All())
	line := logs.All()[0].ContextMap()
	require.Equal(t, "test", line["job"])
	require.Equal(t, "did it", line["result"])
	require.NotZero(t, line["task"])
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
		# HELP docket_job_runs_total Runs of jobs that this process has ended.
		# TYPE docket_job_runs_total counter
		docket_job_runs_total{job="test",outcome="failed"} 0
		docket_job_runs_total{job="test",outcome="succeeded"} 1
		# HELP docket_job_overdue_seconds How long a job has been due and was not inserted.
		# TYPE docket_job_overdue_seconds gauge
		docket_job_overdue_seconds{job="test"} 0
		# HELP docket_test_seconds Test.
		# TYPE docket_test_seconds gauge
		docket_test_seconds 2
	`), "docket_job_runs_total", "docket_job_overdue_seconds", "docket_test_seconds"))
	dbtest.Exec(t, pool, "INSERT INTO task_schedule (job, next_run_at) VALUES ('disabled', '2026-01-31')")
	dbtest.Exec(t, pool, makeDue)
	families, err := registry.Gather()
	require.NoError(t, err)
	last := slices.IndexFunc(families, func(f *dto.MetricFamily) bool {
		return f.GetName() == "docket_job_last_success_timestamp_seconds"
	})
	ended := dbtest.Value[float64](t, pool, "SELECT extract(epoch FROM finished_at)::float8 FROM task_runs WHERE result = 'did it'")
	require.InDelta(t, ended, families[last].GetMetric()[0].GetGauge().GetValue(), 0.001)
	overdue := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "docket_job_overdue_seconds" })
	require.Len(t, families[overdue].GetMetric(), 1, "none of a job that this process does not schedule")
	require.GreaterOrEqual(t, families[overdue].GetMetric()[0].GetGauge().GetValue(), 1.0)
}

// A job that fails or panics is repeated, and its errors are in the history.
func TestFailingJobIsRepeatedAndShown(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	var runs atomic.Int32
	run(t, pool, job("test", func(context.Context, int32) (string, error) {
		switch runs.Add(1) {
		case 1:
			return "", errors.New("no luck")
		case 2:
			panic("much worse")
		}
		return "done", nil
	}))
	eventually(t, pool, 1, countDone)
	require.Equal(t, []string{"error: no luck", "error: panic: much worse", "complete: "}, dbtest.List(t, pool,
		`SELECT task_status || ': ' || coalesce(error, '') FROM tasks LEFT JOIN task_errors ON task_id = id ORDER BY id`))
}

// A job that always fails ends its repetitions, begins again with its next period, and blocks no other job.
func TestFailingJobBlocksNoOther(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	fail := func(context.Context, int32) (string, error) { return "", errors.New("no luck") }
	run(t, pool, job("fails", fail), job("works", succeed))
	const discarded = "SELECT count(*) FROM river.river_job WHERE state = 'discarded'"
	eventually(t, pool, 1, discarded)
	eventually(t, pool, 1, countDone)
	require.Equal(t, 3, dbtest.Count(t, pool, "SELECT count(*) FROM task_errors WHERE error = 'no luck'"), "two repetitions")
	dbtest.Exec(t, pool, makeDue)
	eventually(t, pool, 2, discarded)
	eventually(t, pool, 2, countDone)
}

func TestRunHasALimit(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	slow := job("test", func(ctx context.Context, _ int32) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	slow.Timeout = time.Millisecond
	run(t, pool, slow)
	eventually(t, pool, 3, "SELECT count(*) FROM task_errors WHERE error = 'took longer than 1ms: context deadline exceeded'")
}

// A job that does not end in time when its process stops is interrupted, and another process runs it at once.
func TestStopInterrupts(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	began := make(chan struct{})
	stop := runWith(t, jobs.Config{Pool: pool, Times: quick, StopTimeout: time.Millisecond, Jobs: []jobs.Job{
		job("test", func(ctx context.Context, _ int32) (string, error) {
			close(began)
			<-ctx.Done()
			return "", ctx.Err()
		}),
	}})
	<-began
	stop()
	run(t, pool, job("test", succeed))
	eventually(t, pool, 1, countDone)
	require.Equal(t, []string{"error", "complete"}, dbtest.List(t, pool, "SELECT task_status::text FROM tasks ORDER BY id"))
	require.Equal(t, 1, dbtest.Count(t, pool, "SELECT count(*) FROM river.river_job"))
}

func TestNewRefusesJobs(t *testing.T) {
	t.Parallel()
	nameless, endless := job("", succeed), job("test", succeed)
	endless.Timeout = 0
	for _, list := range [][]jobs.Job{{nameless}, {endless}, {job("test", nil)}, {job("test", succeed), job("test", succeed)}} {
		_, err := jobs.New(jobs.Config{Pool: dbtest.New(t), Jobs: list})
		require.ErrorContains(t, err, "needs a name of its own, work, an interval and a timeout")
	}
}
