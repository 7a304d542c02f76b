package views_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/views"
)

var allViews = []string{"batch_url_status_mat_view", "mat_view__html_duplicate_url", "url_annotation_count_view",
	"url_annotation_flags", "url_status_mat_view"}

func outcomes(refreshed []views.Refreshed) map[string]views.Outcome {
	outcomes := map[string]views.Outcome{}
	for _, r := range refreshed {
		outcomes[r.Name] = r.Outcome
	}
	return outcomes
}

func viewNames(refreshed []views.Refreshed) (names []string) {
	for _, r := range refreshed {
		names = append(names, r.Name)
	}
	return names
}

func (w world) view(t testing.TB, name string) views.View {
	t.Helper()
	all, err := views.List(t.Context(), w.pool)
	require.NoError(t, err)
	for _, view := range all {
		if view.Name == name {
			return view
		}
	}
	require.Fail(t, "no such view", name)
	return views.View{}
}

// soon is a context that ends a call which would otherwise never return.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// begin opens a transaction that is rolled back at the end of the test.
func (w world) begin(t testing.TB, statements ...string) pgx.Tx {
	t.Helper()
	tx, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	for _, statement := range statements {
		_, err := tx.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	return tx
}

// awaitWaiting returns when a session waits for a lock on the view.
func (w world) awaitWaiting(ctx context.Context, view string) error {
	for {
		var waiting bool
		err := w.pool.QueryRow(ctx, `SELECT EXISTS (
			SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database AND datname = current_database()
			WHERE NOT granted AND relation = $1::text::regclass)`, view).Scan(&waiting)
		if err != nil || waiting {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	before, err := views.List(t.Context(), w.pool)
	require.NoError(t, err)
	for i, view := range before {
		require.Equal(t, views.View{Name: allViews[i], Populated: true}, view, "no refresh is on record yet")
	}

	begin := scan[time.Time](t, w.pool, "SELECT now() AT TIME ZONE 'UTC'")
	refreshed := w.refresh(t)
	end := scan[time.Time](t, w.pool, "SELECT now() AT TIME ZONE 'UTC'")
	require.Equal(t, allViews, viewNames(refreshed))
	for i, r := range refreshed {
		require.Equal(t, views.Done, r.Outcome)
		require.Equal(t, []int64{3, 0, 4, 4, 4}[i], r.Rows)
		require.True(t, r.RefreshedAt.After(begin) && r.RefreshedAt.Before(end), "%s < %s < %s", begin, r.RefreshedAt, end)
		require.Positive(t, r.Took)
		require.GreaterOrEqual(t, r.Age, r.Took)
		require.Empty(t, r.Failure)
		require.Equal(t, *r.RefreshedAt, *w.view(t, r.Name).RefreshedAt)
	}

	refreshed = w.refresh(t, "url_status_mat_view", "batch_url_status_mat_view", "url_status_mat_view")
	require.Equal(t, []string{"batch_url_status_mat_view", "url_status_mat_view"}, viewNames(refreshed), "each once")
	require.True(t, w.view(t, "url_status_mat_view").RefreshedAt.After(end))
	require.True(t, w.view(t, "url_annotation_flags").RefreshedAt.Before(end), "only those named")
}

func TestRefreshUnknownView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	refreshed, err := views.Refresh(t.Context(), w.pool, "url_status_mat_view", "urls")
	require.ErrorIs(t, err, views.ErrUnknown)
	require.ErrorContains(t, err, `"urls"`)
	for _, name := range allViews {
		require.ErrorContains(t, err, name)
	}
	require.Empty(t, refreshed)
	require.Nil(t, w.view(t, "url_status_mat_view").RefreshedAt, "no view is refreshed when a name is unknown")
}

// TestFirstFill refreshes a view that was emptied by WITH NO DATA.
func TestFirstFill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.exec(t, "REFRESH MATERIALIZED VIEW url_annotation_count_view WITH NO DATA")
	require.False(t, w.view(t, "url_annotation_count_view").Populated)
	_, err := w.pool.Exec(t.Context(), "SELECT FROM url_annotation_count_view")
	require.ErrorContains(t, err, "has not been populated")
	require.ErrorContains(t, views.Check(t.Context(), w.pool, 0), "url_annotation_count_view was never filled")

	refreshed := w.refresh(t)
	require.Len(t, refreshed, len(allViews))
	require.True(t, w.view(t, "url_annotation_count_view").Populated)
	require.EqualValues(t, 300, w.view(t, "url_annotation_count_view").Rows)
	require.Equal(t, 14, scan[int](t, w.pool, "SELECT count(*) FROM pg_stats WHERE tablename = 'url_annotation_count_view'"),
		"the view is analyzed")
	w.exec(t, "SELECT FROM url_annotation_count_view")
}

// TestRefreshOrder has views whose order follows neither from their names nor from their age.
func TestRefreshOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.exec(t, `
		CREATE VIEW between_them AS SELECT id FROM urls;
		CREATE MATERIALIZED VIEW a_reader AS SELECT id FROM between_them;
		CREATE UNIQUE INDEX a_reader_key ON a_reader (id);
		CREATE MATERIALIZED VIEW z_source AS SELECT id FROM urls;
		CREATE UNIQUE INDEX z_source_key ON z_source (id);
		CREATE OR REPLACE VIEW between_them AS SELECT id FROM z_source;
		INSERT INTO urls (url, source) VALUES ('new.org', 'manual')`)
	refreshed := w.refresh(t, "a_reader", "z_source")
	require.Equal(t, []string{"z_source", "a_reader"}, viewNames(refreshed))
	require.EqualValues(t, 1, w.view(t, "a_reader").Rows)

	w.exec(t, `
		CREATE VIEW hen AS SELECT id FROM z_source;
		CREATE VIEW egg AS SELECT id FROM hen;
		CREATE OR REPLACE VIEW hen AS SELECT id FROM z_source UNION ALL SELECT id FROM egg`)
	_, err := views.List(soon(t), w.pool)
	require.NoError(t, err, "plain views that read each other do not make List fail")
}

func TestFailingViewDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.exec(t, `
		CREATE MATERIALIZED VIEW a_poisoned AS SELECT id, 100 / (id - 7) AS n FROM urls;
		CREATE UNIQUE INDEX a_poisoned_key ON a_poisoned (id)`)
	w.refresh(t)
	worked := w.view(t, "a_poisoned")
	require.EqualValues(t, 3, worked.Rows)

	w.exec(t, "INSERT INTO urls (id, url, source) VALUES (7, 'poison.org', 'manual')")
	refreshed, err := views.Refresh(t.Context(), w.pool)
	require.ErrorContains(t, err, "view a_poisoned")
	require.ErrorContains(t, err, "division by zero")
	require.Len(t, refreshed, len(allViews)+1)
	for name, outcome := range outcomes(refreshed) {
		if name == "a_poisoned" {
			require.Equal(t, views.Failed, outcome)
		} else {
			require.Equal(t, views.Done, outcome)
		}
	}
	require.EqualValues(t, 4, w.view(t, "url_annotation_flags").Rows)

	failed := w.view(t, "a_poisoned")
	require.Contains(t, failed.Failure, "division by zero")
	require.Equal(t, worked.RefreshedAt, failed.RefreshedAt, "the view still has its rows from the refresh before")
	require.Equal(t, worked.Rows, failed.Rows)
	require.Equal(t, 3, scan[int](t, w.pool, "SELECT count(*) FROM a_poisoned"))

	w.exec(t, "DELETE FROM urls WHERE id = 7")
	w.refresh(t)
	require.Empty(t, w.view(t, "a_poisoned").Failure)
}

// TestBusyView refreshes a view while another refresh of it waits for a transaction.
func TestBusyView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	const view = "url_annotation_flags"
	blocker := w.begin(t, "REFRESH MATERIALIZED VIEW CONCURRENTLY "+view)

	type result struct {
		refreshed []views.Refreshed
		err       error
	}
	first := make(chan result, 1)
	go func() {
		refreshed, err := views.Refresh(soon(t), w.pool, view)
		first <- result{refreshed, err}
	}()
	require.NoError(t, w.awaitWaiting(soon(t), view))

	second, err := views.Refresh(soon(t), w.pool)
	require.NoError(t, err)
	for name, outcome := range outcomes(second) {
		if name == view {
			require.Equal(t, views.Busy, outcome)
		} else {
			require.Equal(t, views.Done, outcome, name)
		}
	}
	require.NoError(t, blocker.Rollback(t.Context()))
	got := <-first
	require.NoError(t, got.err)
	require.Equal(t, map[string]views.Outcome{view: views.Done}, outcomes(got.refreshed))
	require.Equal(t, views.Done, w.refresh(t, view)[0].Outcome, "the lock was released with the refresh")
}

func TestRefreshIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.begin(t, "REFRESH MATERIALIZED VIEW CONCURRENTLY url_annotation_count_view")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		_ = w.awaitWaiting(t.Context(), "url_annotation_count_view")
	}()
	refreshed, err := views.Refresh(ctx, w.pool)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, allViews[:3], viewNames(refreshed), "the views that were tried are returned, the others are not begun")
	require.NotNil(t, refreshed[1].RefreshedAt)
	require.Equal(t, views.Failed, refreshed[2].Outcome)
	require.Nil(t, refreshed[2].RefreshedAt)
}

// TestReadersAreNotBlocked has readers and refreshes hold their locks at the same time.
func TestReadersAreNotBlocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	reader := w.begin(t, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
	for _, view := range allViews {
		require.Zero(t, scan[int](t, reader, "SELECT count(*) FROM "+view))
	}

	for _, view := range allViews {
		refresher := w.begin(t)
		_, err := postgres.RefreshView(soon(t), refresher, view) // does not wait for the reader
		require.NoError(t, err, view)
		impatient := w.begin(t, "SET LOCAL lock_timeout = '50ms'")
		require.Zero(t, scan[int](t, impatient, "SELECT count(*) FROM "+view),
			"a reader does not wait for the refresh and does not see it")
		require.NoError(t, impatient.Rollback(t.Context()))
		require.NoError(t, refresher.Commit(t.Context()))
		require.Zero(t, scan[int](t, reader, "SELECT count(*) FROM "+view), "a snapshot does not change")
	}
	require.Equal(t, 3, scan[int](t, w.pool, "SELECT count(*) FROM url_annotation_count_view"))

	// Check the check: a plain refresh does block the impatient reader.
	require.NoError(t, reader.Rollback(t.Context()))
	w.begin(t, "REFRESH MATERIALIZED VIEW url_annotation_count_view")
	impatient := w.begin(t, "SET LOCAL lock_timeout = '50ms'")
	_, err := impatient.Exec(t.Context(), "SELECT FROM url_annotation_count_view")
	require.ErrorContains(t, err, "lock timeout")
}

// TestRefreshHasNoTimeout refreshes a view that contains the statement timeout of its refresh.
func TestRefreshHasNoTimeout(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: dbtest.URL(t), StatementTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	w := world{pool: pool}
	w.exec(t, `
		CREATE MATERIALIZED VIEW limits AS SELECT current_setting('statement_timeout') AS of_a_statement;
		CREATE UNIQUE INDEX limits_key ON limits (of_a_statement)`)
	require.Equal(t, "1min", scan[string](t, pool, "SELECT of_a_statement FROM limits"))
	w.refresh(t, "limits")
	require.Equal(t, "0", scan[string](t, pool, "SELECT of_a_statement FROM limits"))
	require.Equal(t, "1min", scan[string](t, pool, "SHOW statement_timeout"))
}

func TestCheckViews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	check := func(bound time.Duration) error { return views.Check(t.Context(), w.pool, bound) }
	require.NoError(t, check(0))
	require.ErrorContains(t, check(time.Hour), "view url_status_mat_view has no refresh on record")
	w.refresh(t)
	require.NoError(t, check(time.Hour))
	w.exec(t, `UPDATE materialized_view_refreshes SET refreshed_at = refreshed_at - interval '61 minutes'
		WHERE view_name = 'url_status_mat_view'`)
	require.NoError(t, check(2*time.Hour))
	require.NoError(t, check(0))
	err := check(time.Hour)
	require.ErrorContains(t, err, "view url_status_mat_view is 1h1m")
	require.ErrorContains(t, err, "the bound is 1h0m0s")
	require.NotContains(t, err.Error(), "url_annotation_flags")
}
