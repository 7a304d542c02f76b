// Package follows owns which locations users follow: annotators are offered the URLs of the batches that are linked to these
// locations first. It is the only writer of follows, which come from the data-sources application. It does not decide the
// order of URLs: package ranking does.
package follows

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

var queries = db.New()

// Follow is one location that a user follows.
type Follow struct {
	UserID     int32
	LocationID int32
}

// Result counts follows. One that was given several times counts once.
type Result struct {
	Added     int64
	Removed   int64
	Unchanged int64 // given, and stored before
}

// Service stores follows. It is safe for concurrent use.
type Service struct {
	pool *postgres.Pool
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool) *Service { return &Service{pool: pool} }

// Replace stores the given follows and deletes all others, and updates the order of URLs. The error is an *unknown.Error
// for locations that do not exist; nothing is stored then.
func (s *Service) Replace(ctx context.Context, given []Follow) (Result, error) {
	result, err := idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (Result, error) { return Store(ctx, tx, given, true) })
	if err != nil {
		return Result{}, fmt.Errorf("replace follows: %w", err)
	}
	return result, nil
}

// Store stores follows in a transaction of the caller, which must hold no locks. With replace it deletes all others. Errors and
// locks are those of Replace and ranking.ChangeFollows.
func Store(ctx context.Context, tx pgx.Tx, given []Follow, replace bool) (result Result, err error) {
	err = ranking.ChangeFollows(ctx, tx, func() ([]int32, error) {
		result, err = store(ctx, tx, given, replace)
		return nil, err
	})
	return result, err
}

func store(ctx context.Context, tx pgx.Tx, given []Follow, replace bool) (Result, error) {
	given = distinct(given)
	if err := RequireLocations(ctx, tx, convert.Each(given, func(f Follow) int64 { return int64(f.LocationID) })); err != nil {
		return Result{}, err
	}
	row, err := queries.FollowStoreMany(ctx, tx, db.FollowStoreManyParams{
		UserIds:     convert.Each(given, func(f Follow) int32 { return f.UserID }),
		LocationIDs: convert.Each(given, func(f Follow) int32 { return f.LocationID }),
		Replace:     replace,
	})
	if err != nil {
		return Result{}, fmt.Errorf("store follows: %w", err)
	}
	return Result{Added: row.Stored, Removed: row.Deleted, Unchanged: int64(len(given)) - row.Stored}, nil
}

// distinct returns the follows without repetitions.
func distinct(given []Follow) []Follow {
	seen := make(map[Follow]bool, len(given))
	kept := make([]Follow, 0, len(given))
	for _, follow := range given {
		if !seen[follow] {
			seen[follow] = true
			kept = append(kept, follow)
		}
	}
	return kept
}

// RequireLocations locks locations against deletion until the end of the transaction, by id. The error is an *unknown.Error if
// some do not exist.
func RequireLocations(ctx context.Context, tx pgx.Tx, ids []int64) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	known, err := queries.LocationLockMany(ctx, tx, ids)
	if err != nil {
		return fmt.Errorf("lock locations: %w", err)
	}
	if len(known) == len(ids) {
		return nil
	}
	missing := slices.DeleteFunc(ids, func(id int64) bool {
		_, found := slices.BinarySearch(known, id)
		return found
	})
	return unknown.New(unknown.Location, missing...)
}
