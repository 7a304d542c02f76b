package robots_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/robots"
)

// bundle is a database with two agencies, a location and URLs, and the use cases that act on it.
type bundle struct {
	pool *postgres.Pool
	*robots.Service
	annotations *annotation.Service
}

// setup returns a bundle with URLs 1 to n: 1.org, 2.org and so on.
func setup(t testing.TB, n int) bundle {
	t.Helper()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `INSERT INTO us_states (state_iso, state_name) VALUES ('OH', 'Ohio');
		INSERT INTO locations (type, state_id) VALUES ('State', 1);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local')`)
	dbtest.Exec(t, pool, `INSERT INTO urls (id, url, source)
		SELECT n, n || '.org', 'manual' FROM generate_series(1, $1::integer) n`, n)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	return bundle{pool, robots.New(pool), annotation.New(pool, ranking.NewQueue())}
}

// requireExact requires that the queue, the done rows and the progress of batches equal a recount.
func (b bundle) requireExact(t testing.TB) {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Errorf("the queue is wrong: %+v", d) }))
}
