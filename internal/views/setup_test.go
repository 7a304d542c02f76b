package views_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/views"
)

// world is a database with URLs 1 to n without annotations and batch, agencies 1 to 3, locations 1 to 3, batches 1 to 3 and
// task 1. Its materialized views were created before all of these, and are empty.
type world struct {
	pool *postgres.Pool
}

func newWorld(t testing.TB, n int) world {
	t.Helper()
	w := world{pool: dbtest.New(t)}
	w.exec(t, `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('NJ', 'New Jersey'), ('NY', 'New York');
		INSERT INTO locations (type, state_id) SELECT 'State', id FROM us_states ORDER BY id;
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local'), (3, 'C', 'local');
		INSERT INTO batches (strategy, status) SELECT 'manual', 'ready to label' FROM generate_series(1, 3);
		INSERT INTO tasks (task_type, task_status) VALUES ('Agency Identification', 'complete')`)
	w.exec(t, `INSERT INTO urls (id, url, source)
		SELECT n, 'example.org/' || n, 'manual' FROM generate_series(1, $1::int) AS n`, n)
	w.exec(t, "SELECT setval('urls_id_seq', $1::int + 1, false)", n)
	return w
}

func (w world) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// about executes statements with ID replaced by an id.
func (w world) about(t testing.TB, id int, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		w.exec(t, strings.ReplaceAll(statement, "ID", strconv.Itoa(id)))
	}
}

// lines returns a query's only column.
func (w world) lines(t testing.TB, query string) []string {
	t.Helper()
	rows, err := w.pool.Query(t.Context(), query)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return lines
}

// refresh refreshes the named views, or all of them.
func (w world) refresh(t testing.TB, names ...string) []views.Refreshed {
	t.Helper()
	refreshed, err := views.Refresh(t.Context(), w.pool, names...)
	require.NoError(t, err)
	return refreshed
}

func scan[T any](t testing.TB, conn db.DBTX, query string, args ...any) (value T) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), query, args...).Scan(&value))
	return value
}
