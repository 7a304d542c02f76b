package annotation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/ranking"
	"docket/internal/unknown"
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

func (b bundle) session(t *testing.T) annotation.Session {
	t.Helper()
	session, err := b.service.OpenSession(t.Context())
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

func unknownSession(err error) bool {
	var missing *unknown.Error
	return errors.As(err, &missing) && missing.Kind == unknown.Session
}

func TestTransferKeepsTimes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := b.session(t)
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, everything(1)))
	when := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, table := range []string{"url_type", "record_type", "location"} {
		_, err := b.pool.Exec(t.Context(), "UPDATE anonymous_annotation_"+table+" SET created_at = $1", when.AddDate(0, 0, i))
		require.NoError(t, err)
	}
	_, err := b.service.TransferSession(t.Context(), 7, session)
	require.NoError(t, err)
	for i, table := range []string{"annotation__url_type__user", "annotation__record_type__user", "annotation__location__user"} {
		query := "SELECT count(*) FROM " + table + " WHERE user_id = 7 AND created_at = $1"
		require.Equal(t, 1, b.count(t, query, when.AddDate(0, 0, i)), table)
	}
}

// TestTransferDuringAnswers transfers a session while it stores answers: each answer is either transferred or refused.
func TestTransferDuringAnswers(t *testing.T) {
	t.Parallel()
	const urls = 24
	b := setup(t).withURLs(t, urls)
	for user := int32(1); user <= 6; user++ {
		session := b.session(t)
		var done annotation.SessionTransfer
		calls := []func() error{func() (err error) {
			done, err = b.service.TransferSession(t.Context(), user, session)
			return err
		}}
		for url := int32(1); url <= urls; url++ {
			submit := func() error { return b.service.SubmitAnonymous(t.Context(), session, url, everything(1)) }
			if url <= urls/3 {
				require.NoError(t, submit())
				continue
			}
			calls = append(calls, submit)
		}
		errs := race(calls...)
		require.NoError(t, errs[0])
		want := make(map[int32]int)
		for url := int32(1); url <= urls; url++ {
			if call := url - urls/3; call <= 0 || errs[call] == nil {
				want[url] = 3
			} else {
				require.True(t, unknownSession(errs[call]), "%v", errs[call])
			}
		}
		require.Equal(t, want, b.answered(t, user, 1))
		require.Equal(t, annotation.SessionTransfer{Transferred: int32(len(want))}, done)
		require.Zero(t, b.count(t, "SELECT count(*) FROM anonymous_url_annotations"))
		require.Zero(t, b.count(t, "SELECT count(*) FROM anonymous_sessions"))
	}
	b.requireExactQueue(t)
}

// TestTransferAndAnswer checks both orders of that race: an answer that is being stored is waited for and transferred; one
// that waits for the transfer is refused.
func TestTransferAndAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := b.session(t)
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

	// The transfer waits for the row of URL 1, the answer for the transfer.
	session = b.session(t)
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, 1, everything(1)))
	held = b.begin(t, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE")
	go func() {
		_, err := b.service.TransferSession(context.Background(), 8, session)
		transferred <- err
	}()
	b.waitForLock(t, transferred)
	go func() { stored <- b.service.SubmitAnonymous(context.Background(), session, 2, everything(1)) }()
	b.waitForLocks(t, 2)
	require.NoError(t, held.Rollback(t.Context()))
	require.NoError(t, <-transferred)
	err := <-stored
	require.True(t, unknownSession(err), "%v", err)
	require.Equal(t, map[int32]int{1: 3}, b.answered(t, 8, 1))
	b.requireExactQueue(t)
}

// waitForLocks waits until as many connections wait for a lock.
func (b bundle) waitForLocks(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return b.count(t, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`) == n
	}, time.Minute, poll)
}

func TestTwoTransfersAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t).withURLs(t, 20)
	for round := range int32(10) {
		session := b.session(t)
		for url := int32(1); url <= 20; url++ {
			require.NoError(t, b.service.SubmitAnonymous(t.Context(), session, url, everything(1)))
		}
		users := []int32{10 + 2*round, 11 + 2*round}
		var done [2]annotation.SessionTransfer
		errs := race(
			func() (err error) { done[0], err = b.service.TransferSession(t.Context(), users[0], session); return },
			func() (err error) { done[1], err = b.service.TransferSession(t.Context(), users[1], session); return },
		)
		won := slices.Index(errs, nil)
		require.NotEqual(t, -1, won)
		require.True(t, unknownSession(errs[1-won]), "%v", errs[1-won])
		require.Equal(t, annotation.SessionTransfer{Transferred: 20}, done[won])
		require.Len(t, b.answered(t, users[won], 1), 20)
		require.Empty(t, b.answered(t, users[1-won], 1))
	}
	b.requireExactQueue(t)
}

// TestTransferDuringOwnAnswers transfers two sessions to a user who answers about the same URLs concurrently: each URL has one
// complete answer of the user, the first of the three.
func TestTransferDuringOwnAnswers(t *testing.T) {
	t.Parallel()
	const urls = 20
	b := setup(t).withURLs(t, urls)
	for user := int32(1); user <= 6; user++ {
		var done [2]annotation.SessionTransfer
		var calls []func() error
		for i := range done {
			session := b.session(t)
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
		own := make(map[int32]int)
		copied := make(map[int32]int)
		for i, err := range errs[2:] {
			url := int32(urls - i)
			if err == nil {
				own[url] = 3
				continue
			}
			require.ErrorIs(t, err, annotation.ErrAlreadyAnnotated)
			copied[url] = 3
		}
		require.Equal(t, own, b.answered(t, user, 2))
		require.Equal(t, copied, b.answered(t, user, 1))
		require.Equal(t, int32(len(copied)), done[0].Transferred+done[1].Transferred)
		require.Equal(t, int32(2*urls-len(copied)), done[0].Skipped+done[1].Skipped)
	}
	b.requireExactQueue(t)
}

// TestTransferManyURLs transfers more URLs than one statement of the upkeep handles.
func TestTransferManyURLs(t *testing.T) {
	t.Parallel()
	const urls = 10_000
	b := setup(t).withURLs(t, urls)
	session := b.session(t)
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
	require.Equal(t, annotation.SessionTransfer{Transferred: urls - 100, Skipped: 100}, done)
	require.Equal(t, urls, b.count(t, "SELECT count(*) FROM user_url_done WHERE user_id = 7"))
	require.Equal(t, urls-100, b.count(t, "SELECT annotated FROM batch_progress"))
	require.Equal(t, 2*(urls-100), b.count(t, "SELECT count(*) FROM annotation__agency__user"))
	b.requireExactQueue(t)
}
