package ranking_test

import (
	"fmt"
	"maps"
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

// TestMatviewOrder makes the URLs differ in one key after the other, each stronger than those before it. The counts change the
// order at a refresh, all other keys at once.
func TestMatviewOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.exec(t, collected, span(1, 8))
	w.exec(t, link(1), ids(6, 7))
	w.exec(t, link(2), ids(8))
	w.exec(t, robots, ids(2, 3))
	w.exec(t, voteAnonymously, ids(3))
	w.exec(t, vote, ids(4))
	session := annotator{session: w.session(t)}
	users := map[string]annotator{"user": {user: 1}, "another user": {user: 2}}
	sessions := map[string]annotator{"known session": session, "unknown session": {session: uuid.New()}}
	everyone := maps.Clone(users)
	maps.Copy(everyone, sessions)
	requireOrder := func(of map[string]annotator, want ...int32) {
		t.Helper()
		for name, by := range of {
			require.Equal(t, want, w.order(t, by), name)
		}
	}
	requireOrder(everyone, 1, 2, 3, 4, 5, 6, 7, 8) // the view of a migration has no rows
	w.refresh(t, "url_annotation_count_view")
	requireOrder(everyone, 4, 3, 2, 1, 5, 6, 7, 8)
	w.exec(t, manual, ids(5))
	requireOrder(everyone, 5, 4, 3, 2, 1, 6, 7, 8)
	w.exec(t, manual, ids(7))
	require.Equal(t, ids(7, 6), w.order(t, annotator{user: 1, filter: inBatch(1)}))

	// User 9 follows the location of batch 1 only, user 2 those of both batches, user 1 none.
	w.follow(t, 9, 1)
	w.locate(t, 1, 1)
	requireOrder(everyone, 7, 6, 5, 4, 3, 2, 1, 8)
	w.follow(t, 2, 1)
	w.follow(t, 2, 2)
	w.locate(t, 2, 2)
	w.exec(t, vote, ids(8))
	w.refresh(t, "url_annotation_count_view")
	requireOrder(sessions, 7, 8, 6, 5, 4, 3, 2, 1)
	require.Equal(t, ids(7, 8, 6, 5, 4, 3, 2, 1), w.order(t, annotator{user: 1}))
	require.Equal(t, ids(7, 8, 6, 5, 4, 3, 2, 1), w.order(t, annotator{user: 2}))
	require.Equal(t, ids(7, 6, 8, 5, 4, 3, 2, 1), w.order(t, annotator{user: 9}), "own follows come before those of others")
	require.Equal(t, ids(7, 6), w.order(t, annotator{user: 9, filter: inBatch(1)}))

	// URLs that are younger than the refresh count 0, whatever annotations they have.
	w.exec(t, "INSERT INTO urls (id, url, source) VALUES (-1, 'first.org', 'collector'), (9, 'last.org', 'collector')")
	w.exec(t, vote, ids(-1, 9))
	w.exec(t, vote, ids(9))
	requireOrder(sessions, 7, 8, 6, 5, 4, 3, 2, -1, 1, 9)
	require.EqualValues(t, 9, nextByView(t, w.pool, annotator{user: 1, filter: ranking.Filter{URLID: new(int32(9))}}))
	w.refresh(t, "url_annotation_count_view")
	requireOrder(sessions, 7, 8, 6, 5, 9, -1, 4, 3, 2, 1)
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
		"deleted":      {change: `DELETE FROM urls WHERE id = ANY($1::int[])`},
		"own URL type": {change: says(user), mends: unsay},
		"own agency": {change: `INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
			SELECT unnest($1::int[]), 7, 1`, mends: unsay},
		"own location": {change: `INSERT INTO annotation__location__user (url_id, user_id, location_id)
			SELECT unnest($1::int[]), 7, 1`, mends: unsay},
		"own record type": {change: `INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
			SELECT unnest($1::int[]), 7, 'Stops'`, mends: unsay},
		"reserved":            {change: reserved, mends: available},
		"put off":             {change: putOff(user), mends: comeBack},
		"reserved in a batch": {change: reserved, mends: available, by: annotator{filter: inBatch(1)}},
		"out of the batch":    {change: unlink, mends: link(1), by: annotator{filter: inBatch(1)}},
		"in another batch":    {change: link(2), mends: link(1), by: annotator{filter: inBatch(1)}},
		"asked for by id":     {change: validate, mends: unvalidate, by: annotator{filter: ranking.Filter{URLID: new(int32(2))}}},
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

	// A request for a URL by its id gets it nevertheless.
	w.exec(t, reserved, ids(2))
	w.exec(t, putOff(user), ids(2))
	require.EqualValues(t, 1, nextByView(t, w.pool, annotator{user: user}))
	require.EqualValues(t, 2, nextByView(t, w.pool, annotator{user: user, filter: ranking.Filter{URLID: new(int32(2))}}))
}

// Statements that reserve URLs, or make them available again, without reservations.
const (
	reserved  = "UPDATE annotation_queue SET reserved = true WHERE url_id = ANY($1::int[])"
	available = "UPDATE annotation_queue SET reserved = false WHERE url_id = ANY($1::int[])"
)

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
	anonymously := fmt.Sprintf(`INSERT INTO annotation__agency__anon (url_id, session_id, agency_id)
		SELECT id, '%s', 1 FROM unnest($1::int[]) AS id ON CONFLICT DO NOTHING`, known.session)
	for range 15 {
		for _, change := range []string{robots, unsuggest, link(1), link(2), validate, unvalidate, suspend, unsuspend, collected,
			manual, unsay, vote, voteAnonymously, says(1), anonymously, reserved, available, putOff(1), comeBack} {
			if random.IntN(2) == 0 {
				w.exec(t, unsay, span(1, n)) // so that the next annotations are not duplicates
			}
			w.exec(t, change, some())
		}
		statement := []string{follow, leave, locate, locate, move}[random.IntN(5)]
		require.NoError(t, w.changeFollows(t.Context(), statement, 1+random.Int32N(3), 1+random.Int32N(3)))
		w.refresh(t, "url_annotation_count_view")
		for _, by := range []annotator{{user: 1}, {user: 2}, known, {session: uuid.New()}, {user: 1, filter: inBatch(1)},
			{user: 2, filter: inBatch(2)}, {user: 1, filter: ranking.Filter{URLID: new(random.Int32N(n) + 1)}}} {
			want, err := nextByDefinition(t.Context(), w.pool, by)
			require.NoError(t, err)
			require.Equal(t, want, nextByView(t, w.pool, by), "%v", by)
			by.filter.Skip = random.Int32N(n/2) + 1
			want, err = nextByDefinition(t.Context(), w.pool, by)
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
