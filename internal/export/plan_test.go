package export_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// forPlans is 20,000 URLs with annotations of every kind, and facts about a third of them.
func forPlans(t *testing.T) *postgres.Pool {
	pool, _ := setup(t,
		`INSERT INTO agencies (id, name, jurisdiction_type) SELECT n, 'a', 'local' FROM generate_series(1, 3000) AS n`,
		`INSERT INTO us_states (id, state_iso) OVERRIDING SYSTEM VALUE SELECT n, n FROM generate_series(1, 50) AS n`,
		`INSERT INTO counties (id, fips, state_id) OVERRIDING SYSTEM VALUE SELECT n, n, n % 50 + 1 FROM generate_series(1, 3000) AS n`,
		`INSERT INTO localities (id, name, county_id) OVERRIDING SYSTEM VALUE SELECT n, n, n FROM generate_series(1, 3000) AS n`,
		`INSERT INTO locations (id, type, state_id, county_id, locality_id) OVERRIDING SYSTEM VALUE
			SELECT n, 'Locality', n % 50 + 1, n, n FROM generate_series(1, 3000) AS n`,
		`INSERT INTO anonymous_sessions (id) SELECT md5(n::text)::uuid FROM generate_series(1, 5) AS n`,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 20000) AS n`,
		`INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls WHERE id % 3 = 0`,
		`INSERT INTO url_record_type (url_id, record_type) SELECT id, 'Stops' FROM urls WHERE id % 3 = 0`,
		`INSERT INTO link_agencies__urls (url_id, agency_id) SELECT id, id % 3000 + 1 FROM urls WHERE id % 3 = 0`,
		`INSERT INTO link_locations__urls (url_id, location_id) SELECT id, id % 3000 + 1 FROM urls WHERE id % 3 = 0`,
		`INSERT INTO flag_url_auto_validated (url_id) SELECT id FROM urls WHERE id % 6 = 0`,
		`INSERT INTO consensus_facts (url_id, rule_version, threshold, anonymous_weight, url_type, users, sessions, votes)
			SELECT id, 1, 2, 0.5, 'data source', 3, 1, '{"url_type": {"data source": {"users": 3, "sessions": 1}}}'
			FROM urls WHERE id % 12 = 0`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, n, 'meta url' FROM urls, generate_series(1, 3) AS n`,
		`INSERT INTO annotation__record_type__user (url_id, user_id, record_type) SELECT id, 1, 'Stops' FROM urls`,
		`INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT id, 1, id % 3000 + 1 FROM urls`,
		`INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT id, 1, id % 3000 + 1 FROM urls`,
		`INSERT INTO annotation__name__suggestions (id, url_id, suggestion) SELECT id, id, 'a name' FROM urls`,
		`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 1, id FROM urls`,
		`INSERT INTO link_user_suggestion_agency_not_found (url_id, user_id) SELECT id, 2 FROM urls`,
		`INSERT INTO link_user_suggestion_location_not_found (url_id, user_id) SELECT id, 2 FROM urls`,
		`INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) SELECT id, md5('1')::uuid, 'meta url' FROM urls`,
		`INSERT INTO annotation__record_type__anon (url_id, session_id, record_type) SELECT id, md5('1')::uuid, 'Stops' FROM urls`,
		`INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT id, md5('1')::uuid, 1 FROM urls`,
		`INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT id, md5('1')::uuid, 1 FROM urls`,
		`INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id) SELECT md5('1')::uuid, id FROM urls`,
		`INSERT INTO flag_url_reopened (url_id) SELECT id FROM urls WHERE id % 3 = 1`,
		`INSERT INTO url_history (url_id, event, user_id, detail)
			SELECT id, event, 1, '{"reason": "r", "url_type": "meta url"}'
			FROM urls, unnest('{answered,validated,reopened,answered}'::url_event[]) AS event`,
		`VACUUM ANALYZE`)
	return pool
}

// The buffers of a page depend only on its number of lines, at each position and with each plan. No table is read whole, and the
// lines of the window's last URLs are not read for a page that is full before them.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := forPlans(t)
	page := func(firstURL, lastURL int32, since any) []any {
		return []any{firstURL, lastURL, uuid.Nil, -1, "", "", since, 5000}
	}
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, pool, target)
		for _, mode := range dbtest.PlanModes {
			for _, after := range []int32{0, 19000} {
				plan := dbtest.Explain(t, pool, mode, db.URLWindowGet, after, 1000)
				require.Empty(t, plan.SeqScans(), "%s, statistics target %d, after URL %d:\n%s", mode, target, after, plan)
			}
			for _, arguments := range [][]any{
				page(1, 1000, nil), page(19001, 20000, nil), page(1, 1000, "2020-01-01"), page(1, 1000, "infinity"),
			} {
				plan := dbtest.Explain(t, pool, mode, db.ExportLineListPage, arguments...)
				require.Empty(t, plan.SeqScans(), "%s, statistics target %d, %v:\n%s", mode, target, arguments, plan)
				if arguments[6] == "infinity" {
					continue
				}
				urls := slices.Collect(plan.Nodes())
				read := urls[slices.IndexFunc(urls, func(node dbtest.Plan) bool { return node.Index == "urls_pkey" })]
				require.InDelta(t, 357, read.Rows, 35,
					"5,000 lines are those of some 357 URLs with 14 each, not of a thousand:\n%s", plan)
			}
		}
	}
}

// A window of facts reads the rows of its URLs, and no table whole, at each position and with each plan. The annotations of a
// URL are read only if its fact has no record of the votes and is exported.
func TestFactPlans(t *testing.T) {
	t.Parallel()
	pool := forPlans(t)
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, pool, target)
		for _, mode := range dbtest.PlanModes {
			for _, after := range []int32{0, 17000} {
				for _, withReopened := range []bool{false, true} {
					plan := dbtest.Explain(t, pool, mode, db.FactURLWindowGet, 1000, after, withReopened)
					require.Empty(t, plan.SeqScans(), "%s, statistics target %d, after URL %d:\n%s", mode, target, after, plan)
				}
			}
			for _, urlType := range []any{nil, "meta url"} {
				plan := dbtest.Explain(t, pool, mode, db.ExportWithdrawnListWindow, 17001, 18500, "2020-01-01", urlType, 1000)
				require.Empty(t, plan.SeqScans(), "%s, statistics target %d, %v:\n%s", mode, target, urlType, plan)
				require.LessOrEqual(t, plan.Buffers(), 14000, "%s, statistics target %d, %v:\n%s", mode, target, urlType, plan)
			}
			for _, test := range []struct {
				first int32
				since any
				votes float64 // URLs whose annotations are read
			}{
				{1, nil, 750}, {17001, nil, 750}, {1, "2020-01-01", 750}, {1, "infinity", 0},
			} {
				plan := dbtest.Explain(t, pool, mode, db.ExportFactListWindow, test.first, test.first+2999, nil, test.since, 1000)
				// The states take a page or two, and the addresses are empty, as without --one-vote-per-address.
				whole := slices.DeleteFunc(plan.SeqScans(), func(table string) bool {
					return table == "us_states" || table == "anonymous_answer_addresses"
				})
				require.Empty(t, whole, "%s, statistics target %d, %v:\n%s", mode, target, test, plan)
				read := 0.0
				for node := range plan.Nodes() {
					if node.Relation == "annotation__location__anon" {
						read += node.Loops
					}
				}
				require.InDelta(t, test.votes, read, 1, "%s, statistics target %d, %v:\n%s", mode, target, test, plan)
			}
		}
	}
}
