package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/jobs"
	"docket/internal/postgres"
	"docket/internal/tasks"
)

// starting is a process that starts jobs and runs none.
func starting(t *testing.T, pool *postgres.Pool, all ...jobs.Job) *tasks.Control {
	t.Helper()
	runner, err := jobs.New(jobs.Config{Pool: pool, Jobs: all, Unscheduled: true})
	require.NoError(t, err)
	return tasks.NewControl(pool, runner)
}

// startNow starts the one job, which must be in a state, and returns what became of it.
func startNow(t *testing.T, control *tasks.Control, state tasks.StartState) tasks.Start {
	t.Helper()
	started, err := control.RunNow(t.Context(), tasks.RefreshViews)
	require.NoError(t, err)
	require.Len(t, started, 1)
	require.Equal(t, "test", started[0].Job)
	require.Equal(t, state, started[0].State)
	return started[0]
}

// wait waits for the end of what was started, which must have begun.
func wait(t *testing.T, control *tasks.Control, start tasks.Start) tasks.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := 0
	task, err := control.Wait(ctx, start, time.Millisecond, func(tasks.Task) { begun++ })
	require.NoError(t, err)
	require.Equal(t, 1, begun)
	return task
}

// unscheduled runs a job only when it is started. A failed run is repeated after an hour.
func unscheduled(t *testing.T, pool *postgres.Pool, all ...jobs.Job) {
	t.Helper()
	times := quick
	times.Backoff = []time.Duration{time.Hour}
	runner, err := jobs.New(jobs.Config{Pool: pool, Jobs: all, Unscheduled: true, Times: times})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
}

func TestStartNeedsTablesAndJob(t *testing.T) {
	t.Parallel()
	done := func(context.Context, int32) (string, error) { return "", nil }
	control := starting(t, dbtest.New(t), job("test", done))
	_, err := control.RunNow(t.Context(), tasks.RefreshViews)
	require.ErrorIs(t, err, tasks.ErrNoJobTables)
	_, err = control.RunNow(t.Context(), "HTML")
	require.EqualError(t, err, `no job has the type "HTML"; the types with jobs are Refresh Materialized Views`)
}

// A job that is started while no process runs it waits, one time only. Then a process runs it that does not schedule it.
func TestStartedJobWaitsForAProcess(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	release := make(chan struct{})
	held := job("test", func(ctx context.Context, _ int32) (string, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return "done", ctx.Err()
	})
	held.Disabled = true
	control := starting(t, pool, held)
	first := startNow(t, control, tasks.Started)
	again := startNow(t, control, tasks.AlreadyWaiting)
	require.Equal(t, first, tasks.Start{Job: "test", State: tasks.Started, JobID: again.JobID})

	unscheduled(t, pool, held)
	history := tasks.NewHistory(pool)
	require.Eventually(t, func() bool {
		running, err := history.Running(t.Context())
		return err == nil && running == tasks.RefreshViews
	}, patience, time.Millisecond)
	running := startNow(t, control, tasks.AlreadyRunning)
	close(release)
	for _, start := range []tasks.Start{first, again, running} {
		task := wait(t, control, start)
		require.Equal(t, tasks.Complete, task.Status)
		require.Equal(t, "done", task.Run.Result)
	}
	require.Equal(t, 1, dbtest.Count(t, pool, "SELECT count(*) FROM tasks"))
}

// A failed run that waits for its repetition is repeated at once, and Wait returns the end of the repetition.
func TestStartRepeatsAFailedRun(t *testing.T) {
	t.Parallel()
	pool := newDatabase(t)
	fail := make(chan bool, 2)
	fail <- true
	fail <- false
	failing := job("test", func(context.Context, int32) (string, error) {
		if <-fail {
			return "", errors.New("no luck")
		}
		return "done", nil
	})
	control := starting(t, pool, failing)
	unscheduled(t, pool, failing)
	failed := wait(t, control, startNow(t, control, tasks.Started))
	require.Equal(t, tasks.Failed, failed.Status)
	require.Equal(t, "no luck", failed.Error)
	require.Eventually(t, func() bool {
		return dbtest.Count(t, pool, "SELECT count(*) FROM river.river_job WHERE state = 'retryable'") == 1
	}, patience, time.Millisecond)
	repeated := startNow(t, control, tasks.AlreadyWaiting)
	require.Equal(t, failed.ID, repeated.After)
	require.Equal(t, "done", wait(t, control, repeated).Run.Result)
}
