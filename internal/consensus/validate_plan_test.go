package consensus_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestWritePlans limits the buffers of the statements behind a validation, with every kind of plan, on tables of which they need
// a small part. Three in ten URLs have two or three answers, and three in ten have one.
func TestWritePlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		SET LOCAL session_replication_role = replica; -- no foreign keys: it takes half the time
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'collector' FROM generate_series(6, 16000) AS n;
		CREATE TEMP TABLE said AS SELECT id AS url_id, user_id FROM urls CROSS JOIN generate_series(1, 3) AS user_id
			WHERE user_id <= CASE WHEN id % 10 < 3 THEN 2 + id % 2 WHEN id % 10 < 6 THEN 1 ELSE 0 END;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT url_id, user_id, 'data source' FROM said;
		INSERT INTO annotation__record_type__user (url_id, user_id, record_type) SELECT url_id, user_id, 'Stops' FROM said;
		INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT url_id, user_id, 1 FROM said;
		INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT url_id, user_id, 1 FROM said;
		INSERT INTO annotation__name__suggestions (url_id, suggestion) SELECT id, n FROM urls, unnest('{a,b}'::text[]) AS n;
		INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id)
			SELECT user_id, id FROM said JOIN annotation__name__suggestions USING (url_id) WHERE suggestion = 'a';
		INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0000-000000000000');
		INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT url_id, '00000000-0000-0000-0000-000000000000', 'data source' FROM said WHERE user_id = 1;
		INSERT INTO anonymous_answer_addresses (url_id, session_id, address_hash)
			SELECT url_id, '00000000-0000-0000-0000-000000000000', '\x000102030405060708090a0b0c0d0e0f' FROM said WHERE user_id = 1;
		INSERT INTO annotation__agency__anon (url_id, session_id, agency_id)
			SELECT url_id, '00000000-0000-0000-0000-000000000000', 1 FROM said WHERE user_id = 1;
		INSERT INTO annotation__location__anon (url_id, session_id, location_id)
			SELECT url_id, '00000000-0000-0000-0000-000000000000', 1 FROM said WHERE user_id = 1;
		INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
			SELECT url_id, '00000000-0000-0000-0000-000000000000', 'Stops' FROM said WHERE user_id = 1;
		INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id)
			SELECT '00000000-0000-0000-0000-000000000000', name.id FROM said JOIN annotation__name__suggestions name USING (url_id)
			WHERE user_id = 1 AND suggestion = 'a';
		INSERT INTO link_user_suggestion_agency_not_found (user_id, url_id)
			SELECT user_id, id FROM urls, generate_series(1, 2) AS user_id WHERE id % 50 = 7;
		INSERT INTO link_user_suggestion_location_not_found (user_id, url_id) SELECT 1, id FROM urls WHERE id % 50 = 7;
		INSERT INTO flag_url_validated (url_id, type) SELECT id, 'not relevant' FROM urls WHERE id % 2 = 1;
		INSERT INTO link_agencies__urls (url_id, agency_id) SELECT id, 1 FROM urls WHERE id % 2 = 1;
		INSERT INTO link_locations__urls (url_id, location_id) SELECT id, 1 FROM urls WHERE id % 2 = 1;
		INSERT INTO url_record_type (url_id, record_type) SELECT id, 'Stops' FROM urls WHERE id % 2 = 1;
		INSERT INTO tasks (task_type, task_status) VALUES ('Auto Validate', 'complete');
		INSERT INTO url_task_error (url_id, task_id, task_type, error) SELECT id, 1, 'Auto Validate', 'no' FROM urls WHERE id % 2 = 1;
		INSERT INTO flag_url_suspended (url_id) SELECT id FROM urls WHERE id % 2 = 1;
		INSERT INTO flag_url_reopened (url_id) SELECT id FROM urls WHERE id % 2 = 1;
		INSERT INTO consensus_due (url_id) SELECT id FROM urls`)
	dbtest.Exec(t, b.pool, "VACUUM")
	var (
		ten                    []int32
		types, records, names  []string
		agencyIDs, locationIDs []int64
		votes                  [][]byte
	)
	for id := int32(1002); id < 16000; id += 1500 {
		ten = append(ten, id)
		types, records, names = append(types, "data source"), append(records, "Stops"), append(names, "a")
		agencyIDs, locationIDs = append(agencyIDs, 1), append(locationIDs, 1)
		votes = append(votes, []byte("{}"))
	}
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, b.pool, target)
		for _, test := range []struct {
			name, query string
			buffers     int // at most
			args        []any
			whole       []string // tables that may be read completely
		}{
			{"due", db.ConsensusDueExists, 6, []any{0}, []string{"consensus_due"}},
			{"take", db.ConsensusDueDeleteMany, 100, []any{100, 10}, nil},
			{"votes of ten", db.ConsensusVoteListMany, 800, []any{ten}, nil},
			// Five pages for the address of each session. The table has 90 pages here.
			{"candidates", db.ConsensusCandidateList, 4000, []any{8000, 9000}, []string{"anonymous_answer_addresses"}},
			{"lock", db.ConsensusURLLockMany, 100, []any{ten}, nil},
			{"state", db.ConsensusStateList, 300, []any{ten}, nil},
			{"facts", db.ConsensusFactInsertMany, 2000, []any{ten, types, records, agencyIDs, locationIDs, names, votes, 1, 2, 0.5}, nil},
			{"agencies", db.ConsensusAgencyInsertMany, 300, []any{ten, agencyIDs}, nil},
			{"names", db.ConsensusURLUpdateMany, 400, []any{ten, names, ten}, nil},
			{"reports", db.ConsensusReportDeleteMany, 100, []any{ten}, nil},
			{"candidates of suspension", db.SuspensionCandidateList, 400, []any{8000, 9000, 2}, nil},
			// The table has two pages here.
			{"suspend", db.SuspensionInsertMany, 300, []any{ten, 2}, []string{"link_user_suggestion_location_not_found"}},
		} {
			for _, mode := range dbtest.PlanModes {
				dbtest.Explain(t, b.pool, mode, test.query, test.args...)
				plan := dbtest.Explain(t, b.pool, mode, test.query, test.args...)
				assert.LessOrEqual(t, plan.Buffers(), test.buffers, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				for _, table := range plan.SeqScans() {
					assert.True(t, slices.Contains(test.whole, table), "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				}
			}
		}
	}
}
