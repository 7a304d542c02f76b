package ranking_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/ranking"
)

// most is the limit of a warm statement: the tests go to both sides of it.
const most = ranking.ReadAtMost

// annotators returns an annotator of each kind.
func annotators(t *testing.T, w world) map[string]annotator {
	w.change(t, scan[[]int32](t, w.pool, "SELECT array_agg(id ORDER BY id) FROM urls"), link(1))
	return map[string]annotator{
		"user":    {user: 7},
		"batch":   {user: 8, filter: inBatch(1)},
		"session": {session: w.session(t)},
	}
}

// done stores answers of an annotator about URLs.
func (w world) done(t *testing.T, by annotator, urlIDs []int32) {
	t.Helper()
	service := w.service()
	for _, id := range urlIDs {
		if by.session != uuid.Nil {
			require.NoError(t, service.SubmitAnonymous(t.Context(), by.session, id, annotation.Answer{URLType: annotation.MetaURL}))
		} else {
			require.NoError(t, service.Submit(t.Context(), by.user, id, annotation.Answer{URLType: annotation.MetaURL}))
		}
	}
}

// TestCursor changes URLs between two requests of an annotator who has done URLs 1 and 2 of six, so that the cursor is at 3.
// Each step has the URL that must be returned, by the definition as well.
func TestCursor(t *testing.T) {
	t.Parallel()
	type step struct {
		change string // "done" is an answer of the annotator; "new" and "delete" insert and delete the URLs
		urls   []int32
		want   int32
	}
	tests := map[string][]step{
		"the next one":       {{"done", ids(3), 4}, {"done", ids(4), 5}},
		"skips what is done": {{"done", ids(4, 5), 3}, {"done", ids(3), 6}},
		"reaches the end":    {{"done", ids(3, 4, 5, 6), 0}, {suspend, ids(6), 0}},
		"a URL moves up": {
			{robots, ids(6), 6}, {"done", ids(6), 3}, {"done", ids(3), 4},
		},
		"a URL moves up twice": {
			{vote, ids(6), 6}, {vote, ids(6), 6}, {"done", ids(6), 3},
		},
		"another moves above the one that moved up": {
			{robots, ids(6), 6}, {robots, ids(5), 5}, {"done", ids(5), 6}, {"done", ids(6), 3},
		},
		"undone URLs before the position come after higher ones": {
			{robots, ids(4, 5, 6), 4}, {"done", ids(4), 5}, {"done", ids(5), 6}, {"done", ids(6), 3}, {"done", ids(3), 0},
		},
		"an undone URL before the position is suspended": {
			{robots, ids(5, 6), 5}, {suspend, ids(5), 6}, {suspend, ids(6), 3}, {unsuspend, ids(5), 5}, {"done", ids(5), 3},
		},
		"an undone URL before the position is deleted": {
			{robots, ids(5, 6), 5}, {"delete", ids(5), 6}, {"done", ids(6), 3},
		},
		"an undone URL before the position moves down": {
			{robots, ids(5, 6), 5}, {unsuggest, ids(5), 6}, {"done", ids(6), 3},
			{"done", ids(3, 4), 5},
		},
		"a URL before is no longer done": {
			{unsay, ids(1), 1}, {"done", ids(3), 1}, {"done", ids(1), 4},
		},
		"a URL before was suspended while it was done": {
			{suspend, ids(1), 3}, {unsay, ids(1), 3}, {unsuspend, ids(1), 1},
		},
		"a URL before becomes eligible again, still done": {
			{suspend, ids(1, 2), 3}, {unsuspend, ids(1, 2), 3},
		},
		"the next URL is suspended": {
			{suspend, ids(3), 4}, {"done", ids(4), 5}, {unsuspend, ids(3), 3},
		},
		"the next URL is validated": {
			{validate, ids(3), 4}, {unvalidate, ids(3), 3}, {validate, ids(3, 4), 5}, {unvalidate, ids(3), 3},
		},
		"new after the end": {
			{"done", ids(3, 4, 5, 6), 0}, {"new", ids(7), 7}, {"new", ids(8), 7}, {"done", ids(7), 8}, {"done", ids(8), 0},
			{unsay, ids(2), 2},
		},
		"new before the end": {
			{"done", ids(3, 4, 5), 6}, {"new", ids(7), 6}, {"done", ids(6), 7}, {"done", ids(7), 0}, {"new", ids(8), 8},
		},
	}
	w := newWorld(t, 0)
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			w.restart(t, 6)
			all := annotators(t, w)
			queue := ranking.NewWarmQueue()
			for _, by := range all {
				w.done(t, by, ids(1, 2))
				w.requireNext(t, queue, by, 3)
			}
			for i, step := range steps {
				switch step.change {
				case "done":
					for _, by := range all {
						w.done(t, by, step.urls)
					}
				case "delete":
					require.NoError(t, w.remove(t.Context(), step.urls))
				case "new":
					w.change(t, step.urls, insertURLs)
					w.change(t, step.urls, link(1))
				default:
					w.change(t, step.urls, step.change)
				}
				for kind, by := range all {
					got, err := w.askAndCheck(t.Context(), queue, by)
					require.NoError(t, err, "%s, step %d", kind, i)
					require.Equal(t, step.want, got, "%s, step %d", kind, i)
				}
			}
			require.Empty(t, w.differences(t))
		})
	}
}

// locates is a statement with which the annotator has done URLs. It does not change their order.
func (a annotator) locates() string {
	if a.session != uuid.Nil {
		return fmt.Sprintf(`INSERT INTO annotation__location__anon (session_id, url_id, location_id)
			SELECT '%s', id, 1 FROM urls WHERE id = ANY($1::int[]) ORDER BY id ON CONFLICT DO NOTHING`, a.session)
	}
	return fmt.Sprintf(`INSERT INTO annotation__location__user (user_id, url_id, location_id)
		SELECT %d, id, 1 FROM urls WHERE id = ANY($1::int[]) ORDER BY id ON CONFLICT DO NOTHING`, a.user)
}

// spy records the names of the statements that go through it, and how many of these count done URLs.
type spy struct {
	db.DBTX
	names  []string
	counts int
}

func (s *spy) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	name, _, _ := strings.Cut(strings.TrimPrefix(sql, "-- name: "), " ")
	s.names = append(s.names, name)
	if strings.Contains(name, "DoneCount") {
		s.counts++
	}
	return s.DBTX.QueryRow(ctx, sql, args...)
}

func (s *spy) saw(part string) bool {
	return slices.ContainsFunc(s.names, func(name string) bool { return strings.Contains(name, part) })
}

// TestWarmIsBounded changes more rows between two requests than a warm statement reads.
func TestWarmIsBounded(t *testing.T) {
	t.Parallel()
	const urls = 2*most + 100
	tests := map[string]struct {
		happens func(t *testing.T, w world, queue *ranking.Queue, by annotator)
		want    int32
	}{
		"changes": {func(t *testing.T, w world, _ *ranking.Queue, _ annotator) {
			w.change(t, span(urls-most-1, urls), robots)
		}, urls - most - 1},
		"changes without effect": {func(t *testing.T, w world, _ *ranking.Queue, by annotator) {
			w.change(t, span(2, urls), robots)
			w.change(t, span(2, urls-1), suspend)
			w.change(t, ids(1), robots)
			w.change(t, span(2, urls-1), unsuspend)
		}, 1},
		"done after the position": {func(t *testing.T, w world, queue *ranking.Queue, by annotator) {
			for _, part := range [][]int32{span(2, most), span(most+1, most+20)} {
				w.change(t, part, by.locates())
				w.requireNext(t, queue, by, 1)
			}
			w.change(t, ids(1), by.locates())
		}, most + 21},
	}
	w := newWorld(t, 0)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w.restart(t, urls)
			for kind, by := range annotators(t, w) {
				queue := ranking.NewWarmQueue()
				w.requireNext(t, queue, by, 1)
				test.happens(t, w, queue, by)

				watched := &spy{DBTX: w.pool}
				got, err := ask(t.Context(), watched, queue, by)
				require.NoError(t, err)
				require.Equal(t, test.want, got)
				require.True(t, watched.saw("Warm"))
				require.True(t, watched.saw("Cold"), "%s: the limit was not reached, so the case tests nothing", kind)
				w.requireNext(t, queue, by, test.want)
				w.change(t, span(1, urls), unsay)
				w.change(t, span(1, urls), unsuggest)
			}
		})
	}
}

// TestUndoneBeforeIsBounded moves more URLs before the cursor, part by part, than undoneBefore may hold.
func TestUndoneBeforeIsBounded(t *testing.T) {
	t.Parallel()
	const part, urls = most / 2, 3 * most
	w := newWorld(t, urls)
	for kind, by := range annotators(t, w) {
		w.done(t, by, ids(1)) // so that the cold statement has a done row to skip
		queue := ranking.NewWarmQueue()
		w.requireNext(t, queue, by, 2)
		fromStart := false
		for first := int32(urls - part + 1); first > part; first -= part {
			w.change(t, span(first, first+part-1), robots)
			watched := &spy{DBTX: w.pool}
			got, err := ask(t.Context(), watched, queue, by)
			require.NoError(t, err)
			require.Equal(t, first, got)
			fromStart = fromStart || watched.saw("Cold")
		}
		require.True(t, fromStart, "%s: the limit was not reached, so the case tests nothing", kind)
		w.change(t, span(part+1, urls), suspend)
		w.requireNext(t, queue, by, 2)
		w.change(t, span(1, urls), unsay)
		w.change(t, span(1, urls), unsuspend)
		w.change(t, span(1, urls), unsuggest)
	}
}

// TestCursorIsUsed repeats a request until it needs no cold statement. It may take more than one: any transaction running on
// the server keeps the horizon before the creation of the database.
func TestCursorIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*most)
	for kind, by := range annotators(t, w) {
		queue := ranking.NewWarmQueue()
		for {
			watched := &spy{DBTX: w.pool}
			got, err := ask(t.Context(), watched, queue, by)
			require.NoError(t, err)
			require.EqualValues(t, 1, got)
			if !watched.saw("Cold") {
				require.True(t, watched.saw("Warm"), kind)
				break
			}
			time.Sleep(time.Millisecond)
		}
		queue.Forget()
		watched := &spy{DBTX: w.pool}
		got, err := ask(t.Context(), watched, queue, by)
		require.NoError(t, err)
		require.EqualValues(t, 1, got)
		require.False(t, watched.saw("Warm"), kind)
	}
}

// TestWarmFrom has annotators do one URL after the other: the warm statement runs from WarmFrom done URLs on, and these are
// counted after every RecountAfter requests until then.
func TestWarmFrom(t *testing.T) {
	t.Parallel()
	const urls = ranking.WarmFrom + 10
	w := newWorld(t, urls)
	for kind, by := range annotators(t, w) {
		queue := ranking.NewQueue()
		watched := &spy{DBTX: w.pool}
		for done := range int32(urls) {
			next, err := ask(t.Context(), watched, queue, by)
			require.NoError(t, err)
			require.Equal(t, done+1, next)
			require.Equal(t, done >= ranking.WarmFrom, watched.saw("Warm"), "%s, %d done", kind, done)
			w.done(t, by, ids(next))
		}
		require.Equal(t, ranking.WarmFrom/ranking.RecountAfter+1, watched.counts, kind)

		watched, queue = &spy{DBTX: w.pool}, ranking.NewQueue()
		for range 3 {
			_, err := ask(t.Context(), watched, queue, by)
			require.NoError(t, err)
		}
		require.Len(t, watched.names, 4, "%s: in a new process, one cold statement, one count, two warm statements", kind)
		require.True(t, watched.saw("Warm"), kind)
	}
}

// TestManyDoneAtOnce has another process do many URLs of an annotator who had done none: this process counts again after
// RecountAfter requests at most, and has a cursor from then on. The annotator does the rest, until a new URL is inserted.
func TestManyDoneAtOnce(t *testing.T) {
	t.Parallel()
	const urls = ranking.WarmFrom + 10
	w := newWorld(t, urls)
	for kind, by := range annotators(t, w) {
		queue := ranking.NewQueue()
		for range 2 { // the second request counts
			w.requireNext(t, queue, by, 1)
		}
		w.done(t, by, span(1, ranking.WarmFrom+1))

		requests := 0
		for watched := (&spy{DBTX: w.pool}); !watched.saw("Warm"); requests++ {
			require.Less(t, requests, 2*ranking.RecountAfter, kind)
			next, err := ask(t.Context(), watched, queue, by)
			require.NoError(t, err)
			require.EqualValues(t, ranking.WarmFrom+2, next)
		}
		require.LessOrEqual(t, requests, ranking.RecountAfter+1, kind)

		w.done(t, by, span(ranking.WarmFrom+2, urls))
		for range 2 {
			watched := &spy{DBTX: w.pool}
			next, err := ask(t.Context(), watched, queue, by)
			require.NoError(t, err)
			require.Zero(t, next, kind)
			require.True(t, watched.saw("Warm"), kind)
			w.requireNext(t, queue, by, 0)
		}
		w.change(t, ids(urls+1), insertURLs)
		w.change(t, ids(urls+1), link(1))
		w.requireNext(t, queue, by, urls+1)
		require.NoError(t, w.remove(t.Context(), ids(urls+1)))
		w.requireNext(t, queue, by, 0)
		w.change(t, span(1, urls), unsay)
	}
}

// TestLateCommit commits a change whose transaction began before the cursor was set.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	for kind, by := range annotators(t, w) {
		w.done(t, by, ids(1, 2))
		queue := ranking.NewWarmQueue()
		w.requireNext(t, queue, by, 3)

		late := w.open(t, ids(6), robots)
		for range 3 {
			w.change(t, ids(3), robots) // younger, and committed earlier
			w.requireNext(t, queue, by, 3)
		}
		w.done(t, by, ids(3))
		w.requireNext(t, queue, by, 4)
		require.NoError(t, late.Commit(t.Context()))
		for range 3 {
			w.change(t, ids(4), `SELECT FROM unnest($1::int[])`)
			w.requireNext(t, queue, by, 6)
		}

		w.change(t, span(1, 6), unsay)
		w.change(t, span(1, 6), unsuggest)
		w.requireNext(t, queue, by, 1)
		require.Empty(t, w.differences(t), kind)
	}
}

// TestManyLateCommits commits changes in the opposite order of their transaction ids, with a request after each.
func TestManyLateCommits(t *testing.T) {
	t.Parallel()
	const urls = 7
	w := newWorld(t, urls)
	by := annotator{user: 7}
	queue := ranking.NewWarmQueue()
	var open []pgx.Tx
	for id := int32(2); id < urls; id++ { // one connection is left for the requests
		w.requireNext(t, queue, by, 1)
		open = append(open, w.open(t, ids(id), robots))
	}
	for _, tx := range slices.Backward(open) {
		require.NoError(t, tx.Commit(t.Context()))
		want, err := nextByDefinition(t.Context(), w.pool, by)
		require.NoError(t, err)
		w.requireNext(t, queue, by, want)
		w.done(t, by, ids(want))
	}
	require.Empty(t, w.differences(t))
}

func TestFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	w.change(t, ids(2, 4), link(1))
	w.change(t, ids(3, 5, 6), link(2))
	w.change(t, ids(6), robots)
	queue := ranking.NewWarmQueue()
	byID := func(url int32, batch *int32) annotator {
		return annotator{user: 7, filter: ranking.Filter{URLID: &url, BatchID: batch}}
	}
	check := func(by annotator, want int32) {
		t.Helper()
		w.requireNext(t, queue, by, want)
		w.requireNext(t, queue, by, want)
	}
	all, one, two := annotator{user: 7}, annotator{user: 7, filter: inBatch(1)}, annotator{user: 7, filter: inBatch(2)}
	check(all, 6)
	check(one, 2)
	check(two, 6)
	check(annotator{user: 7, filter: inBatch(3)}, 0)
	check(annotator{user: 7, filter: inBatch(99)}, 0)
	check(byID(99, nil), 0)
	check(byID(1, nil), 1)
	check(byID(1, new(int32(1))), 0)
	check(byID(4, new(int32(1))), 4)
	check(byID(4, new(int32(2))), 0)

	w.done(t, all, ids(6))
	check(byID(6, nil), 0)
	check(all, 1)
	check(two, 3)
	w.change(t, ids(2), link(2))
	check(one, 4)
	check(two, 2)
	w.change(t, ids(3), link(1))
	check(one, 3)
	w.change(t, ids(3, 4), unlink)
	check(one, 0)
	check(byID(3, nil), 3)
	w.change(t, ids(3), suspend)
	check(byID(3, nil), 0)
	w.change(t, ids(1, 2), validate)
	check(all, 4)
	check(two, 5)
	require.Empty(t, w.differences(t))
}

// TestCursorsOfOneAnnotator checks that no annotator gets the cursor of another one.
func TestCursorsOfOneAnnotator(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	w.change(t, span(1, 6), link(1))
	queue := ranking.NewWarmQueue()
	some := []annotator{
		{user: 1}, {user: 2}, {user: 1, filter: inBatch(1)}, {user: 2, filter: inBatch(1)},
		{session: w.session(t)}, {session: w.session(t)},
	}
	for _, by := range some {
		w.requireNext(t, queue, by, 1)
	}
	for i, by := range some {
		if by.filter.BatchID == nil {
			w.done(t, by, span(1, int32(len(some)-i)))
		}
	}
	for range 2 {
		for _, by := range some {
			_, err := w.askAndCheck(t.Context(), queue, by)
			require.NoError(t, err)
		}
	}
}

// TestZeroIDs checks that user 0, batch 0 and the zero session, which do not exist but can be in a request, have cursors of
// their own.
func TestZeroIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	queue := ranking.NewWarmQueue()
	zero := annotator{user: 0}
	w.requireNext(t, queue, zero, 1)
	w.done(t, zero, span(1, 2))
	w.requireNext(t, queue, zero, 3)

	for range 2 {
		choice, err := queue.NextForUser(t.Context(), w.pool, 0, inBatch(0))
		require.NoError(t, err)
		require.Nil(t, choice)
		w.requireNext(t, queue, zero, 3)

		choice, err = queue.NextForSession(t.Context(), w.pool, uuid.UUID{}, 0)
		require.NoError(t, err)
		require.EqualValues(t, 1, choice.URLID)
		w.requireNext(t, queue, zero, 3)
	}
}
