package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/postgres"
)

// Starter starts jobs; the Runner of package jobs is one.
type Starter interface {
	// Types returns the types that have jobs, sorted.
	Types() []Type
	// RunNow makes all jobs of a type run once tx is committed, in any process that runs jobs, also those that are disabled. At most
	// one run of a job waits or runs.
	RunNow(ctx context.Context, tx pgx.Tx, taskType Type) ([]Start, error)
}

// Start says what became of a job that was to run now.
type Start struct {
	Job   string
	State StartState
	JobID int64 // River's
	After int32 // the last task of that job that has ended before; 0 without one
}

// StartState is what starting a job has done.
type StartState string

// The states.
const (
	Started        StartState = "started"         // a run waits for a free process
	AlreadyWaiting StartState = "already-waiting" // an earlier run waits for a free process; if it had failed, it is repeated now
	AlreadyRunning StartState = "already-running" // nothing was started
)

// ErrNoJobTables means that the tables of the jobs do not exist.
var ErrNoJobTables = errors.New("the database has no tables for jobs yet; docket migrate apply creates them")

// NoJobError means that no job has a type.
type NoJobError struct {
	Type  Type
	Types []Type // that have jobs
}

func (e *NoJobError) Error() string {
	types := convert.Each(e.Types, func(t Type) string { return string(t) })
	return fmt.Sprintf("no job has the type %q; the types with jobs are %s", e.Type, strings.Join(types, ", "))
}

// Control starts jobs. It is safe for concurrent use.
type Control struct {
	history *History
	starter Starter
}

// NewControl returns a Control for jobs on the database of pool.
func NewControl(pool *postgres.Pool, starter Starter) *Control {
	return &Control{NewHistory(pool), starter}
}

// RunNow makes all jobs of a type run now, and returns what became of each, by name. Errors: *NoJobError and ErrNoJobTables.
func (c *Control) RunNow(ctx context.Context, taskType Type) ([]Start, error) {
	if types := c.starter.Types(); !slices.Contains(types, taskType) {
		return nil, &NoJobError{taskType, types}
	}
	return idempotency.Once(ctx, c.history.pool, func(tx pgx.Tx) ([]Start, error) {
		started, err := c.starter.RunNow(ctx, tx, taskType)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", taskType, err)
		}
		for i, start := range started {
			if start.State != AlreadyWaiting {
				continue
			}
			// The job cannot begin before the commit, so this is the last task before the one to come.
			if started[i].After, err = lastTask(ctx, tx, start.JobID); err != nil {
				return nil, err
			}
		}
		return started, nil
	})
}

// lastTask returns the last task of a job of River, 0 without one.
func lastTask(ctx context.Context, on db.DBTX, jobID int64) (int32, error) {
	id, err := queries.TaskRunGetLast(ctx, on, jobID)
	if err != nil {
		return 0, fmt.Errorf("find the last run of job %d: %w", jobID, err)
	}
	return id, nil
}

// Wait waits until the run that was started has succeeded or failed, and returns its task. It polls at an interval, and calls begun
// one time, when the run has begun. A run that was interrupted is repeated, and Wait waits for the repetition.
func (c *Control) Wait(ctx context.Context, start Start, interval time.Duration, begun func(Task)) (Task, error) {
	for reported := false; ; {
		id, err := lastTask(ctx, c.history.pool, start.JobID)
		if err != nil {
			return Task{}, err
		}
		if id > start.After {
			task, err := c.history.Get(ctx, id)
			if err != nil {
				return Task{}, err
			}
			if !reported {
				begun(task)
				reported = true
			}
			if task.Status == Complete || task.Status == Failed {
				return task, nil
			}
		}
		select {
		case <-ctx.Done():
			return Task{}, ctx.Err()
		case <-time.After(interval):
		}
	}
}
