package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// A statement gets a custom plan even on a pool with generic plans, and the other statements of the pool keep theirs.
func TestWithOwnPlan(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{MaxConns: 1, GenericPlans: true})
	type querier interface {
		QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	}
	const statement = "SELECT $1::integer + 1"
	for _, want := range []struct {
		conn            querier
		generic, custom int64
	}{
		{pool, 1, 0},
		{WithOwnPlan(pool), 1, 1},
		{pool, 2, 1},
	} {
		var sum, generic, custom int64
		require.NoError(t, want.conn.QueryRow(t.Context(), statement, 41).Scan(&sum))
		require.Equal(t, int64(42), sum)
		require.NoError(t, pool.QueryRow(t.Context(),
			"SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1", statement).Scan(&generic, &custom))
		require.Equal(t, []int64{want.generic, want.custom}, []int64{generic, custom})
	}
}
