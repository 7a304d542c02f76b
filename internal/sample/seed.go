package sample

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/db/sampledb"
	"docket/internal/imports"
	"docket/internal/postgres"
)

// ErrNotEmpty means that sample data was refused because the database contains data.
var ErrNotEmpty = errors.New("the database is not empty: sample data needs an empty one, " +
	"so use another database or remove the data first")

// maxURLs keeps every id of every table within an integer.
const maxURLs = 100_000_000

// Options say which sample data to make. The same URLs and Seed make the same rows on every machine.
type Options struct {
	URLs int
	Seed uint64
	// Progress, if not nil, is called after each page of URLs with the number of URLs written so far. They are not visible to
	// other transactions, and the transaction can still fail, until Seed returns.
	Progress func(done, total int64)
}

// Summary counts what Seed wrote.
type Summary struct {
	URLs       int
	Batches    int
	Agencies   int
	Locations  int
	Annotators int   // their user ids are 1 to this
	Rows       int64 // in all tables
}

// Seed fills an empty database with sample data in one transaction. Other writers wait meanwhile, and memory does not grow with
// the number of URLs. A database that contains data fails with ErrNotEmpty.
func Seed(ctx context.Context, pool *postgres.Pool, opts Options) (Summary, error) {
	if opts.URLs < 0 || opts.URLs > maxURLs {
		return Summary{}, fmt.Errorf("seed %d URLs: the number must be from 0 to %d", opts.URLs, maxURLs)
	}
	world := newWorld(opts.URLs, opts.Seed, imports.States)
	summary := Summary{
		URLs: opts.URLs, Batches: len(world.Batches), Agencies: len(world.Agencies), Locations: len(world.Locations),
		Annotators: world.Annotators,
	}
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) (err error) {
		summary.Rows, err = writeWorld(ctx, tx, world, opts)
		return err
	})
	if err != nil {
		return Summary{}, fmt.Errorf("seed: %w", err)
	}
	return summary, nil
}

func writeWorld(ctx context.Context, tx pgx.Tx, world *World, opts Options) (rows int64, err error) {
	if err := queries.SeedTargetLock(ctx, tx); err != nil {
		return 0, fmt.Errorf("lock tables against other writers: %w", err)
	}
	hasRows, err := queries.SeedTargetHasRows(ctx, tx)
	if err != nil {
		return 0, fmt.Errorf("look for data: %w", err)
	}
	if hasRows {
		return 0, ErrNotEmpty
	}
	if err := registerEnums(ctx, tx.Conn()); err != nil {
		return 0, err
	}
	if rows, err = copyAll(ctx, tx, world.copies()); err != nil {
		return 0, err
	}
	var done int64
	for page := range world.Pages() {
		n, err := copyAll(ctx, tx, page.copies())
		if err != nil {
			return 0, err
		}
		rows += n
		done += int64(len(page.URLs))
		if opts.Progress != nil {
			opts.Progress(done, int64(opts.URLs))
		}
	}
	if err := queries.SequencesAdvance(ctx, tx); err != nil {
		return 0, fmt.Errorf("advance sequences: %w", err)
	}
	// The planner needs statistics of what was copied before it reads all of it, and then of what is filled.
	if err := analyze(ctx, tx); err != nil {
		return 0, err
	}
	for _, fill := range []func(context.Context, sampledb.DBTX) error{
		queries.QueueFill, queries.UserDoneFill, queries.AnonymousDoneFill, queries.BatchProgressFill,
		queries.FollowedBatchesFill,
	} {
		if err := fill(ctx, tx); err != nil {
			return 0, fmt.Errorf("fill queue: %w", err)
		}
	}
	return rows, analyze(ctx, tx)
}

func analyze(ctx context.Context, tx pgx.Tx) error {
	if err := db.New().TablesAnalyze(ctx, tx); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}
