package ranking_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/ranking"
)

// window is how many URLs a new window reads.
const window = ranking.WindowSize

// followedWorld has URLs 1 to n: the odd ones are in batch 1, which is linked to location 1, the even ones in no batch. User 7
// follows that location.
func followedWorld(t *testing.T, w world, n int) annotator {
	t.Helper()
	w.restart(t, n)
	w.follow(t, 7, 1)
	w.locate(t, 1, 1)
	w.change(t, w.odd(t), link(1))
	return annotator{user: 7}
}

// odd returns the URLs with odd ids.
func (w world) odd(t *testing.T) []int32 {
	t.Helper()
	return scan[[]int32](t, w.pool, "SELECT array_agg(id ORDER BY id) FROM urls WHERE id % 2 = 1")
}

const (
	coldNext     = "QueueNextGetCold"
	warmNext     = "QueueNextGetWarm"
	coldFollowed = "QueueFollowedGetCold"
	moreFollowed = "QueueFollowedGetColdFrom"
	warmFollowed = "QueueFollowedGetWarm"
)

// requireStatements checks the next URL and the statements that find it. The queue keeps cursors, so no done URLs are counted.
func (w world) requireStatements(t *testing.T, queue *ranking.Queue, by annotator, want int32, statements ...string) {
	t.Helper()
	w.waitForHorizon(t)
	watched := &spy{DBTX: w.pool}
	got, err := ask(t.Context(), watched, queue, by)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, statements, watched.names)
	wanted, err := nextByDefinition(t.Context(), w.pool, by)
	require.NoError(t, err)
	require.Equal(t, wanted, got)
}

// waitForHorizon returns when no transaction is running that began before. The transactions of tests in other databases of the
// server count too, and until then the changes before them are read again.
func (w world) waitForHorizon(t *testing.T) {
	t.Helper()
	now := scan[int64](t, w.pool, "SELECT pg_current_xact_id()::text::bigint")
	for scan[int64](t, w.pool, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint") <= now {
		time.Sleep(poll)
	}
}

// TestFollowedFirst changes what a user follows, and the URLs of it, between two requests. All other annotators have the order
// in which URLs that any user follows come first.
func TestFollowedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	by := followedWorld(t, w, 8)
	another, session := annotator{user: 8}, annotator{session: w.session(t)}
	queue := ranking.NewWarmQueue()
	next := func(want, wantAnother int32) {
		t.Helper()
		for range 2 {
			w.requireNext(t, queue, by, want)
			w.requireNext(t, queue, another, wantAnother)
			w.requireNext(t, queue, session, wantAnother)
		}
	}
	next(1, 1)
	w.change(t, ids(2), vote)
	next(1, 1)
	w.change(t, ids(5), vote)
	next(5, 5)
	w.follow(t, 8, 2)
	w.locate(t, 2, 2)
	w.change(t, ids(2), link(2))
	w.change(t, ids(2), vote)
	w.requireNext(t, queue, by, 5)
	w.requireNext(t, queue, another, 2)
	w.requireNext(t, queue, session, 2)
	w.follow(t, 7, 2)
	w.requireNext(t, queue, by, 2)
	w.change(t, ids(2), suspend)
	next(5, 5)
	require.NoError(t, w.changeFollows(t.Context(), leave, 7, 1))
	w.requireNext(t, queue, by, 5) // no URL of batch 2 is eligible, and 5 has a vote
	require.NoError(t, w.changeFollows(t.Context(), leave, 7, 2))
	w.requireNext(t, queue, by, 5)
	require.Empty(t, w.differences(t))
}

// TestFollowedWindow has the statements of each request of a user who follows a batch.
func TestFollowedWindow(t *testing.T) {
	t.Parallel()
	const urls = 16 * window
	w := newWorld(t, 0)
	by := followedWorld(t, w, urls)
	queue := ranking.NewWarmQueue()
	w.requireStatements(t, queue, by, 1, coldNext, coldFollowed)
	w.requireStatements(t, queue, by, 1, warmFollowed)
	w.done(t, by, ids(1))
	w.requireStatements(t, queue, by, 3, warmFollowed)

	// Changes of one URL, before the window, in it, and after it.
	w.change(t, ids(urls-1), vote)
	w.requireStatements(t, queue, by, urls-1, warmFollowed)
	w.change(t, ids(urls-1), suspend)
	w.requireStatements(t, queue, by, 3, warmFollowed)
	w.change(t, ids(urls-3), `SELECT $1::int[]`)
	w.requireStatements(t, queue, by, 3, warmFollowed)
	w.change(t, ids(3), unlink)
	w.requireStatements(t, queue, by, 5, warmFollowed)
	w.change(t, ids(3), link(1))
	w.requireStatements(t, queue, by, 3, warmFollowed)
	require.NoError(t, w.remove(t.Context(), ids(3)))
	w.requireStatements(t, queue, by, 5, warmFollowed, coldFollowed)
	w.requireStatements(t, queue, by, 5, warmFollowed)

	// The window ends. The next one begins after it, also where the user has done the first URLs of it.
	w.change(t, span(1, 2*window+20), by.locates())
	w.requireStatements(t, queue, by, 2*window+21, warmFollowed, moreFollowed)
	w.requireStatements(t, queue, by, 2*window+21, warmFollowed)

	// The user has done more URLs after the window than the next one reads.
	next := int32(2*window + 21 + most - 2)
	w.change(t, span(2*window+21, next-1), by.locates())
	w.requireStatements(t, queue, by, next, warmFollowed, moreFollowed, coldFollowed)

	// All followed URLs are done.
	for ; next <= urls; next += 200 {
		w.change(t, span(next, min(urls, next+199)), by.locates())
		w.waitForHorizon(t)
		_, err := w.askAndCheck(t.Context(), queue, by)
		require.NoError(t, err)
	}
	w.change(t, ids(2, 4), unsay)
	w.requireStatements(t, queue, by, 2, warmNext)
	w.change(t, ids(1), `SELECT $1::int[]`) // still done
	w.requireStatements(t, queue, by, 2, warmNext)
	w.change(t, ids(1), unsay)
	w.requireStatements(t, queue, by, 1, warmNext, warmFollowed)
	w.done(t, by, ids(1))
	w.requireStatements(t, queue, by, 2, warmFollowed, warmNext)
	w.requireStatements(t, queue, by, 2, warmNext)
	w.change(t, span(401, 400+most), vote)
	w.requireStatements(t, queue, by, 2, warmNext, coldFollowed, coldNext)
	w.requireStatements(t, queue, by, 2, warmNext)

	// The user follows other batches, or none.
	w.locate(t, 2, 1)
	w.requireStatements(t, queue, by, 2, warmNext, coldFollowed, warmNext)
	w.change(t, ids(4), link(2))
	w.requireStatements(t, queue, by, 4, warmNext, warmFollowed)
	require.NoError(t, w.changeFollows(t.Context(), leave, 7, 1)) // changes more URLs than a statement reads
	w.requireStatements(t, queue, by, 2, warmFollowed, warmNext, coldNext)
	w.requireStatements(t, queue, by, 2, warmNext)
	w.follow(t, 7, 1)
	w.requireStatements(t, queue, by, 4, warmNext, coldNext, coldFollowed)
}

// TestFollowedIsBounded changes as many URLs between two requests as a statement reads, and moves so many into the window that
// it becomes too long.
func TestFollowedIsBounded(t *testing.T) {
	t.Parallel()
	const urls = 4 * most
	w := newWorld(t, 0)
	by := followedWorld(t, w, urls)
	w.change(t, span(1, urls), link(1))
	queue := ranking.NewWarmQueue()
	w.requireStatements(t, queue, by, 1, coldNext, coldFollowed)
	w.change(t, span(urls-most+2, urls), vote)
	w.requireStatements(t, queue, by, urls-most+2, warmFollowed)
	w.change(t, span(urls-most+1, urls), vote)
	w.requireStatements(t, queue, by, urls-most+2, warmFollowed, coldFollowed)

	for first := int32(2 * most); first > 0; first -= most / 2 {
		for range 3 { // more votes than any other URL has
			w.change(t, span(first, first+most/2-1), vote)
		}
		w.requireStatements(t, queue, by, first, warmFollowed)
	}
	for range 3 * window {
		next, err := w.askAndCheck(t.Context(), queue, by)
		require.NoError(t, err)
		w.done(t, by, ids(next))
	}
}

// TestFollowedInSeveralProcesses has two processes with windows of one user.
func TestFollowedInSeveralProcesses(t *testing.T) {
	t.Parallel()
	const urls = 2*window + 20
	w := newWorld(t, 0)
	by := followedWorld(t, w, urls)
	one, two := ranking.NewWarmQueue(), ranking.NewQueue()
	for i := range int32(urls) {
		next, err := w.askAndCheck(t.Context(), []*ranking.Queue{one, two, one}[i%3], by)
		require.NoError(t, err)
		if i%5 > 0 {
			w.done(t, by, ids(next))
		}
		if i%7 == 0 {
			w.change(t, ids(urls-i), []string{vote, link(1), unlink}[i%3])
		}
	}
	for _, queue := range []*ranking.Queue{one, two} {
		for range 2 {
			_, err := w.askAndCheck(t.Context(), queue, by)
			require.NoError(t, err)
		}
	}
}

// TestFollowedLateCommit commits changes of followed URLs whose transactions began before the window was read.
func TestFollowedLateCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	by := followedWorld(t, w, 2*window+40)
	queue := ranking.NewWarmQueue()
	late := w.open(t, ids(2*window+31), vote)
	linked := w.open(t, ids(2*window+32), link(1))
	w.requireNext(t, queue, by, 1)
	for _, url := range ids(1, 3, 5) {
		w.done(t, by, ids(url))
		w.requireNext(t, queue, by, url+2)
	}
	require.NoError(t, late.Commit(t.Context()))
	for range 2 {
		w.requireNext(t, queue, by, 2*window+31)
	}
	w.done(t, by, ids(2*window+31))
	w.requireNext(t, queue, by, 7)

	// The window is continued while the other transaction is open.
	w.change(t, span(1, 2*window), by.locates())
	w.requireNext(t, queue, by, 2*window+1)
	require.NoError(t, linked.Commit(t.Context()))
	w.change(t, span(2*window+1, 2*window+31), by.locates())
	for range 2 {
		w.requireNext(t, queue, by, 2*window+32)
	}
}

// TestFollowedRace has followers share the windows of one process, while other writers change the URLs in them and after them,
// and who follows them.
func TestFollowedRace(t *testing.T) {
	t.Parallel()
	const urls = 6 * window
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, urls, 2)
			for batch := range int32(3) {
				h.change(t, span(1+batch*urls/3, (batch+1)*urls/3), link(batch+1))
				h.locate(t, batch+1, batch+1)
			}
			for user := range int32(historyUsers) {
				h.follow(t, user+1, 1+user%3)
			}
			following := func(a *actor) {
				a.actions = []func(context.Context) error{func(ctx context.Context) error {
					by, process := annotator{user: 1 + a.Int32N(historyUsers)}, a.processes[a.IntN(2)]
					url, err := a.askAndCheck(ctx, process.queue, by)
					if err != nil || url == 0 {
						return err
					}
					// More URLs at once than a user could answer, so that windows end.
					return a.tryChange(ctx, span(url, url+a.Int32N(window)), by.locates())
				}}
			}
			changing := func(a *actor) {
				a.actions = []func(context.Context) error{
					a.changing(vote, voteAnonymously, suspend, unsuspend, unsuspend), a.changing(link(1), link(2), link(3), unlink),
					a.changing(unsay), a.annotate, a.annotate, a.annotate, a.annotate, a.changeFollow,
				}
			}
			h.run(t, seed, 40, append(slices.Repeat([]func(*actor){following}, 4), changing, changing)...)
			h.requireExact(t)
		})
	}
}

// interrupted runs a function one time, before a statement.
type interrupted struct {
	db.DBTX
	before string
	run    func()
}

func (i *interrupted) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if i.run != nil && strings.HasPrefix(sql, "-- name: "+i.before+" ") {
		run := i.run
		i.run = nil
		run()
	}
	return i.DBTX.QueryRow(ctx, sql, args...)
}

// TestFollowedBetweenStatements commits a change between the two statements of a request. The next request sees it.
func TestFollowedBetweenStatements(t *testing.T) {
	t.Parallel()
	const urls = 6 * window
	w := newWorld(t, 0)
	by := followedWorld(t, w, urls)
	queue := ranking.NewWarmQueue()
	requireNext := func(want int32) {
		t.Helper()
		w.waitForHorizon(t) // else the changes before are read again, and the window is built from the start if they are many
		w.requireNext(t, queue, by, want)
	}
	requireNext(1)
	request := func(before string, urlIDs []int32, statement string) {
		t.Helper()
		conn := &interrupted{DBTX: w.pool, before: before, run: func() { w.change(t, urlIDs, statement) }}
		_, err := ask(t.Context(), conn, queue, by)
		require.NoError(t, err)
		require.Nil(t, conn.run, "%s did not run", before)
	}

	// The window is continued, and a URL after it moves before its end.
	w.change(t, span(1, 2*window), by.locates())
	w.waitForHorizon(t)
	request(moreFollowed, ids(urls-1), vote)
	w.requireNext(t, queue, by, urls-1)
	requireNext(urls - 1)

	// Everything is done, and then a followed URL is undone.
	w.change(t, span(1, urls/2), by.locates())
	requireNext(urls - 1)
	w.change(t, span(urls/2+1, urls-2), by.locates())
	w.change(t, ids(2), unsay)
	w.change(t, ids(2), link(2)) // another user follows it, and it has a vote: first of all but what this user follows
	w.change(t, ids(2), vote)
	w.follow(t, 8, 2)
	w.locate(t, 2, 2)
	w.change(t, ids(urls-1), by.locates())
	w.waitForHorizon(t)
	request(warmNext, ids(5), unsay)
	requireNext(5)
	w.requireNext(t, queue, by, 5)
}
