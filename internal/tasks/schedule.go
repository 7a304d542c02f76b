package tasks

import (
	"context"
	"fmt"
	"time"

	"docket/internal/db"
)

// Period is a periodic job: its name and the time from one start to the next.
type Period struct {
	Job      string
	Interval time.Duration
}

// EnsureScheduled stores when jobs that are not in the schedule yet are due for the first time: the first of them after firstRun,
// each next one stagger later. A job whose interval was shortened is due after the new interval at the latest.
func EnsureScheduled(ctx context.Context, on db.DBTX, periods []Period, firstRun, stagger time.Duration) error {
	names, seconds := arrays(periods)
	delays := make([]float64, len(names))
	for i := range delays {
		delays[i] = (firstRun + time.Duration(i)*stagger).Seconds()
	}
	err := queries.TaskScheduleEnsure(ctx, on, db.TaskScheduleEnsureParams{Jobs: names, Delays: delays})
	if err == nil {
		err = queries.TaskScheduleShorten(ctx, on, db.TaskScheduleShortenParams{Jobs: names, Seconds: seconds})
	}
	if err != nil {
		return fmt.Errorf("store the schedule: %w", err)
	}
	return nil
}

// Due is a job that is due.
type Due struct {
	Job   string
	Since time.Time // in UTC
}

// ClaimDue returns those of the jobs that are due, and moves each to its next time in the future. Several missed periods count as
// one. on must be a transaction: until its end no other one claims these jobs, and a rollback makes them due again.
func ClaimDue(ctx context.Context, on db.DBTX, periods []Period) ([]Due, error) {
	names, seconds := arrays(periods)
	rows, err := queries.TaskScheduleClaimDue(ctx, on, db.TaskScheduleClaimDueParams{Jobs: names, Seconds: seconds})
	if err != nil {
		return nil, fmt.Errorf("claim jobs that are due: %w", err)
	}
	due := make([]Due, len(rows))
	for i, row := range rows {
		due[i] = Due{row.Job, row.DueAt}
	}
	return due, nil
}

// PutBack makes a job due again that ClaimDue has returned in the same transaction.
func PutBack(ctx context.Context, on db.DBTX, due Due) error {
	if err := queries.TaskSchedulePutBack(ctx, on, db.TaskSchedulePutBackParams{Job: due.Job, DueAt: due.Since}); err != nil {
		return fmt.Errorf("put back job %s: %w", due.Job, err)
	}
	return nil
}

func arrays(periods []Period) (names []string, seconds []float64) {
	for _, p := range periods {
		names, seconds = append(names, p.Job), append(seconds, p.Interval.Seconds())
	}
	return names, seconds
}

// Scheduled is a job in the schedule.
type Scheduled struct {
	Job     string
	NextRun time.Time     // in UTC
	Overdue time.Duration // since when it is due, by the clock of the database; below 0 for the future
}

// Schedule returns when each job is due, sorted by name.
func Schedule(ctx context.Context, on db.DBTX) ([]Scheduled, error) {
	rows, err := queries.TaskScheduleList(ctx, on)
	if err != nil {
		return nil, fmt.Errorf("list the schedule: %w", err)
	}
	scheduled := make([]Scheduled, len(rows))
	for i, row := range rows {
		scheduled[i] = Scheduled{row.Job, row.NextRunAt, time.Duration(row.OverdueSeconds * float64(time.Second))}
	}
	return scheduled, nil
}

// LastSuccesses returns when the last successful run of each job ended, as the time since 1970, by the clock of the database. A
// job that has not succeeded within the time that the history is kept is not included.
func LastSuccesses(ctx context.Context, on db.DBTX) (map[string]time.Duration, error) {
	rows, err := queries.TaskRunLastSuccessList(ctx, on)
	if err != nil {
		return nil, fmt.Errorf("list the last successes of jobs: %w", err)
	}
	ended := map[string]time.Duration{}
	for _, row := range rows {
		ended[row.Job] = time.Duration(row.FinishedAt * float64(time.Second))
	}
	return ended, nil
}

// HasSucceeded reports whether a run for a job of River, which was inserted at a time, has succeeded.
func HasSucceeded(ctx context.Context, on db.DBTX, jobID int64, inserted time.Time) (bool, error) {
	succeeded, err := queries.TaskRunHasSucceeded(ctx, on, db.TaskRunHasSucceededParams{JobID: jobID, Since: inserted.UTC()})
	if err != nil {
		return false, fmt.Errorf("find runs of job %d: %w", jobID, err)
	}
	return succeeded, nil
}

// Abandon stores that earlier runs for a job of River were never completed. The caller must know that none of them still runs.
func Abandon(ctx context.Context, on db.DBTX, jobID int64) error {
	if _, err := queries.TaskRunAbandon(ctx, on, jobID); err != nil {
		return fmt.Errorf("close earlier runs of job %d: %w", jobID, err)
	}
	return nil
}
