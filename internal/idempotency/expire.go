package idempotency

import (
	"context"
	"fmt"

	"docket/internal/postgres"
)

// expireTogether is how many keys one statement of DeleteExpired deletes.
const expireTogether = 1000

// DeleteExpired deletes all expired keys, in parts, and returns their number, even with an error. Requests that carry keys delete
// expired ones as well, a few each: without DeleteExpired the keys of the last requests would stay until the next ones.
func DeleteExpired(ctx context.Context, pool *postgres.Pool) (deleted int64, err error) {
	for {
		var n int64
		err := postgres.Retry(ctx, func() (err error) {
			n, err = queries.IdempotencyKeyDeleteManyExpired(ctx, pool, expireTogether)
			return err
		})
		if err != nil {
			return deleted, fmt.Errorf("delete expired idempotency keys: %w", err)
		}
		if deleted += n; n < expireTogether {
			return deleted, nil
		}
	}
}
