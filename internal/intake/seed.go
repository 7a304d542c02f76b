package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/db/bulk"
	"docket/internal/intake/sample"
	"docket/internal/postgres"
)

// ErrNotEmpty means that sample data was refused because the database holds data already.
var ErrNotEmpty = errors.New("the database is not empty: sample data goes into an empty one only, " +
	"so use another database or remove the data first")

// maxSeedURLs keeps every id of every table within an integer.
const maxSeedURLs = 100_000_000

// SeedOptions say which sample data to make. The same URLs and Seed make the same rows, wherever they are made.
type SeedOptions struct {
	URLs int
	Seed uint64
	// Progress, if set, is called after each page of URLs with the number of those written so far. They stay
	// invisible to others, and can still fail, until Seed returns.
	Progress func(done, total int64)
}

// SeedSummary counts what Seed wrote.
type SeedSummary struct {
	URLs       int
	Batches    int
	Agencies   int
	Locations  int
	Annotators int   // their user ids are 1 to this
	Rows       int64 // in all tables
}

// Seed fills an empty database with sample data, all of it or, on an error, none. It keeps other writers out
// meanwhile, and memory does not grow with the number of URLs. A database with data fails with ErrNotEmpty.
func Seed(ctx context.Context, pool *pgxpool.Pool, opts SeedOptions) (SeedSummary, error) {
	if opts.URLs < 0 || opts.URLs > maxSeedURLs {
		return SeedSummary{}, fmt.Errorf("seed %d URLs: the number must be from 0 to %d", opts.URLs, maxSeedURLs)
	}
	states := make([]sample.State, len(usStates))
	for i, state := range usStates {
		states[i] = sample.State{Name: state.name, ISO: state.iso, FIPS: state.fips}
	}
	world := sample.New(opts.URLs, opts.Seed, states)
	summary := SeedSummary{
		URLs: opts.URLs, Batches: len(world.Batches), Agencies: len(world.Agencies), Locations: len(world.Locations),
		Annotators: world.Annotators,
	}
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) (err error) {
		summary.Rows, err = writeWorld(ctx, tx, world, opts)
		return err
	})
	if err != nil {
		return SeedSummary{}, fmt.Errorf("seed: %w", err)
	}
	return summary, nil
}

func writeWorld(ctx context.Context, tx pgx.Tx, world *sample.World, opts SeedOptions) (rows int64, err error) {
	queries := bulk.New()
	if err := queries.SeedTargetLock(ctx, tx); err != nil {
		return 0, fmt.Errorf("keep other writers out: %w", err)
	}
	hasRows, err := queries.SeedTargetHasRows(ctx, tx)
	if err != nil {
		return 0, fmt.Errorf("look for data: %w", err)
	}
	if hasRows {
		return 0, ErrNotEmpty
	}

	w, err := newSeedWriter(ctx, tx, queries)
	if err != nil {
		return 0, err
	}
	w.places(world)
	w.batches(world)
	var done int64
	for page := range world.Pages() {
		w.urls(page)
		w.robots(page)
		w.users(page)
		w.anonymous(page)
		w.outcomes(page)
		if w.err != nil {
			break
		}
		done += int64(len(page.URLs))
		if opts.Progress != nil {
			opts.Progress(done, int64(opts.URLs))
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	if err := queries.SequencesAdvance(ctx, tx); err != nil {
		return 0, fmt.Errorf("advance sequences: %w", err)
	}
	for _, fill := range []func(context.Context, bulk.DBTX) error{
		// The planner has to know what is there before it reads it all.
		queries.IntakeAnalyze, queries.QueueFill, queries.UserDoneFill, queries.AnonymousDoneFill, queries.BatchProgressFill,
	} {
		if err := fill(ctx, tx); err != nil {
			return 0, fmt.Errorf("fill queue: %w", err)
		}
	}
	if err := analyze(ctx, tx); err != nil {
		return 0, err
	}
	return w.rows, nil
}
