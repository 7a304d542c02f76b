package follows_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/dsapp"
	"docket/internal/follows"
	"docket/internal/ranking"
)

// TestSync shows that the follows become those of the application, that the order of URLs follows, and that a failure changes
// nothing.
func TestSync(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `INSERT INTO us_states (state_iso) VALUES ('PA'), ('NJ');
		INSERT INTO locations (type, state_id) SELECT 'State', id FROM us_states ORDER BY id;
		INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label');
		INSERT INTO link_batches__locations (batch_id, location_id) VALUES (1, 2);
		INSERT INTO urls (id, url, source) VALUES (1, 'one.org', 'collector'), (2, 'two.org', 'collector');
		INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 2)`)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	var answer atomic.Value
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer.Load()) }))
	t.Cleanup(app.Close)
	client, err := dsapp.New(dsapp.Config{Address: app.URL, Token: "token"})
	require.NoError(t, err)
	service := follows.New(pool)

	answer.Store(`{"follows":[{"user_id":7,"location_id":1},{"user_id":7,"location_id":2},{"user_id":7,"location_id":1}]}`)
	result, err := service.Sync(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, follows.Result{Added: 2}, result)
	require.Equal(t, []string{"7:1", "7:2"}, list(t, pool))
	require.Equal(t, []string{"2"}, dbtest.List(t, pool, "SELECT url_id::text FROM annotation_queue WHERE followed"))

	for failure, want := range map[string]string{
		`{"follows":[{"user_id":8,"location_id":2},{"user_id":8,"location_id":77}]}`: "location not found: 77; import the locations",
		`{"follows":[{"user_id":8,"location_id":2}`:                                  "is not JSON",
		`{}`: "it has no list of follows",
	} {
		answer.Store(failure)
		_, err = service.Sync(t.Context(), client)
		require.ErrorContains(t, err, want)
		require.Equal(t, []string{"7:1", "7:2"}, list(t, pool), "nothing is changed")
	}

	answer.Store(`{"follows":[{"user_id":9,"location_id":1},{"user_id":7,"location_id":1}]}`)
	result, err = service.Sync(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, follows.Result{Added: 1, Removed: 1, Unchanged: 1}, result)
	require.Equal(t, []string{"7:1", "9:1"}, list(t, pool))
	require.Empty(t, dbtest.List(t, pool, "SELECT url_id::text FROM annotation_queue WHERE followed"))
	require.NoError(t, ranking.Verify(t.Context(), pool, func(d ranking.Difference) { t.Errorf("the queue is wrong: %+v", d) }))
}
