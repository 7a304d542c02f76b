package annotation_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestClaimAfterWaiting has a claim wait for the lock of the row, with a snapshot that is older than what it waits for.
func TestClaimAfterWaiting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		first   func(t *testing.T, tx pgx.Tx, claim func(on db.DBTX, by string) (bool, error))
		needed  int32
		refused string // by the unique key
		held    []string
	}{
		{"the last reservation", func(t *testing.T, tx pgx.Tx, claim func(db.DBTX, string) (bool, error)) {
			granted, err := claim(tx, "2")
			require.NoError(t, err)
			require.True(t, granted)
		}, 2, "", []string{"1 1 1", "2 1 2"}},
		{"a reservation, but not the last one", func(t *testing.T, tx pgx.Tx, claim func(db.DBTX, string) (bool, error)) {
			_, err := claim(tx, "2")
			require.NoError(t, err)
		}, 3, "url_reservations_url_id_slot_key", []string{"1 1 1", "2 1 2"}},
		{"the end of a reservation", func(t *testing.T, tx pgx.Tx, _ func(db.DBTX, string) (bool, error)) {
			_, err := db.New().ReservationRelease(t.Context(), tx, db.ReservationReleaseParams{Annotator: "1", URLID: 1})
			require.NoError(t, err)
		}, 1, "", []string{"3 1 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := setupReserving(t, func(p *annotation.ReservePolicy) { p.Overlap = 9 })
			r.requireOffer(t, 1, 1, annotation.NextInOrder)
			revision := dbtest.Value[int64](t, r.pool, "SELECT changed_xid FROM annotation_queue WHERE url_id = 1")
			claim := func(on db.DBTX, by string) (bool, error) {
				row, err := db.New().ReservationClaim(t.Context(), on, db.ReservationClaimParams{
					Annotator: by, URLID: 1, Revision: revision, Needed: test.needed, Seconds: 600, Now: &r.now,
				})
				return row.Granted, err
			}
			tx, err := r.pool.Begin(t.Context())
			require.NoError(t, err)
			defer func() { _ = tx.Rollback(t.Context()) }()
			test.first(t, tx, claim)
			var wait sync.WaitGroup
			wait.Go(func() { _, err = claim(r.pool, "3") })
			dbtest.WaitForLocks(t, r.pool, 1)
			require.NoError(t, tx.Commit(t.Context()))
			wait.Wait()
			if test.refused == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.refused)
			}
			require.Equal(t, test.held, r.held(t))
		})
	}
}

// TestAnswerAfterWaiting has an annotator answer whose reservation a late answer ends while this answer waits for it. Each of the
// two answers lowers the need, so each has to end a reservation.
func TestAnswerAfterWaiting(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]annotator{"user": {user: 3}, "session": {session: uuid.New()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupReserving(t)
			dbtest.Exec(t, r.pool, `CREATE OR REPLACE VIEW consensus_rule AS
				SELECT 1 AS version, 3::double precision AS threshold, 1::double precision AS anonymous_weight`)
			r.now = time.Now() // an answer reads the clock of the database
			for _, by := range []annotator{{user: 1}, {user: 2}, last} {
				offer, err := by.ask(t.Context(), r.service)
				require.NoError(t, err)
				require.Equal(t, int32(1), offer.Next.URLID)
			}
			require.Len(t, r.held(t), 3)

			irrelevant := annotation.Answer{URLType: annotation.NotRelevant}
			tx := r.begin(t, "SELECT FROM annotation_queue WHERE url_id = 1 FOR UPDATE")
			var answers errgroup.Group
			answers.Go(func() error { return r.service.Submit(t.Context(), 4, 1, irrelevant) })
			dbtest.WaitForLocks(t, r.pool, 1)
			answers.Go(func() error { return last.submit(t.Context(), r.service, 1, irrelevant) })
			dbtest.WaitForLocks(t, r.pool, 2)
			require.NoError(t, tx.Commit(t.Context()))
			require.NoError(t, answers.Wait())
			require.Equal(t, []string{"1 1 1"}, r.held(t))
		})
	}
}

// The commit of an answer waits for the disk: what runs in its transaction must not say otherwise, as statements of reservations
// do.
func TestAnswersWaitForTheDisk(t *testing.T) {
	t.Parallel()
	require.Contains(t, db.ReservationClaim, "synchronous_commit")
	for _, statement := range []string{
		db.AnnotationInsert, db.AnonymousAnnotationInsert,
		db.ReservationCrowdedURLList, db.ReservationVoteList, db.ReservationOfferAgain, db.ReservationTrim,
	} {
		require.NotContains(t, statement, "synchronous_commit")
	}
}
