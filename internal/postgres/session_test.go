package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// locked reports whether any session holds an advisory lock in the database.
func locked(t *testing.T, pool *Pool) (held bool) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&held))
	return held
}

func TestInSession(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8})
	failure := errors.New("failure")
	err := InSession(t.Context(), pool, "work", nil, func(conn *Conn) error {
		require.True(t, locked(t, pool))
		require.NoError(t, conn.InTx(t.Context(), func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "CREATE TABLE made (n integer)")
			return err
		}))
		require.True(t, locked(t, pool), "after the transaction")
		return failure
	})
	require.ErrorIs(t, err, failure)
	require.False(t, locked(t, pool))
	var n int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM made").Scan(&n))
}

// TestInSessionWaits starts a second session with the same key, which runs after the first one, and has no snapshot meanwhile: its
// connection is idle. A session with another key does not wait.
func TestInSessionWaits(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8})
	done, waiting := make(chan error, 1), make(chan struct{})
	var ended atomic.Bool
	require.NoError(t, InSession(t.Context(), pool, "work", func() { t.Error("no session holds the lock") }, func(*Conn) error {
		go func() {
			done <- InSession(t.Context(), pool, "work", func() { close(waiting) }, func(*Conn) error {
				if !ended.Load() {
					return errors.New("the first session has not ended")
				}
				return nil
			})
		}()
		<-waiting
		require.Eventually(t, func() bool {
			return value(t, pool.Config().ConnString(), `SELECT count(*)::text FROM pg_stat_activity
				WHERE datname = current_database() AND query LIKE '%advisory_lock%' AND state = 'idle' AND pid <> pg_backend_pid()`) == "2"
		}, time.Minute, 5*time.Millisecond)
		require.NoError(t, InSession(t.Context(), pool, "other work", nil, func(*Conn) error { return nil }))
		ended.Store(true)
		return nil
	}))
	require.NoError(t, <-done)
}

// TestInSessionEndsWithItsConnection ends the server process of a session. What runs on the connection fails, the lock is free, and
// the pool does not hand the connection out again.
func TestInSessionEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8})
	err := InSession(t.Context(), pool, "work", nil, func(conn *Conn) error {
		_, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend($1, 60000)", conn.Conn().PgConn().PID())
		require.NoError(t, err)
		require.False(t, locked(t, pool))
		return conn.InTx(t.Context(), func(pgx.Tx) error { return nil })
	})
	require.Error(t, err)
	for range 4 {
		_, err := pool.Exec(t.Context(), "SELECT 1")
		require.NoError(t, err)
	}
}

// TestInSessionReleasesWhenCancelled cancels the work. The lock is released although the context has ended.
func TestInSessionReleasesWhenCancelled(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8})
	ctx, cancel := context.WithCancel(t.Context())
	err := InSession(ctx, pool, "work", nil, func(conn *Conn) error {
		cancel()
		return conn.InTx(ctx, func(pgx.Tx) error { return nil })
	})
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, locked(t, pool))
}
