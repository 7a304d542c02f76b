package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"docket/internal/dbtest"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/tasks"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

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
func run(t *testing.T, pool *postgres.Pool, all ...jobs.Job) (runner *jobs.Runner, stop func()) {
	t.Helper()
	runner, err := jobs.New(jobs.Config{
		Pool: pool, Jobs: all, Log: zaptest.NewLogger(t), Times: quick,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	var stopped atomic.Bool
	stop = func() {
		if stopped.CompareAndSwap(false, true) {
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	return runner, stop
}

func job(name string, work func(context.Context, int32) (string, error)) jobs.Job {
	return jobs.Job{Name: name, Type: tasks.RefreshViews, Interval: time.Hour, Timeout: time.Minute, Work: work}
}

func succeed(context.Context, int32) (string, error) { return "did it", nil }

func TestJobRunsAndIsRecorded(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	run(t, pool, job("test", succeed))
	require.Eventually(t, func() bool {
		return dbtest.Count(t, pool, "SELECT count(*) FROM task_runs WHERE result = 'did it' AND job = 'test' AND finished_at IS NOT NULL") == 1
	}, patience, 10*time.Millisecond)
	require.Equal(t, "complete", dbtest.Value[string](t, pool, "SELECT task_status::text FROM tasks"))
}

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
	require.Eventually(t, func() bool {
		return dbtest.Count(t, pool, "SELECT count(*) FROM task_runs WHERE result = 'done'") == 1
	}, patience, 10*time.Millisecond)
	require.Equal(t, []string{"error: no luck", "error: panic: much worse", "complete: "}, dbtest.List(t, pool,
		`SELECT task_status || ': ' || coalesce(split_part(error, chr(10), 1), '') FROM tasks LEFT JOIN task_errors ON task_id = id ORDER BY id`))
}
