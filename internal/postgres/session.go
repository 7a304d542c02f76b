package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// releaseTimeout bounds the wait for the release of a session lock.
	releaseTimeout = 5 * time.Second

	// sessionLockPause is the time between two attempts to take a session lock. A statement that waits for the lock would hold a
	// snapshot as long, and PostgreSQL could not remove the old versions of the rows that the holder of the lock updates again and
	// again: the work of the holder would take several times as long, and all other work would get slower with it.
	sessionLockPause = 200 * time.Millisecond
)

// InSession runs fn with one connection of the pool, which holds the advisory lock of the key until fn returns or the connection
// breaks. Work that runs on this connection only cannot continue without the lock. InSession waits for the lock as long as ctx
// allows, without a transaction, and calls waiting once, if it is not nil, when another session holds the lock.
//
// The lock belongs to a session of PostgreSQL: behind a pooler InSession fails with ErrPooler.
func InSession(ctx context.Context, pool *Pool, key string, waiting func(), fn func(*Conn) error) error {
	if pool.IsPooled() {
		return fmt.Errorf("take the lock %q: %w", key, ErrPooler)
	}
	conn, err := pool.AcquireWriter(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := conn.lock(ctx, key, waiting); err != nil {
		return fmt.Errorf("wait for the lock %q: %w", key, err)
	}
	defer conn.unlock(ctx, key)
	return fn(conn)
}

func (c *Conn) lock(ctx context.Context, key string, waiting func()) error {
	for {
		var locked bool
		err := c.poolConn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", key).Scan(&locked)
		if err != nil || locked {
			return err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sessionLockPause):
		}
	}
}

// unlock releases the lock of a session. A connection that could not release it is closed, which releases it: the next user of
// the pool must not get a connection with a lock.
func (c *Conn) unlock(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if _, err := c.poolConn.Exec(ctx, "SELECT pg_advisory_unlock(hashtextextended($1, 0))", key); err != nil {
		_ = c.Conn().Close(ctx)
	}
}

// InTx is the function InTx on this connection.
func (c *Conn) InTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return c.pool.rules.translate(Retry(ctx, func() error {
		unknown, err := c.runTx(ctx, pgx.TxOptions{}, fn)
		return c.pool.lookUp(ctx, unknown, err)
	}))
}

// InSnapshot is the function InSnapshot on this connection, for a fn that does not pause.
func (c *Conn) InSnapshot(ctx context.Context, fn func(pgx.Tx) error) error {
	_, err := c.runTx(ctx, snapshot, fn)
	return c.pool.rules.translate(err)
}
