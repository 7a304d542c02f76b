package annotation_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestSkipPlans limits the buffers of the statements for skips, explanations and choices among reserved URLs, with every kind of
// plan, on tables of many annotators. User 7 and a session have skipped 50 URLs each and answered 4,000. Others have reserved 1,000
// URLs, of which 301 are reserved in the queue, 101 of them in batch 70, and the queue has 10 that no annotator has reserved.
func TestSkipPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := uuid.MustParse("00000000-0000-0000-0000-000000000007")
	dbtest.Exec(t, b.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 20000) AS n;
		INSERT INTO batches (id, strategy, status) VALUES (70, 'manual', 'ready to label');
		INSERT INTO link_batches__urls (url_id, batch_id) SELECT n, 70 FROM generate_series(1900, 2300) AS n;
		INSERT INTO url_history (url_id, event, user_id) SELECT id, 'answered', n FROM urls, generate_series(1, 3) AS n;
		INSERT INTO url_history (url_id, event, user_id) SELECT 8000, 'answered', n FROM generate_series(1, 500) AS n;
		INSERT INTO anonymous_sessions (id)
			SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(0, 100) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT n, 7, 'data source' FROM generate_series(3001, 7000) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type)
			SELECT 1 + (n * 7919) % 20000, 1000 + n % 100, 'data source' FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING;
		INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT n, '00000000-0000-0000-0000-000000000007', 'data source' FROM generate_series(3001, 7000) AS n;
		INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT DISTINCT 1 + (n * 6007) % 20000, ('00000000-0000-0000-0000-' || lpad((10 + n % 80)::text, 12, '0'))::uuid,
				'data source'::url_type FROM generate_series(1, 20000) AS n;
		INSERT INTO url_skips (url_id, user_id, reason) SELECT 7000 + n, 7, 'not sure' FROM generate_series(1, 50) AS n;
		INSERT INTO url_skips (url_id, session_id, reason)
			SELECT 7000 + n, '00000000-0000-0000-0000-000000000007', 'not sure' FROM generate_series(1, 50) AS n;
		INSERT INTO url_skips (url_id, user_id, reason, returns_at)
			SELECT DISTINCT 1 + (n * 7919) % 20000, 1000 + n % 100, (enum_range(NULL::skip_reason))[1 + n % 5],
				now() + CASE WHEN n <= 50 THEN '-1 hour' ELSE '1 day' END::interval
			FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING;
		INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			SELECT n, n, 1, false, now() + n * interval '1 second' FROM generate_series(1501, 2500) AS n`)
	b.settle(t)
	dbtest.Exec(t, b.pool, `
		UPDATE annotation_queue SET reserved = true WHERE url_id BETWEEN 2200 AND 2500 OR url_id BETWEEN 7001 AND 7010`)
	dbtest.Exec(t, b.pool, "VACUUM")
	due := make([]int32, 50)
	for i := range due {
		due[i] = int32(1 + (i+1)*7919%20000)
	}
	slices.Sort(due)
	priority := dbtest.Value[int64](t, b.pool, "SELECT priority FROM annotation_queue WHERE url_id = 8000")
	hundred := time.Now().Add(1600 * time.Second)
	big := []string{
		"urls", "annotation_queue", "url_skips", "url_history", "annotation__url_type__user", "annotation__url_type__anon",
		"user_url_done", "anonymous_url_done", // not url_reservations, of which some statements need all rows
	} // the other tables are empty
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, b.pool, target)
		for _, test := range []struct {
			name, query string
			buffers     int // at most
			args        []any
		}{
			{"skip of a user", db.SkipUpsert, 150, []any{8000, 7, "not sure", nil, 3600.0}},
			{"skip of a session", db.AnonymousSkipUpsert, 120, []any{8000, session, "not sure", nil, 3600.0}},
			{"skip of a new session", db.AnonymousSkipUpsert, 120, []any{8000, uuid.Max, "not sure", nil, 3600.0}},
			{"oldest skip of a user", db.SkipNextGet, 600, []any{7, nil}},
			{"oldest skip of a session", db.AnonymousSkipNextGet, 600, []any{session}},
			{"lock due", db.SkipLockDueMany, 700, []any{int64(500)}},
			{"end", db.SkipEndMany, 4000, []any{due}},
			{"transfer", db.AnonymousSkipTransfer, 1500, []any{4000, session, due}},
			{"first end of a reservation of what a user has put off", db.SkipFirstExpiry, 400, []any{nil, 7, nil, nil}},
			{"first end of a reservation of what a session has put off", db.SkipFirstExpiry, 400, []any{nil, nil, session, 70}},
			{"share with a user", db.ReservationShareGet, 3000, []any{"7", nil, nil, 7, nil}},
			{"share with a session in a batch", db.ReservationShareGet, 3000, []any{session.String(), nil, 70, nil, session}},
			{"first end of a reservation", db.ReservationFirstExpiry, 3000, []any{nil, nil, 7, nil}},
			{"first end of a reservation in a batch", db.ReservationFirstExpiry, 3000, []any{nil, 70, nil, session}},
			{"sweep a hundred", db.ReservationSweep, 2000, []any{hundred, 500}},
			{"sweep lost ones", db.ReservationSweepLost, 900, []any{500}},
			{"why none for a user", db.EmptyReasonGet, 3000, []any{nil, nil, 7, nil}},
			{"why none for a user in a batch", db.EmptyReasonGet, 3000, []any{nil, 70, 7, nil}},
			{"why none for a session about a URL", db.EmptyReasonGet, 3000, []any{8000, nil, nil, session}},
			{"place of the first URL", db.ExplainBeforeCount, 10, []any{int64(math.MinInt64), 1, 7, nil}},
			{"place for a user", db.ExplainBeforeCount, 400, []any{priority, 8000, 7, nil}},
			{"place for a session", db.ExplainBeforeCount, 400, []any{priority, 8000, nil, session}},
			{"place in batches", db.ExplainBeforeCountInBatches, 100, []any{priority, 8000, []int32{70}, 7, nil}},
			{"explained URL", db.ExplainURLGet, 40, []any{7, nil, 8000}},
			{"expired reservations", db.ExplainExpiredList, 1000, []any{nil, 7, nil, nil}},
			{"skips in order", db.ExplainSkippedList, 800, []any{7, nil, nil}},
			{"history", db.HistoryList, 40, []any{8000, int64(0)}},
			{"history, later", db.HistoryList, 40, []any{8000, int64(60_300)}},
			{"transfer of the reservation", db.AnonymousReservationTransfer, 100, []any{4000, session}},
		} {
			for _, mode := range dbtest.PlanModes {
				plan := dbtest.Explain(t, b.pool, mode, test.query, test.args...)
				assert.LessOrEqual(t, plan.Buffers(), test.buffers, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				for _, table := range plan.SeqScans() {
					if table == "urls" && test.query == db.EmptyReasonGet { // whether there is a row
						continue
					}
					assert.NotContains(t, big, table, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				}
			}
		}
	}
}
