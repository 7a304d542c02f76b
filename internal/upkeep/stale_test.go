package upkeep_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

func TestDeleteOldLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label');
		INSERT INTO logs (id, batch_id, log, created_at) VALUES
			(1, 1, 'new', now()),
			(2, 1, 'nearly', now() - interval '6 days 23 hours'),
			(3, 1, 'old', now() - interval '7 days 1 hour');
		INSERT INTO logs (id, batch_id, log, created_at) SELECT n, 1, n, now() - interval '8 days' FROM generate_series(4, 5300) AS n;
		INSERT INTO logs (id, batch_id, log) VALUES (5301, 1, 'last')`)
	result, err := b.works.DeleteOldLogs(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "5298 logs deleted", result)
	require.Equal(t, []string{"new", "nearly", "last"}, dbtest.List(t, b.pool, "SELECT log FROM logs ORDER BY id"))
	require.Equal(t, 1, dbtest.Count(t, b.pool, "SELECT count(*) FROM batches"))
}

// TestDeleteStaleScreenshots shows that only validated URLs lose their screenshot, and that no status changes by it.
func TestDeleteStaleScreenshots(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(6, 5300) AS n;
		INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls WHERE id > 5 AND id % 2 = 0;
		INSERT INTO url_screenshot (url_id, content, file_size) SELECT id, 'x', 1 FROM urls WHERE id % 3 <> 2;
		INSERT INTO url_compressed_html (url_id, compressed_html) SELECT id, 'x' FROM urls;
		INSERT INTO url_web_metadata (url_id, accessed) SELECT id, true FROM urls`)
	b.settle(t)
	const states = "SELECT status || ' ' || count(*) FROM url_status_view GROUP BY status ORDER BY status"
	before := dbtest.List(t, b.pool, states)
	stale := dbtest.Count(t, b.pool, "SELECT count(*) FROM url_screenshot JOIN flag_url_validated USING (url_id)")
	fresh := dbtest.Count(t, b.pool, "SELECT count(*) FROM url_screenshot") - stale
	require.Positive(t, fresh)

	result, err := b.works.DeleteStaleScreenshots(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 1766, stale)
	require.Equal(t, "1766 screenshots deleted", result)
	require.Equal(t, fresh, dbtest.Count(t, b.pool,
		"SELECT count(*) FROM url_screenshot s WHERE NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = s.url_id)"))
	require.Equal(t, fresh, dbtest.Count(t, b.pool, "SELECT count(*) FROM url_screenshot"))
	require.Equal(t, before, dbtest.List(t, b.pool, states))
	b.requireExact(t)

	result, err = b.works.DeleteStaleScreenshots(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "0 screenshots deleted", result)
}

// TestWorksEnd shows that each work ends with its context.
func TestWorksEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, work := range map[string]func(context.Context, int32) (string, error){
		"backlog": b.works.BacklogSnapshot, "names": b.works.AutoName, "tasks": b.works.CleanUpTasks, "logs": b.works.DeleteOldLogs,
		"screenshots": b.works.DeleteStaleScreenshots, "views": b.works.RefreshViews, "queue": b.works.ReconcileQueue,
		"keys": b.works.ExpireIdempotencyKeys,
	} {
		_, err := work(ctx, 0)
		require.ErrorIs(t, err, context.Canceled, name)
	}
}
