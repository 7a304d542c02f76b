package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	attempts        = 4
	retryPause      = 10 * time.Millisecond
	rollbackTimeout = 5 * time.Second
)

// InTx runs fn in a transaction and commits it, or rolls it back when fn fails or panics. When PostgreSQL chose
// the transaction as the victim of a deadlock or a serialization conflict, it runs again, a few times at most:
// fn must do nothing outside the transaction that it may not do twice. A single statement needs no InTx, only Retry.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	return Translate(Retry(ctx, func() error { return runTx(ctx, pool, pgx.TxOptions{}, fn) }))
}

// Retry runs fn, one statement or one transaction, again when PostgreSQL chose it as the victim of a deadlock or a serialization
// conflict, a few times at most. The error is fn's last.
func Retry(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		err := fn()
		if attempt == attempts || !isConflict(err) {
			return err
		}
		// The other side of the conflict is at work now; a random pause keeps the two from meeting again.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * retryPause * time.Duration(50+rand.IntN(100)) / 100):
		}
	}
}

// InSnapshot runs fn in a transaction that only reads, and that sees the database as it was at its first statement, however long
// it lasts and whatever others commit meanwhile. fn runs once.
func InSnapshot(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	return Translate(runTx(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn))
}

func isConflict(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == serializationFailure || pgErr.Code == deadlockDetected)
}

func runTx(ctx context.Context, pool *pgxpool.Pool, options pgx.TxOptions, fn func(pgx.Tx) error) error {
	tx, err := pool.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		// A caller that gave up between two statements must not cost the pool a connection: pgx drops the one
		// whose rollback it could not send. After a commit this does nothing.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
