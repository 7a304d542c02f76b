package ranking_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/ranking"
)

// drift is a change that makes the queue differ from a recount: of the queue, or of another table.
type drift struct {
	statement string
	want      []ranking.Difference
}

// session is replaced by the first digits of the id of the only session: the whole id is a secret.
const session = "the session"

// drifts start from the database of prepareDrift.
var drifts = map[string]drift{
	"no row of an eligible URL": {
		"DELETE FROM annotation_queue WHERE url_id = 1",
		[]ranking.Difference{{Kind: "missing", URLID: 1, Want: "eligible"}},
	},
	"no row of another": {
		"DELETE FROM annotation_queue WHERE url_id = 3",
		[]ranking.Difference{{Kind: "missing", URLID: 3, Want: "not eligible"}},
	},
	"not offered": {
		"UPDATE annotation_queue SET eligible = false WHERE url_id = 2",
		[]ranking.Difference{{Kind: "missing", URLID: 2, Want: "eligible"}},
	},
	"offered by mistake": {
		"UPDATE annotation_queue SET eligible = true WHERE url_id = 3",
		[]ranking.Difference{{Kind: "surplus", URLID: 3, Have: "eligible"}},
	},
	"follow": {
		"UPDATE annotation_queue SET followed = false WHERE url_id = 5",
		[]ranking.Difference{{Kind: "wrong follow", URLID: 5, Have: "false", Want: "true"}},
	},
	"follow by mistake": {
		"UPDATE annotation_queue SET followed = true WHERE url_id = 2",
		[]ranking.Difference{{Kind: "wrong follow", URLID: 2, Have: "true", Want: "false"}},
	},
	"source": {
		"UPDATE annotation_queue SET manual = false WHERE url_id = 1",
		[]ranking.Difference{{Kind: "wrong source", URLID: 1, Have: "false", Want: "true"}},
	},
	"types of users": {
		"UPDATE annotation_queue SET user_url_type_count = 100 WHERE url_id = 1",
		[]ranking.Difference{{Kind: "wrong count of user URL types", URLID: 1, Have: "100", Want: "1"}},
	},
	"types of sessions": {
		"UPDATE annotation_queue SET anon_url_type_count = 0 WHERE url_id = 1",
		[]ranking.Difference{{Kind: "wrong count of anonymous URL types", URLID: 1, Have: "0", Want: "1"}},
	},
	"types of robots": {
		"UPDATE annotation_queue SET auto_url_type_count = 1 WHERE url_id = 1",
		[]ranking.Difference{{Kind: "wrong count of automatic URL types", URLID: 1, Have: "1", Want: "0"}},
	},
	"batch not noted": {
		"UPDATE annotation_queue SET batch_id = NULL WHERE url_id = 1",
		[]ranking.Difference{{Kind: "wrong batch", URLID: 1, Have: "none", Want: "1"}},
	},
	"another batch noted": {
		"UPDATE annotation_queue SET batch_id = 2 WHERE url_id = 5",
		[]ranking.Difference{{Kind: "wrong batch", URLID: 5, Have: "2", Want: "3"}},
	},
	"agencies": {
		"UPDATE annotation_queue SET user_agency_count = 0 WHERE url_id = 1",
		[]ranking.Difference{{Kind: "wrong count of user agencies", URLID: 1, Have: "0", Want: "2"}},
	},
	"reservations lost in a crash": {
		"UPDATE annotation_queue SET reserved = true WHERE url_id IN (2, 4)",
		[]ranking.Difference{
			{Kind: "reserved without reservations", URLID: 2, Have: "reserved"},
			{Kind: "reserved without reservations", URLID: 4, Have: "reserved"},
		},
	},
	"reservation that nothing has swept": {
		`WITH r AS (
			INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			VALUES ('7', 4, 1, false, now() - interval '1 second'), ('8', 5, 1, false, now() + interval '1 hour')
		) UPDATE annotation_queue SET reserved = true WHERE url_id IN (4, 5)`,
		[]ranking.Difference{{Kind: "reserved without reservations", URLID: 4, Have: "reserved"}},
	},
	"another program's skip": {
		`INSERT INTO url_skips (url_id, user_id, reason, active) VALUES (4, 8, 'language', true), (5, 8, 'language', false)`,
		[]ranking.Difference{{Kind: "missing done row", URLID: 4, Annotator: "8", Want: "done"}},
	},
	"another program's skip of a session": {
		"INSERT INTO url_skips (url_id, session_id, reason) SELECT 4, id, 'language' FROM anonymous_sessions",
		[]ranking.Difference{{Kind: "missing done row", URLID: 4, Annotator: session, Want: "done"}},
	},
	"skip that has ended": {
		`WITH s AS (INSERT INTO url_skips (url_id, user_id, reason, active) VALUES (4, 8, 'language', false))
			INSERT INTO user_url_done (user_id, url_id) VALUES (8, 4)`,
		[]ranking.Difference{{Kind: "surplus done row", URLID: 4, Annotator: "8", Have: "done"}},
	},
	"user not done": {
		"DELETE FROM user_url_done WHERE url_id = 1",
		[]ranking.Difference{{Kind: "missing done row", URLID: 1, Annotator: "7", Want: "done"}},
	},
	"user done by mistake": {
		"INSERT INTO user_url_done (user_id, url_id) VALUES (8, 1)",
		[]ranking.Difference{{Kind: "surplus done row", URLID: 1, Annotator: "8", Have: "done"}},
	},
	"user done with a URL that is not eligible": {
		"INSERT INTO user_url_done (user_id, url_id) VALUES (7, 3)",
		[]ranking.Difference{{Kind: "surplus done row", URLID: 3, Annotator: "7", Have: "done"}},
	},
	"session not done": {
		"DELETE FROM anonymous_url_done WHERE url_id = 1",
		[]ranking.Difference{{Kind: "missing done row", URLID: 1, Annotator: session, Want: "done"}},
	},
	"session done by mistake": {
		"INSERT INTO anonymous_url_done (session_id, url_id) SELECT id, 2 FROM anonymous_sessions",
		[]ranking.Difference{{Kind: "surplus done row", URLID: 2, Annotator: session, Have: "done"}},
	},
	"progress": {
		"UPDATE batch_progress SET total = 7, annotated = 3 WHERE batch_id = 1",
		[]ranking.Difference{{Kind: "wrong batch progress", BatchID: 1, Have: "3 of 7", Want: "2 of 4"}},
	},
	"no progress": {
		"DELETE FROM batch_progress WHERE batch_id = 1",
		[]ranking.Difference{{Kind: "wrong batch progress", BatchID: 1, Want: "2 of 4"}},
	},
	"progress of an empty batch": {
		"INSERT INTO batch_progress (batch_id, total, annotated) VALUES (2, 1, 0)",
		[]ranking.Difference{{Kind: "wrong batch progress", BatchID: 2, Have: "0 of 1", Want: "0 of 0"}},
	},
	"another program's URL": {
		"INSERT INTO urls (url, source) VALUES ('example.org/else', 'manual')",
		[]ranking.Difference{{Kind: "missing", URLID: 6, Want: "eligible"}},
	},
	"another program's suggestion": {
		"INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (1, true)",
		[]ranking.Difference{{Kind: "wrong count of automatic URL types", URLID: 1, Have: "0", Want: "1"}},
	},
	"another program's answer": {
		"INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES (4, 8, 1)",
		[]ranking.Difference{
			{Kind: "missing done row", URLID: 4, Annotator: "8", Want: "done"},
			{Kind: "wrong count of user agencies", URLID: 4, Have: "0", Want: "1"},
			{Kind: "wrong batch progress", BatchID: 1, Have: "2 of 4", Want: "3 of 4"},
		},
	},
	"another program's anonymous answer": {
		"INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT 4, id, 1 FROM anonymous_sessions",
		[]ranking.Difference{{Kind: "missing done row", URLID: 4, Annotator: session, Want: "done"}},
	},
	"another program's validation": {
		"INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'data source')",
		[]ranking.Difference{
			{Kind: "surplus", URLID: 1, Have: "eligible"},
			{Kind: "surplus done row", URLID: 1, Annotator: "7", Have: "done"},
			{Kind: "surplus done row", URLID: 1, Annotator: session, Have: "done"},
		},
	},
	"another program's URL type": {
		"INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (1, 8, 'meta url')",
		[]ranking.Difference{
			{Kind: "missing done row", URLID: 1, Annotator: "8", Want: "done"},
			{Kind: "wrong count of user URL types", URLID: 1, Have: "1", Want: "2"},
		},
	},
	"another program's anonymous URL type": {
		"INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) SELECT 1, id, 'meta url' FROM anonymous_sessions",
		[]ranking.Difference{{Kind: "wrong count of anonymous URL types", URLID: 1, Have: "1", Want: "2"}},
	},
	"another program's source": {
		"UPDATE urls SET source = 'collector' WHERE id = 4",
		[]ranking.Difference{{Kind: "wrong source", URLID: 4, Have: "true", Want: "false"}},
	},
	"another program's batch": {
		"UPDATE link_batches__urls SET batch_id = 2 WHERE url_id = 1",
		[]ranking.Difference{
			{Kind: "wrong batch", URLID: 1, Have: "1", Want: "2"},
			{Kind: "wrong batch progress", BatchID: 1, Have: "2 of 4", Want: "1 of 3"},
			{Kind: "wrong batch progress", BatchID: 2, Want: "1 of 1"},
		},
	},
	"another program's followed batch": {
		"UPDATE link_batches__urls SET batch_id = 3 WHERE url_id = 4",
		[]ranking.Difference{
			{Kind: "wrong follow", URLID: 4, Have: "false", Want: "true"},
			{Kind: "wrong batch", URLID: 4, Have: "1", Want: "3"},
			{Kind: "wrong batch progress", BatchID: 1, Have: "2 of 4", Want: "2 of 3"},
			{Kind: "wrong batch progress", BatchID: 3, Have: "0 of 1", Want: "0 of 2"},
		},
	},
	"another program's deletion": {
		"DELETE FROM urls WHERE id = 1",
		[]ranking.Difference{{Kind: "wrong batch progress", BatchID: 1, Have: "2 of 4", Want: "1 of 3"}},
	},
	"nothing is left": {
		"TRUNCATE annotation_queue, user_url_done, anonymous_url_done, batch_progress",
		[]ranking.Difference{
			{Kind: "missing", URLID: 1, Want: "eligible"},
			{Kind: "missing done row", URLID: 1, Annotator: "7", Want: "done"},
			{Kind: "missing done row", URLID: 1, Annotator: session, Want: "done"},
			{Kind: "missing", URLID: 2, Want: "eligible"},
			{Kind: "missing", URLID: 3, Want: "not eligible"},
			{Kind: "missing", URLID: 4, Want: "eligible"},
			{Kind: "missing", URLID: 5, Want: "eligible"},
			{Kind: "wrong batch progress", BatchID: 1, Want: "2 of 4"},
			{Kind: "wrong batch progress", BatchID: 3, Want: "0 of 1"},
		},
	},
}

// prepareDrift makes five URLs, all but the last in batch 1: URL 1 has full answers of user 7 and of a session, 2 a type by a
// robot, 3 the same answers as 1 and is suspended, 4 and 5 have nothing. URL 5 is in batch 3, of a location that user 7 follows.
func prepareDrift(t *testing.T, w world) uuid.UUID {
	t.Helper()
	w.restart(t, 5)
	session := w.session(t)
	service := w.service()
	w.change(t, span(1, 4), link(1))
	w.change(t, ids(2), robots)
	w.follow(t, 7, 1)
	w.change(t, ids(5), link(3))
	w.locate(t, 3, 1)
	for _, url := range ids(1, 3) {
		require.NoError(t, service.Submit(t.Context(), 7, url, fullAnswer))
		require.NoError(t, service.SubmitAnonymous(t.Context(), session, url, fullAnswer))
	}
	w.change(t, ids(3), suspend)
	require.Empty(t, w.differences(t))
	return session
}

func TestDrift(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for name, test := range drifts {
		t.Run(name, func(t *testing.T) {
			id := prepareDrift(t, w)
			want := slices.Clone(test.want)
			for i := range want {
				if want[i].Annotator == session {
					want[i].Annotator = id.String()[:8] + "…"
				}
			}
			w.exec(t, test.statement)

			found := w.differences(t)
			require.ElementsMatch(t, want, found)
			require.True(t, slices.IsSortedFunc(found, func(a, b ranking.Difference) int {
				// URLs before batches, which have none.
				return cmp.Or(cmp.Compare(uint32(a.URLID-1), uint32(b.URLID-1)), cmp.Compare(a.BatchID, b.BatchID))
			}), "%v", found)
			require.ElementsMatch(t, want, w.differences(t), "Verify changes nothing")

			repaired := w.reconcile(t)
			for _, difference := range want {
				if difference.URLID != 0 { // the repair of a URL can mend the progress of its batch
					require.Contains(t, repaired, difference)
				}
			}
			require.Empty(t, w.differences(t))
			require.Empty(t, w.reconcile(t))
			for _, by := range []annotator{{user: 7}, {user: 8}, {user: 8, filter: inBatch(1)}, {session: id}} {
				_, err := w.askAndCheck(t.Context(), ranking.NewWarmQueue(), by)
				require.NoError(t, err)
			}
		})
	}
}

func (w world) reconcile(t testing.TB) (repaired []ranking.Difference) {
	t.Helper()
	require.NoError(t, ranking.ReconcileAtOnce(t.Context(), w.pool, func(d ranking.Difference) { repaired = append(repaired, d) }))
	return repaired
}

// TestDriftBlocksNoRequests checks that requests and answers succeed while the queue is wrong, and that the repair counts them.
func TestDriftBlocksNoRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for name, test := range drifts {
		t.Run(name, func(t *testing.T) {
			prepareDrift(t, w)
			service := w.service()
			w.exec(t, test.statement)
			another := w.session(t)
			for url := range int32(5) {
				require.NoError(t, ignoreUnknown(service.Submit(t.Context(), 9, url+1, fullAnswer)))
				require.NoError(t, ignoreUnknown(service.SubmitAnonymous(t.Context(), another, url+1, fullAnswer)))
			}
			for _, by := range []annotator{{user: 7}, {user: 9}, {user: 9, filter: inBatch(1)}, {session: another}} {
				for range 2 {
					_, err := ask(t.Context(), w.pool, ranking.NewWarmQueue(), by)
					require.NoError(t, err)
				}
			}
			w.reconcile(t)
			require.Empty(t, w.differences(t))
			w.requireNext(t, ranking.NewWarmQueue(), annotator{user: 9}, scan[int32](t, w.pool, `SELECT coalesce(min(id), 0)
				FROM urls WHERE id > 5`))
		})
	}
}

// TestReconcileOfManyURLs compares, and repairs, more URLs than one statement handles.
func TestReconcileOfManyURLs(t *testing.T) {
	t.Parallel()
	const urls = 10_100
	w := newWorld(t, urls)
	w.change(t, span(1, urls), link(1))
	w.exec(t, "DELETE FROM annotation_queue WHERE url_id % 7 = 0 OR url_id > 9990")
	w.exec(t, "UPDATE annotation_queue SET user_url_type_count = 3 WHERE url_id IN (1, 5000, 5001)")
	const wrong = 9990/7 + 110 + 3
	require.Len(t, w.differences(t), wrong)
	repaired := w.reconcile(t)
	require.Len(t, slices.DeleteFunc(repaired, func(d ranking.Difference) bool { return d.URLID == 0 }), wrong)
	require.Empty(t, w.differences(t))
}

// TestReconcileLosesNothing reconciles repeatedly while annotators answer, other writers change URLs, and the queue drifts.
func TestReconcileLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHistory(t, historyURLs, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		for ctx.Err() == nil {
			if err := ranking.ReconcileAtOnce(t.Context(), h.pool, func(ranking.Difference) {}); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error {
		for n := int32(0); ctx.Err() == nil; n++ {
			statement := []string{
				"UPDATE annotation_queue SET user_url_type_count = 7, user_agency_count = 3, followed = NOT followed WHERE url_id = $1",
				"UPDATE annotation_queue SET eligible = NOT eligible, batch_id = 3 WHERE url_id = $1",
				"DELETE FROM user_url_done WHERE url_id = $1 AND user_id = 1",
			}[n%3]
			if _, err := h.pool.Exec(t.Context(), statement, 1+n%historyURLs); err != nil {
				return err
			}
			time.Sleep(poll)
		}
		return nil
	})
	h.run(t, 7, 50, drifting, drifting, drifting, drifting)
	answers := scan[int](t, h.pool, "SELECT count(*) FROM annotation__url_type__user")
	stop()
	require.NoError(t, group.Wait())

	h.reconcile(t)
	h.requireExact(t)
	require.Equal(t, answers, scan[int](t, h.pool, "SELECT count(*) FROM annotation__url_type__user"))
}

// TestReconcileDuringAnswers checks that one run is enough: it repairs everything that was wrong before, and concurrent changes
// make nothing wrong.
func TestReconcileDuringAnswers(t *testing.T) {
	t.Parallel()
	h := newHistory(t, historyURLs, 1)
	h.exec(t, `UPDATE annotation_queue SET followed = true, manual = false, user_url_type_count = 5, anon_url_type_count = 6,
		auto_url_type_count = 1, user_agency_count = 1, eligible = url_id % 2 = 0, batch_id = 1 + url_id % 3`)
	h.exec(t, "INSERT INTO batch_progress (batch_id, total, annotated) VALUES (1, 5, 5), (2, 0, 1)")
	reconciled := make(chan error, 1)
	go func() {
		reconciled <- ranking.ReconcileAtOnce(context.Background(), h.pool, func(ranking.Difference) {})
	}()
	h.run(t, 8, 30, drifting, drifting, drifting, drifting)
	require.NoError(t, <-reconciled)
	h.requireExact(t)
}

// drifting annotates and changes URLs, and does not check which URLs are offered.
func drifting(a *actor) {
	submit := func(ctx context.Context) error {
		err := ignoreUnknown(a.processes[0].service.Submit(ctx, 1+a.Int32N(historyUsers), a.someURL(), a.answer()))
		if errors.Is(err, annotation.ErrAlreadyAnnotated) {
			return nil
		}
		return err
	}
	next := func(ctx context.Context) error {
		_, err := ask(ctx, a.pool, a.processes[0].queue, a.someAnnotator())
		return err
	}
	a.actions = []func(context.Context) error{
		submit, submit, next, a.changing(suspend, unsuspend), a.changing(link(1), unlink), a.changing(robots),
	}
}
