package consensus_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// No statement reads a whole table, with any plan: an explanation reads the rows of one URL, a replay those of a range of ids.
func TestExplainPlans(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for _, statement := range []string{
		`INSERT INTO agencies (id, name, jurisdiction_type) SELECT n, 'a', 'local' FROM generate_series(1, 4000) AS n`,
		`INSERT INTO locations (id, type) OVERRIDING SYSTEM VALUE SELECT n, 'National' FROM generate_series(1, 4000) AS n`,
		`INSERT INTO anonymous_sessions (id) SELECT md5(n::text)::uuid FROM generate_series(1, 4000) AS n`,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 8000) AS n`,
		`INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'Auto Validate', 'complete')`,
		`INSERT INTO url_task_error (url_id, task_id, task_type, error) SELECT id, 1, 'Auto Validate', 'x' FROM urls WHERE id % 5 = 0`,
		`INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls WHERE id % 3 = 0`,
		`INSERT INTO flag_url_auto_validated (url_id) SELECT url_id FROM flag_url_validated`,
		`INSERT INTO flag_url_suspended (url_id) SELECT id FROM urls WHERE id % 3 = 1`,
		`INSERT INTO flag_url_reopened (url_id) SELECT id FROM urls WHERE id % 3 = 2`,
		`INSERT INTO consensus_facts (url_id, rule_version, threshold, anonymous_weight, url_type, agency_id, location_id, users, sessions, votes)
			SELECT id, 1, 2, 0.5, 'data source', 1, 1, 2, 0, '{}' FROM urls WHERE id % 3 = 0`,
		`INSERT INTO url_record_type (url_id, record_type) SELECT id, 'Stops' FROM urls WHERE id % 3 = 0`,
		`INSERT INTO link_agencies__urls (url_id, agency_id) SELECT id, id % 4000 + 1 FROM urls WHERE id % 3 = 0`,
		`INSERT INTO link_locations__urls (url_id, location_id) SELECT id, id % 4000 + 1 FROM urls WHERE id % 3 = 0`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, n, 'meta url' FROM urls, generate_series(1, 3) AS n`,
		`INSERT INTO annotation__record_type__user (url_id, user_id, record_type) SELECT id, 1, 'Stops' FROM urls`,
		`INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT id, 1, id % 4000 + 1 FROM urls`,
		`INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT id, 1, id % 4000 + 1 FROM urls`,
		`INSERT INTO annotation__name__suggestions (id, url_id, suggestion) SELECT id, id, 'a name' FROM urls`,
		`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 1, id FROM urls`,
		`INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT id, md5((id % 4000 + 1)::text)::uuid, 'meta url' FROM urls`,
		`INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
			SELECT id, md5((id % 4000 + 1)::text)::uuid, 'Stops' FROM urls`,
		`INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT id, md5((id % 4000 + 1)::text)::uuid, 1 FROM urls`,
		`INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT id, md5((id % 4000 + 1)::text)::uuid, 1 FROM urls`,
		`INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id) SELECT md5((id % 4000 + 1)::text)::uuid, id FROM urls`,
		`INSERT INTO anonymous_answer_addresses (url_id, session_id, address_hash)
			SELECT id, md5((id % 4000 + 1)::text)::uuid, '\x000102030405060708090a0b0c0d0e0f' FROM urls`,
		`INSERT INTO anonymous_migrated_answers (session_id, url_id, url_types, record_types, agency_ids, location_ids, names)
			SELECT md5((id % 4000 + 1)::text)::uuid, id, '{}', '{}', '{}', '{}', '{}' FROM urls WHERE id % 10 = 0`,
		`VACUUM ANALYZE`,
	} {
		dbtest.Exec(t, pool, statement)
	}
	empty := []string{"us_states", "counties", "localities"}
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, pool, target)
		for _, mode := range dbtest.PlanModes {
			for name, test := range map[string]struct {
				statement string
				args      []any
				buffers   int
			}{
				"URL":     {db.ConsensusURLGet, []any{4500}, 120},
				"votes":   {db.ConsensusVoteList, []any{4500}, 100},
				"fact":    {db.ConsensusFactGet, []any{4500}, 20},
				"replay":  {db.ReplayURLList, []any{4001, 4200}, 100},
				"ballots": {db.ReplayVoteList, []any{4001, 4200}, 14000},
			} {
				plan := dbtest.Explain(t, pool, mode, test.statement, test.args...)
				t.Logf("%s, %s, target %d: %d buffers", name, mode, target, plan.Buffers())
				scans := slices.DeleteFunc(plan.SeqScans(), func(table string) bool { return slices.Contains(empty, table) })
				require.Empty(t, scans, "%s, %s, target %d:\n%s", name, mode, target, plan)
				require.LessOrEqual(t, plan.Buffers(), test.buffers, "%s, %s, target %d:\n%s", name, mode, target, plan)
			}
		}
	}
}
