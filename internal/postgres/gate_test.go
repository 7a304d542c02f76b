package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func TestGateLeavesConnectionsToReaders(t *testing.T) {
	t.Parallel()
	for conns, writers := range map[int32]int{1: 1, 2: 1, 3: 1, 4: 2, 8: 5, 10: 7, 16: 10, 100: 63} {
		require.Equal(t, writers, cap(newGate(conns).slots), conns)
	}
}

// Twenty writers of every kind wait for one row lock, and readers of every kind are answered meanwhile.
func TestWaitingWritersDoNotBlockReaders(t *testing.T) {
	t.Parallel()
	for _, conns := range []int32{2, 3, 8} {
		t.Run(fmt.Sprintf("%d connections", conns), func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t)
			pool, err := Open(t.Context(), PoolConfig{URL: url, MaxConns: conns})
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			_, err = pool.Exec(t.Context(), "CREATE TABLE hot (n int); INSERT INTO hot VALUES (0)")
			require.NoError(t, err)
			outside, err := pgx.Connect(t.Context(), url)
			require.NoError(t, err)
			defer outside.Close(context.Background())
			holder, err := outside.Begin(t.Context())
			require.NoError(t, err)
			_, err = holder.Exec(t.Context(), "SELECT pg_advisory_xact_lock(hashtextextended('hot', 0)) FROM hot FOR UPDATE")
			require.NoError(t, err)

			const update = "UPDATE hot SET n = n + 1 RETURNING n"
			var n int
			kinds := []func(ctx context.Context) error{
				func(ctx context.Context) error { _, err := pool.Exec(ctx, update); return err },
				func(ctx context.Context) error { var n int; return pool.QueryRow(ctx, update).Scan(&n) },
				func(ctx context.Context) error {
					rows, err := pool.Query(ctx, update)
					if err == nil {
						_, err = pgx.CollectRows(rows, pgx.RowTo[int])
					}
					return err
				},
				func(ctx context.Context) error {
					return InTx(ctx, pool, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, update); return err })
				},
				func(ctx context.Context) error { _, err := WithLock(pool, "hot").Exec(ctx, update); return err },
				func(ctx context.Context) error {
					conn, err := pool.AcquireWriter(ctx)
					if err != nil {
						return err
					}
					defer conn.Release()
					_, err = conn.Exec(ctx, update)
					return err
				},
			}
			var group errgroup.Group
			const each = 4
			for range each {
				for _, write := range kinds {
					group.Go(func() error { return write(t.Context()) })
				}
			}
			waiting(t, url, cap(pool.gate.slots))

			require.NoError(t, pool.QueryRow(t.Context(), "SELECT n FROM hot").Scan(&n))
			require.Zero(t, n)
			require.NoError(t, WithOwnPlan(pool).QueryRow(t.Context(), "SELECT n FROM hot").Scan(&n))
			require.NoError(t, InSnapshot(t.Context(), pool, func(tx pgx.Tx) error {
				return tx.QueryRow(t.Context(), "SELECT n FROM hot").Scan(&n)
			}))
			conn, err := pool.Acquire(t.Context())
			require.NoError(t, err)
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT n FROM hot").Scan(&n))
			conn.Release()

			require.NoError(t, holder.Rollback(t.Context()))
			require.NoError(t, group.Wait())
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT n FROM hot").Scan(&n))
			require.Equal(t, each*len(kinds), n)
			require.Empty(t, pool.gate.slots)
			require.Zero(t, pool.Stat().AcquiredConns())
		})
	}
}

func TestGateIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	g := newGate(1)
	require.NoError(t, g.enter(t.Context()))
	const writers = 10
	passed := make(chan int, writers)
	var arrived atomic.Int32
	for i := range writers {
		ctx := context.WithValue(t.Context(), t, i)
		go func() {
			arrived.Add(1)
			if g.enter(ctx) == nil {
				passed <- i
			}
		}()
		require.Eventually(t, func() bool { return int(arrived.Load()) == i+1 }, time.Minute, time.Millisecond)
		time.Sleep(20 * time.Millisecond) // until it waits in the channel
	}
	for i := range writers {
		g.leave()
		require.Equal(t, i, <-passed)
	}
}

// A pool whose connections are in use fails with ErrBusy, whatever ended the wait, except a client that left.
func TestWaitForAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 2})
	writer, err := pool.AcquireWriter(t.Context())
	require.NoError(t, err)
	defer writer.Release()
	reader, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer reader.Release()
	pool.wait = time.Millisecond
	_, err = pool.Exec(t.Context(), "CREATE TABLE busy ()")
	require.ErrorIs(t, err, ErrBusy, "another writer holds the only connection of writers")
	require.NotErrorIs(t, err, context.DeadlineExceeded, "no statement was slow")

	acquire := func(acquire func(context.Context) (*Conn, error)) func(context.Context) error {
		return func(ctx context.Context) error {
			conn, err := acquire(ctx)
			if err == nil {
				conn.Release()
			}
			return err
		}
	}
	calls := map[string]func(context.Context) error{
		"Exec": func(ctx context.Context) error { _, err := pool.Exec(ctx, "SELECT 1"); return err },
		"Query": func(ctx context.Context) error {
			rows, err := pool.Query(ctx, "SELECT 1")
			if err == nil {
				rows.Close()
			}
			return err
		},
		"QueryRow":      func(ctx context.Context) error { var n int; return pool.QueryRow(ctx, "SELECT 1").Scan(&n) },
		"WithOwnPlan":   func(ctx context.Context) error { _, err := WithOwnPlan(pool).Exec(ctx, "SELECT 1"); return err },
		"Acquire":       acquire(pool.Acquire),
		"AcquireWriter": acquire(pool.AcquireWriter),
		"InTx":          func(ctx context.Context) error { return InTx(ctx, pool, func(pgx.Tx) error { return nil }) },
		"InSnapshot":    func(ctx context.Context) error { return InSnapshot(ctx, pool, func(pgx.Tx) error { return nil }) },
	}
	for name, call := range calls {
		require.ErrorIs(t, call(t.Context()), ErrBusy, name)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, call(canceled), context.Canceled, name)
		late, cancel := context.WithDeadline(t.Context(), time.Now())
		require.ErrorIs(t, call(late), ErrBusy, name)
		cancel()
	}
	writer.Release()
	writer.Release()
	reader.Release()
	pool.wait = time.Minute
	require.Equal(t, time.Hour, newPool(t, PoolConfig{WaitTimeout: time.Hour}).WithRules().wait)
	for name, call := range calls {
		require.NoError(t, call(t.Context()), name)
	}
	require.Empty(t, pool.gate.slots)
}

func TestReadConnRefusesWriters(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 2})
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	const write = "CREATE TABLE never ()"
	_, err = conn.Exec(t.Context(), write)
	require.ErrorIs(t, err, errReadConn)
	_, err = conn.Query(t.Context(), write)
	require.ErrorIs(t, err, errReadConn)
	require.ErrorIs(t, conn.QueryRow(t.Context(), write).Scan(), errReadConn)
	require.ErrorIs(t, Pipeline(t.Context(), conn, []Step{{SQL: write}}), errReadConn)
	_, err = WithLock(conn, "k").Exec(t.Context(), "SELECT 1")
	require.ErrorIs(t, err, errReadConn)
	require.ErrorIs(t, WithLock(conn, "k").QueryRow(t.Context(), "SELECT 1").Scan(), errReadConn)
	var there bool
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_regclass('never') IS NOT NULL").Scan(&there))
	require.False(t, there)
}

// The wait for a row, and for an advisory lock, ends at the lock timeout, and nothing is stored.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	pool, err := Open(t.Context(), PoolConfig{URL: url, MaxConns: 4, LockTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "CREATE TABLE hot (n int); INSERT INTO hot VALUES (0)")
	require.NoError(t, err)
	require.NoError(t, InTx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock(hashtextextended('k', 0)) FROM hot FOR UPDATE")
		require.NoError(t, err)
		for name, err := range map[string]error{
			"row": InTx(t.Context(), pool, func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), "UPDATE hot SET n = 1"); return err }),
			"advisory lock": func() error {
				_, err := WithLock(pool, "k").Exec(t.Context(), "INSERT INTO hot VALUES (1)")
				return err
			}(),
		} {
			pgErr, ok := errors.AsType[*pgconn.PgError](err)
			require.True(t, ok, name)
			require.Equal(t, "55P03", pgErr.Code, name)
		}
		return nil
	}))
	var sum int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT sum(n) FROM hot").Scan(&sum))
	require.Zero(t, sum)
}
