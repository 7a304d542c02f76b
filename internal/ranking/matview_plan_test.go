package ranking_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestMatviewPlans checks that the matview ranking reads each table once, for annotators with few and with many done URLs. It
// fails if a plan looks up the annotations of each URL:
// with 20,000 URLs that reads 100,000 buffers.
func TestMatviewPlans(t *testing.T) {
	t.Parallel()
	const urls, busy, follower = 20_000, 1, 2
	w := newWorld(t, 0)
	session := w.session(t)
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO urls (id, url, source) SELECT n, 'example.org/' || n, 'manual'
			FROM generate_series(1, %d) AS n`, urls),
		"INSERT INTO link_batches__urls (batch_id, url_id) SELECT CASE WHEN id % 100 = 0 THEN 2 ELSE 1 END, id FROM urls WHERE id % 2 = 0",
		// Batch 2 is of a location that the follower and a thousand others follow, batch 1 of one that nobody follows.
		`INSERT INTO link_batches__locations (batch_id, location_id) VALUES (1, 1), (2, 2)`,
		fmt.Sprintf(`INSERT INTO link__locations__user_follows (user_id, location_id)
			SELECT n, 2 + n %% 2 FROM generate_series(%d, 2001) AS n`, follower),
		// The busy user and the session have done most URLs. Each of 300 other users has done some.
		fmt.Sprintf(`INSERT INTO annotation__url_type__user (user_id, url_id, type)
			SELECT 1000 + id %% 300, id, 'meta url'::url_type FROM urls UNION ALL SELECT %d, id, 'meta url' FROM urls WHERE id %% 10 <> 0`, busy),
		`INSERT INTO annotation__record_type__user (user_id, url_id, record_type) SELECT user_id, url_id, 'Stops' FROM annotation__url_type__user`,
		`INSERT INTO annotation__agency__user (user_id, url_id, agency_id) SELECT user_id, url_id, 1 FROM annotation__url_type__user`,
		`INSERT INTO annotation__location__user (user_id, url_id, location_id) SELECT user_id, url_id, 1 FROM annotation__url_type__user`,
		`INSERT INTO annotation__url_type__anon (session_id, url_id, url_type)
			SELECT s.id, urls.id, 'meta url' FROM urls CROSS JOIN anonymous_sessions s WHERE urls.id % 10 <> 0`,
		// The users have put off some of the rest, and others work on some of it.
		fmt.Sprintf(`INSERT INTO url_skips (url_id, user_id, reason) SELECT id, CASE id %% 30 WHEN 0 THEN %d ELSE id END, 'language'
			FROM urls WHERE id %% 20 = 0`, busy),
		`INSERT INTO annotation_queue (url_id, eligible, followed, manual, user_url_type_count, anon_url_type_count,
				auto_url_type_count, user_agency_count, changed_xid, reserved)
			SELECT id, true, false, true, 1, 0, 0, 1, 3, id % 50 = 10 FROM urls`,
	} {
		w.exec(t, statement)
	}
	w.refresh(t)
	w.exec(t, "VACUUM")
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, w.pool, target)
		for _, mode := range dbtest.PlanModes {
			for _, test := range []struct {
				query     string
				arguments []any
			}{
				{db.MatviewNextGet, []any{busy, 0}},
				{db.MatviewNextGet, []any{1001, 0}},
				{db.MatviewNextGet, []any{5000, 0}},
				{db.MatviewNextGet, []any{5000, 500}},
				{db.MatviewNextGet, []any{follower, 0}},
				{db.MatviewNextGetInBatch, []any{busy, 1, 0}},
				{db.MatviewNextGetInBatch, []any{5000, 1, 0}},
				{db.MatviewNextGetInBatch, []any{busy, 2, 0}},
				{db.MatviewNextGetAnonymous, []any{session, 0}},
				{db.MatviewNextGetAnonymous, []any{uuid.New(), 0}},
			} {
				plan := dbtest.Explain(t, w.pool, mode, test.query, test.arguments...)
				require.Less(t, plan.Buffers(), urls/10, "%v, %s, statistics target %d:\n%s", test.arguments, mode, target, plan)
				require.EqualValues(t, 1, plan.Rows, "a URL is left")
			}
		}
	}
}
