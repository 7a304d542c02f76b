package annotation_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// withURLs adds URLs up to id n, and links all URLs to a batch.
func (b bundle) withURLs(t *testing.T, n int) bundle {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), fmt.Sprintf(`
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, %d) n;
		INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label');
		INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1, id FROM urls`, n))
	require.NoError(t, err)
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	return b
}

// storedSession returns a session that exists although it has answered nothing.
func (b bundle) storedSession(t *testing.T) annotation.Session {
	t.Helper()
	session := uuid.New()
	_, err := b.pool.Exec(t.Context(), "INSERT INTO anonymous_sessions (id) VALUES ($1)", session)
	require.NoError(t, err)
	return session
}

// requireExactQueue checks that the queue equals a recount.
func (b bundle) requireExactQueue(t *testing.T) {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Errorf("%+v", d) }))
}

// answered returns the URLs of a user's answers, with the number of parts that are from the given variant of everything.
func (b bundle) answered(t *testing.T, user, variant int32) (parts map[int32]int) {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `
		SELECT url_id FROM annotation__url_type__user
		WHERE user_id = $1 AND type = CASE $2::integer WHEN 1 THEN 'data source' ELSE 'broken page' END::url_type
		UNION ALL SELECT url_id FROM annotation__agency__user WHERE user_id = $1 AND agency_id = $2
		UNION ALL SELECT url_id FROM annotation__location__user WHERE user_id = $1 AND location_id = $2`, user, variant)
	require.NoError(t, err)
	defer rows.Close()
	parts = make(map[int32]int)
	for rows.Next() {
		var url int32
		require.NoError(t, rows.Scan(&url))
		parts[url]++
	}
	require.NoError(t, rows.Err())
	return parts
}

// otherAnswer has nothing in common with everything(1).
func otherAnswer() annotation.Answer {
	return annotation.Answer{URLType: annotation.BrokenPage, AgencyIDs: []int32{2}, LocationIDs: []int64{2}}
}

// TestTransferDuringAnswers transfers a session while it stores answers: each answer is stored, and is the user's or still the
// session's. A session that has no answer yet is stored by one of them.
func TestTransferDuringAnswers(t *testing.T) {
	t.Parallel()
	const urls = 24
	b := setup(t).withURLs(t, urls)
	for user := int32(1); user <= 6; user++ {
		session := uuid.New()
		var done annotation.SessionTransfer
		transfer := func() (err error) {
			done, err = b.service.TransferSession(t.Context(), user, session)
			return err
		}
		calls := []func() error{transfer}
		for url := int32(1); url <= urls; url++ {
			submit := func() error { return b.service.SubmitAnonymous(t.Context(), session, url, everything(1)) }
			if user%2 == 0 && url <= urls/3 {
				require.NoError(t, submit())
				continue
			}
			calls = append(calls, submit)
		}
		for _, err := range race(calls...) {
			require.NoError(t, err)
		}
		transferred := len(b.answered(t, user, 1))
		require.Equal(t, annotation.SessionTransfer{Transferred: int32(5 * transferred)}, done)
		require.Equal(t, urls-transferred, b.count(t, "SELECT count(*) FROM annotation__url_type__anon"))
		require.Equal(t, urls, b.count(t, "SELECT count(DISTINCT url_id) FROM anonymous_url_annotations WHERE session_id = $1", session))
		require.NoError(t, transfer())
		want := make(map[int32]int)
		for url := int32(1); url <= urls; url++ {
			want[url] = 3
		}
		require.Equal(t, want, b.answered(t, user, 1))
		require.Equal(t, annotation.SessionTransfer{Transferred: int32(5 * (urls - transferred))}, done)
		require.Zero(t, b.count(t, "SELECT count(*) FROM annotation__url_type__anon"))
		offer, err := b.service.NextAnonymous(t.Context(), session, 0)
		require.NoError(t, err)
		require.Nil(t, offer.Next, "the URLs stay done for the session")
	}
	b.requireExactQueue(t)
}

// TestTransferAndAnswer checks both orders of that race: an answer that is being stored is waited for and transferred; one
// that waits for the transfer is stored afterwards, and stays the session's.
func TestTransferAndAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := uuid.New()
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, everything(1)))

	// The answer about URL 2 waits for its row of the queue, the transfer for the answer.
	held := b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 2 FOR UPDATE")
	stored, transferred := make(chan error, 1), make(chan error, 1)
	go func() { stored <- b.service.SubmitAnonymous(context.Background(), session, 2, everything(1)) }()
	b.waitForLock(t, stored)
	go func() {
		_, err := b.service.TransferSession(context.Background(), 7, session)
		transferred <- err
	}()
	b.waitForLocks(t, 2)
	require.NoError(t, held.Rollback(t.Context()))
	require.NoError(t, <-stored)
	require.NoError(t, <-transferred)
	require.Equal(t, map[int32]int{1: 3, 2: 3}, b.answered(t, 7, 1))

	// The transfer waits for the row of URL 1. Three answers of the session wait for the transfer: about another URL, and about
	// the URL that is transferred, the same and a different one.
	session = uuid.New()
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, everything(1)))
	held = b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE")
	go func() {
		_, err := b.service.TransferSession(context.Background(), 8, session)
		transferred <- err
	}()
	b.waitForLock(t, transferred)
	repeated, changed := make(chan error, 1), make(chan error, 1)
	go func() { stored <- b.service.SubmitAnonymous(context.Background(), session, 2, everything(1)) }()
	go func() { repeated <- b.service.SubmitAnonymous(context.Background(), session, 1, everything(1)) }()
	b.waitForLocks(t, 3)
	go func() { changed <- b.service.SubmitAnonymous(context.Background(), session, 1, otherAnswer()) }()
	b.waitForLocks(t, 4)
	require.NoError(t, held.Rollback(t.Context()))
	require.NoError(t, <-transferred)
	require.NoError(t, <-stored)
	require.NoError(t, <-repeated)
	require.ErrorIs(t, <-changed, annotation.ErrAlreadyAnnotated)
	require.Equal(t, map[int32]int{1: 3}, b.answered(t, 8, 1))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM annotation__url_type__anon WHERE session_id = $1", session))
	b.requireExactQueue(t)
}

// TestTransferWaitsForTheFirstAnswer checks that the answer which stores a session is transferred like a later one.
func TestTransferWaitsForTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := uuid.New()
	held := b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 2 FOR UPDATE")
	stored := make(chan error, 1)
	go func() { stored <- b.service.SubmitAnonymous(context.Background(), session, 2, everything(1)) }()
	b.waitForLock(t, stored)
	type outcome struct {
		done annotation.SessionTransfer
		err  error
	}
	transferred := make(chan outcome, 1)
	go func() {
		done, err := b.service.TransferSession(context.Background(), 7, session)
		transferred <- outcome{done, err}
	}()
	b.waitForLocks(t, 2)
	require.NoError(t, held.Rollback(t.Context()))
	require.NoError(t, <-stored)
	require.Equal(t, outcome{done: annotation.SessionTransfer{Transferred: 5}}, <-transferred)
	require.Equal(t, map[int32]int{2: 3}, b.answered(t, 7, 1))
	b.requireExactQueue(t)

	_, err := b.service.TransferSession(t.Context(), 7, uuid.New())
	require.NoError(t, err)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM anonymous_sessions"), "an unknown session is not stored")
}

// waitForLocks waits until as many connections wait for a lock.
func (b bundle) waitForLocks(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return b.count(t, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`) == n
	}, time.Minute, poll)
}

// TestTwoTransfersAtOnce transfers a session to two users: one gets all annotations.
func TestTwoTransfersAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t).withURLs(t, 20)
	for round := range int32(10) {
		session := uuid.New()
		for url := int32(1); url <= 20; url++ {
			require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, url, everything(1)))
		}
		users := []int32{10 + 2*round, 11 + 2*round}
		var done [2]annotation.SessionTransfer
		errs := race(
			func() (err error) { done[0], err = b.service.TransferSession(t.Context(), users[0], session); return },
			func() (err error) { done[1], err = b.service.TransferSession(t.Context(), users[1], session); return },
		)
		require.NoError(t, errors.Join(errs...))
		won := 0
		if done[0].Transferred == 0 {
			won = 1
		}
		require.Equal(t, annotation.SessionTransfer{Transferred: 5 * 20}, done[won])
		require.Equal(t, annotation.SessionTransfer{}, done[1-won])
		require.Len(t, b.answered(t, users[won], 1), 20)
		require.Empty(t, b.answered(t, users[1-won], 1))
	}
	b.requireExactQueue(t)
}

// TestTransferDuringOwnAnswers transfers two sessions to a user who answers about the same URLs concurrently. The user's own answer
// is complete or refused. Where it is stored its type stays, and the agency and the location of the sessions are added.
func TestTransferDuringOwnAnswers(t *testing.T) {
	t.Parallel()
	const urls = 20
	b := setup(t).withURLs(t, urls)
	for user := int32(1); user <= 6; user++ {
		var done [2]annotation.SessionTransfer
		var calls []func() error
		for i := range done {
			session := uuid.New()
			for url := int32(1); url <= urls; url++ {
				require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, url, everything(1)))
			}
			calls = append(calls, func() (err error) { done[i], err = b.service.TransferSession(t.Context(), user, session); return })
		}
		for url := int32(urls); url > 0; url-- {
			calls = append(calls, func() error { return b.service.Submit(t.Context(), user, url, otherAnswer()) })
		}
		errs := race(calls...)
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
		own, copied := make(map[int32]int), make(map[int32]int)
		for i, err := range errs[2:] {
			url := int32(urls - i)
			if copied[url] = 3; err == nil {
				own[url], copied[url] = 3, 2
			} else {
				require.ErrorIs(t, err, annotation.ErrAlreadyAnnotated)
			}
		}
		require.Equal(t, own, b.answered(t, user, 2))
		require.Equal(t, copied, b.answered(t, user, 1))
		require.Equal(t, int32(5*urls-len(own)), done[0].Transferred+done[1].Transferred)
		require.Equal(t, int32(5*urls+len(own)), done[0].Skipped+done[1].Skipped)
	}
	b.requireExactQueue(t)
}

// TestTransferManyURLs transfers more URLs than one statement of the upkeep handles.
func TestTransferManyURLs(t *testing.T) {
	t.Parallel()
	const urls = 10_000
	b := setup(t).withURLs(t, urls)
	session := b.storedSession(t)
	for _, statement := range []string{
		"INSERT INTO annotation__url_type__anon (url_id, url_type, session_id) SELECT id, 'data source', $1 FROM urls",
		"INSERT INTO annotation__record_type__anon (url_id, record_type, session_id) SELECT id, 'Stops', $1 FROM urls",
		"INSERT INTO annotation__agency__anon (url_id, agency_id, session_id) SELECT urls.id, a.id, $1 FROM urls, agencies a",
		"INSERT INTO annotation__location__anon (url_id, location_id, session_id) SELECT id, 1, $1 FROM urls",
	} {
		_, err := b.pool.Exec(t.Context(), statement, session)
		require.NoError(t, err)
	}
	require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	_, err := b.pool.Exec(t.Context(), `
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, 7, 'broken page' FROM urls WHERE id <= 100`)
	require.NoError(t, err)
	begin := time.Now()
	done, err := b.service.TransferSession(t.Context(), 7, session)
	require.NoError(t, err)
	t.Logf("%d URLs in %s", urls, time.Since(begin))
	require.Equal(t, annotation.SessionTransfer{Transferred: 5*urls - 100, Skipped: 100}, done)
	require.Equal(t, urls, b.count(t, "SELECT count(*) FROM user_url_done WHERE user_id = 7"))
	require.Equal(t, urls, b.count(t, "SELECT count(*) FROM anonymous_url_done WHERE session_id = $1", session))
	require.Equal(t, urls, b.count(t, "SELECT annotated FROM batch_progress"))
	require.Equal(t, 2*urls, b.count(t, "SELECT count(*) FROM annotation__agency__user"))
	b.requireExactQueue(t)
}

// TestSessionIsLockedBeforeQueue has an answer wait for the row of its session, which exists or is being stored by another first
// answer. The answer must not hold the row of the queue by then, because a transfer locks the session first. It is stored whether
// or not the other one is.
func TestSessionIsLockedBeforeQueue(t *testing.T) {
	t.Parallel()
	session := uuid.New()
	for name, test := range map[string]struct {
		existing bool
		held     string
		commit   bool
	}{
		"existing":             {existing: true, held: "SELECT FROM anonymous_sessions WHERE id = '%s' FOR UPDATE"},
		"stored concurrently":  {held: "INSERT INTO anonymous_sessions (id) VALUES ('%s')", commit: true},
		"refused concurrently": {held: "INSERT INTO anonymous_sessions (id) VALUES ('%s')"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if test.existing {
				_, err := b.pool.Exec(t.Context(), "INSERT INTO anonymous_sessions (id) VALUES ($1)", session)
				require.NoError(t, err)
			}
			tx := b.begin(t, fmt.Sprintf(test.held, session))
			submitted := make(chan error, 1)
			go func() { submitted <- b.service.SubmitAnonymous(context.Background(), session, 1, everything(1)) }()
			b.waitForLock(t, submitted)
			dbtest.Exec(t, b.pool, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE NOWAIT")
			if test.commit {
				require.NoError(t, tx.Commit(t.Context()))
			} else {
				require.NoError(t, tx.Rollback(t.Context()))
			}
			require.NoError(t, <-submitted)
			require.Equal(t, 1, b.count(t, "SELECT count(*) FROM anonymous_sessions"))
			require.Equal(t, 1, b.count(t, "SELECT count(*) FROM annotation__url_type__anon"))
			b.requireExactQueue(t)
		})
	}
}

// TestTransferDuringReopening has a transfer wait for the row of the queue of a URL that becomes eligible again. The recount then
// stores a done row of the session, whose foreign key locks the session. It must not wait for the transfer: neither would end.
func TestTransferDuringReopening(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.pool.Exec(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''1h''', current_database());
	END $$`)
	require.NoError(t, err)
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: b.pool.Config().ConnString(), MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	session := uuid.New()
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, everything(1)))
	dbtest.Exec(t, b.pool, "INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'data source')")
	require.NoError(t, b.recount(t.Context(), 1))

	reopening := b.begin(t, "SET LOCAL deadlock_timeout = '1h'")
	dbtest.Exec(t, reopening, "SET LOCAL lock_timeout = '10s'")
	require.NoError(t, ranking.Lock(t.Context(), reopening, []int32{1}))
	transferred := make(chan error, 1)
	go func() {
		_, err := annotation.New(pool, ranking.NewQueue()).TransferSession(context.Background(), 7, session)
		transferred <- err
	}()
	b.waitForLock(t, transferred)
	dbtest.Exec(t, reopening, "DELETE FROM flag_url_validated")
	require.NoError(t, ranking.Recount(t.Context(), reopening, []int32{1}))
	require.NoError(t, reopening.Commit(t.Context()))
	require.NoError(t, <-transferred)
	require.Equal(t, map[int32]int{1: 3}, b.answered(t, 7, 1))
	b.requireExactQueue(t)
}

// TestTransferDuringAChange has a transfer wait for the row of the queue of URL 1. A change of the user's answer about URL 2, which
// the session has annotated too, must not hold the row of URL 2 while it waits for the transfer, which waits for that row next.
func TestTransferDuringAChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := uuid.New()
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, everything(1)))
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 2, annotation.Answer{
		URLType: annotation.MetaURL, AgencyIDs: []int32{1},
	}))
	require.NoError(t, b.service.Submit(t.Context(), 7, 2, annotation.Answer{URLType: annotation.MetaURL}))
	held := b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE")
	transferred, changed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := b.service.TransferSession(context.Background(), 7, session)
		transferred <- err
	}()
	b.waitForLock(t, transferred)
	go func() {
		changed <- b.service.Replace(context.Background(), 7, 2, annotation.Answer{
			URLType: annotation.DataSource, RecordType: new(annotation.RecordType("Stops")), AgencyIDs: []int32{1},
		})
	}()
	b.waitForLocks(t, 2)
	dbtest.Exec(t, b.pool, "SELECT FROM annotation_queue WHERE url_id = 2 FOR UPDATE NOWAIT")
	require.NoError(t, held.Rollback(t.Context()))
	require.NoError(t, <-transferred)
	require.NoError(t, <-changed)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM annotation__url_type__user WHERE url_id = 2 AND type = 'data source'"))
	b.requireExactQueue(t)
}
