package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrLockLost is why the context of work under TryHold ends when the connection that holds its lock has broken.
var ErrLockLost = errors.New("the connection that held the lock has broken")

const (
	// holdCheck is the time between two checks of the connection that holds a lock.
	holdCheck = 3 * time.Second
	// holdTimeout bounds one check.
	holdTimeout = 10 * time.Second
)

// TryHold runs fn while it holds the advisory lock of the key. If another session holds it, TryHold returns false at once. The
// context of fn ends, with the cause ErrLockLost, when the connection that holds the lock breaks.
//
// The lock belongs to a transaction that does nothing else, so that it also works through a proxy that shares sessions among
// clients (PgBouncer's transaction mode). Between two checks the transaction has neither a snapshot nor an id: PostgreSQL can
// remove the old versions of rows meanwhile, and builds of indexes do not wait for it.
func TryHold(ctx context.Context, pool *Pool, key string, fn func(context.Context) error) (held bool, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly})
	if err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	if held, err = TryLock(ctx, tx, key); err != nil || !held {
		return false, err
	}
	// Without arguments, pgx uses the simple protocol. In the other one a statement keeps its snapshot until the next one.
	if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return false, fmt.Errorf("disable idle timeout: %w", err)
	}
	working, lose := context.WithCancelCause(ctx)
	checking, stop := context.WithCancel(context.WithoutCancel(ctx))
	checked := make(chan struct{})
	go func() {
		defer close(checked)
		if err := keepChecking(checking, tx); err != nil {
			lose(fmt.Errorf("%w: %w", ErrLockLost, err))
		}
	}()
	defer func() {
		stop()
		<-checked // before the rollback, which uses the same connection
		lose(nil)
	}()
	return true, fn(working)
}

// Hold is TryHold, but waits until no other session holds the lock, as long as ctx allows.
func Hold(ctx context.Context, pool *Pool, key string, fn func(context.Context) error) error {
	for {
		held, err := TryHold(ctx, pool, key, fn)
		if held || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the lock %q: %w", key, ctx.Err())
		case <-time.After(sessionLockPause):
		}
	}
}

// keepChecking returns the error of the connection; nil when ctx ends first.
func keepChecking(ctx context.Context, tx pgx.Tx) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(holdCheck):
		}
		// Not cancelled by ctx: that would close the connection.
		checking, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdTimeout)
		_, err := tx.Exec(checking, "SELECT")
		cancel()
		if err != nil {
			return err
		}
	}
}

// CreateSchema creates a schema if there is none of this name.
func CreateSchema(ctx context.Context, pool *Pool, name string) error {
	if _, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("create schema %s: %w", name, err)
	}
	return nil
}
