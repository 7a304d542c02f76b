package imports

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/csvfile"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// followWorld is a database with locations 1 to 3, and batch 1 with URL 1, linked to location 1.
func followWorld(t *testing.T) *postgres.Pool {
	t.Helper()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, `
		INSERT INTO us_states (state_iso) VALUES ('PA'), ('NJ'), ('NY');
		INSERT INTO locations (type, state_id) SELECT 'State', id FROM us_states ORDER BY id;
		INSERT INTO urls (url, source) VALUES ('one.org', 'collector');
		INSERT INTO batches (strategy, status, parameters) VALUES ('manual', 'ready to label', '{"name": "old"}');
		INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1);
		INSERT INTO link_batches__locations (batch_id, location_id) VALUES (1, 1)`)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	return pool
}

func importFollows(t *testing.T, pool *postgres.Pool, rows string, o FollowOptions) FollowSummary {
	t.Helper()
	summary, err := Follows(t.Context(), pool, strings.NewReader("user_id,location_id\n"+rows), o)
	require.NoError(t, err)
	requireBalanced(t, summary.Accounting)
	return summary
}

// stored lists the follows as user:location.
func stored(t *testing.T, pool *postgres.Pool) []string {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), pool, func(d ranking.Difference) { t.Errorf("%+v", d) }))
	return dbtest.List(t, pool, `SELECT user_id || ':' || location_id FROM link__locations__user_follows ORDER BY user_id, location_id`)
}

func TestImportFollows(t *testing.T) {
	t.Parallel()
	pool := followWorld(t)
	var done, total int64
	o := FollowOptions{Options: Options{Progress: func(d, n int64) { done, total = d, n }}}
	summary := importFollows(t, pool, "7,1\n8,2\n7,1\n0,3\n", o)
	require.Equal(t, []int64{4, 3, 1, 0}, []int64{summary.Rows, summary.Created, summary.Duplicate, summary.Removed})
	require.Equal(t, []int64{4, 4}, []int64{done, total})
	require.Equal(t, []string{"0:3", "7:1", "8:2"}, stored(t, pool))
	require.Equal(t, []string{"7:{1}"}, dbtest.List(t, pool, "SELECT user_id || ':' || batch_ids::text FROM followed_batches"))
	require.Equal(t, []string{"1"}, dbtest.List(t, pool, "SELECT url_id::text FROM annotation_queue WHERE followed"))

	summary = importFollows(t, pool, "7,1\n8,2\n0,3\n", FollowOptions{})
	require.True(t, summary.Unchanged())
	require.Equal(t, int64(3), summary.Duplicate)

	summary = importFollows(t, pool, "8,2\n9,1\n", FollowOptions{})
	require.Equal(t, []int64{1, 1, 2}, []int64{summary.Created, summary.Duplicate, summary.Removed})
	require.Equal(t, []string{"8:2", "9:1"}, stored(t, pool))

	summary = importFollows(t, pool, "7,3\n", FollowOptions{Add: true})
	require.Equal(t, []int64{1, 0}, []int64{summary.Created, summary.Removed})
	require.Equal(t, []string{"7:3", "8:2", "9:1"}, stored(t, pool))

	// The columns may be in any order, and others are ignored with a note.
	other, err := Follows(t.Context(), pool, strings.NewReader("Location_ID,since,user_id\n2,today,-5\n"), FollowOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(1), other.Notes.Total)
	require.Equal(t, []string{"-5:2"}, stored(t, pool))

	_, err = Follows(t.Context(), pool, strings.NewReader("user,location_id\n1,1\n"), FollowOptions{})
	require.ErrorIs(t, err, csvfile.ErrFormat)
	require.Equal(t, []string{"-5:2"}, stored(t, pool))
}

func TestImportFollowsRejects(t *testing.T) {
	t.Parallel()
	pool := followWorld(t)
	const rows = "7,1\nseven,1\n7,one\n7,4\n7,0\n7,-1\n2147483648,1\n7,2147483648\n7,\n,1\n7,1.0\n8,2,3\n8,3\n"
	summary := importFollows(t, pool, rows, FollowOptions{})
	require.Equal(t, []csvfile.ReasonCount{
		{Reason: reasonUserID, Rows: 3}, {Reason: reasonLocationID, Rows: 6}, {Reason: reasonUnknownLocation, Rows: 1},
		{Reason: "the row does not have as many fields as the header; quote a field that contains a separator", Rows: 1},
	}, summary.Rejections.Reasons)
	require.Equal(t, csvfile.Problem{Line: 5, Column: "location_id", Value: "4", Reason: reasonUnknownLocation, Rows: 1},
		summary.Rejections.First[2])
	require.Equal(t, []string{"7:1", "8:3"}, stored(t, pool))

	summary, err := Follows(t.Context(), pool, strings.NewReader("user_id,location_id\n9,1\n9,4\n"), FollowOptions{Options: Options{Strict: true}})
	require.ErrorIs(t, err, ErrRejected)
	require.Equal(t, int64(1), summary.Rejected)
	require.Equal(t, []string{"7:1", "8:3"}, stored(t, pool), "a strict import stores nothing")
}

// TestImportNoFollows imports files of which no row can be stored.
func TestImportNoFollows(t *testing.T) {
	t.Parallel()
	pool := followWorld(t)
	importFollows(t, pool, "7,1\n", FollowOptions{})
	for _, rows := range []string{"", "\n", "7,4\nx,1\n"} {
		_, err := Follows(t.Context(), pool, strings.NewReader("user_id,location_id\n"+rows), FollowOptions{})
		require.ErrorIs(t, err, ErrNoFollows)
		require.Equal(t, []string{"7:1"}, stored(t, pool))
		summary := importFollows(t, pool, rows, FollowOptions{Add: true})
		require.True(t, summary.Unchanged())
		require.Equal(t, []string{"7:1"}, stored(t, pool))
	}
	summary := importFollows(t, pool, "7,4\n", FollowOptions{AllowEmpty: true})
	require.Equal(t, []int64{1, 1}, []int64{summary.Removed, summary.Rejected})
	require.Empty(t, stored(t, pool))
}

// TestImportURLsOfLocations links the batch of URLs to locations.
func TestImportURLsOfLocations(t *testing.T) {
	t.Parallel()
	pool := followWorld(t)
	importFollows(t, pool, "7,2\n8,3\n", FollowOptions{})
	followed := func() []string {
		require.NoError(t, ranking.Verify(t.Context(), pool, func(d ranking.Difference) { t.Errorf("%+v", d) }))
		return dbtest.List(t, pool, `SELECT urls.url FROM annotation_queue q JOIN urls ON urls.id = q.url_id WHERE q.followed ORDER BY 1`)
	}

	_, err := URLs(t.Context(), pool, strings.NewReader(urlHeader+"a.org,,,,,\n"), URLOptions{Batch: "new", BatchLocations: []int64{2, 99, 98}})
	var missing *unknown.Error
	require.ErrorAs(t, err, &missing)
	require.EqualError(t, missing, "location not found: 98, 99")
	require.Empty(t, dbtest.List(t, pool, "SELECT url FROM urls WHERE url = 'a.org'"))
	require.Empty(t, followed())

	summary := importURLs(t, pool, "a.org,,,,,\n", URLOptions{Batch: "new", BatchLocations: []int64{2, 2}})
	require.Equal(t, int64(1), summary.BatchLinks)
	require.Equal(t, []string{"a.org"}, followed())
	summary = importURLs(t, pool, "a.org,,,,,\n", URLOptions{Batch: "new", BatchLocations: []int64{2}})
	require.True(t, summary.Unchanged())

	// The batch has a URL that is not in the file.
	summary = importURLs(t, pool, "b.org,,,,,\n", URLOptions{Batch: "old", BatchLocations: []int64{1, 3}, Robots: true})
	require.Equal(t, int64(1), summary.BatchLinks, "one link was stored before")
	require.Equal(t, []string{"a.org", "b.org", "one.org"}, followed())
	require.Equal(t, []string{"7:{2}", "8:{1}"},
		dbtest.List(t, pool, "SELECT user_id || ':' || batch_ids::text FROM followed_batches ORDER BY user_id"))

	// Only duplicates: a batch that exists is linked, and none is created.
	summary = importURLs(t, pool, "a.org,,,,,\n", URLOptions{Batch: "new", BatchLocations: []int64{1}})
	require.Equal(t, int64(1), summary.BatchLinks)
	require.False(t, summary.Unchanged())
	summary = importURLs(t, pool, "a.org,,,,,\n", URLOptions{Batch: "none", BatchLocations: []int64{1}})
	require.True(t, summary.Unchanged())
	require.Equal(t, []string{"new", "old"}, dbtest.List(t, pool, "SELECT parameters ->> 'name' FROM batches ORDER BY 1"))
}

// TestImportsAndFollows imports URLs with and without locations, and follows, at the same time. An import analyzes its tables while
// it holds the lock of its batch, which a change of follows waits for.
func TestImportsAndFollows(t *testing.T) {
	t.Parallel()
	pool := followWorld(t)
	group, ctx := errgroup.WithContext(t.Context())
	for worker := range 3 {
		group.Go(func() error {
			for n := range 6 {
				o := URLOptions{Batch: "old"}
				if n%2 == worker%2 {
					o.BatchLocations = []int64{int64(1 + n%3)}
				}
				page := strings.Repeat(string(rune('a'+worker)), n+1) + ".org,,,,,\n"
				if _, err := URLs(ctx, pool, strings.NewReader(urlHeader+page), o); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for worker := range 2 {
		group.Go(func() error {
			for n := range 10 {
				rows := []string{"7,1\n", "8,2\n", "7,3\n8,1\n", ""}[(n+worker)%4]
				_, err := Follows(ctx, pool, strings.NewReader("user_id,location_id\n"+rows), FollowOptions{})
				if err != nil && !errors.Is(err, ErrNoFollows) {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.NotEmpty(t, stored(t, pool))
	pool.Reset() // a backend reports its numbers when it ends
	require.Eventually(t, func() bool {
		return dbtest.List(t, pool, "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database()")[0] == "1"
	}, time.Minute, 5*time.Millisecond)
	require.Equal(t, []string{"0"}, dbtest.List(t, pool, "SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()"))
}
