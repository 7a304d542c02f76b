package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const insertFirst = "INSERT INTO vote (who) SELECT $1 WHERE NOT EXISTS (SELECT FROM vote) RETURNING who"

// lockPool has an empty table vote.
func lockPool(t *testing.T, maxConns int32) *Pool {
	t.Helper()
	pool := newPool(t, PoolConfig{MaxConns: maxConns})
	_, err := pool.Exec(t.Context(), `CREATE TABLE vote (who text CONSTRAINT vote_who_check CHECK (who <> 'nobody'),
		twin text CONSTRAINT vote_twin_key UNIQUE DEFERRABLE INITIALLY DEFERRED)`)
	require.NoError(t, err)
	return pool
}

// The statements of all callers are sent before the first of them can run. Each must see what the statement before it
// committed.
func TestWithLockTakesTheSnapshotUnderTheLock(t *testing.T) {
	t.Parallel()
	pool := lockPool(t, 12)
	const callers = 6
	gate, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer gate.Rollback(context.Background()) // when the test fails before the commit
	_, err = gate.Exec(t.Context(), "SELECT pg_advisory_xact_lock(hashtextextended('session 7', 0))")
	require.NoError(t, err)
	var group errgroup.Group
	inserted := make(chan int64, callers)
	for range callers {
		group.Go(func() error {
			tag, err := WithLock(pool, "session 7").Exec(t.Context(), insertFirst, "me")
			inserted <- tag.RowsAffected()
			return err
		})
	}
	waiting(t, pool.Config().ConnString(), callers)

	// A statement with another key does not wait.
	var n int
	require.NoError(t, WithLock(pool, "session 8").QueryRow(t.Context(), "SELECT count(*) FROM vote").Scan(&n))
	require.Zero(t, n)

	require.NoError(t, gate.Commit(t.Context()))
	require.NoError(t, group.Wait())
	close(inserted)
	var total int64
	for rows := range inserted {
		total += rows
	}
	require.Equal(t, int64(1), total)
}

func TestWithLockIsOneTransaction(t *testing.T) {
	t.Parallel()
	pool := lockPool(t, 1)
	var held bool
	err := WithLock(pool, "k").QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks
		WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted)`).Scan(&held)
	require.NoError(t, err)
	require.True(t, held, "the statement runs while the lock is held")
	err = pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks
		WHERE locktype = 'advisory' AND pid = pg_backend_pid())`).Scan(&held)
	require.NoError(t, err)
	require.False(t, held, "the lock is released at its end")
}

// After every outcome the only connection is back in the pool.
func TestWithLockReleasesItsConnection(t *testing.T) {
	t.Parallel()
	pool := lockPool(t, 1)
	locked := WithLock(pool, "k")
	var name string
	violation := func(constraint string) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			var pgErr *pgconn.PgError
			require.ErrorAs(t, err, &pgErr)
			require.Equal(t, constraint, pgErr.ConstraintName)
		}
	}
	noError := func(t *testing.T, err error) { require.NoError(t, err) }
	const twins = "INSERT INTO vote (twin) VALUES ('a'), ('a') RETURNING 'done'"
	for _, tt := range []struct {
		name string
		call func(context.Context) error
		want func(*testing.T, error)
	}{
		{"exec", func(ctx context.Context) error {
			tag, err := locked.Exec(ctx, "INSERT INTO vote VALUES ('a'), ('b')")
			require.Equal(t, int64(2), tag.RowsAffected())
			return err
		}, noError},
		{"exec that fails", func(ctx context.Context) error {
			_, err := locked.Exec(ctx, "INSERT INTO vote VALUES ('nobody')")
			return err
		}, violation("vote_who_check")},
		{"exec that fails at commit", func(ctx context.Context) error {
			_, err := locked.Exec(ctx, twins)
			return err
		}, violation("vote_twin_key")},
		{"row", func(ctx context.Context) error {
			return locked.QueryRow(ctx, "SELECT 'x'").Scan(&name)
		}, noError},
		{"no row", func(ctx context.Context) error {
			return locked.QueryRow(ctx, "SELECT 'x' WHERE false").Scan(&name)
		}, func(t *testing.T, err error) { require.Equal(t, pgx.ErrNoRows, err) }},
		{"row that does not scan", func(ctx context.Context) error {
			var n int
			return locked.QueryRow(ctx, "SELECT 'x'").Scan(&n)
		}, func(t *testing.T, err error) { require.ErrorContains(t, err, "cannot scan") }},
		{"row that fails", func(ctx context.Context) error {
			return locked.QueryRow(ctx, "INSERT INTO vote VALUES ('nobody') RETURNING who").Scan(&name)
		}, violation("vote_who_check")},
		{"row that fails at commit", func(ctx context.Context) error {
			return locked.QueryRow(ctx, twins).Scan(&name)
		}, violation("vote_twin_key")},
		{"rows", func(ctx context.Context) error {
			rows, err := locked.Query(ctx, "SELECT generate_series(1, 3)")
			require.NoError(t, err)
			got, err := pgx.CollectRows(rows, pgx.RowTo[int])
			require.Equal(t, []int{1, 2, 3}, got)
			return err
		}, noError},
		{"rows closed early", func(ctx context.Context) error {
			rows, err := locked.Query(ctx, "SELECT generate_series(1, 3)")
			require.NoError(t, err)
			require.True(t, rows.Next())
			rows.Close()
			rows.Close()
			require.False(t, rows.Next())
			return rows.Err()
		}, noError},
		{"rows that fail midway", func(ctx context.Context) error {
			rows, err := locked.Query(ctx, "SELECT 1 / (2 - n) FROM generate_series(1, 3) n")
			if err == nil {
				_, err = pgx.CollectRows(rows, pgx.RowTo[int])
			}
			return err
		}, func(t *testing.T, err error) { require.ErrorContains(t, err, "division by zero") }},
		{"rows that fail at commit", func(ctx context.Context) error {
			rows, err := locked.Query(ctx, twins)
			require.NoError(t, err)
			_, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		}, violation("vote_twin_key")},
		{"syntax error", func(ctx context.Context) error {
			_, err := locked.Query(ctx, "SELEC")
			return err
		}, func(t *testing.T, err error) { require.ErrorContains(t, err, "42601") }},
		{"cancelled", func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return locked.QueryRow(ctx, "SELECT 'x'").Scan(&name)
		}, func(t *testing.T, err error) { require.ErrorIs(t, err, context.Canceled) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want(t, tt.call(t.Context()))
			require.Zero(t, pool.Stat().AcquiredConns())
		})
	}
}
