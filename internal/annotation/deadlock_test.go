package annotation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// TestSubmitAfterADeadlock has another program acquire locks in another order. PostgreSQL cancels the answer, which is retried.
func TestSubmitAfterADeadlock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		second string // what the other program locks after the row of the queue: something that the answer has locked by then
		submit func(context.Context, *annotation.Service, annotation.Session) error
		votes  string
	}{
		"user": {
			"INSERT INTO annotation__url_type__user (user_id, url_id, type) VALUES (7, 1, 'meta url')",
			func(ctx context.Context, s *annotation.Service, _ annotation.Session) error {
				return s.Submit(ctx, 7, 1, everything(1))
			},
			"SELECT count(*) FROM annotation__url_type__user WHERE user_id = 7",
		},
		"session": {
			"SELECT FROM anonymous_sessions FOR UPDATE",
			func(ctx context.Context, s *annotation.Service, session annotation.Session) error {
				return s.SubmitAnonymous(ctx, session, 1, everything(1))
			},
			"SELECT count(*) FROM annotation__url_type__anon",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			session := b.storedSession(t)
			b.requireRetried(t, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE", test.second, func(pool *postgres.Pool) error {
				return test.submit(t.Context(), annotation.New(pool, ranking.NewQueue()), session)
			})
			require.Equal(t, 1, b.count(t, test.votes))
			b.requireExactQueue(t)
		})
	}
}

// TestReserveAfterADeadlock is TestSubmitAfterADeadlock for reservations.
func TestReserveAfterADeadlock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		urlID   int // which is locked before the reservation
		reserve func(context.Context, *annotation.Service) error
	}{
		"next": {2, func(ctx context.Context, s *annotation.Service) error {
			_, err := s.Next(ctx, 7, annotation.Filter{URLID: new(int32(2))})
			return err
		}},
		"hold": {2, func(ctx context.Context, s *annotation.Service) error {
			_, err := s.Hold(ctx, annotation.User(7), 2)
			return err
		}},
		"release": {1, func(ctx context.Context, s *annotation.Service) error { return s.Release(ctx, annotation.User(7), 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupReserving(t)
			_, err := r.service.Hold(t.Context(), annotation.User(7), 1)
			require.NoError(t, err)
			r.requireRetried(t, "SELECT FROM url_reservations WHERE annotator = '7' FOR UPDATE",
				fmt.Sprintf("SELECT FROM annotation_queue WHERE url_id = %d FOR UPDATE", test.urlID), func(pool *postgres.Pool) error {
					return test.reserve(t.Context(), annotation.New(pool, ranking.NewQueue(), annotation.Reserve(r.policy)))
				})
		})
	}
}

// requireRetried has another program acquire two locks. A write, on connections of its own, waits for the first one, when it has
// the second one. PostgreSQL cancels the write, which is retried.
func (b bundle) requireRetried(t *testing.T, first, second string, write func(*postgres.Pool) error) {
	t.Helper()
	// The write checks for a deadlock long after the other program has begun to wait; the other program never checks.
	_, err := b.pool.Exec(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''3s''', current_database());
	END $$`)
	require.NoError(t, err)
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: b.pool.Config().ConnString(), MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(pool.Close)

	other, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(context.Background()) }()
	_, err = other.Exec(t.Context(), "SET LOCAL deadlock_timeout = '1h'")
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), first)
	require.NoError(t, err)
	stored := make(chan error, 1)
	go func() { stored <- write(pool) }()
	for b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0 {
		time.Sleep(time.Millisecond)
	}
	_, err = other.Exec(t.Context(), second)
	require.NoError(t, err, "the other program was cancelled")
	require.NoError(t, other.Rollback(t.Context()))
	require.NoError(t, <-stored)
}

// TestEndorsementsOfOneNameDoNotDeadlock has one user endorse a name by its id, and another give its text as a new name, which is
// an endorsement too. Both lock the name, in modes that do not conflict, and wait for the row of the queue, in this order.
// Neither checks for a deadlock: if they were in one, the test would not end.
func TestEndorsementsOfOneNameDoNotDeadlock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.pool.Exec(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''1h''', current_database());
	END $$`)
	require.NoError(t, err)
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: b.pool.Config().ConnString(), MaxConns: 12})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	service := annotation.New(pool, ranking.NewQueue())
	byID, byText, bySession := everything(1), everything(1), everything(1)
	byID.NewName, byID.ExistingNameID = nil, new(int32(1))
	byText.NewName, bySession.NewName = new("One"), new("One")

	other, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(context.Background()) }()
	_, err = other.Exec(t.Context(), "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE")
	require.NoError(t, err)
	stored := make(chan error, 3)
	for i, submit := range []func() error{
		func() error { return service.Submit(t.Context(), 7, 1, byID) },
		func() error { return service.Submit(t.Context(), 8, 1, byText) },
		func() error { return service.SubmitAnonymous(t.Context(), uuid.New(), 1, bySession) },
	} {
		go func() { stored <- submit() }()
		for b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") <= i {
			time.Sleep(time.Millisecond)
		}
	}
	require.NoError(t, other.Rollback(t.Context()))
	for range 3 {
		require.NoError(t, <-stored)
	}
	require.Equal(t, 3, b.count(t, `SELECT (SELECT count(*) FROM annotation__name__user__endorsements WHERE suggestion_id = 1)
		+ (SELECT count(*) FROM annotation__name__anon__endorsements WHERE suggestion_id = 1)`))
	b.requireExactQueue(t)
}
