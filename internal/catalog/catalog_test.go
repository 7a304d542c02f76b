package catalog_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/catalog"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// bundle is a database with agencies 1 and 2, location 1 and URLs 1 to 6. Agency 1 is suggested by a robot for URLs 1 to 3 and
// by a session for URL 4, and confirmed for URL 5.
type bundle struct {
	pool    *postgres.Pool
	service *catalog.Service
	answers *annotation.Service
}

const world = `
	INSERT INTO us_states (state_iso, state_name) VALUES ('OH', 'Ohio');
	INSERT INTO locations (type, state_id) VALUES ('State', 1);
	INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local');
	INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 6) AS n;
	INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label');
	INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1, n FROM generate_series(1, 6) AS n;
	INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete');
	INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found)
		SELECT n, 1, n, 'homepage_match', true FROM generate_series(1, 3) AS n;
	INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) SELECT n, 1, 90 FROM generate_series(1, 3) AS n;
	INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0000-000000000001');
	INSERT INTO annotation__agency__anon (url_id, agency_id, session_id) VALUES (4, 1, '00000000-0000-0000-0000-000000000001');
	INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (5, 1);`

func setup(t *testing.T) bundle {
	pool := dbtest.New(t)
	b := bundle{pool, catalog.New(pool), annotation.New(pool, ranking.NewQueue())}
	dbtest.Exec(t, pool, world)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	return b
}

func (b bundle) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	return dbtest.Count(t, b.pool, query, args...)
}

// requireRightQueue fails unless the queue equals a recount.
func (b bundle) requireRightQueue(t *testing.T) {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Errorf("the queue is wrong: %+v", d) }))
}

// An agency is deleted while users and sessions annotate URLs with it and other requests rename it, move it and delete it. A
// request that comes after the deletion gets an error that says so; no request fails otherwise, and no change is partial.
func TestDeleteRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deleted, kept := 0, 0
	for round := range int32(40) {
		session := uuid.New()
		var (
			all      sync.WaitGroup
			start    = make(chan struct{})
			answered = make(chan error, 32)
			changed  = make(chan error, 32) // by requests that change the agency
			deleting = make(chan error, 2)
		)
		do := func(into chan<- error, act func(context.Context) error) {
			pause := rand.N(20_000)
			all.Go(func() {
				<-start
				for range pause { // so that the order varies
					runtime.Gosched()
				}
				into <- act(t.Context())
			})
		}
		for url := int32(1); url <= 6; url++ {
			// With two agencies, the key of one is locked while the transaction waits for the other.
			answer := annotation.Answer{URLType: annotation.DataSource, AgencyIDs: []int32{2, 1}}
			if round%2 == 0 || url > 1 { // otherwise no round could delete it
				answer.AgencyIDs = nil
			}
			do(answered, func(ctx context.Context) error { return b.answers.Submit(ctx, 100+round, url, answer) })
			byAgency := annotation.Answer{URLType: annotation.DataSource, AgencyIDs: []int32{1}}
			do(answered, func(ctx context.Context) error { return b.answers.SubmitAnonymous(ctx, session, url, byAgency) })
		}
		do(changed, func(ctx context.Context) error {
			return b.service.ChangeAgency(ctx, 1, catalog.AgencyChange{Name: new("renamed")})
		})
		do(changed, func(ctx context.Context) error { return b.service.AddAgencyLocation(ctx, 1, 1) })
		do(changed, func(ctx context.Context) error { return b.service.RemoveAgencyLocation(ctx, 1, 1) })
		for range 2 {
			do(deleting, func(ctx context.Context) error { return b.service.DeleteAgency(ctx, 1) })
		}
		close(start)
		all.Wait()
		close(answered)
		close(changed)
		close(deleting)

		for err := range answered {
			var missing *unknown.Error
			require.True(t, err == nil || errors.As(err, &missing), "an answer: %v", err)
		}
		for err := range changed {
			var missing *unknown.Error
			require.True(t, err == nil || errors.Is(err, catalog.ErrNoAgency) || errors.As(err, &missing), "a change: %v", err)
		}
		left := b.count(t, "SELECT count(*) FROM agencies WHERE id = 1")
		refused := 0
		for err := range deleting {
			if err != nil {
				require.ErrorIs(t, err, catalog.ErrAgencySuggested)
				refused++
			}
		}
		if left == 1 {
			kept++
			require.Equal(t, 2, refused)
			require.Positive(t, b.count(t, "SELECT count(*) FROM annotation__agency__user WHERE agency_id = 1"))
		} else {
			deleted++
			require.Less(t, refused, 2)
			require.Zero(t, b.count(t, "SELECT count(*) FROM annotation__agency__user WHERE agency_id = 1"))
		}
		b.requireRightQueue(t)
		dbtest.Exec(t, b.pool, `DELETE FROM annotation__agency__user WHERE agency_id = 1; DELETE FROM agencies WHERE id = 1;
			INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local');
			INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) SELECT n, 1, 90 FROM generate_series(1, 3) AS n;
			INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (5, 1)`)
		require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	}
	require.Positive(t, deleted)
	require.Positive(t, kept)
	require.Zero(t, b.deadlocks(t), "a deletion may be repeated after a deadlock, but an answer could have been the victim")
}

// deadlocks returns the number of deadlocks in the database. Each connection reports its own when it ends.
func (b bundle) deadlocks(t *testing.T) int {
	t.Helper()
	b.pool.Reset()
	for b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") > 0 {
		require.NoError(t, t.Context().Err())
	}
	return b.count(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
}

// The deletion waits for an annotation of another URL that holds a lock on the agency.
func TestDeleteWaitsForAnAnnotation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answering, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = answering.Rollback(context.Background()) }()
	_, err = answering.Exec(t.Context(), "INSERT INTO annotation__agency__user (url_id, user_id, agency_id) VALUES (6, 9, 1)")
	require.NoError(t, err)

	ended := make(chan error, 1)
	go func() { ended <- b.service.DeleteAgency(t.Context(), 1) }()
	dbtest.WaitForLocks(t, b.pool, 1)
	require.NoError(t, answering.Commit(t.Context()))
	require.ErrorIs(t, <-ended, catalog.ErrAgencySuggested)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM agencies WHERE id = 1"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM annotation__agency__anon WHERE agency_id = 1"), "the whole deletion was rolled back")
}

// The deletion waits for a robot that suggests the agency for one more URL, and recounts that URL as well.
func TestDeleteStartsOverForMoreURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	suggesting, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = suggesting.Rollback(context.Background()) }()
	_, err = suggesting.Exec(t.Context(), `INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found)
			VALUES (6, 1, 6, 'homepage_match', true)`)
	require.NoError(t, err)
	_, err = suggesting.Exec(t.Context(), "INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES (6, 1, 90)")
	require.NoError(t, err)

	ended := make(chan error, 1)
	go func() { ended <- b.service.DeleteAgency(t.Context(), 1) }()
	dbtest.WaitForLocks(t, b.pool, 1)
	require.NoError(t, ranking.Recount(t.Context(), suggesting, []int32{6}))
	require.NoError(t, suggesting.Commit(t.Context()))
	changed := b.count(t, "SELECT changed_xid FROM annotation_queue WHERE url_id = 6")
	require.NoError(t, <-ended)
	require.Zero(t, b.count(t, "SELECT count(*) FROM agencies WHERE id = 1"))
	require.Greater(t, b.count(t, "SELECT changed_xid FROM annotation_queue WHERE url_id = 6"), changed,
		"annotators are no longer shown the agency")
	b.requireRightQueue(t)
}

// Of several concurrent requests that add the same, one succeeds.
func TestSameAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "INSERT INTO counties (fips, name, state_id) VALUES ('39049', 'Franklin', 1)")
	for name, add := range map[string]struct {
		do      func(context.Context) error
		refusal error
	}{
		"location of an agency": {
			func(ctx context.Context) error { return b.service.AddAgencyLocation(ctx, 2, 1) }, catalog.ErrLocationLinked,
		},
		"locality": {
			func(ctx context.Context) error { _, err := b.service.AddLocality(ctx, "Dublin", 1); return err }, catalog.ErrLocalityKnown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var added atomic.Int32
			require.NoError(t, dbtest.Together(6, func(int) error {
				err := add.do(t.Context())
				if err == nil {
					added.Add(1)
				} else if errors.Is(err, add.refusal) {
					return nil
				}
				return err
			}))
			require.EqualValues(t, 1, added.Load())
		})
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM locations WHERE type = 'Locality'"))
}

// Every rule names a constraint that exists.
func TestRefusalsAreConstraints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	constraints := dbtest.List(t, b.pool, "SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace")
	for i, rule := range catalog.Refusals {
		require.True(t, slices.ContainsFunc(constraints, func(name string) bool {
			return rule.Meaning(&pgconn.PgError{ConstraintName: name}) != nil
		}), "rule %d of refusals names no constraint", i)
	}
}
