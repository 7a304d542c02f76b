package upkeep_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/tasks"
	"docket/internal/upkeep"
)

// bundle is a database with the URLs 1 to 5, of which 4 is validated and 5 suspended, and the works.
type bundle struct {
	pool  *postgres.Pool
	works *upkeep.Service
}

func setup(t *testing.T) bundle {
	t.Helper()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 5) AS n;
		INSERT INTO flag_url_validated (url_id, type) VALUES (4, 'not relevant');
		INSERT INTO flag_url_suspended (url_id) VALUES (5)`)
	b := bundle{pool, upkeep.New(pool)}
	b.settle(t)
	return b
}

// settle makes the queue exact after statements of the test.
func (b bundle) settle(t *testing.T) {
	t.Helper()
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
}

// begin stores the beginning of a run and returns the id of its task.
func (b bundle) begin(t *testing.T, taskType tasks.Type, job string) int32 {
	t.Helper()
	task, err := tasks.Begin(t.Context(), b.pool, taskType, job, nil)
	require.NoError(t, err)
	return task
}

// requireExact fails if the queue differs from a recount.
func (b bundle) requireExact(t *testing.T) {
	t.Helper()
	var found []ranking.Difference
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { found = append(found, d) }))
	require.Empty(t, found[:min(len(found), 3)], "the queue is wrong")
}

func TestBacklogSnapshot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	result, err := b.works.BacklogSnapshot(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "4 URLs not validated", result, "a suspended URL is not validated")
	require.Equal(t, 4, dbtest.Count(t, b.pool, "SELECT count_pending_total FROM backlog_snapshot"))
	require.Equal(t, 0, dbtest.Count(t, b.pool, "SELECT extract(epoch FROM now() - created_at)::integer / 3600 FROM backlog_snapshot"))
}

func TestRefreshViews(t *testing.T) {
	t.Parallel()
	b := setup(t)
	result, err := b.works.RefreshViews(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "5 views refreshed", result)

	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	dbtest.Exec(t, tx, "SELECT pg_advisory_xact_lock(hashtextextended('docket refresh url_annotation_flags', 0))")
	result, err = b.works.RefreshViews(t.Context(), 0)
	require.NoError(t, err, "a busy view is no failure")
	require.Equal(t, "4 views refreshed, 1 refreshed by another process", result)
}

func TestRefreshOfAViewFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `DROP INDEX url_annotation_flags_url_id_key; REFRESH MATERIALIZED VIEW url_annotation_flags`)
	_, err := b.works.RefreshViews(t.Context(), 0)
	require.ErrorContains(t, err, "url_annotation_flags")
	require.Equal(t, 4, dbtest.Count(t, b.pool, "SELECT count(*) FROM materialized_view_refreshes WHERE refreshed_at IS NOT NULL"),
		"the others are refreshed")
}

func TestReconcileQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	result, err := b.works.ReconcileQueue(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "no differences", result)
	require.Zero(t, b.works.Differences())

	dbtest.Exec(t, b.pool, `
		DELETE FROM annotation_queue WHERE url_id IN (1, 2);
		INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (3, 7, 'data source')`)
	result, err = b.works.ReconcileQueue(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "4 differences repaired: 2 missing, 1 missing done row, 1 wrong count of user URL types", result)
	require.EqualValues(t, 4, b.works.Differences())
	b.requireExact(t)
}

func TestExpireIdempotencyKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO idempotency_keys (caller, key, request, expires_at)
		SELECT 'user 1', n, sha256(''), now() + interval '1 minute' * (n - 2500.5) FROM generate_series(1, 2503) AS n`)
	result, err := b.works.ExpireIdempotencyKeys(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "2500 keys deleted", result)
	require.Equal(t, []string{"2501", "2502", "2503"}, dbtest.List(t, b.pool, "SELECT key FROM idempotency_keys ORDER BY key"))
}
