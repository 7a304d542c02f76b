package catalog_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/catalog"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// bundle is a database with URLs 1 to 6, of which a robot finds agency 1 for 1 to 3, sessions suggested it for 4, and it was
// agreed on for 5. Agency 2 and location 1 are there as well.
type bundle struct {
	pool    *postgres.Pool
	service *catalog.Service
	answers *annotation.Service
}

const world = `
	INSERT INTO us_states (state_iso, state_name) VALUES ('OH', 'Ohio');
	INSERT INTO locations (type, state_id) VALUES ('State', 1);
	INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local');
	INSERT INTO urls (id, url, status, source) SELECT n, n || '.org', 'ok', 'manual' FROM generate_series(1, 6) AS n;
	INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label');
	INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1, n FROM generate_series(1, 6) AS n;
	INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Agency Identification', 'complete');
	INSERT INTO url_auto_agency_id_subtasks (id, task_id, url_id, type, agencies_found)
		SELECT n, 1, n, 'homepage_match', true FROM generate_series(1, 3) AS n;
	INSERT INTO agency_id_subtask_suggestions (subtask_id, agency_id, confidence) SELECT n, 1, 90 FROM generate_series(1, 3) AS n;
	INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0000-000000000001');
	INSERT INTO anonymous_annotation_agency (url_id, agency_id, session_id) VALUES (4, 1, '00000000-0000-0000-0000-000000000001');
	INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (5, 1);`

func setup(t *testing.T) bundle {
	pool := dbtest.New(t)
	b := bundle{pool, catalog.New(pool), annotation.New(pool, ranking.NewQueue())}
	b.exec(t, world)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	return b
}

func (b bundle) exec(t *testing.T, statements string) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), statements)
	require.NoError(t, err)
}

func (b bundle) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query).Scan(&n))
	return n
}

// requireRightQueue fails unless the queue is what a recount says.
func (b bundle) requireRightQueue(t *testing.T) {
	t.Helper()
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Errorf("the queue is wrong: %+v", d) }))
}

func ref[T any](v T) *T { return &v }

// An agency is deleted while users and sessions answer for it and others rename it, move it and delete it too: whoever is late is
// told so, nothing is half done, and nobody fails.
func TestDeleteRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deleted, kept := 0, 0
	for round := range int32(40) {
		session, err := b.answers.OpenSession(t.Context())
		require.NoError(t, err)
		var (
			all     sync.WaitGroup
			start   = make(chan struct{})
			told    = make(chan error, 32) // of answers
			changed = make(chan error, 32) // of others who change the agency
			ended   = make(chan error, 2)  // of deletions
		)
		do := func(into chan<- error, act func(context.Context) error) {
			pause := rand.N(20_000)
			all.Go(func() {
				<-start
				for range pause { // some get there first, some do not
					runtime.Gosched()
				}
				into <- act(t.Context())
			})
		}
		for url := int32(1); url <= 6; url++ {
			// Two agencies: the key of one is locked while the other is waited for.
			answer := annotation.Answer{URLType: annotation.DataSource, AgencyIDs: []int32{2, 1}}
			if round%2 == 0 || url > 1 { // otherwise nobody could ever delete it
				answer.AgencyIDs = nil
			}
			do(told, func(ctx context.Context) error { return b.answers.Submit(ctx, 100+round, url, answer) })
			byAgency := annotation.Answer{URLType: annotation.DataSource, AgencyIDs: []int32{1}}
			do(told, func(ctx context.Context) error { return b.answers.SubmitAnonymous(ctx, session, url, byAgency) })
		}
		do(changed, func(ctx context.Context) error {
			return b.service.ChangeAgency(ctx, 1, catalog.AgencyChange{Name: ref("renamed")})
		})
		do(changed, func(ctx context.Context) error { return b.service.AddAgencyLocation(ctx, 1, 1) })
		do(changed, func(ctx context.Context) error { return b.service.RemoveAgencyLocation(ctx, 1, 1) })
		for range 2 {
			do(ended, func(ctx context.Context) error { return b.service.DeleteAgency(ctx, 1) })
		}
		close(start)
		all.Wait()
		close(told)
		close(changed)
		close(ended)

		for err := range told {
			var missing *unknown.Error
			require.True(t, err == nil || errors.As(err, &missing), "an answer: %v", err)
		}
		for err := range changed {
			var missing *unknown.Error
			require.True(t, err == nil || errors.Is(err, catalog.ErrNoAgency) || errors.As(err, &missing), "a change: %v", err)
		}
		left := b.count(t, "SELECT count(*) FROM agencies WHERE id = 1")
		refused := 0
		for err := range ended {
			if err != nil {
				require.ErrorIs(t, err, catalog.ErrAgencySuggested)
				refused++
			}
		}
		if left == 1 {
			kept++
			require.Equal(t, 2, refused)
			require.Positive(t, b.count(t, "SELECT count(*) FROM user_url_agency_suggestions WHERE agency_id = 1"))
		} else {
			deleted++
			require.Less(t, refused, 2)
			require.Zero(t, b.count(t, "SELECT count(*) FROM user_url_agency_suggestions WHERE agency_id = 1"))
		}
		b.requireRightQueue(t)
		b.exec(t, `DELETE FROM user_url_agency_suggestions WHERE agency_id = 1; DELETE FROM agencies WHERE id = 1;
			INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local');
			INSERT INTO agency_id_subtask_suggestions (subtask_id, agency_id, confidence) SELECT n, 1, 90 FROM generate_series(1, 3) AS n;
			INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (5, 1)`)
		require.NoError(t, ranking.Reconcile(t.Context(), b.pool, func(ranking.Difference) {}))
	}
	require.Positive(t, deleted)
	require.Positive(t, kept)
	require.Zero(t, b.deadlocks(t), "a deletion may be repeated after a deadlock, but an answer could have been the victim")
}

// deadlocks is how many there were in the database. Each connection tells of its own when it ends.
func (b bundle) deadlocks(t *testing.T) int {
	t.Helper()
	b.pool.Reset()
	for b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") > 0 {
		require.NoError(t, t.Context().Err())
	}
	return b.count(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
}

// An answer about a URL that the deletion has locked is behind it in the queue while it holds nothing that the deletion wants;
// an answer about another URL, which holds the agency, is waited for.
func TestDeleteWaitsForAnAnswerInTheMaking(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answering, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = answering.Rollback(context.Background()) }()
	_, err = answering.Exec(t.Context(), "INSERT INTO user_url_agency_suggestions (url_id, user_id, agency_id) VALUES (6, 9, 1)")
	require.NoError(t, err)

	ended := make(chan error, 1)
	go func() { ended <- b.service.DeleteAgency(t.Context(), 1) }()
	b.waitForLock(t)
	require.NoError(t, answering.Commit(t.Context()))
	require.ErrorIs(t, <-ended, catalog.ErrAgencySuggested)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM agencies WHERE id = 1"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM anonymous_annotation_agency WHERE agency_id = 1"), "all of it was undone")
}

// A robot that suggests the agency for another URL while it is being deleted is waited for, and that URL is recounted as well.
func TestDeleteStartsOverForMoreURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	suggesting, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = suggesting.Rollback(context.Background()) }()
	_, err = suggesting.Exec(t.Context(), `INSERT INTO url_auto_agency_id_subtasks (id, task_id, url_id, type, agencies_found)
			VALUES (6, 1, 6, 'homepage_match', true)`)
	require.NoError(t, err)
	_, err = suggesting.Exec(t.Context(), "INSERT INTO agency_id_subtask_suggestions (subtask_id, agency_id, confidence) VALUES (6, 1, 90)")
	require.NoError(t, err)

	ended := make(chan error, 1)
	go func() { ended <- b.service.DeleteAgency(t.Context(), 1) }()
	b.waitForLock(t)
	require.NoError(t, ranking.Recount(t.Context(), suggesting, []int32{6}))
	require.NoError(t, suggesting.Commit(t.Context()))
	changed := b.count(t, "SELECT changed_xid FROM annotation_queue WHERE url_id = 6")
	require.NoError(t, <-ended)
	require.Zero(t, b.count(t, "SELECT count(*) FROM agencies WHERE id = 1"))
	require.Greater(t, b.count(t, "SELECT changed_xid FROM annotation_queue WHERE url_id = 6"), changed, "annotators see that it is gone")
	b.requireRightQueue(t)
}

// waitForLock returns when a statement waits for a lock.
func (b bundle) waitForLock(t *testing.T) {
	t.Helper()
	for b.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		require.NoError(t, t.Context().Err())
	}
}

// Of many who add the same at once, one does.
func TestSameAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "INSERT INTO counties (fips, name, state_id) VALUES ('39049', 'Franklin', 1)")
	for name, act := range map[string]struct {
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
			ended := make(chan error, 6)
			for range cap(ended) {
				go func() { ended <- act.do(t.Context()) }()
			}
			added := 0
			for range cap(ended) {
				if err := <-ended; err == nil {
					added++
				} else {
					require.ErrorIs(t, err, act.refusal)
				}
			}
			require.Equal(t, 1, added)
		})
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM locations WHERE type = 'Locality'"))
}

// Every rule names a constraint that there is.
func TestRefusalsAreConstraints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows, err := b.pool.Query(t.Context(), "SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace")
	require.NoError(t, err)
	constraints, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for i, rule := range catalog.Refusals {
		require.True(t, slices.ContainsFunc(constraints, func(name string) bool {
			violation := &pgconn.PgError{ConstraintName: name}
			return rule.Meaning(violation) != nil
		}), "rule %d of refusals names no constraint", i)
	}
}
