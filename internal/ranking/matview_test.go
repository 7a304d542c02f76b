package ranking_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/ranking"
	"docket/internal/views"
)

// refresh refreshes the named materialized views, or all of them.
func (w world) refresh(t testing.TB, names ...string) {
	t.Helper()
	_, err := views.Refresh(t.Context(), w.pool, names...)
	require.NoError(t, err)
}

// nextByView returns the id of the next URL; 0 when none is left.
func nextByView(t testing.TB, conn db.DBTX, by annotator) int32 {
	t.Helper()
	var (
		choice *ranking.Choice
		err    error
	)
	if by.session != uuid.Nil {
		choice, err = ranking.Matview{}.NextForSession(t.Context(), conn, by.session, by.filter.Skip)
	} else {
		choice, err = ranking.Matview{}.NextForUser(t.Context(), conn, by.user, by.filter)
	}
	require.NoError(t, err)
	if choice == nil {
		return 0
	}
	return choice.URLID
}

// order returns the URLs in the order in which they are offered, by suspending one after the other.
func (w world) order(t testing.TB, by annotator) []int32 {
	t.Helper()
	tx, err := w.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	var offered []int32
	for id := nextByView(t, tx, by); id != 0; id = nextByView(t, tx, by) {
		offered = append(offered, id)
		_, err := tx.Exec(t.Context(), suspend, ids(id))
		require.NoError(t, err)
	}
	return offered
}

func TestMatviewOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.refresh(t)
	session := annotator{session: w.session(t)}
	w.exec(t, link(1), ids(3, 4, 5))
	w.exec(t, robots, ids(4))
	w.exec(t, robots, ids(5))
	w.exec(t, robots, ids(5))
	annotators := map[string]annotator{
		"user": {user: 1}, "known session": session, "unknown session": {session: uuid.New()},
	}
	for name, by := range annotators {
		require.Equal(t, ids(1, 2, 3, 4, 5), w.order(t, by), "%s: nothing was counted at the last refresh", name)
	}
	require.Equal(t, ids(3, 4, 5), w.order(t, annotator{user: 1, filter: inBatch(1)}))

	w.refresh(t, "url_annotation_count_view")
	for name, by := range annotators {
		require.Equal(t, ids(5, 4, 1, 2, 3), w.order(t, by), name)
	}
	require.Equal(t, ids(5, 4, 3), w.order(t, annotator{user: 1, filter: inBatch(1)}))

	// URLs that are younger than the refresh count 0, whatever annotations they have, and are ordered among those.
	w.exec(t, "INSERT INTO urls (id, url, source) VALUES (-1, 'first.org', 'manual'), (6, 'last.org', 'manual')")
	w.exec(t, robots, ids(-1))
	for range 3 {
		w.exec(t, robots, ids(6))
	}
	w.exec(t, link(1), ids(-1, 6))
	for name, by := range annotators {
		require.Equal(t, ids(5, 4, -1, 1, 2, 3, 6), w.order(t, by), name)
	}
	require.Equal(t, ids(5, 4, -1, 3, 6), w.order(t, annotator{user: 1, filter: inBatch(1)}))
	require.EqualValues(t, 6, nextByView(t, w.pool, annotator{user: 1, filter: ranking.Filter{URLID: new(int32(6))}}))

	w.refresh(t, "url_annotation_count_view")
	for name, by := range annotators {
		require.Equal(t, ids(6, 5, -1, 4, 1, 2, 3), w.order(t, by), name)
	}
}

// TestMatviewEligibilityIsLive changes which URLs are offered without any refresh.
func TestMatviewEligibilityIsLive(t *testing.T) {
	t.Parallel()
	const user = 7
	tests := map[string]struct {
		change string
		mends  string // makes the URL a candidate again, where that is possible
		by     annotator
	}{
		"validated":    {change: validate, mends: unvalidate},
		"suspended":    {change: suspend, mends: unsuspend},
		"broken":       {change: breakURLs, mends: mendURLs},
		"duplicate":    {change: `UPDATE urls SET status = 'duplicate' WHERE id = ANY($1::int[])`, mends: mendURLs},
		"deleted":      {change: `DELETE FROM urls WHERE id = ANY($1::int[])`},
		"own URL type": {change: says(user), mends: unsay},
		"own agency": {change: `INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
			SELECT unnest($1::int[]), 7, 1`, mends: unsay},
		"own location": {change: `INSERT INTO annotation__location__user (url_id, user_id, location_id)
			SELECT unnest($1::int[]), 7, 1`, mends: unsay},
		"own record type": {change: `INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
			SELECT unnest($1::int[]), 7, 'Stops'`, mends: unsay},
		"out of the batch": {change: unlink, mends: link(1), by: annotator{filter: inBatch(1)}},
		"in another batch": {change: link(2), mends: link(1), by: annotator{filter: inBatch(1)}},
		"asked for by id":  {change: validate, mends: unvalidate, by: annotator{filter: ranking.Filter{URLID: new(int32(2))}}},
		"by id in a batch": {change: link(2), mends: link(1), by: annotator{
			filter: ranking.Filter{BatchID: new(int32(1)), URLID: new(int32(2))},
		}},
		"by id and done":      {change: says(user), mends: unsay, by: annotator{filter: ranking.Filter{URLID: new(int32(2))}}},
		"by id and suspended": {change: suspend, mends: unsuspend, by: annotator{filter: ranking.Filter{URLID: new(int32(2))}}},
	}
	w := newWorld(t, 3)
	w.exec(t, link(1), ids(1, 2))
	w.exec(t, robots, ids(2))
	w.refresh(t)
	for name, test := range tests {
		tx := w.tx(t)
		by := test.by
		by.user = user
		require.EqualValues(t, 2, nextByView(t, tx, by))
		_, err := tx.Exec(t.Context(), test.change, ids(2))
		require.NoError(t, err)
		require.NotEqualValues(t, 2, nextByView(t, tx, by), name)
		if test.mends != "" {
			_, err := tx.Exec(t.Context(), test.mends, ids(2))
			require.NoError(t, err)
			require.EqualValues(t, 2, nextByView(t, tx, by), name)
		}
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// TestMatviewEqualsDefinition compares the ranking with the slow definition after a refresh.
func TestMatviewEqualsDefinition(t *testing.T) {
	t.Parallel()
	const n = 40
	w := newWorld(t, n)
	random := rand.New(rand.NewPCG(1, 2))
	some := func() []int32 {
		var some []int32
		for id := range int32(n) {
			if random.IntN(4) == 0 {
				some = append(some, id+1)
			}
		}
		return some
	}
	known := annotator{session: w.session(t)}
	anonymously := `INSERT INTO annotation__agency__anon (url_id, session_id, agency_id)
		SELECT id, (SELECT s.id FROM anonymous_sessions s), 1 FROM unnest($1::int[]) AS id ON CONFLICT DO NOTHING`
	for range 15 {
		for _, change := range []string{robots, link(1), link(2), validate, unvalidate, suspend, unsuspend, breakURLs, mendURLs,
			unsay, says(1), anonymously} {
			if random.IntN(2) == 0 {
				w.exec(t, unsay, span(1, n)) // so that the next annotations are not duplicates
			}
			w.exec(t, change, some())
		}
		w.refresh(t, "url_annotation_count_view")
		for _, by := range []annotator{{user: 1}, {user: 2}, known, {session: uuid.New()}, {user: 1, filter: inBatch(1)},
			{user: 2, filter: inBatch(2)}, {user: 1, filter: ranking.Filter{URLID: new(random.Int32N(n) + 1)}}} {
			want, err := nextByDefinition(t.Context(), w.pool, by)
			require.NoError(t, err)
			require.Equal(t, want, nextByView(t, w.pool, by), "%v", by)
		}
	}
}

func TestMatviewPrepare(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.exec(t, robots, ids(2))
	require.EqualValues(t, 1, nextByView(t, w.pool, annotator{user: 1}), "the view of a migration has no later annotations")

	refreshed, err := ranking.Matview{}.Prepare(t.Context(), w.pool)
	require.NoError(t, err)
	require.Len(t, refreshed, 1, "no other view than the one that the ranking reads")
	require.Equal(t, "url_annotation_count_view", refreshed[0].Name)
	require.EqualValues(t, 2, nextByView(t, w.pool, annotator{user: 1}))

	refreshed, err = ranking.Matview{}.Prepare(t.Context(), w.pool)
	require.NoError(t, err)
	require.Empty(t, refreshed, "Prepare does not repeat a refresh that is on record")

	w.exec(t, "REFRESH MATERIALIZED VIEW url_annotation_count_view WITH NO DATA")
	refreshed, err = ranking.Matview{}.Prepare(t.Context(), w.pool)
	require.NoError(t, err)
	require.Len(t, refreshed, 1)
	require.EqualValues(t, 2, nextByView(t, w.pool, annotator{user: 1}))
}
