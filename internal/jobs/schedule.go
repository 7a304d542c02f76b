package jobs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"docket/internal/postgres"
	"docket/internal/tasks"
)

// keepSchedule inserts the jobs that are due until ctx ends.
func (r *Runner) keepSchedule(ctx context.Context) error {
	failing := false
	for ctx.Err() == nil {
		err := r.tick(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			r.cfg.Log.Warn("the schedule cannot be read; trying again", zap.Error(err))
		}
		failing = err != nil
		pause(ctx, r.cfg.Times.Tick)
	}
	return nil
}

// tick inserts the jobs that are due. It writes only when there is something to write.
func (r *Runner) tick(ctx context.Context) error {
	scheduled, err := tasks.Schedule(ctx, r.cfg.Pool)
	if err != nil {
		return err
	}
	known := map[string]tasks.Scheduled{}
	for _, s := range scheduled {
		known[s.Job] = s
	}
	unplanned, due := false, false
	for _, period := range r.periods {
		row, ok := known[period.Job]
		unplanned = unplanned || !ok || -row.Overdue > period.Interval
		due = due || ok && row.Overdue >= 0
	}
	if unplanned {
		if err := tasks.EnsureScheduled(ctx, r.cfg.Pool, r.periods, r.cfg.Times.FirstRun, r.cfg.Times.Stagger); err != nil {
			return err
		}
	}
	if !due {
		return nil
	}
	return r.insertDue(ctx)
}

// insertDue moves what is due to its next time and inserts its jobs, in one transaction: each period is inserted once, even if this
// process or another one ends at any moment. A job stays due until the one of the period before, which has begun, has ended. One
// that waits for its first run is not inserted a second time: it will run later than now.
func (r *Runner) insertDue(ctx context.Context) error {
	return postgres.InTx(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		all, err := tasks.ClaimDue(ctx, tx, r.periods)
		if err != nil {
			return err
		}
		for _, due := range all {
			inserted, err := r.client.InsertTx(ctx, tx, args{kind: due.Job}, insertOpts())
			if err != nil {
				return fmt.Errorf("insert job %s: %w", due.Job, err)
			}
			if inserted.UniqueSkippedAsDuplicate && inserted.Job.AttemptedAt != nil {
				if err := tasks.PutBack(ctx, tx, due); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
