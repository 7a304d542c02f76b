package ranking_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// followed is what follows decide: the followed URLs, then the batches of each follower.
func (w world) followed(t testing.TB) string {
	t.Helper()
	require.Empty(t, w.differences(t))
	return scan[string](t, w.pool, `SELECT concat_ws(' ',
		(SELECT array_agg(url_id ORDER BY url_id) FROM annotation_queue WHERE followed),
		(SELECT string_agg(user_id || ':' || batch_ids::text, ' ' ORDER BY user_id) FROM followed_batches))`)
}

// TestFollows changes follows and links one at a time. Only rows that change belong to the transaction.
func TestFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.change(t, ids(1, 2), link(1))
	w.change(t, ids(3), link(2))
	w.change(t, ids(4), suspend) // in no batch
	steps := []struct {
		statement string
		a, b      int32
		want      string
		changed   string // URLs and followers whose rows belong to the last transaction
	}{
		{follow, 7, 1, "", ""},
		{locate, 1, 1, "{1,2} 7:{1}", "{1,2} {7}"},
		{locate, 1, 1, "{1,2} 7:{1}", ""},
		{locate, 1, 2, "{1,2} 7:{1}", ""},
		{follow, 7, 2, "{1,2} 7:{1}", ""}, // the same batch by another location
		{follow, 8, 2, "{1,2} 7:{1} 8:{1}", "{8}"},
		{locate, 2, 2, "{1,2,3} 7:{1,2} 8:{1,2}", "{3} {7,8}"},
		{leave, 7, 1, "{1,2,3} 7:{1,2} 8:{1,2}", ""},
		{leave, 7, 2, "{1,2,3} 8:{1,2}", ""},
		{move, 1, 2, "{3} 8:{2}", "{1,2} {8}"},
		{follow, 8, 1, "{1,2,3} 8:{1,2}", "{1,2} {8}"},
		{leave, 8, 2, "{1,2} 8:{1}", "{3} {8}"},
		{leave, 8, 1, "", "{1,2}"},
		{leave, 8, 1, "", ""},
	}
	for i, step := range steps {
		var xid int64
		require.NoError(t, postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
			xid = scan[int64](t, tx, "SELECT pg_current_xact_id()::text::bigint")
			return changeFollowsIn(t.Context(), tx, step.statement, step.a, step.b)
		}))
		require.Equal(t, step.want, w.followed(t), "step %d", i)
		require.Equal(t, step.changed, scan[string](t, w.pool, `SELECT concat_ws(' ',
			(SELECT array_agg(url_id ORDER BY url_id) FROM annotation_queue WHERE changed_xid = $1),
			(SELECT array_agg(user_id ORDER BY user_id) FROM followed_batches WHERE changed_xid = $1))`, xid), "step %d", i)
	}
}

// TestFollowsAndRecount changes follows, and URLs in the same transaction: some of them in a batch that becomes followed.
func TestFollowsAndRecount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.change(t, ids(1, 3), link(1))
	require.NoError(t, postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
		return ranking.ChangeFollows(t.Context(), tx, func() ([]int32, error) {
			for _, step := range []string{follow, locate} {
				if _, err := tx.Exec(t.Context(), step, 1, 1); err != nil {
					return nil, err
				}
			}
			_, err := tx.Exec(t.Context(), link(1), ids(4, 2))
			return ids(4, 2, 3), err
		})
	}))
	require.Equal(t, "{1,2,3,4} 1:{1}", w.followed(t))
	require.Equal(t, "{4,0}", w.progress(t, 1))

	failed := errors.New("failed")
	require.ErrorIs(t, postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
		return ranking.ChangeFollows(t.Context(), tx, func() ([]int32, error) { return nil, failed })
	}), failed)
}

// TestFollowsOfManyURLs changes the follows of more URLs than one statement handles.
func TestFollowsOfManyURLs(t *testing.T) {
	t.Parallel()
	const urls = 10_100
	w := newWorld(t, urls)
	w.change(t, span(1, urls), link(1))
	w.locate(t, 1, 1)
	w.follow(t, 7, 1)
	require.EqualValues(t, urls, scan[int](t, w.pool, "SELECT count(*) FROM annotation_queue WHERE followed"))
	require.Empty(t, w.differences(t))
	require.NoError(t, w.changeFollows(t.Context(), leave, 7, 1))
	require.Zero(t, scan[int](t, w.pool, "SELECT count(*) FROM annotation_queue WHERE followed"))
	require.Empty(t, w.differences(t))
}

// TestFollowsAndAnother has ChangeFollows and another transaction overlap: the first one commits when the second one waits
// for it. URLs 1 and 2 are in batch 1 of location 1, URL 3 is in batch 2 of location 2.
func TestFollowsAndAnother(t *testing.T) {
	t.Parallel()
	type action func(ctx context.Context, tx pgx.Tx) error
	follows := func(statement string, a, b int32) action {
		return func(ctx context.Context, tx pgx.Tx) error { return changeFollowsIn(ctx, tx, statement, a, b) }
	}
	changes := func(statement string, urls ...int32) action {
		return func(ctx context.Context, tx pgx.Tx) error { return changeIn(ctx, tx, urls, statement) }
	}
	tests := map[string]struct {
		prepare       action
		first, second action
		want          string
	}{
		"a URL is put into a batch, which becomes followed":   {nil, changes(link(1), 4), follows(follow, 7, 1), "{1,2,4} 7:{1}"},
		"a batch becomes followed, and a URL is put into it":  {nil, follows(follow, 7, 1), changes(link(1), 4), "{1,2,4} 7:{1}"},
		"a URL is moved into a batch, which becomes followed": {nil, changes(link(1), 3), follows(follow, 7, 1), "{1,2,3} 7:{1}"},
		"a URL is moved from a batch, which becomes followed": {nil, changes(link(2), 1), follows(follow, 7, 1), "{2} 7:{1}"},
		"a URL leaves a batch, which becomes followed":        {nil, changes(unlink, 1), follows(follow, 7, 1), "{2} 7:{1}"},
		"a batch becomes followed, and a URL leaves it":       {nil, follows(follow, 7, 1), changes(unlink, 1), "{2} 7:{1}"},
		"a URL is recounted, whose batch becomes followed":    {nil, changes(robots, 1), follows(follow, 7, 1), "{1,2} 7:{1}"},
		"a batch becomes followed, whose URL is recounted":    {nil, follows(follow, 7, 1), changes(robots, 1), "{1,2} 7:{1}"},
		"a batch is linked, and its URL is recounted":         {follows(follow, 7, 3), follows(locate, 1, 3), changes(robots, 1), "{1,2} 7:{1}"},
		"a URL is put into a batch, which is linked":          {follows(follow, 7, 3), changes(link(1), 4), follows(locate, 1, 3), "{1,2,4} 7:{1}"},
		"one user follows, and another stops": {
			follows(follow, 7, 1), follows(leave, 7, 1), follows(follow, 8, 1), "{1,2} 8:{1}",
		},
		"one batch is linked, and its location followed": {nil, follows(locate, 3, 3), follows(follow, 7, 3), "7:{3}"},
		"a URL that another program marked as followed is recounted": {
			func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "UPDATE annotation_queue SET followed = true WHERE url_id = 1")
				return err
			},
			changes(robots, 1), follows(follow, 7, 1), "{1,2} 7:{1}",
		},
	}
	w := newWorld(t, 0)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w.restart(t, 5)
			w.change(t, ids(1, 2), link(1))
			w.change(t, ids(3), link(2))
			w.locate(t, 1, 1)
			w.locate(t, 2, 2)
			if test.prepare != nil {
				require.NoError(t, postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error { return test.prepare(t.Context(), tx) }))
			}
			tx := w.tx(t)
			require.NoError(t, test.first(t.Context(), tx))
			ended := make(chan error, 1)
			go func() {
				ended <- postgres.InTx(context.Background(), w.pool, func(tx pgx.Tx) error { return test.second(context.Background(), tx) })
			}()
			w.waitForLocks(t, 1, ended)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-ended)
			require.Equal(t, test.want, w.followed(t))
		})
	}
	w.requireNoDeadlocks(t)
}

// TestFollowsAndAnswer stores answers while a change of follows is not committed, and changes follows while answers are not
// committed.
func TestFollowsAndAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, change, after string
		want                  string
	}{
		"follow": {locate, follow, leave, "{1,2} 1:{1}"},
		"link":   {follow, locate, move, "{1,2} 1:{1}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 3)
			session := w.session(t)
			w.change(t, ids(1, 2), link(1))
			require.NoError(t, w.changeFollows(t.Context(), test.before, 1, 1))

			service := w.service()
			tx := w.tx(t)
			require.NoError(t, changeFollowsIn(t.Context(), tx, test.change, 1, 1))
			ended := make(chan error, 2)
			go func() { ended <- service.Submit(context.Background(), 7, 1, fullAnswer) }()
			go func() { ended <- service.SubmitAnonymous(context.Background(), session, 1, fullAnswer) }()
			w.waitForLocks(t, 2, ended)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-ended)
			require.NoError(t, <-ended)
			require.Equal(t, test.want, w.followed(t))

			tx = w.tx(t)
			answerIn(t, tx, 2, 7, session)
			go func() { ended <- w.changeFollows(context.Background(), test.after, 1, 1) }()
			w.waitForLocks(t, 1, ended)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-ended)
			require.Empty(t, scan[string](t, w.pool, "SELECT coalesce(string_agg(url_id::text, ''), '') FROM annotation_queue WHERE followed"))
			require.Empty(t, w.differences(t))
			w.requireNoDeadlocks(t)
		})
	}
}

// TestFollowsBlockNoReaders asks for URLs while a change of follows is not committed.
func TestFollowsBlockNoReaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.change(t, ids(2, 3), link(1))
	w.locate(t, 1, 1)
	session := w.session(t)
	tx := w.tx(t)
	require.NoError(t, changeFollowsIn(t.Context(), tx, follow, 7, 1))
	w.requireNext(t, ranking.NewWarmQueue(), annotator{session: session}, 1)
	w.requireNext(t, ranking.NewWarmQueue(), annotator{user: 7}, 1)
	require.NoError(t, tx.Commit(t.Context()))
	w.requireNext(t, ranking.NewWarmQueue(), annotator{session: session}, 2)
}

// TestReconcileAndFollows shows that a repair waits for a change of follows that is not committed, even if the two have no row in
// common.
func TestReconcileAndFollows(t *testing.T) {
	t.Parallel()
	for name, drift := range map[string]string{
		"a URL":    "INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (3, true)",
		"a follow": "UPDATE followed_batches SET batch_ids = '{2}'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 3)
			w.change(t, ids(1), link(1))
			w.locate(t, 1, 1)
			w.follow(t, 8, 1)
			w.exec(t, drift)
			tx := w.tx(t)
			require.NoError(t, changeFollowsIn(t.Context(), tx, locate, 2, 1))
			ended := make(chan error, 1)
			go func() { ended <- ranking.ReconcileAtOnce(context.Background(), w.pool, func(ranking.Difference) {}) }()
			w.waitForLocks(t, 1, ended)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-ended)
			require.Equal(t, "{1} 8:{1,2}", w.followed(t))
		})
	}
}

// TestDriftOfFollows is TestDrift for what follows decide. It starts from the database of prepareDrift.
func TestDriftOfFollows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]drift{
		"no row of a follower": {
			"DELETE FROM followed_batches",
			[]ranking.Difference{{Kind: "missing followed batches", Annotator: "7", Want: "3"}},
		},
		"no follower": {
			"INSERT INTO followed_batches (user_id, batch_ids, changed_xid) VALUES (9, '{1,3}', 0)",
			[]ranking.Difference{{Kind: "surplus followed batches", Annotator: "9", Have: "1, 3"}},
		},
		"other batches": {
			"UPDATE followed_batches SET batch_ids = '{1,3}'",
			[]ranking.Difference{{Kind: "wrong followed batches", Annotator: "7", Have: "1, 3", Want: "3"}},
		},
		"another program's follow": {
			"INSERT INTO link__locations__user_follows (user_id, location_id) VALUES (8, 1)",
			[]ranking.Difference{{Kind: "missing followed batches", Annotator: "8", Want: "3"}},
		},
		"another program's link of a batch": {
			"INSERT INTO link_batches__locations (batch_id, location_id) VALUES (2, 1), (1, 1)",
			[]ranking.Difference{
				{Kind: "wrong follow", URLID: 1, Have: "false", Want: "true"},
				{Kind: "wrong follow", URLID: 2, Have: "false", Want: "true"},
				{Kind: "wrong follow", URLID: 3, Have: "false", Want: "true"},
				{Kind: "wrong follow", URLID: 4, Have: "false", Want: "true"},
				{Kind: "wrong followed batches", Annotator: "7", Have: "3", Want: "1, 2, 3"},
			},
		},
		"a location is deleted": {
			"DELETE FROM locations WHERE id = 1",
			[]ranking.Difference{
				{Kind: "wrong follow", URLID: 5, Have: "true", Want: "false"},
				{Kind: "surplus followed batches", Annotator: "7", Have: "3"},
			},
		},
		"a batch is deleted": {
			"DELETE FROM batches WHERE id = 3",
			[]ranking.Difference{
				{Kind: "wrong follow", URLID: 5, Have: "true", Want: "false"},
				{Kind: "surplus followed batches", Annotator: "7", Have: "3"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 0)
			prepareDrift(t, w)
			w.exec(t, test.statement)
			require.ElementsMatch(t, test.want, w.differences(t))
			require.ElementsMatch(t, test.want, w.differences(t), "Verify changes nothing")
			require.ElementsMatch(t, test.want, w.reconcile(t))
			require.Empty(t, w.differences(t))
			require.Empty(t, w.reconcile(t))
		})
	}
}

// TestFollowsPlans shows that the statements of ChangeFollows read the URLs of the changed batches, not all URLs.
func TestFollowsPlans(t *testing.T) {
	t.Parallel()
	const urls = 20_000
	w := newWorld(t, urls)
	w.exec(t, `INSERT INTO batches (strategy, status) SELECT 'manual', 'ready to label' FROM generate_series(4, 200)`)
	w.exec(t, `INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1 + id % 200, id FROM urls`)
	w.exec(t, `INSERT INTO link_batches__locations (batch_id, location_id) SELECT id, 1 + id % 3 FROM batches`)
	w.exec(t, `INSERT INTO link__locations__user_follows (user_id, location_id) SELECT n, 1 + n % 3 FROM generate_series(1, 1000) AS n`)
	var inBatch []int32
	for url := int32(7); url <= urls; url += 200 {
		inBatch = append(inBatch, url)
	}
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, w.pool, target)
		for _, mode := range dbtest.PlanModes {
			for _, statement := range []struct {
				sql  string
				args any
			}{
				{db.BatchURLIDList, ids(8)}, {db.QueueLockMany, inBatch}, {db.QueueRecountFollowed, inBatch}, {db.BatchLockMany, ids(8)},
			} {
				plan := dbtest.Explain(t, w.pool, mode, statement.sql, statement.args)
				for _, table := range []string{"urls", "link_batches__urls", "annotation_queue"} {
					require.NotContains(t, plan.SeqScans(), table, "%s:\n%s\n%s", mode, statement.sql, plan)
				}
			}
		}
	}
}
