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

// Validator validates URLs as soon as their votes make a fact: it decides about the URLs in consensus_due. Any number of processes may run
// one each.
type Validator struct {
	pool   *postgres.Pool
	config Config
	decider
	wake chan struct{}
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

// Wake has Run look for due URLs at once. It is called after the commit of an answer that made its URL due. It never blocks, and is safe
// for concurrent use. Without a running Run it does nothing.
func (v *Validator) Wake() {
	select {
	case v.wake <- struct{}{}:
	default: // it will look in any case
	}
}

// longestPause is the longest time between two attempts while the database is not available.
const longestPause = 5 * time.Second

// Run validates URLs until ctx ends, and then returns nil. While the database is not available it tries again, at least every five
// seconds.
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

// Drain decides about one batch of the due URLs, in one transaction, and returns how many rows it has taken from consensus_due. What it
// validates is linked to a task of its own. An error that concerns one URL is reported in the history, and the URL tried again later.
func (v *Validator) Drain(ctx context.Context) (taken int, err error) {
	due, err := queries.ConsensusDueExists(ctx, v.pool)
	if err != nil {
		return 0, fmt.Errorf("look for due URLs: %w", err)
	}
	if !due {
		return 0, nil
	}
	taken, done, err := v.drain(ctx, v.pool, v.config.Batch, func(ctx context.Context, tx pgx.Tx, done outcome) error {
		return reportAlone(ctx, tx, done)
	})
	for _, failed := range done.failed {
		v.config.Report(fmt.Errorf("validate URL %d: %w", failed.urlID, failed.err))
	}
	return taken, err
}

// reportAlone stores a task that has only done what the outcome says.
func reportAlone(ctx context.Context, tx pgx.Tx, done outcome) error {
	if !done.hasNews() {
		return nil
	}
	taskID, err := tasks.Begin(ctx, tx, tasks.AutoValidate, JobName, nil)
	if err != nil {
		return err
	}
	if err := done.report(ctx, tx, taskID, false); err != nil {
		return err
	}
	if len(done.failed) == 0 {
		return tasks.Finish(ctx, tx, taskID, done.String())
	}
	var reasons []error
	for _, failed := range done.failed {
		reasons = append(reasons, fmt.Errorf("validate URL %d: %w", failed.urlID, failed.err))
	}
	return tasks.Fail(ctx, tx, taskID, errors.Join(reasons...).Error())
}

// lockTimeout is how long the transaction waits for a lock. Answers may wait for the locks that it holds meanwhile.
const lockTimeout = "500ms"

// drain takes up to a number of due rows, validates, and calls report, in one transaction. URLs that failed are due again later.
func (d decider) drain(
	ctx context.Context, pool *postgres.Pool, most int32, report func(context.Context, pgx.Tx, outcome) error,
) (taken int, done outcome, err error) {
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		due, err := queries.ConsensusDueDeleteMany(ctx, tx, most)
		taken, done = len(due), outcome{}
		if err != nil || taken == 0 {
			return err
		}
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
		if done, err = d.validateEach(ctx, tx, rule, urlIDs); err != nil {
			return err
		}
		if err := done.postpone(ctx, tx, attempts); err != nil {
			return err
		}
		return report(ctx, tx, done)
	})
	if err != nil {
		return 0, outcome{}, fmt.Errorf("validate due URLs: %w", err)
	}
	return taken, done, nil
}

const (
	// lockedPause is the number of seconds until a URL is tried again whose locks another transaction holds.
	lockedPause = 1
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
