package annotation_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestSkipPlans limits the buffers of the statements for skips, with every kind of plan, on tables of many annotators. User 7 and a
// session have skipped 50 URLs each and answered 5,000.
func TestSkipPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := uuid.MustParse("00000000-0000-0000-0000-000000000007")
	dbtest.Exec(t, b.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(4, 20000) AS n;
		INSERT INTO anonymous_sessions (id)
			SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(0, 100) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT n, 7, 'data source' FROM generate_series(1001, 6000) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type)
			SELECT 1 + (n * 7919) % 20000, 1000 + n % 100, 'data source' FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING;
		INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT n, '00000000-0000-0000-0000-000000000007', 'data source' FROM generate_series(1001, 6000) AS n;
		INSERT INTO url_skips (url_id, user_id, reason) SELECT 7000 + n, 7, 'not sure' FROM generate_series(1, 50) AS n;
		INSERT INTO url_skips (url_id, session_id, reason)
			SELECT 7000 + n, '00000000-0000-0000-0000-000000000007', 'not sure' FROM generate_series(1, 50) AS n;
		INSERT INTO url_skips (url_id, user_id, reason, returns_at)
			SELECT DISTINCT 1 + (n * 7919) % 20000, 1000 + n % 100, (enum_range(NULL::skip_reason))[1 + n % 5],
				now() + CASE WHEN n <= 50 THEN '-1 hour' ELSE '1 day' END::interval
			FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING;
		INSERT INTO url_reservations (annotator, url_id, slot, suggestions_hidden, expires_at)
			SELECT n, n, 1, false, now() + interval '1 hour' FROM generate_series(2000, 3000) AS n`)
	b.settle(t)
	dbtest.Exec(t, b.pool, "VACUUM")
	due := make([]int32, 50)
	for i := range due {
		due[i] = int32(1 + (i+1)*7919%20000)
	}
	slices.Sort(due)
	big := []string{
		"urls", "annotation_queue", "url_skips", "url_reservations", "annotation__url_type__user", "annotation__url_type__anon",
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
			{"transfer of the reservation", db.AnonymousReservationTransfer, 100, []any{4000, session}},
		} {
			for _, mode := range dbtest.PlanModes {
				plan := dbtest.Explain(t, b.pool, mode, test.query, test.args...)
				assert.LessOrEqual(t, plan.Buffers(), test.buffers, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				for _, table := range plan.SeqScans() {
					assert.NotContains(t, big, table, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				}
			}
		}
	}
}
