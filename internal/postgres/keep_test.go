package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/faultproxy"
)

// A Pool of Keep uses one connection for everything until it breaks or is let go.
func TestKeep(t *testing.T) {
	t.Parallel()
	url := newDatabase(t)
	execute(t, url, "CREATE TABLE fact (n int)")
	proxy := faultproxy.New(t, url)
	pool, err := Open(t.Context(), PoolConfig{URL: proxy.URL(), MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	before := pool.Stats().Acquires
	keeping := pool.Keep()
	keeping.LetGo()
	require.Equal(t, before, pool.Stats().Acquires, "nothing was acquired")

	insert := func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), "INSERT INTO fact VALUES (1)"); return err }
	var n, pid, again int
	_, err = keeping.Exec(t.Context(), "INSERT INTO fact VALUES (1)")
	require.NoError(t, err)
	require.NoError(t, InTx(t.Context(), keeping, insert))
	require.NoError(t, keeping.WithRules().QueryRow(t.Context(), "SELECT count(*), pg_backend_pid() FROM fact").Scan(&n, &pid))
	require.Equal(t, 2, n)
	rows, err := keeping.Query(t.Context(), "SELECT generate_series(1, 3)")
	require.NoError(t, err)
	rows.Close()
	_, err = WithLock(keeping, "k").Exec(t.Context(), "INSERT INTO fact VALUES (1)")
	require.NoError(t, err)
	conn, err := keeping.Acquire(t.Context())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "INSERT INTO fact VALUES (1)")
	require.NoError(t, err)
	conn.Release()
	conn.Release()
	require.Equal(t, int64(1), pool.Stats().Acquires-before)
	require.Len(t, pool.gate.slots, 1)

	// A transaction that is left open, and a connection that breaks, are not kept.
	conn, err = keeping.Acquire(t.Context())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "BEGIN")
	require.NoError(t, err)
	conn.Release()
	require.Empty(t, pool.gate.slots)
	require.NoError(t, keeping.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&again))
	require.NotEqual(t, pid, again)
	proxy.Set(faultproxy.Rule{Match: faultproxy.Commit, At: faultproxy.BeforeAnswer, Do: faultproxy.Cut, Times: 1})
	require.NoError(t, InTx(t.Context(), keeping, insert), "the lookup gets the only connection")
	require.NoError(t, keeping.QueryRow(t.Context(), "SELECT count(*) FROM fact").Scan(&n))
	require.Equal(t, 5, n)

	keeping.LetGo()
	keeping.LetGo()
	require.Empty(t, pool.gate.slots)
	require.Zero(t, pool.Stats().Acquired)
}
