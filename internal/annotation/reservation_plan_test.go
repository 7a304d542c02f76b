package annotation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestReservationPlans limits the buffers of the statements on the way of a request, with every kind of plan. Their number must not
// grow with that of the reservations.
func TestReservationPlans(t *testing.T) {
	t.Parallel()
	r := setupReserving(t)
	dbtest.Exec(t, r.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 20000) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, 1 + id % 100, 'data source' FROM urls WHERE id % 3 > 0;
		INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT id, 1 + id % 100, 1 FROM urls WHERE id % 3 > 0`)
	r.settle(t)
	dbtest.Exec(t, r.pool, `
		INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			SELECT 1000 + n, n, 1, false, $1::timestamptz + n * interval '1 second' FROM generate_series(1, 10000) AS n`, r.now)
	dbtest.Exec(t, r.pool, `
		UPDATE annotation_queue SET reserved = true WHERE url_id <= 5000`)
	dbtest.Exec(t, r.pool, "VACUUM")
	revision := func(url int32) int64 {
		return dbtest.Value[int64](t, r.pool, "SELECT changed_xid FROM annotation_queue WHERE url_id = $1", url)
	}
	now, soon, late := r.now, r.now.Add(5*time.Second), r.now.Add(100*time.Second)
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, r.pool, target)
		for _, test := range []struct {
			name, query string
			buffers     int // at most
			args        []any
		}{
			{"extend", db.ReservationExtend, 40, []any{now, 600.0, "6001", nil, 7, nil}},
			{"extend none", db.ReservationExtend, 10, []any{now, 600.0, "7", nil, 7, nil}},
			{"claim", db.ReservationClaim, 60, []any{revision(5001), now, "7", 5001, false, 600.0, 2}},
			{"claim a free URL", db.ReservationClaim, 60, []any{revision(15001), now, "7", 15001, false, 600.0, 2}},
			{"claim without a reservation before", db.ReservationClaimFirst, 40, []any{revision(15001), "7", 2, 15001, now, false, 600.0}},
			{"claim a full URL first", db.ReservationClaimFirst, 40, []any{revision(5001), "7", 1, 5001, now, false, 600.0}},
			{"offer again", db.ReservationOfferAgain, 40, []any{now, 2, 5000, revision(5000)}},
			{"claim, and move", db.ReservationClaim, 110, []any{revision(5001), now, "1007", 5001, false, 600.0, 2}},
			{"release", db.ReservationRelease, 60, []any{7, "1007"}},
			{"votes", db.ReservationVoteList, 60, []any{5000}},
			{"is offered", db.ReservationIsOffered, 40, []any{7, 5000, nil}},
			{"sweep nothing", db.ReservationSweep, 12, []any{now, 500}},
			{"sweep some", db.ReservationSweep, 400, []any{soon, 500}},
			{"sweep a hundred", db.ReservationSweep, 5000, []any{late, 500}},
		} {
			for _, mode := range dbtest.PlanModes {
				plan := dbtest.Explain(t, r.pool, mode, test.query, test.args...)
				assert.LessOrEqual(t, plan.Buffers(), test.buffers, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
			}
		}
	}
}
