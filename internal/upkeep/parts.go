package upkeep

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"

	"docket/internal/postgres"
)

// listTogether is how many rows one statement lists, or of how many URLs.
const listTogether = 5000

// inParts changes what next returns, in parts that each are a transaction, and returns how many rows were changed. Change returns
// that number for a part, and must be safe to repeat after a rollback.
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

// ofIDs returns the ids that list returns, one by one, and then io.EOF. List returns the next ids after an id, and none at the
// end.
func ofIDs(list func(after int32) ([]int32, error)) func() (int32, error) {
	var ids []int32
	last := int32(0)
	return func() (_ int32, err error) {
		if len(ids) == 0 {
			if ids, err = list(last); err != nil {
				return 0, err
			}
		}
		if len(ids) == 0 {
			return 0, io.EOF
		}
		last, ids = ids[0], ids[1:]
		return last, nil
	}
}
