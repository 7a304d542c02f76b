package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"docket/internal/phase"
)

// Every path to the database translates an error by the rules of the pool, once, and keeps the cause.
func TestPoolTranslates(t *testing.T) {
	t.Parallel()
	plain := newPool(t, PoolConfig{MaxConns: 4}) // two of them for writers
	_, err := plain.Exec(t.Context(), `CREATE TABLE thing (name text CONSTRAINT thing_name_key UNIQUE);
		INSERT INTO thing VALUES ('a')`)
	require.NoError(t, err)
	taken := errors.New("name is taken")
	pool := plain.WithRules(On("thing_name_key", taken))
	const insert = "INSERT INTO thing VALUES ($1) RETURNING name"
	exec := func(ctx context.Context, conn Querier) error {
		_, err := conn.Exec(ctx, insert, "a")
		return err
	}
	query := func(ctx context.Context, conn Querier) error {
		rows, err := conn.Query(ctx, insert, "a")
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	}
	queryRow := func(ctx context.Context, conn Querier) error {
		var name string
		return conn.QueryRow(ctx, insert, "a").Scan(&name)
	}
	withConn := func(run func(context.Context, *Conn) error) func(context.Context) error {
		return func(ctx context.Context) error {
			conn, err := pool.AcquireWriter(ctx)
			require.NoError(t, err)
			defer conn.Release()
			return run(ctx, conn)
		}
	}
	paths := map[string]func(context.Context) error{
		"Pipeline": withConn(func(ctx context.Context, conn *Conn) error {
			return Pipeline(ctx, conn, []Step{{Phase: phase.Submit, SQL: insert, Args: []any{"a"}, Read: func(rows pgx.Rows) error {
				rows.Close()
				return rows.Err()
			}}})
		}),
		"InTx": func(ctx context.Context) error {
			return InTx(ctx, pool, func(tx pgx.Tx) error { return exec(ctx, tx) })
		},
		"statement of the pool in InTx": func(ctx context.Context) error {
			return InTx(ctx, pool, func(pgx.Tx) error { return exec(ctx, pool) })
		},
		"Retry": func(ctx context.Context) error {
			return Retry(ctx, func() error { return queryRow(ctx, pool) })
		},
	}
	for name, run := range map[string]func(context.Context, Querier) error{"Exec": exec, "Query": query, "QueryRow": queryRow} {
		paths[name] = func(ctx context.Context) error { return run(ctx, pool) }
		paths["Conn "+name] = withConn(func(ctx context.Context, conn *Conn) error { return run(ctx, conn) })
		paths["WithLock "+name] = func(ctx context.Context) error { return run(ctx, WithLock(pool, "key")) }
		paths["WithOwnPlan "+name] = func(ctx context.Context) error { return run(ctx, WithOwnPlan(pool)) }
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			err := path(t.Context())
			require.ErrorIs(t, err, taken)
			require.Equal(t, 1, strings.Count(err.Error(), taken.Error()), err)
			cause, ok := errors.AsType[*pgconn.PgError](err)
			require.True(t, ok)
			require.Equal(t, "thing_name_key", cause.ConstraintName)
		})
	}
	require.NotErrorIs(t, exec(t.Context(), plain), taken, "the rules belong to one use case")
	require.Equal(t, pgx.ErrNoRows, pool.QueryRow(t.Context(), "SELECT 1 WHERE false").Scan(), "no rows is no failure of PostgreSQL")
}

// A read-only transaction that times out fails as one that ran into the deadline of its request.
func TestInSnapshotTranslates(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{})
	err := InSnapshot(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SET LOCAL statement_timeout = 1")
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT pg_sleep(60)")
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
