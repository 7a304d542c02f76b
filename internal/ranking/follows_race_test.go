package ranking_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/follows"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// replaceFollows makes the follows of all users random.
func (a *actor) replaceFollows(ctx context.Context) error {
	var given []follows.Follow
	for range a.IntN(5) {
		given = append(given, follows.Follow{UserID: 1 + a.Int32N(historyUsers+1), LocationID: 1 + a.Int32N(3)})
	}
	_, err := follows.New(a.pool).Replace(ctx, given)
	return err
}

// someFollow starts or stops one follow.
func (a *actor) someFollow(ctx context.Context) error {
	return a.changeFollows(ctx, []string{follow, leave}[a.IntN(2)], 1+a.Int32N(historyUsers+1), 1+a.Int32N(3))
}

// someLocation links a batch to a location, or ends a link.
func (a *actor) someLocation(ctx context.Context) error {
	return a.changeFollows(ctx, []string{locate, locate, move}[a.IntN(3)], 1+a.Int32N(3), 1+a.Int32N(3))
}

func following(a *actor) {
	a.actions = []func(context.Context) error{a.replaceFollows, a.someFollow}
}

func locating(a *actor) { a.actions = []func(context.Context) error{a.someLocation} }

func batching(a *actor) {
	a.actions = []func(context.Context) error{
		a.changing(link(1), link(2), link(3), unlink), a.insert, a.changing(suspend, unsuspend), a.changing(robots), a.delete,
	}
}

// killed lets an actor go on when its connection was closed. Whether its transaction was committed is then unknown to it.
func killed(prepare func(*actor)) func(*actor) {
	return func(a *actor) {
		prepare(a)
		for i, action := range a.actions {
			a.actions[i] = func(ctx context.Context) error {
				if err := action(ctx); !postgres.IsUnavailable(err) {
					return err
				}
				return nil
			}
		}
	}
}

// killing closes connections to the database, one after another.
func (h *history) killing(ctx context.Context) error {
	for ctx.Err() == nil {
		_, err := h.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' ORDER BY random() LIMIT 1`)
		if err != nil && ctx.Err() == nil && !postgres.IsUnavailable(err) {
			return err
		}
		time.Sleep(10 * poll)
	}
	return nil
}

// TestFollowsRace has annotators answer, and URLs change, while follows are replaced and batches are linked to locations. At the
// end the queue equals a recount, every annotator is offered the right URL, and there was no deadlock.
func TestFollowsRace(t *testing.T) {
	t.Parallel()
	for name, actors := range map[string][]func(*actor){
		"answers while follows change":                {annotating, annotating, annotating, following, following},
		"answers while batches are linked":            {annotating, annotating, following, locating, locating},
		"URLs are put into batches while both change": {batching, batching, batching, following, locating},
		"all": {annotating, annotating, batching, batching, following, locating},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, historyURLs, 2)
			for batch := range int32(3) {
				h.change(t, span(10*batch+1, 10*batch+10), link(batch+1))
				h.locate(t, batch+1, batch+1)
			}
			h.run(t, 1, 40, actors...)
			h.requireExact(t)
			h.requireNoDeadlocks(t)
		})
	}
}

// TestFollowsRaceWithKills is TestFollowsRace while connections are closed: no transaction leaves a part of its changes.
func TestFollowsRaceWithKills(t *testing.T) {
	t.Parallel()
	h := newHistory(t, historyURLs, 1)
	h.change(t, span(1, 30), link(1))
	h.locate(t, 1, 1)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.killing(ctx) }()
	h.run(t, 2, 40, killed(annotating), killed(annotating), killed(batching), killed(batching), killed(following), killed(locating))
	stop()
	require.NoError(t, <-ended)
	h.pool.Reset() // connections that were closed and not used since
	h.requireExact(t)
}

// TestReconcileDuringFollows repairs what other programs changed, while Docket changes follows: one run is enough.
func TestReconcileDuringFollows(t *testing.T) {
	t.Parallel()
	h := newHistory(t, historyURLs, 1)
	for batch := range int32(3) {
		h.change(t, span(10*batch+1, 10*batch+10), link(batch+1))
	}
	h.exec(t, "UPDATE annotation_queue SET followed = url_id % 2 = 0, batch_id = 1 + url_id % 3")
	h.exec(t, "INSERT INTO followed_batches (user_id, batch_ids, changed_xid) VALUES (1, '{1,3}', 0), (90, '{2}', 0)")
	reconciled := make(chan error, 1)
	go func() {
		reconciled <- ranking.ReconcileAtOnce(context.Background(), h.pool, func(ranking.Difference) {})
	}()
	h.run(t, 3, 20, following, locating, annotatingBlindly, annotatingBlindly)
	require.NoError(t, <-reconciled)
	h.requireExact(t)
}

// annotatingBlindly answers, and does not check which URLs are offered.
func annotatingBlindly(a *actor) { drifting(a); a.actions = a.actions[:3] }

// TestFollowsProperty changes follows, links and URLs in random orders, one at a time, and compares each result with a recount.
func TestFollowsProperty(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 12, 1)
	for seed := range uint64(3) {
		for part := range uint64(8) {
			h.run(t, 100*seed+part, 5, func(a *actor) {
				a.actions = []func(context.Context) error{
					a.replaceFollows, a.someFollow, a.someLocation, a.someLocation, a.changing(link(1), link(2), link(3), unlink), a.annotate,
				}
			})
			require.Empty(t, h.differences(t), fmt.Sprintf("seed %d, part %d", seed, part))
		}
	}
	h.requireExact(t)
}
