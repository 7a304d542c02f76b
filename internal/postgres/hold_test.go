package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTryHold(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8})
	failure := errors.New("failure")
	held, err := TryHold(t.Context(), pool, "work", func(ctx context.Context) error {
		require.True(t, locked(t, pool))
		again, err := TryHold(ctx, pool, "work", func(context.Context) error { return errors.New("it ran") })
		require.NoError(t, err)
		require.False(t, again)
		other, err := TryHold(ctx, pool, "other work", func(context.Context) error { return nil })
		require.NoError(t, err)
		require.True(t, other)
		return failure
	})
	require.True(t, held)
	require.ErrorIs(t, err, failure)
	require.False(t, locked(t, pool))
}

// TestTryHoldKeepsNothing shows that the transaction which holds the lock keeps no old row versions and survives the limit of idle
// ones.
func TestTryHoldKeepsNothing(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8, Served: true})
	_, err := TryHold(t.Context(), pool, "work", func(ctx context.Context) error {
		var horizon, limit string
		require.NoError(t, pool.QueryRow(ctx, `SELECT coalesce(backend_xid::text, backend_xmin::text, 'none') FROM pg_stat_activity
			WHERE state = 'idle in transaction' AND datname = current_database()`).Scan(&horizon))
		require.Equal(t, "none", horizon)
		require.NoError(t, pool.QueryRow(ctx, "SHOW idle_in_transaction_session_timeout").Scan(&limit))
		require.Equal(t, "10s", limit, "that of other transactions")
		return nil
	})
	require.NoError(t, err)
}

func TestTryHoldNoticesALostLock(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8})
	held, err := TryHold(t.Context(), pool, "work", func(ctx context.Context) error {
		_, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE state = 'idle in transaction' AND datname = current_database()`)
		require.NoError(t, err)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	require.True(t, held)
	require.ErrorIs(t, err, ErrLockLost)
}

func TestHoldWaits(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 8})
	require.NoError(t, Hold(t.Context(), pool, "work", func(ctx context.Context) error {
		waiting, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		require.Error(t, Hold(waiting, pool, "work", func(context.Context) error { return nil }))
		return nil
	}))
	require.NoError(t, Hold(t.Context(), pool, "work", func(context.Context) error { return nil }), "it is free again")
}
