package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	attempts        = 4
	retryPause      = 10 * time.Millisecond
	rollbackTimeout = 5 * time.Second
)

// InTx runs fn in a transaction and commits it, or rolls it back when fn fails or panics. It translates fn's error. After a
// deadlock or a serialization failure it runs fn again, a few times at most: what fn does outside the transaction must be
// safe to repeat. A single statement needs no InTx, only Retry.
func InTx(ctx context.Context, pool *Pool, fn func(pgx.Tx) error) error {
	return pool.rules.translate(Retry(ctx, func() error { return pool.runTx(ctx, pgx.TxOptions{}, fn) }))
}

// Retry runs fn, one statement or one transaction, and again after a deadlock or a serialization failure, a few times at
// most. It returns the error of the last run.
func Retry(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		err := fn()
		if attempt == attempts || !isConflict(err) {
			return err
		}
		// The other transaction of the conflict continues now. The pause is random, so that two that retry do not collide again.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * retryPause * time.Duration(50+rand.IntN(100)) / 100):
		}
	}
}

var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// InSnapshot runs fn in a read-only transaction with one snapshot, that of its first statement. It translates fn's error. fn
// runs once.
func InSnapshot(ctx context.Context, pool *Pool, fn func(pgx.Tx) error) error {
	return pool.rules.translate(pool.runTx(ctx, snapshot, unhurried(ctx, fn)))
}

// unhurried returns fn for a transaction that may pause for long, as when a client reads slowly. It must lock no rows.
func unhurried(ctx context.Context, fn func(pgx.Tx) error) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
			return fmt.Errorf("disable idle timeout: %w", err)
		}
		return fn(tx)
	}
}

func isConflict(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == serializationFailure || pgErr.Code == deadlockDetected)
}

// runTx returns nil if the transaction is committed, also when the connection broke before the server could say so.
func (p *Pool) runTx(ctx context.Context, options pgx.TxOptions, fn func(pgx.Tx) error) error {
	conn, err := p.acquire(ctx, options.AccessMode != pgx.ReadOnly)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	unknown, err := func() (txID, error) {
		defer conn.Release() // before lookUp, which needs a connection
		return conn.runTx(ctx, options, fn)
	}()
	return p.lookUp(ctx, unknown, err)
}

// runTx returns the id of the transaction with the error of a commit whose outcome is unknown.
func (c *Conn) runTx(ctx context.Context, options pgx.TxOptions, fn func(pgx.Tx) error) (unknown txID, err error) {
	tx, id, err := c.begin(ctx, options)
	if err != nil {
		return txID{}, fmt.Errorf("begin: %w", err)
	}
	defer func() {
		// A caller that gave up between two statements must not cost the pool a connection: pgx closes a connection
		// when it could not send the rollback. After a commit this does nothing.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	if err := fn(tx); err != nil {
		return txID{}, err
	}
	if err := ctx.Err(); err != nil {
		return txID{}, fmt.Errorf("commit: %w", err) // pgx would close the connection
	}
	if err := tx.Commit(ctx); err != nil {
		if outcomeUnknown(err) {
			unknown = id
		}
		return unknown, fmt.Errorf("commit: %w", err)
	}
	return txID{}, nil
}

// begin begins a transaction and returns its id, which a read-only one has not. Both take one round trip.
func (c *Conn) begin(ctx context.Context, options pgx.TxOptions) (_ pgx.Tx, id txID, err error) {
	readOnly := options.AccessMode == pgx.ReadOnly
	if readOnly && c.pool.pooler == nil {
		tx, err := c.BeginTx(ctx, options)
		return tx, id, err
	}
	if !readOnly && c.gate == nil {
		return nil, id, errReadConn
	}
	var batch pgx.Batch
	batch.BeginTx(options)
	c.pool.pooler.queue(&batch)
	if !readOnly {
		batch.Queue(currentTxID).QueryRow(func(row pgx.Row) error { return row.Scan(&id.xid, &id.server) })
	}
	results := c.poolConn.SendBatch(ctx, &batch)
	tx := results.Tx()
	if err := results.Close(); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx)
		return nil, txID{}, err
	}
	return tx, id, nil
}
