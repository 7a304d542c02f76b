package postgres

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/faultproxy"
)

// A connection on which the server refused a statement because the database is read-only is closed. The statement is not repeated
// for it: it took no effect.
func TestRefusedStatementIsNotRepeated(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	execute(t, url, "CREATE TABLE fact (n int)")
	pool, err := Open(t.Context(), PoolConfig{URL: url + "&default_transaction_read_only=on", MaxConns: 2})
	require.NoError(t, err)
	defer pool.Close()
	runs := 0
	err = Repeatable(t.Context(), pool, func(ctx context.Context, conn *Conn) error {
		runs++
		_, err := conn.Exec(ctx, "INSERT INTO fact VALUES (1)")
		return err
	})
	require.ErrorContains(t, err, readOnlyTransaction)
	require.NotErrorIs(t, err, ErrOutcomeUnknown)
	require.True(t, IsUnavailable(err), err)
	require.Equal(t, 1, runs)
}

// A statement whose connection breaks is repeated until its outcome is known, also when the server has executed it before.
func TestStatementIsRepeatedWhenItsConnectionBreaks(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	execute(t, url, "CREATE TABLE fact (n int PRIMARY KEY)")
	for _, at := range []faultproxy.Point{faultproxy.BeforeStatement, faultproxy.BeforeAnswer} {
		execute(t, url, "TRUNCATE fact")
		proxy := faultproxy.New(t, url)
		pool, err := Open(t.Context(), PoolConfig{URL: proxy.URL(), MaxConns: 2})
		require.NoError(t, err)
		runs := 0
		err = Repeatable(t.Context(), pool, func(ctx context.Context, conn *Conn) error {
			if runs++; runs == 1 {
				proxy.Set(faultproxy.Rule{Match: faultproxy.SQL("INSERT"), At: at, Do: faultproxy.Cut})
				defer proxy.Set()
			}
			_, err := conn.Exec(ctx, "INSERT INTO fact VALUES (1) ON CONFLICT DO NOTHING")
			return err
		})
		require.NoError(t, err)
		require.Equal(t, 2, runs)
		require.Equal(t, 1, countFacts(t, pool))
		pool.Close()
	}
}

func countFacts(t *testing.T, pool *Pool) (stored int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM fact").Scan(&stored))
	return stored
}
