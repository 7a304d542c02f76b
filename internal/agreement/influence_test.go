package agreement_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/agreement"
	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/dbtest"
)

// Annotators who see the suggestions side with the robot in 90 of 100 answers about the record type, and the others in 60. About
// the agency they do not care what they are shown. The report finds both, and its intervals are as wide as those of independent
// answers.
func TestInfluenceIsRecovered(t *testing.T) {
	t.Parallel()
	_, service := setup(t,
		`INSERT INTO url_history (url_id, event, user_id, suggestions_shown, robots, detail)
		SELECT 1 + n / 4, 'answered', n % 4, n % 2 = 0, '{"record_type": ["Stops"], "agency": ["7", "8"]}',
			jsonb_build_object('url_type', 'data source',
				'record_type', CASE WHEN abs(hashint4(n)) % 100 < CASE n % 2 WHEN 0 THEN 90 ELSE 60 END THEN 'Stops' ELSE 'Other' END,
				'agency_ids', CASE WHEN abs(hashint4(n + 10000)) % 100 < 70 THEN '[3, 7]' ELSE '[8]' END::jsonb)
		FROM generate_series(1, 4000) AS n`)
	got := measureAll(t, service, agreement.Request{})

	record := got[consensus.RecordType].Influence
	require.Equal(t, []int64{2000, 2000}, []int64{record.Shown.Answers, record.Hidden.Answers})
	require.InDelta(t, 0.9, *record.Shown.Share, 0.03)
	require.InDelta(t, 0.6, *record.Hidden.Share, 0.03)
	requireBetween(t, record.Difference, 0.3)
	independent := 2 * 1.96 * math.Sqrt((0.9*0.1+0.6*0.4)/2000)
	require.InEpsilon(t, independent, *record.Difference.High-*record.Difference.Low, 0.15)

	agency := got[consensus.Agency].Influence
	require.InDelta(t, 0.7, *agency.Hidden.Share, 0.03)
	requireBetween(t, agency.Difference, 0)
	require.Nil(t, got[consensus.Location].Difference.Value)
	require.Equal(t, "no answers with the suggestions shown, or none with them hidden", got[consensus.Location].Difference.Reason)
}

func requireBetween(t *testing.T, e agreement.Estimate, planted float64) {
	t.Helper()
	require.Less(t, *e.Low, planted)
	require.Greater(t, *e.High, planted)
	require.InDelta(t, agreement.DefaultReplicates, e.Replicates, 1)
}

// What counts as siding with a robot, about each attribute. Answers and robots that say nothing about it count nowhere, and neither
// do later events. Sessions count like users.
func TestInfluenceCounts(t *testing.T) {
	t.Parallel()
	_, service := setup(t,
		`INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label')`,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 2) AS n`,
		`INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1)`,
		`INSERT INTO url_history (url_id, event, user_id, session_id, suggestions_shown, robots, detail)
		SELECT 1, event::url_event, CASE WHEN n % 2 = 0 THEN n END, CASE WHEN n % 2 = 1 THEN gen_random_uuid() END, shown,
			'{"url_type": ["relevant"], "record_type": ["Stops"], "agency": ["7", "8"], "location": ["3"], "name": ["A title", "B"]}',
			detail::jsonb
		FROM (VALUES
			(1, 'answered', true,
				'{"url_type": "data source", "record_type": "Stops", "agency_ids": [6, 7], "location_ids": [3], "name": "A title"}'),
			(2, 'answered', true, '{"url_type": "not relevant"}'),
			(3, 'answered', true, '{"url_type": "broken page"}'),
			(4, 'answered', false, '{"url_type": "meta url", "agency_ids": [8, 17], "location_ids": [33], "name": "B"}'),
			(5, 'answered', false, '{"url_type": "individual record", "agency_not_found": true}'),
			(6, 'changed', false, '{"url_type": "data source", "record_type": "Stops", "agency_ids": [7]}'),
			(7, 'suggested', NULL, '{}')) AS e (n, event, shown, detail)`,
		`INSERT INTO url_history (url_id, event, user_id, suggestions_shown, robots, detail) VALUES
			(2, 'answered', 1, false, '{}', '{"url_type": "meta url"}'),
			(2, 'answered', 2, false, '{"url_type": ["not relevant"], "agency": ["7"]}', '{"url_type": "not relevant"}'),
			(2, 'answered', 3, false, NULL, '{"url_type": "not relevant"}')`)
	batch := int32(1)
	for name, wants := range map[*int32]map[consensus.Attribute][4]int64{
		&batch: {consensus.URLType: {2, 1, 2, 2}, consensus.RecordType: {1, 1, 0, 0}, consensus.Agency: {1, 1, 1, 0},
			consensus.Location: {1, 1, 1, 0}, consensus.Name: {1, 1, 1, 0}},
		nil: {consensus.URLType: {2, 1, 3, 3}, consensus.Agency: {1, 1, 1, 0}},
	} {
		got := measureAll(t, service, agreement.Request{BatchID: name})
		for attribute, want := range wants {
			of := got[attribute].Influence
			require.Equal(t, want, [4]int64{of.Shown.Answers, of.Shown.Sided, of.Hidden.Answers, of.Hidden.Sided}, attribute)
			if want[2] > 0 {
				require.InDelta(t, float64(want[1])/float64(want[0])-float64(want[3])/float64(want[2]), *of.Difference.Value, 1e-12)
			}
		}
	}
}

// The answers about a batch are found by the URLs of the batch.
func TestInfluencePlan(t *testing.T) {
	t.Parallel()
	pool, _ := setup(t,
		`INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label'), (2, 'manual', 'ready to label')`,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 6000) AS n`,
		`INSERT INTO link_batches__urls (batch_id, url_id) SELECT CASE WHEN id % 120 = 0 THEN 1 ELSE 2 END, id FROM urls`,
		`INSERT INTO url_history (url_id, event, user_id, suggestions_shown, robots, detail)
		SELECT id, 'answered', n, true, '{"url_type": ["relevant"], "record_type": ["Stops"]}', '{"url_type": "meta url"}'
		FROM urls, generate_series(1, 3) AS n`,
		`VACUUM ANALYZE`)
	for _, mode := range dbtest.PlanModes {
		plan := dbtest.Explain(t, pool, mode, db.RobotInfluenceList, 1)
		require.Less(t, plan.Buffers(), 50*6, "50 URLs, %s:\n%s", mode, plan)
	}
}
