package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"docket/internal/postgres"
	"docket/internal/tasks"
	"docket/internal/tracing"
)

// args are the arguments of all jobs: none.
type args struct{ kind string }

// Kind is the name of the job.
func (a args) Kind() string { return a.kind }

// worker runs one kind of job for River.
type worker struct {
	river.WorkerDefaults[args]
	runner *Runner
	job    Job
}

// running counts the runs of River's jobs in this process, by their ids. A job that was taken up although it still runs has two, of
// which one waits for the other's lock.
type running struct {
	mu     sync.Mutex
	counts map[int64]int
}

func (r *running) add(id int64, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[int64]int{}
	}
	if r.counts[id] += n; r.counts[id] == 0 {
		delete(r.counts, id)
	}
}

func (r *running) has(id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[id] > 0
}

// Middleware notes which jobs this process runs, before River calls Timeout.
func (w *worker) Middleware(*rivertype.JobRow) []rivertype.WorkerMiddleware {
	return []rivertype.WorkerMiddleware{river.WorkerMiddlewareFunc(
		func(ctx context.Context, job *rivertype.JobRow, inner func(context.Context) error) error {
			w.runner.running.add(job.ID, 1)
			defer w.runner.running.add(job.ID, -1)
			return inner(ctx)
		})}
}

// Timeout is called by River for two purposes. Before a run it is the time after which the context ends: none, because a run has a
// limit of its own, which may be far longer than the time after which the job of a killed process is taken up. And when River looks
// for jobs of killed processes, those that have run for less than this time, or have no limit, are left alone: those that this
// process runs. A job that another process still runs is taken up, finds the lock held, and waits.
func (w *worker) Timeout(job *river.Job[args]) time.Duration {
	if w.runner.running.has(job.ID) {
		return -1
	}
	return time.Nanosecond
}

// NextRetry returns when a failed or interrupted run is repeated.
func (w *worker) NextRetry(job *river.Job[args]) time.Time {
	backoff := w.runner.cfg.Times.Backoff
	if len(backoff) == 0 {
		return time.Time{}
	}
	return time.Now().Add(backoff[min(max(job.Attempt-1, 0), len(backoff)-1)])
}

// Work runs the job unless another process does, or has done so.
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	held, err := postgres.TryHold(ctx, w.runner.cfg.Pool, "job "+w.job.Name, func(ctx context.Context) error {
		return w.run(ctx, job.ID, job.CreatedAt)
	})
	if err == nil && !held {
		return river.JobSnooze(w.runner.cfg.Times.Snooze)
	}
	return err
}

// endTimeout bounds storing the end of a run.
const endTimeout = 10 * time.Second

// run does one run and records it. The caller holds the lock of the job.
func (w *worker) run(ctx context.Context, jobID int64, inserted time.Time) error {
	pool, log := w.runner.cfg.Pool, w.runner.cfg.Log.With(zap.String("job", w.job.Name), zap.Int64("river_job", jobID))
	before, err := tasks.HasSucceeded(ctx, pool, jobID, inserted)
	if err != nil || before {
		return err
	}
	if err := tasks.Abandon(ctx, pool, jobID); err != nil {
		return err
	}
	taskID, err := tasks.Begin(ctx, pool, w.job.Type, w.job.Name, &jobID)
	if err != nil {
		return err
	}
	log = log.With(zap.Int32("task", taskID))
	start := time.Now()
	result, err := w.trace(ctx, taskID)
	took := time.Since(start)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err != nil {
		w.runner.metrics.observe(w.job.Name, failed, took)
		log.Error("job failed", zap.Duration("duration", took), zap.Error(err))
		return errors.Join(err, tasks.Fail(ending, pool, taskID, err.Error()))
	}
	w.runner.metrics.observe(w.job.Name, succeeded, took)
	log.Info("job done", zap.Duration("duration", took), zap.String("result", result))
	return tasks.Finish(ending, pool, taskID, result)
}

// trace does the work in a span of its own, with which a trace begins.
func (w *worker) trace(ctx context.Context, taskID int32) (result string, err error) {
	ctx, span := w.runner.tracer.Start(ctx, "job "+w.job.Name, trace.WithNewRoot(), trace.WithAttributes(tracing.Task.Int(int(taskID))))
	defer span.End()
	result, err = w.do(ctx, taskID)
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return result, err
}

// do calls the work within its time, and makes a panic an error.
func (w *worker) do(ctx context.Context, taskID int32) (result string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.job.Timeout, fmt.Errorf("took longer than %s", w.job.Timeout))
	defer cancel()
	defer func() {
		if value := recover(); value != nil {
			w.runner.cfg.Log.Error("job panicked", zap.String("job", w.job.Name), zap.Any("value", value),
				zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("panic: %v", value)
		} else if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}()
	return w.job.Work(ctx, taskID)
}
