package tasks_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/tasks"
)

func hourly(names ...string) (periods []tasks.Period) {
	for _, name := range names {
		periods = append(periods, tasks.Period{Job: name, Interval: time.Hour})
	}
	return periods
}

// claim returns the names of the jobs that are due.
func claim(t *testing.T, pool *postgres.Pool, periods []tasks.Period) (names []string) {
	t.Helper()
	require.NoError(t, postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		due, err := tasks.ClaimDue(t.Context(), tx, periods)
		for _, d := range due {
			names = append(names, d.Job)
		}
		return err
	}))
	return names
}

func TestEnsureScheduled(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	ensure := func(periods []tasks.Period) {
		for i := range periods {
			periods[i].Interval = 10 * time.Hour
		}
		require.NoError(t, tasks.EnsureScheduled(t.Context(), pool, periods, 10*time.Second, 5*time.Second))
	}
	ensure(hourly("b", "a"))
	const hours = "SELECT job || ' ' || round(extract(epoch FROM next_run_at - now()) / 3600) FROM task_schedule ORDER BY job"
	require.Equal(t, []string{"a 0", "b 0"}, dbtest.List(t, pool, hours))
	const stagger = "SELECT (max(next_run_at) - min(next_run_at))::text FROM task_schedule"
	require.Equal(t, "00:00:05", dbtest.Value[string](t, pool, stagger))

	dbtest.Exec(t, pool, "UPDATE task_schedule SET next_run_at = now() + interval '5 hours' WHERE job = 'a'")
	dbtest.Exec(t, pool, "UPDATE task_schedule SET next_run_at = now() + interval '1 day' WHERE job = 'b'")
	ensure(hourly("a", "b", "c"))
	// What is due is kept, an interval was shortened, and one job is new.
	require.Equal(t, []string{"a 5", "b 10", "c 0"}, dbtest.List(t, pool, hours))
}

func TestClaimDue(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `INSERT INTO task_schedule VALUES
		('missed', date_trunc('minute', now()) - interval '5 hours 20 minutes'), ('due', now()),
		('later', now() + interval '10 minutes'), ('disabled', now())`)
	periods := hourly("due", "later", "missed", "unknown")
	failure := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		due, err := tasks.ClaimDue(t.Context(), tx, periods)
		require.NoError(t, err)
		require.Len(t, due, 2)
		require.Empty(t, claim(t, pool, periods), "another transaction neither waits nor gets them")
		return pgx.ErrTxClosed
	})
	require.ErrorIs(t, failure, pgx.ErrTxClosed)
	require.Equal(t, []string{"missed", "due"}, claim(t, pool, periods), "after the rollback")
	require.Empty(t, claim(t, pool, periods))
	require.Equal(t, []string{"missed"}, dbtest.List(t, pool, `SELECT job FROM task_schedule
		WHERE next_run_at = date_trunc('minute', next_run_at) AND next_run_at - now() BETWEEN interval '0' AND interval '40 minutes'`),
		"on its grid, in the future")

	scheduled, err := tasks.Schedule(t.Context(), pool)
	require.NoError(t, err)
	require.Len(t, scheduled, 4)
	require.Equal(t, "disabled", scheduled[0].Job)
	require.Positive(t, scheduled[0].Overdue)
	require.Negative(t, scheduled[1].Overdue)
}

func TestPutBack(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, "INSERT INTO task_schedule VALUES ('test', now() - interval '1 minute')")
	require.NoError(t, postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		due, err := tasks.ClaimDue(t.Context(), tx, hourly("test"))
		require.NoError(t, err)
		return tasks.PutBack(t.Context(), tx, due[0])
	}))
	require.Equal(t, []string{"test"}, claim(t, pool, hourly("test")))
}

// A run counts for a job of River only if it is not older than the job: ids begin again when River's tables are made anew.
func TestHasSucceeded(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	job := int64(7)
	inserted := time.Now().Add(-time.Hour)
	has := func(since time.Time) bool {
		succeeded, err := tasks.HasSucceeded(t.Context(), pool, job, since)
		require.NoError(t, err)
		return succeeded
	}
	abandoned, err := tasks.Begin(t.Context(), pool, tasks.RefreshViews, "test", &job)
	require.NoError(t, err)
	require.NoError(t, tasks.Abandon(t.Context(), pool, job))
	task, err := tasks.Begin(t.Context(), pool, tasks.RefreshViews, "test", &job)
	require.NoError(t, err)
	require.False(t, has(inserted))
	require.NoError(t, tasks.Finish(t.Context(), pool, task, "done"))
	require.True(t, has(inserted))
	require.False(t, has(time.Now().Add(time.Hour)))
	require.Equal(t, []string{"never-completed", "complete"}, dbtest.List(t, pool, "SELECT task_status::text FROM tasks ORDER BY id"))
	require.NotEqual(t, abandoned, task)
}

func TestLastSuccesses(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `
		INSERT INTO tasks (id, task_type, task_status) SELECT n, 'Auto Name', 'complete' FROM generate_series(901, 904) AS n;
		INSERT INTO task_runs (task_id, job, started_at, finished_at, result) VALUES
			(901, 'a', now(), '2026-01-02 03:04:05', 'done'), (902, 'a', now(), '2026-01-02 03:04:06.5', 'done'),
			(903, 'a', now(), '2026-01-03 00:00:00', NULL), (904, 'b', now(), NULL, NULL)`)
	ended, err := tasks.LastSuccesses(t.Context(), pool)
	require.NoError(t, err)
	want := time.Date(2026, 1, 2, 3, 4, 6, 500_000_000, time.UTC)
	require.Equal(t, map[string]time.Duration{"a": time.Duration(want.UnixNano())}, ended, "neither failed nor unfinished runs")
}
