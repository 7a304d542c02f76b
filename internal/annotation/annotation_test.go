package annotation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// poll is how often a test checks the state of another connection.
const poll = 5 * time.Millisecond

// bundle is a database with agencies 1 and 2, locations 1 and 2, URLs 1 to 3, and name 1 of URL 1.
type bundle struct {
	pool    *postgres.Pool
	service *annotation.Service
}

func setup(t *testing.T) bundle {
	pool := dbtest.New(t)
	_, err := pool.Exec(t.Context(), `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('NJ', 'New Jersey');
		INSERT INTO locations (type, state_id) VALUES ('State', 1), ('State', 2);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local');
		INSERT INTO urls (id, url, source) VALUES
			(1, 'one.org', 'manual'), (2, 'two.org', 'manual'), (3, 'three.org', 'manual');
		INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES (1, 'One');
	`)
	require.NoError(t, err)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	return bundle{pool: pool, service: annotation.New(pool, ranking.NewQueue())}
}

func (b bundle) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// everything is an answer with a row for every table; variant chooses the agency and the location.
func everything(variant int32) annotation.Answer {
	return annotation.Answer{
		URLType:     annotation.DataSource,
		RecordType:  new(annotation.RecordType("Stops")),
		AgencyIDs:   []int32{variant},
		LocationIDs: []int64{int64(variant)},
		NewName:     new(fmt.Sprintf("Name %d", variant)),
	}
}

// race runs the calls concurrently and returns their errors.
func race(calls ...func() error) []error {
	errs := make([]error, len(calls))
	var start, done sync.WaitGroup
	start.Add(1)
	for i, call := range calls {
		done.Go(func() {
			start.Wait()
			errs[i] = call()
		})
	}
	start.Done()
	done.Wait()
	return errs
}

func TestTwoAnswersOfOneUserAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for user := range int32(20) {
		errs := race(
			func() error { return b.service.Submit(t.Context(), user, 1, everything(1)) },
			func() error { return b.service.Submit(t.Context(), user, 1, everything(2)) },
		)
		won := 0
		if errs[0] != nil {
			won = 1
		}
		require.NoError(t, errs[won])
		require.ErrorIs(t, errs[1-won], annotation.ErrAlreadyAnnotated)

		for _, table := range []string{"annotation__url_type__user", "annotation__record_type__user",
			"annotation__agency__user", "annotation__location__user", "annotation__name__user__endorsements"} {
			require.Equal(t, 1, b.count(t, "SELECT count(*) FROM "+table+" WHERE user_id = $1", user), table)
		}
		require.Equal(t, won+1, b.count(t, "SELECT agency_id FROM annotation__agency__user WHERE user_id = $1", user))
		require.Equal(t, won+1, b.count(t, "SELECT location_id FROM annotation__location__user WHERE user_id = $1", user))
	}
	require.LessOrEqual(t, b.count(t, "SELECT count(*) FROM annotation__name__suggestions WHERE url_id = 1"), 3,
		"the loser's name is not stored, the winners' is stored once")
}

func TestTwoDifferentAnswersOfOneSessionAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 20 {
		session := uuid.New()
		relevant, irrelevant := everything(1), annotation.Answer{URLType: annotation.NotRelevant}
		errs := race(
			func() error { return b.service.SubmitAnonymous(t.Context(), session, 1, relevant) },
			func() error { return b.service.SubmitAnonymous(t.Context(), session, 1, irrelevant) },
			func() error { return b.service.SubmitAnonymous(t.Context(), session, 1, relevant) },
		)
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM annotation__url_type__anon WHERE session_id = $1", session))
		agencies := b.count(t, "SELECT count(*) FROM annotation__agency__anon WHERE session_id = $1", session)
		if errs[1] == nil {
			require.ErrorIs(t, errs[0], annotation.ErrAlreadyAnnotated)
			require.ErrorIs(t, errs[2], annotation.ErrAlreadyAnnotated)
			require.Zero(t, agencies)
		} else {
			require.NoError(t, errs[0], "the two are the same")
			require.NoError(t, errs[2], "the two are the same")
			require.ErrorIs(t, errs[1], annotation.ErrAlreadyAnnotated)
			require.Equal(t, 1, agencies)
		}
	}
}

func TestManyAnnotatorsGiveOneNewName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := annotation.Answer{URLType: annotation.BrokenPage, NewName: new("The same")}
	calls := make([]func() error, 16)
	for user := range calls {
		calls[user] = func() error { return b.service.Submit(t.Context(), int32(user), 2, answer) }
		if user%2 == 0 {
			calls[user] = func() error { return b.service.SubmitAnonymous(t.Context(), uuid.New(), 2, answer) }
		}
	}
	for _, err := range race(calls...) {
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM annotation__name__suggestions WHERE url_id = 2"))
	require.Equal(t, 8, b.count(t, "SELECT count(*) FROM annotation__name__user__endorsements"))
	require.Equal(t, 8, b.count(t, "SELECT count(*) FROM annotation__name__anon__endorsements"))
	b.requireExactQueue(t)
}

// TestDeletedMeanwhile deletes something that an answer refers to after the statement has read it.
func TestDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	byUser := func(b bundle, answer annotation.Answer) error {
		return b.service.Submit(context.Background(), 7, 1, answer)
	}
	anonymously := func(b bundle, answer annotation.Answer) error {
		return b.service.SubmitAnonymous(context.Background(), uuid.New(), 1, answer)
	}
	name := annotation.Answer{URLType: annotation.MetaURL, ExistingNameID: new(int32(1))}
	tests := []struct {
		kind, delete string
		submit       func(bundle, annotation.Answer) error
		answer       annotation.Answer
	}{
		{"URL", "DELETE FROM urls WHERE id = 1", byUser, everything(1)},
		{"agency", "DELETE FROM agencies WHERE id = 1", byUser, everything(1)},
		{"location", "DELETE FROM locations WHERE id = 1", byUser, everything(1)},
		{"name suggestion", "DELETE FROM annotation__name__suggestions WHERE id = 1", byUser, name},
		{"URL", "DELETE FROM urls WHERE id = 1", anonymously, everything(1)},
		{"agency", "DELETE FROM agencies WHERE id = 1", anonymously, everything(1)},
		{"location", "DELETE FROM locations WHERE id = 1", anonymously, everything(1)},
		{"name suggestion", "DELETE FROM annotation__name__suggestions WHERE id = 1", anonymously, name},
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i, test.kind), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			tx := b.begin(t, test.delete)

			submitted := make(chan error, 1)
			go func() { submitted <- test.submit(b, test.answer) }()
			b.waitForLock(t, submitted)
			require.NoError(t, tx.Commit(t.Context()))

			err := <-submitted
			var missing *unknown.Error
			require.ErrorAs(t, err, &missing)
			require.Equal(t, test.kind, missing.Kind)
			require.Zero(t, b.count(t, `SELECT (SELECT count(*) FROM annotation__url_type__user)
				+ (SELECT count(*) FROM annotation__url_type__anon) + (SELECT count(*) FROM anonymous_sessions)`))
		})
	}
}

// begin returns a transaction that has executed a statement. It is rolled back at the end of the test.
func (b bundle) begin(t *testing.T, statement string) pgx.Tx {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	_, err = tx.Exec(t.Context(), statement)
	require.NoError(t, err)
	return tx
}

// waitForLock returns when a statement waits for a lock; the call must not end before.
func (b bundle) waitForLock(t *testing.T, ended <-chan error) {
	t.Helper()
	for b.count(t, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		select {
		case err := <-ended:
			t.Fatalf("ended without waiting for a lock: %v", err)
		case <-time.After(poll):
		}
	}
}

// TestCancelledBeforeStored checks that nothing is stored of an answer whose client has disconnected.
func TestCancelledBeforeStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	tx := b.begin(t, "LOCK TABLE annotation__location__user")

	submitted := make(chan error, 1)
	go func() { submitted <- b.service.Submit(ctx, 7, 1, everything(1)) }()
	b.waitForLock(t, submitted)
	cancel()
	require.ErrorIs(t, <-submitted, context.Canceled)
	require.NoError(t, tx.Rollback(t.Context()))

	require.Zero(t, b.count(t, "SELECT count(*) FROM annotation__url_type__user"))
	require.NoError(t, b.service.Submit(t.Context(), 7, 1, everything(1)))
}

// TestUnknownIDsAreAllNamed checks that the error has every unknown id, not only the first.
func TestUnknownIDsAreAllNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	err := b.service.Submit(t.Context(), 7, 1, annotation.Answer{URLType: annotation.DataSource, AgencyIDs: []int32{99, 1, 98}})
	var missing *unknown.Error
	require.ErrorAs(t, err, &missing)
	require.Equal(t, unknown.New(unknown.Agency, 98, 99), missing)
	require.False(t, errors.Is(err, annotation.ErrAlreadyAnnotated))
}

// TestAgenciesInLocation compares the agencies that are returned for each location with dependent_locations. Each location of a
// small nation has one agency, and one URL is suggested all of them.
func TestAgenciesInLocation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO counties (fips, name, state_id) VALUES ('1', 'A', 1), ('2', 'B', 1), ('3', 'C', 2);
		INSERT INTO localities (name, county_id) VALUES ('A', 1), ('B', 1), ('C', 2), ('D', 3);
		INSERT INTO locations (type) VALUES ('National');
		INSERT INTO locations (type, state_id, county_id) SELECT 'County', state_id, id FROM counties;
		INSERT INTO locations (type, state_id, county_id, locality_id)
			SELECT 'Locality', state_id, counties.id, localities.id FROM localities JOIN counties ON counties.id = county_id;
		INSERT INTO agencies (id, name, jurisdiction_type) SELECT 100 + id, 'Agency', 'local' FROM locations;
		INSERT INTO link_agencies__locations (agency_id, location_id) SELECT 100 + id, id FROM locations;
		INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT 1, 7, 100 + id FROM locations`)
	locations := dbtest.Structs[struct{ ID int64 }](t, b.pool, "SELECT id FROM locations ORDER BY id")
	require.Len(t, locations, 10)
	for _, location := range locations {
		agencies, err := b.service.Agencies(t.Context(), annotation.User(7), 1, &location.ID)
		require.NoError(t, err)
		var found []string
		for _, agency := range agencies.Entities {
			found = append(found, fmt.Sprint(agency.ID))
		}
		require.Equal(t, dbtest.List(t, b.pool, `
			SELECT (100 + id)::text FROM locations
			WHERE id = $1 OR id IN (SELECT dependent_location_id FROM dependent_locations WHERE parent_location_id = $1)
			ORDER BY id`, location.ID), found, "location %d", location.ID)
	}
}

// TestNameIsLockedBeforeQueue has an answer wait for another transaction that holds the row of its name: the answer must not
// hold the row of the queue by then, because robots, and changes of answers, lock the name first.
func TestNameIsLockedBeforeQueue(t *testing.T) {
	t.Parallel()
	answer := annotation.Answer{URLType: annotation.MetaURL, NewName: new("One")}
	byID := annotation.Answer{URLType: annotation.MetaURL, ExistingNameID: new(int32(1))}
	for name, submit := range map[string]func(*annotation.Service) error{
		"user": func(s *annotation.Service) error { return s.Submit(context.Background(), 7, 1, answer) },
		"session": func(s *annotation.Service) error {
			return s.SubmitAnonymous(context.Background(), uuid.New(), 1, answer)
		},
		"user, by id": func(s *annotation.Service) error { return s.Submit(context.Background(), 7, 1, byID) },
		"session, by id": func(s *annotation.Service) error {
			return s.SubmitAnonymous(context.Background(), uuid.New(), 1, byID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			tx := b.begin(t, "SELECT FROM annotation__name__suggestions WHERE id = 1 FOR UPDATE")
			submitted := make(chan error, 1)
			go func() { submitted <- submit(b.service) }()
			b.waitForLock(t, submitted)
			dbtest.Exec(t, b.pool, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE NOWAIT")
			require.NoError(t, tx.Rollback(t.Context()))
			require.NoError(t, <-submitted)
		})
	}
}
