package upkeep

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
)

// listTogether is how many rows one statement lists, or of how many URLs.
const listTogether = 5000

// inParts changes what next returns, in parts that each are a transaction, and returns how many rows were changed. Change returns that
// number for a part, and must be safe to repeat after a rollback.
func inParts[T any](
	ctx context.Context, s *Service, next func() (T, error), change func(tx pgx.Tx, part []T) (int64, error),
) (changed int64, err error) {
	parts := postgres.Parts[T]{
		Next: next,
		Store: func(tx pgx.Tx, part []T) (func() error, error) {
			n, err := change(tx, part)
			return func() error {
				changed += n
				return ctx.Err()
			}, err
		},
	}
	err = parts.Run(ctx, func(ctx context.Context, fn func(pgx.Tx) error) error { return postgres.InTx(ctx, s.pool, fn) })
	return changed, err
}

// one returns what list returns, one by one, and then io.EOF. List returns the next items, in order, and none at the end.
func one[T any](list func() ([]T, error)) func() (T, error) {
	var items []T
	return func() (item T, err error) {
		if len(items) == 0 {
			if items, err = list(); err != nil {
				return item, err
			}
		}
		if len(items) == 0 {
			return item, io.EOF
		}
		item, items = items[0], items[1:]
		return item, nil
	}
}

// ofURLs returns what list returns for all URLs, one by one, by id, and then io.EOF. List is called for ranges of ids, so that its
// statements end soon and its results fit into memory, whatever the number of URLs.
func ofURLs[T any](ctx context.Context, s *Service, list func(after, upto int32) ([]T, error)) func() (T, error) {
	after := int32(0)
	return one(func() ([]T, error) {
		for {
			upto, err := queries.URLRangeGet(ctx, s.pool, db.URLRangeGetParams{After: after, Most: listTogether})
			if err != nil {
				return nil, fmt.Errorf("read URL ids: %w", err)
			}
			if upto == 0 {
				return nil, nil
			}
			items, err := list(after, upto)
			if after = upto; err != nil || len(items) > 0 {
				return items, err
			}
		}
	})
}

// ofIDs returns the ids that list returns, one by one, and then io.EOF. List returns those after an id.
func ofIDs(list func(after int32) ([]int32, error)) func() (int32, error) {
	after := int32(0)
	return one(func() ([]int32, error) {
		ids, err := list(after)
		if len(ids) > 0 {
			after = ids[len(ids)-1]
		}
		return ids, err
	})
}
