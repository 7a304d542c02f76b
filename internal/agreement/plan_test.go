package agreement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/dbtest"
)

// The votes about a batch cost what the batch costs: no table of votes is read whole, with any plan. All votes cost one scan of
// each table of the attribute, and of the two that names and agencies are joined with.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool, _ := setup(t,
		`INSERT INTO agencies (id, name, jurisdiction_type) SELECT n, 'a', 'local' FROM generate_series(1, 50) AS n`,
		`INSERT INTO locations (id, type) OVERRIDING SYSTEM VALUE SELECT n, 'National' FROM generate_series(1, 50) AS n`,
		`INSERT INTO anonymous_sessions (id) SELECT md5(n::text)::uuid FROM generate_series(1, 5) AS n`,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 6000) AS n`,
		`INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label'), (2, 'manual', 'ready to label')`,
		`INSERT INTO link_batches__urls (batch_id, url_id) SELECT CASE WHEN id % 120 = 0 THEN 1 ELSE 2 END, id FROM urls`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, n, 'meta url' FROM urls, generate_series(1, 3) AS n`,
		`INSERT INTO annotation__record_type__user (url_id, user_id, record_type) SELECT id, 1, 'Stops' FROM urls`,
		`INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT id, 1, id % 50 + 1 FROM urls`,
		`INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT id, 1, id % 50 + 1 FROM urls`,
		`INSERT INTO annotation__name__suggestions (id, url_id, suggestion) SELECT id, id, 'a name' FROM urls`,
		`INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 1, id FROM urls`,
		`INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) SELECT id, md5('1')::uuid, 'meta url' FROM urls`,
		`INSERT INTO annotation__record_type__anon (url_id, session_id, record_type) SELECT id, md5('1')::uuid, 'Stops' FROM urls`,
		`INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT id, md5('1')::uuid, 1 FROM urls`,
		`INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT id, md5('1')::uuid, 1 FROM urls`,
		`INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id) SELECT md5('1')::uuid, id FROM urls`,
		`VACUUM ANALYZE`)
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, pool, target)
		for _, mode := range dbtest.PlanModes {
			for _, attribute := range consensus.Attributes {
				plan := dbtest.Explain(t, pool, mode, db.AgreementBatchVoteList, string(attribute), 1)
				// The addresses are empty, as without --one-vote-per-address.
				require.Subset(t, []string{"link_batches__urls", "anonymous_answer_addresses"}, plan.SeqScans(),
					"%s, statistics target %d, %s:\n%s", mode, target, attribute, plan)
				require.Less(t, plan.Buffers(), 50*25, "50 URLs, %s:\n%s", attribute, plan)
				plan = dbtest.Explain(t, pool, mode, db.AgreementVoteList, string(attribute))
				require.Less(t, plan.Buffers(), 800, "%s, statistics target %d, %s:\n%s", mode, target, attribute, plan)
			}
		}
	}
}
