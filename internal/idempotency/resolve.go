package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/postgres"
)

const (
	// resolveTimeout bounds the search for a result. The response to the request waits for it, after InTx has waited as well.
	resolveTimeout = 2 * time.Second
	resolvePause   = 20 * time.Millisecond
)

// resolve finds out whether a transaction was committed, of which InTx does not know it: it was if the result of the request is
// stored. This also holds when the server has crashed. While the transaction has not ended, it holds the lock of the key.
func resolve[T any](ctx context.Context, pool *postgres.Pool, request Request, cause error) (result T, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveTimeout)
	defer cancel()
	for {
		var found bool
		err := postgres.InTx(ctx, pool, func(tx pgx.Tx) (err error) {
			result, found, err = lookUp[T](ctx, tx, request)
			return err
		})
		switch {
		case err == nil && found:
			return result, nil
		case err == nil:
			return result, fmt.Errorf("%w: %w", ErrNotStored, cause)
		case errors.Is(err, ErrUnreadable), errors.Is(err, ErrOtherRequest):
			return result, err // the transaction was rolled back, and another request has used the key since
		}
		select {
		case <-ctx.Done():
			return result, fmt.Errorf("%w: %w: %v", ErrUnknown, cause, err)
		case <-time.After(resolvePause):
		}
	}
}
