package ranking_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// poll is how often a test checks the state of another connection.
const poll = 2 * time.Millisecond

// waitForLocks returns when a number of statements wait for a lock; none may end before.
func (w world) waitForLocks(t *testing.T, statements int, ended <-chan error) {
	t.Helper()
	for scan[int](t, w.pool, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`) < statements {
		select {
		case err := <-ended:
			t.Fatalf("ended without waiting for a lock: %v", err)
		case <-time.After(poll):
		}
	}
}

// TestRecountAndAnswer stores an answer while a change of the same URL is not committed, and changes a URL while an answer
// about it is not committed.
func TestRecountAndAnswer(t *testing.T) {
	t.Parallel()
	// Each change follows another one, which it undoes or needs.
	changes := map[string]struct{ before, change string }{
		"suggestions":          {link(1), robots},
		"suspended":            {link(1), suspend},
		"unsuspended":          {suspend, unsuspend},
		"validated":            {link(1), validate},
		"unvalidated":          {validate, unvalidate},
		"collected":            {link(1), collected},
		"manual":               {collected, manual},
		"linked":               {unlink, link(1)},
		"moved":                {link(1), link(2)},
		"unlinked":             {link(1), unlink},
		"annotated by another": {link(1), says(3)},
		"annotated by session": {link(1), voteAnonymously},
	}
	w := newWorld(t, 0)
	for name, test := range changes {
		t.Run(name, func(t *testing.T) {
			w.restart(t, 3)
			session := w.session(t)
			w.change(t, ids(1, 2), link(1))
			w.change(t, ids(1, 2), test.before)

			// The answers arrive while the change is not committed.
			service := w.service()
			tx := w.open(t, ids(1), test.change)
			submitted := make(chan error, 2)
			go func() { submitted <- service.Submit(context.Background(), 7, 1, fullAnswer) }()
			go func() { submitted <- service.SubmitAnonymous(context.Background(), session, 1, fullAnswer) }()
			w.waitForLocks(t, 2, submitted)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-submitted)
			require.NoError(t, <-submitted)
			require.Empty(t, w.differences(t))

			// The change arrives while the answers are not committed.
			tx = w.tx(t)
			answerIn(t, tx, 2, 7, session)
			changed := make(chan error, 1)
			go func() { changed <- w.tryChange(context.Background(), ids(2), test.change) }()
			w.waitForLocks(t, 1, changed)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, <-changed)
			require.Empty(t, w.differences(t))

			w.requireNext(t, ranking.NewWarmQueue(), annotator{user: 7}, 3)
			w.requireNext(t, ranking.NewWarmQueue(), annotator{session: session}, 3)
		})
	}
}

// fullAnswer has a row for every table.
var fullAnswer = annotation.Answer{
	URLType: annotation.DataSource, RecordType: new(annotation.RecordType("Stops")), AgencyIDs: ids(1, 2), LocationIDs: []int64{1},
}

// answerIn stores the full answers of a user and of a session in an open transaction.
func answerIn(t *testing.T, tx pgx.Tx, url, user int32, session uuid.UUID) {
	t.Helper()
	stored, err := db.New().AnnotationInsert(t.Context(), tx, db.AnnotationInsertParams{
		URLID: url, UserID: user, URLType: db.URLType(fullAnswer.URLType), RecordType: (*db.RecordType)(fullAnswer.RecordType),
		AgencyIDs: fullAnswer.AgencyIDs, LocationIDs: fullAnswer.LocationIDs, Event: db.URLEventAnswered, Detail: []byte("{}"),
	})
	require.NoError(t, err)
	require.True(t, stored.Stored)
	anonymous, err := db.New().AnonymousAnnotationInsert(t.Context(), tx, db.AnonymousAnnotationInsertParams{
		URLID: url, SessionID: session, URLType: db.URLType(fullAnswer.URLType), RecordType: (*db.RecordType)(fullAnswer.RecordType),
		AgencyIDs: fullAnswer.AgencyIDs, LocationIDs: fullAnswer.LocationIDs, Event: db.URLEventAnswered, Detail: []byte("{}"),
	})
	require.NoError(t, err)
	require.True(t, anonymous.Stored)
}

// TestManyURLsAtOnce checks the progress of batches after changes of many of their URLs.
func TestManyURLsAtOnce(t *testing.T) {
	t.Parallel()
	const urls = 5200 // more than one statement of the upkeep handles
	w := newWorld(t, urls)
	w.change(t, span(1, 100), link(1))
	w.change(t, span(101, urls), link(2))
	w.change(t, append(span(90, 110), span(urls-10, urls)...), `
		INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT unnest($1::int[]), 7, 1`)
	require.Equal(t, "{100,11}", w.progress(t, 1))
	require.Equal(t, "{5100,21}", w.progress(t, 2))

	shuffled := append(span(60, urls), span(1, 80)...) // not in order, some twice
	w.change(t, shuffled, link(3))
	require.Equal(t, []string{"{0,0}", "{0,0}", "{5200,32}"}, []string{w.progress(t, 1), w.progress(t, 2), w.progress(t, 3)})
	w.change(t, span(1, 95), validate)
	require.Equal(t, "{5200,32}", w.progress(t, 3), "the progress counts URLs that are not eligible too")
	require.NoError(t, w.remove(t.Context(), append(span(urls-4, urls), span(1, 96)...)))
	require.Equal(t, "{5099,20}", w.progress(t, 3))
	require.Empty(t, w.differences(t))
	w.requireNext(t, ranking.NewWarmQueue(), annotator{user: 7}, 111)
}

func (w world) progress(t *testing.T, batch int32) string {
	t.Helper()
	return scan[string](t, w.pool, "SELECT ARRAY[total, annotated]::text FROM batch_progress WHERE batch_id = $1", batch)
}

// TestNothingToRecount recounts and removes ids of no URL, and an empty list.
func TestNothingToRecount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	for _, urls := range [][]int32{nil, ids(99), ids(-1, 0, 2)} {
		require.NoError(t, w.tryChange(t.Context(), urls, "SELECT $1::int[]"))
		require.NoError(t, w.remove(t.Context(), urls))
	}
	require.Empty(t, w.differences(t))
}

// TestRecountAndDelete changes a URL that is being deleted, and deletes one that is being changed.
func TestRecountAndDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.change(t, span(1, 4), link(1))

	// All changes and answers arrive while the URL is being deleted.
	session := w.session(t)
	service := w.service()
	tx := w.tx(t)
	require.NoError(t, ranking.Forget(t.Context(), tx, ids(1)))
	_, err := tx.Exec(t.Context(), "DELETE FROM urls WHERE id = 1")
	require.NoError(t, err)
	ended := make(chan error, 4)
	recount := func(tx pgx.Tx) error { return ranking.Recount(context.Background(), tx, ids(1)) }
	go func() { ended <- postgres.InTx(context.Background(), w.pool, recount) }()
	go func() { ended <- w.tryChange(context.Background(), ids(1), robots) }()
	go func() { ended <- ignoreUnknown(service.Submit(context.Background(), 7, 1, fullAnswer)) }()
	go func() { ended <- ignoreUnknown(service.SubmitAnonymous(context.Background(), session, 1, fullAnswer)) }()
	w.waitForLocks(t, 4, ended)
	require.NoError(t, tx.Commit(t.Context()))
	for range 4 {
		require.NoError(t, <-ended)
	}

	// The URL is deleted while a change is not committed, and stays deleted.
	change := w.open(t, ids(2), robots)
	removed := make(chan error, 1)
	go func() { removed <- w.remove(context.Background(), ids(2)) }()
	w.waitForLocks(t, 1, removed)
	require.NoError(t, change.Commit(t.Context()))
	require.NoError(t, <-removed)

	require.Equal(t, "{2,0}", w.progress(t, 1))
	require.Empty(t, w.differences(t))
}

// ignoreUnknown ignores that a URL is deleted.
func ignoreUnknown(err error) error {
	var missing *unknown.Error
	if errors.As(err, &missing) && missing.Kind == unknown.URL {
		return nil
	}
	return err
}

// TestNoDeadlocks stores answers of many annotators about few URLs, while others change and delete these in bulk, with the ids
// in opposite orders. InTx would retry a deadlock, so PostgreSQL's count of deadlocks is checked.
func TestNoDeadlocks(t *testing.T) {
	t.Parallel()
	const urls, users = 12, 60
	w := newWorld(t, urls)
	w.change(t, span(1, urls/2), link(1))
	w.change(t, span(urls/2+1, urls), link(2))
	service := w.service()
	session := w.session(t)
	up, down := span(1, urls), span(1, urls)
	slices.Reverse(down)

	group, ctx := errgroup.WithContext(t.Context())
	for part := range int32(4) {
		group.Go(func() error {
			for user := part; user < users; user += 4 {
				for _, url := range up {
					if err := ignoreUnknown(service.Submit(ctx, user, 1+(url+user)%urls, fullAnswer)); err != nil {
						return fmt.Errorf("submit: %w", err)
					}
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		for _, url := range up {
			if err := ignoreUnknown(service.SubmitAnonymous(ctx, session, url, fullAnswer)); err != nil {
				return fmt.Errorf("submit anonymously: %w", err)
			}
		}
		return nil
	})
	for _, list := range [][]int32{up, down} {
		group.Go(func() error {
			for i := range 24 {
				statement := []string{robots, suspend, unsuspend, link(1), collected, manual, validate, unvalidate}[i%8]
				if err := w.tryChange(ctx, list, statement); err != nil {
					return fmt.Errorf("change: %w", err)
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		for i := range int32(4) {
			if err := w.remove(ctx, ids(urls-i, 1+i)); err != nil {
				return fmt.Errorf("remove: %w", err)
			}
		}
		return nil
	})
	require.NoError(t, group.Wait())
	require.Empty(t, w.differences(t))
	w.requireNoDeadlocks(t)
}

// requireNoDeadlocks checks that PostgreSQL found no deadlock.
func (w world) requireNoDeadlocks(t *testing.T) {
	t.Helper()
	w.pool.Reset() // a backend reports its numbers when it ends
	for scan[int](t, w.pool, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`) > 0 {
		time.Sleep(poll)
	}
	require.Zero(t, scan[int64](t, w.pool, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
}
