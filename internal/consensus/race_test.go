package consensus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/catalog"
	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/idempotency"
	"docket/internal/ranking"
	"docket/internal/submissions"
)

var irrelevant = annotation.Answer{URLType: annotation.NotRelevant}

// answering begins a transaction that has stored an answer, as a request with an Idempotency-Key does.
func (b bundle) answering(t *testing.T, userID, urlID int32, urlType db.URLType) pgx.Tx {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	answer := db.AnnotationInsertParams{
		URLID: urlID, UserID: userID, URLType: urlType, Event: db.URLEventAnswered, Detail: []byte("{}"),
	}
	stored, err := db.New().AnnotationInsert(t.Context(), tx, answer)
	require.NoError(t, err)
	require.True(t, stored.Stored)
	return tx
}

// waitForLock returns when another connection waits for a lock.
func (b bundle) waitForLock(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return b.text(t, `SELECT count(*)::text FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`) != "0"
	}, time.Minute, 2*time.Millisecond)
}

// TestConcurrentAnswersAreDue has two answers that do not see each other complete a consensus. The second one to be committed
// makes the URL due.
func TestConcurrentAnswersAreDue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.answering(t, 1, 1, "not relevant")
	second := make(chan error, 1)
	go func() { second <- b.service.Submit(t.Context(), 2, 1, irrelevant) }()
	b.waitForLock(t) // its snapshot is older than the commit
	require.NoError(t, first.Commit(t.Context()))
	require.NoError(t, <-second)
	require.Equal(t, 1, *b.woken)
	require.Equal(t, 1, b.drain(t))
	require.Equal(t, "not relevant, 1", b.text(t, everything, 1))
}

// TestLateAnswer has a decision wait for an answer that is being stored, and then respect it.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(bundle, *testing.T){
		"validator":    func(b bundle, t *testing.T) { b.drain(t) },
		"validate all": func(b bundle, t *testing.T) { b.validateAll(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.submit(t, 1, 1, annotation.Answer{URLType: annotation.MetaURL})
			b.submit(t, 2, 1, irrelevant)
			b.submit(t, 3, 1, irrelevant)
			late := b.answering(t, 4, 1, "meta url")
			decided := make(chan struct{})
			go func() { defer close(decided); decide(b, t) }()
			b.waitForLock(t)
			require.NoError(t, late.Commit(t.Context()))
			<-decided
			require.Empty(t, b.text(t, everything, 1), "two votes against two")
			b.requireExactQueue(t)
		})
	}
}

// TestDeletedURL has a decision wait for the deletion of the URL. What is due about a URL that was deleted is dropped.
func TestDeletedURL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for user := range int32(2) {
		b.submit(t, user, 1, irrelevant)
		b.submit(t, user, 2, irrelevant)
	}
	deleting, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = deleting.Rollback(context.Background()) }()
	require.NoError(t, ranking.Forget(t.Context(), deleting, []int32{1}))
	_, err = deleting.Exec(t.Context(), "DELETE FROM urls WHERE id = 1")
	require.NoError(t, err)
	decided := make(chan struct{})
	go func() { defer close(decided); b.drain(t) }()
	b.waitForLock(t)
	require.NoError(t, deleting.Commit(t.Context()))
	<-decided
	require.Equal(t, "not relevant, 1", b.text(t, everything, 2))
	require.Equal(t, "0", b.text(t, "SELECT count(*)::text FROM consensus_due"))
	b.requireExactQueue(t)

	require.NoError(t, submissions.New(b.pool).DeleteURL(t.Context(), 2))
	require.Equal(t, "0", b.text(t, "SELECT count(*)::text FROM consensus_facts"))
}

// TestLockedURL has a transaction hold the lock on a URL for long. Others are decided about, and the URL later.
func TestLockedURL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for url := range int32(3) {
		b.submit(t, 1, url+1, irrelevant)
		b.submit(t, 2, url+1, irrelevant)
	}
	holding := b.answering(t, 3, 2, "not relevant")
	b.drain(t)
	require.Equal(t, "1,3", b.text(t, "SELECT string_agg(url_id::text, ',' ORDER BY url_id) FROM consensus_facts"))
	require.NoError(t, holding.Commit(t.Context()))
	dbtest.Exec(t, b.pool, "UPDATE consensus_due SET due_at = now()")
	b.drain(t)
	require.Equal(t, "1,2,3", b.text(t, "SELECT string_agg(url_id::text, ',' ORDER BY url_id) FROM consensus_facts"))
	require.Equal(t, "0", b.text(t, "SELECT count(*)::text FROM url_task_error"))
	b.requireExactQueue(t)
}

// TestFailingURL has PostgreSQL refuse the validation of one URL of a batch.
func TestFailingURL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "ALTER TABLE flag_url_validated ADD CONSTRAINT refused CHECK (url_id <> 3)")
	for url := range int32(5) {
		b.submit(t, 1, url+1, irrelevant)
		b.submit(t, 2, url+1, irrelevant)
	}
	var reported []error
	v := consensus.New(b.pool, consensus.Config{Report: func(err error) { reported = append(reported, err) }})
	for attempt, seconds := range []string{"2", "4", "8"} {
		_, err := v.Drain(t.Context())
		require.NoError(t, err)
		require.Len(t, reported, attempt+1)
		require.ErrorContains(t, reported[attempt], "validate URL 3: ")
		require.Equal(t, "1,2,4,5", b.text(t, "SELECT string_agg(url_id::text, ',' ORDER BY url_id) FROM consensus_facts"))
		require.Equal(t, fmt.Sprintf("3 %d %s", attempt+1, seconds), b.text(t, `
			SELECT string_agg(concat_ws(' ', url_id, attempts, ceil(extract(epoch FROM due_at - tasks.updated_at))), ';')
			FROM consensus_due, (SELECT max(updated_at) AS updated_at FROM tasks) AS tasks`))
		require.Equal(t, "error, the validation failed, and is tried again", b.text(t, `
			SELECT task_status || ', ' || error FROM url_task_error JOIN tasks ON id = task_id`))
		require.Zero(t, b.drain(t), "it is not due")
		dbtest.Exec(t, b.pool, "UPDATE consensus_due SET due_at = now()")
	}
	_, result := b.validateAll(t)
	require.Equal(t, "0 URLs validated, 1 failed", result)
	require.Equal(t, "1", b.text(t, "SELECT count(*)::text FROM consensus_due"), "the run does not make it due once more")
	dbtest.Exec(t, b.pool, "ALTER TABLE flag_url_validated DROP CONSTRAINT refused; UPDATE consensus_due SET due_at = now()")
	b.drain(t)
	require.Equal(t, "5 0", b.text(t, "SELECT count(*) || ' ' || (SELECT count(*) FROM url_task_error) FROM consensus_facts"))
	b.requireExactQueue(t)
}

// TestRunAfterBrokenConnections ends the connections of a running validator: what it had taken is due again.
func TestRunAfterBrokenConnections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(t, 1, 1, irrelevant)
	b.submit(t, 2, 1, irrelevant)
	holding := b.answering(t, 3, 1, "not relevant")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reported := make(chan error, 100)
	v := consensus.New(b.pool, consensus.Config{Poll: time.Millisecond, Report: func(err error) { reported <- err }})
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	b.waitForLock(t)
	dbtest.Exec(t, b.pool, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	require.Error(t, <-reported)
	require.NoError(t, holding.Commit(t.Context()))
	require.Eventually(t, func() bool { return b.text(t, everything, 1) != "" }, time.Minute, 5*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.Equal(t, "1", b.text(t, "SELECT count(*)::text FROM link_tasks__urls"))
	b.requireExactQueue(t)
}

// TestWake has a validator that hardly ever looks by itself decide at once.
func TestWake(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	v := consensus.New(b.pool, consensus.Config{Poll: time.Hour})
	service := annotation.New(b.pool, ranking.NewQueue(), annotation.OnDue(v.Wake))
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	for url := range int32(5) {
		for user := range int32(2) {
			require.NoError(t, service.Submit(t.Context(), user, url+1, irrelevant))
		}
		require.Eventually(t, func() bool { return b.text(t, everything, url+1) != "" }, time.Minute, time.Millisecond)
	}
	stop()
	require.NoError(t, <-ended)
}

// TestIdempotencyKey wakes after an answer that is stored with a key, and not when its result is returned again.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(t, 1, 1, irrelevant)
	for range 2 {
		ctx := idempotency.NewContext(t.Context(), idempotency.Request{Caller: "2", Key: "key"})
		require.NoError(t, b.service.Submit(ctx, 2, 1, irrelevant))
		require.Equal(t, 1, *b.woken)
	}
	require.Equal(t, 1, b.drain(t))
}

// TestDeletedAgency breaks a tie by deleting an agency that only sessions voted for.
func TestDeletedAgency(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := source("N")
	other.AgencyIDs = []int32{2}
	for user := range int32(2) {
		b.submit(t, user, 1, source("N"))
	}
	for range 4 {
		require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 1, other))
	}
	b.drain(t)
	require.Empty(t, b.text(t, everything, 1))
	require.NoError(t, catalog.New(b.pool).DeleteAgency(t.Context(), 2))
	require.Equal(t, 1, b.drain(t))
	require.Equal(t, validSource, b.text(t, everything, 1))
	b.requireExactQueue(t)
}

// TestSubmissionsDecideNothing is why submissions make nothing due, whatever the threshold.
func TestSubmissionsDecideNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "SELECT setval('urls_id_seq', 5)") // those of setup have ids of their own
	service := submissions.New(b.pool)
	submitted, err := service.SubmitURL(t.Context(), 1, submissions.Submission{
		URL: "https://new.org", RecordType: new("Stops"), Name: new("N"), LocationID: new(int64(1)), AgencyID: new(int32(1)),
	})
	require.NoError(t, err)
	source, err := service.SubmitDataSource(t.Context(), submissions.DataSource{
		URL: "https://source.org", Name: "N", RecordType: "Stops", AgencyIDs: []int32{1}, LocationIDs: []int64{1},
	})
	require.NoError(t, err)
	votes, err := consensus.LoadVotes(t.Context(), b.pool, []int32{*submitted.URLID, source})
	require.NoError(t, err)
	require.Len(t, votes, 2)
	for _, votes := range votes {
		_, decided := consensus.Rule{Threshold: 0.1, AnonymousWeight: 0.5}.Decide(votes)
		require.False(t, decided, "%v", votes)
	}
}

// TestManyAnnotatorsAndValidators has annotators complete consensuses, sessions be transferred, URLs be suspended and deleted,
// while several processes validate. No URL is validated twice, and none is left.
func TestManyAnnotatorsAndValidators(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const urls, annotators, deleted = 60, 5, 7
	dbtest.Exec(t, b.pool,
		"INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'collector' FROM generate_series(6, $1) AS n", urls)
	b.reconcile(t)
	ctx, stop := context.WithCancel(t.Context())
	var running errgroup.Group
	wake := func() {}
	for range 3 {
		v := consensus.New(b.pool, consensus.Config{Poll: 5 * time.Millisecond, Batch: 10, Report: func(err error) { t.Error(err) }})
		wake = v.Wake
		running.Go(func() error { return v.Run(ctx) })
	}
	service := annotation.New(b.pool, ranking.NewQueue(), annotation.OnDue(wake))
	var group errgroup.Group
	for user := range int32(annotators) {
		group.Go(func() error {
			session := uuid.New()
			for n := range int32(urls) {
				url := (n*7+user*11)%urls + 1
				if err := service.Submit(t.Context(), user, url, source("N")); err != nil && url != deleted {
					return err
				}
				if n%5 == 0 {
					err := service.SubmitAnonymous(t.Context(), session, url%urls+1, source("N"))
					if err != nil && url%urls+1 != deleted && !errors.Is(err, annotation.ErrAlreadyAnnotated) {
						return err
					}
				}
			}
			_, err := service.TransferSession(t.Context(), user+annotators, session)
			return err
		})
	}
	group.Go(func() error { return submissions.New(b.pool).DeleteURL(t.Context(), deleted) })
	group.Go(func() error {
		_, err := consensus.Suspend(t.Context(), b.pool, b.task(t))
		return err
	})
	group.Go(func() error {
		_, err := consensus.ValidateAll(t.Context(), b.pool, b.task(t))
		return err
	})
	require.NoError(t, group.Wait())
	require.Eventually(t, func() bool { return b.text(t, "SELECT count(*)::text FROM consensus_facts") == fmt.Sprint(urls-1) },
		time.Minute, 5*time.Millisecond)
	stop()
	require.NoError(t, running.Wait())
	require.Empty(t, b.text(t, `SELECT coalesce(string_agg(linked.url_id || ': ' || linked.tasks, ', '), '')
		FROM (SELECT url_id, count(*) AS tasks FROM link_tasks__urls JOIN tasks ON id = task_id GROUP BY url_id) AS linked
		WHERE linked.tasks > 1`), "each URL is of one task")
	b.requireExactQueue(t)
}
