package dbtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// Querier is a pool, a connection or a transaction.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Connect returns a connection that is closed at the end of the test.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// Exec executes a statement; without arguments also several, separated by semicolons.
func Exec(t testing.TB, db Querier, statement string, args ...any) {
	t.Helper()
	_, err := db.Exec(t.Context(), statement, args...)
	require.NoError(t, err, statement)
}

// List returns the rows of a query with one column of type text.
func List(t testing.TB, db Querier, query string, args ...any) []string {
	t.Helper()
	return collect(t, db, pgx.RowTo[string], query, args)
}

// Structs returns the rows of a query as structs whose fields are its columns, in order.
func Structs[T any](t testing.TB, db Querier, query string, args ...any) []T {
	t.Helper()
	return collect(t, db, pgx.RowToStructByPos[T], query, args)
}

// Value returns the result of a query that returns one row with one column.
func Value[T any](t testing.TB, db Querier, query string, args ...any) T {
	t.Helper()
	values := collect(t, db, pgx.RowTo[T], query, args)
	require.Len(t, values, 1, query)
	return values[0]
}

// Count returns the result of a query that returns one integer.
func Count(t testing.TB, db Querier, query string, args ...any) int {
	t.Helper()
	return Value[int](t, db, query, args...)
}

func collect[T any](t testing.TB, db Querier, read pgx.RowToFunc[T], query string, args []any) []T {
	t.Helper()
	rows, err := db.Query(t.Context(), query, args...)
	require.NoError(t, err, query)
	list, err := pgx.CollectRows(rows, read)
	require.NoError(t, err, query)
	return list
}

// Digests returns a digest of the rows of each table of the domain that has rows.
func Digests(t testing.TB, db Querier) map[string]string {
	t.Helper()
	tables := List(t, db, `
		SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'atlas_schema_revisions'`)
	require.NotEmpty(t, tables)
	digests := make(map[string]string)
	for _, table := range tables {
		digest := Value[*string](t, db, `SELECT md5(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C")) FROM `+
			pgx.Identifier{table}.Sanitize()+" t")
		if digest != nil {
			digests[table] = *digest
		}
	}
	return digests
}

// WaitForLocks returns when at least n statements of the database wait for a lock.
func WaitForLocks(t testing.TB, db Querier, n int) {
	t.Helper()
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	for Count(t, db, waiting) < n {
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
