package consensus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/tasks"
)

// JobName is the name of the job of ValidateAll, and of the tasks of a Validator.
const JobName = "auto_validate"

// Config configures a Validator. The zero value has the defaults.
type Config struct {
	Poll   time.Duration // how often it looks for URLs that other processes made due; 500 ms
	Batch  int32         // how many due rows a transaction takes; 100
	Report func(error)   // is called with errors, of which none ends Run; by default they are dropped
}

// Validator validates URLs as soon as their votes make a fact: it decides about the URLs in consensus_due. Any number of
// processes may run one each.
type Validator struct {
	pool   *postgres.Pool
	config Config
	decider
	position position
	task     minute
	wake     chan struct{}
}

// New returns a Validator that does nothing until Run is called.
func New(pool *postgres.Pool, config Config) *Validator {
	config.Poll = cmp.Or(config.Poll, 500*time.Millisecond)
	config.Batch = cmp.Or(config.Batch, 100)
	if config.Report == nil {
		config.Report = func(error) {}
	}
	return &Validator{pool: pool, config: config, decider: decider{changelog.NewWriter()}, wake: make(chan struct{}, 1)}
}

// Wake has Run look for due URLs at once. It is called after the commit of an answer that made its URL due. It never blocks, and
// is safe for concurrent use. Without a running Run it does nothing.
func (v *Validator) Wake() {
	select {
	case v.wake <- struct{}{}:
	default: // it will look in any case
	}
}

// longestPause is the longest time between two attempts while the database is not available.
const longestPause = 5 * time.Second

// Run validates URLs until ctx ends, and then returns nil. While the database is not available it tries again, at least every
// five seconds.
func (v *Validator) Run(ctx context.Context) error {
	for pause := v.config.Poll; ; {
		taken, err := v.Drain(ctx)
		wake := v.wake
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			v.config.Report(err)
			pause = min(2*pause, max(longestPause, v.config.Poll))
			wake = nil // an answer would not help
		case taken == int(v.config.Batch):
			continue // there may be more
		default:
			pause = v.config.Poll
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Drain decides about one batch of the due URLs, in one transaction, and returns how many rows it has taken from consensus_due.
// What it validates is linked to a task, the same one for a minute. An error that concerns one URL is reported in a task of its own,
// and the URL tried again later. Drain must not be called while Run is running.
func (v *Validator) Drain(ctx context.Context) (taken int, err error) {
	after := v.position.begin(time.Now())
	due, err := queries.ConsensusDueExists(ctx, v.pool, after)
	if err != nil {
		return 0, fmt.Errorf("look for due URLs: %w", err)
	}
	if !due {
		return 0, nil
	}
	rows, task := db.ConsensusDueDeleteManyParams{After: after, Most: v.config.Batch}, v.task
	done, err := v.drain(ctx, v.pool, rows, func(ctx context.Context, tx pgx.Tx, done outcome) error {
		task = v.task // InTx may run this more than once
		return task.report(ctx, tx, done)
	})
	if err == nil {
		v.task = task
	}
	v.position.seen = max(v.position.seen, done.last)
	for _, failed := range done.failed {
		v.config.Report(failed)
	}
	return done.taken, err
}

// position is after which id a process reads consensus_due. While an export or another long transaction runs, the index keeps the
// entries of rows that were deleted, and reading them all each time would take longer and longer. So most reads begin at the id
// that was the greatest at least readAllEvery ago: a transaction may commit its row after rows with greater ids, and a row may be
// due later. All rows are read again every readAllEvery, for those that take longer than that.
type position struct {
	after, earlier, seen int64     // earlier is what seen was when all rows were read last
	readAll              time.Time // when all are read next
}

const readAllEvery = 10 * time.Second

// begin returns after which id the rows are read now.
func (p *position) begin(now time.Time) int64 {
	if now.Before(p.readAll) {
		return p.after
	}
	p.after, p.earlier, p.readAll = p.earlier, p.seen, now.Add(readAllEvery)
	return 0
}

// minute is a task of what a Validator has done within taskPeriod.
type minute struct {
	taskID int32
	end    time.Time
	sum    counts
}

// taskPeriod is the time whose validations are one task of the history, so that it does not consist of these.
const taskPeriod = time.Minute

// report adds an outcome to the task of this minute, or begins one. An outcome with errors is a task of its own.
func (m *minute) report(ctx context.Context, tx pgx.Tx, done outcome) error {
	switch {
	case !done.hasNews():
		return nil
	case len(done.failed) > 0:
		return reportFailed(ctx, tx, done)
	}
	if time.Now().Before(m.end) {
		sum := m.sum.and(done.counts())
		extended, err := tasks.Extend(ctx, tx, m.taskID, sum.String())
		if err != nil {
			return err
		}
		if extended {
			m.sum = sum
			return done.report(ctx, tx, m.taskID, false)
		}
	}
	taskID, err := tasks.Begin(ctx, tx, tasks.AutoValidate, JobName, nil)
	if err != nil {
		return err
	}
	*m = minute{taskID, time.Now().Add(taskPeriod), done.counts()}
	if err := done.report(ctx, tx, taskID, false); err != nil {
		return err
	}
	return tasks.Finish(ctx, tx, taskID, done.String())
}

func reportFailed(ctx context.Context, tx pgx.Tx, done outcome) error {
	taskID, err := tasks.Begin(ctx, tx, tasks.AutoValidate, JobName, nil)
	if err != nil {
		return err
	}
	if err := done.report(ctx, tx, taskID, false); err != nil {
		return err
	}
	var reasons []error
	for _, failed := range done.failed {
		reasons = append(reasons, failed)
	}
	return tasks.Fail(ctx, tx, taskID, errors.Join(reasons...).Error())
}

// lockTimeout is how long the transaction waits for a lock. Answers may wait for the locks that it holds meanwhile.
const lockTimeout = "500ms"

// drained is what became of due rows.
type drained struct {
	taken int   // rows
	last  int64 // the greatest id among them
	outcome
}

// drain takes due rows, validates, and calls report, in one transaction. URLs that failed are due again later.
func (d decider) drain(
	ctx context.Context, pool *postgres.Pool, rows db.ConsensusDueDeleteManyParams,
	report func(context.Context, pgx.Tx, outcome) error,
) (done drained, err error) {
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		due, err := queries.ConsensusDueDeleteMany(ctx, tx, rows)
		done = drained{taken: len(due)}
		if err != nil || len(due) == 0 {
			return err
		}
		done.last = due[len(due)-1].ID
		attempts := make(map[int32]int32, len(due))
		for _, row := range due {
			if !row.Validated {
				attempts[row.URLID] = max(attempts[row.URLID], row.Attempts)
			}
		}
		rule, err := CurrentRule(ctx, tx)
		if err != nil {
			return err
		}
		urlIDs, err := deciding(ctx, tx, rule, slices.Sorted(maps.Keys(attempts)))
		if err != nil || len(urlIDs) == 0 {
			return err
		}
		if err := queries.LockTimeoutSet(ctx, tx, lockTimeout); err != nil {
			return fmt.Errorf("set lock timeout: %w", err)
		}
		if done.outcome, err = d.validateEach(ctx, tx, rule, urlIDs); err != nil {
			return err
		}
		if err := done.postpone(ctx, tx, attempts); err != nil {
			return err
		}
		return report(ctx, tx, done.outcome)
	})
	if err != nil {
		return drained{}, fmt.Errorf("validate due URLs: %w", err)
	}
	return done, nil
}

const (
	// lockedPause is the number of seconds until a URL is tried again whose locks another transaction holds. Together with lockTimeout
	// and the time between two looks it is less than two seconds.
	lockedPause = 0.2
	// longestBackoff is the longest time, in seconds, between two attempts of a URL that fails.
	longestBackoff = 3600
)

// postpone makes URLs that are locked or failed due again, those that failed after a time that doubles with each attempt.
func (o outcome) postpone(ctx context.Context, tx pgx.Tx, attempts map[int32]int32) error {
	var later db.ConsensusDuePostponeManyParams
	add := func(urlID, attempts int32, seconds float64) {
		later.URLIDs = append(later.URLIDs, urlID)
		later.Attempts = append(later.Attempts, attempts)
		later.Seconds = append(later.Seconds, seconds)
	}
	for _, urlID := range o.locked {
		add(urlID, attempts[urlID], lockedPause)
	}
	for _, failed := range o.failed {
		n := attempts[failed.urlID] + 1
		add(failed.urlID, n, min(math.Exp2(float64(n)), longestBackoff))
	}
	if len(later.URLIDs) == 0 {
		return nil
	}
	if err := queries.ConsensusDuePostponeMany(ctx, tx, later); err != nil {
		return fmt.Errorf("postpone URLs: %w", err)
	}
	return nil
}
