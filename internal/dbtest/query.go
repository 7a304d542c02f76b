package dbtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// Exec executes a statement; without arguments also several, separated by semicolons.
func Exec(t testing.TB, pool *pgxpool.Pool, statement string, args ...any) {
	t.Helper()
	_, err := pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// List returns the rows of a query with one column of type text.
func List(t testing.TB, pool *pgxpool.Pool, query string, args ...any) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), query, args...)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}

// Count returns the result of a query that returns one integer.
func Count(t testing.TB, pool *pgxpool.Pool, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// Digests returns a digest of the rows of each table of the domain that has rows.
func Digests(t testing.TB, pool *pgxpool.Pool) map[string]string {
	t.Helper()
	tables := List(t, pool, `
		SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'atlas_schema_revisions'`)
	require.NotEmpty(t, tables)
	digests := make(map[string]string)
	for _, table := range tables {
		var digest *string
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM "+
			pgx.Identifier{table}.Sanitize()+" t").Scan(&digest))
		if digest != nil {
			digests[table] = *digest
		}
	}
	return digests
}

// WaitForLocks returns when at least n statements of the database wait for a lock.
func WaitForLocks(t testing.TB, pool *pgxpool.Pool, n int) {
	t.Helper()
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	for Count(t, pool, waiting) < n {
		time.Sleep(time.Millisecond)
	}
}

// Together calls do(0) to do(n-1) concurrently and returns the first error.
func Together(n int, do func(i int) error) error {
	var group errgroup.Group
	start := make(chan struct{})
	for i := range n {
		group.Go(func() error {
			<-start
			return do(i)
		})
	}
	close(start)
	return group.Wait()
}
