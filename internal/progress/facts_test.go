package progress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/progress"
	"docket/internal/ranking"
)

// A fact that answers have made counts as one that was validated by hand: the users who agreed with it, its type and record type, its
// batch, and one pending URL less.
func TestFactsOfAConsensusCount(t *testing.T) {
	t.Parallel()
	pool, service := setup(t,
		`INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania')`,
		`INSERT INTO locations (type, state_id) VALUES ('State', 1)`,
		`INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local')`,
		`INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(1, 3) AS n`,
		`INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label')`,
		`INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1, id FROM urls`)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	answers := annotation.New(pool, ranking.NewQueue())
	source := func(agency int32, recordType string) annotation.Answer {
		return annotation.Answer{
			URLType: annotation.DataSource, RecordType: new(annotation.RecordType(recordType)), AgencyIDs: []int32{agency},
			LocationIDs: []int64{1}, NewName: new("A name"),
		}
	}
	submit := func(userID, urlID int32, answer annotation.Answer) {
		require.NoError(t, answers.Submit(t.Context(), userID, urlID, answer))
	}
	submit(1, 1, source(1, "Stops"))
	submit(3, 1, source(2, "Other"))
	submit(3, 2, annotation.Answer{URLType: annotation.NotRelevant})
	contribution := func(userID int32) progress.Contribution {
		got, err := service.Contribution(t.Context(), userID)
		require.NoError(t, err)
		return got
	}
	for _, user := range []int32{1, 3} {
		before := contribution(user)
		require.Zero(t, before.URLType+before.RecordType+before.Agency, "nothing is validated")
	}

	submit(2, 1, source(1, "Stops"))
	submit(2, 2, annotation.Answer{URLType: annotation.NotRelevant})
	taken, err := consensus.New(pool, consensus.Config{}).Drain(t.Context())
	require.NoError(t, err)
	require.Positive(t, taken)

	require.Equal(t, progress.Contribution{Votes: 1, URLType: 1, RecordType: 1, Agency: 1}, contribution(1))
	require.Equal(t, progress.Contribution{Votes: 2, URLType: 1, RecordType: 1, Agency: 1}, contribution(2))
	require.Equal(t, progress.Contribution{Votes: 2, URLType: 1}, contribution(3), "right about the types only")

	urls, err := service.URLs(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int32{"data source": 1, "not relevant": 1}, urls.ByType)
	require.Equal(t, map[string]int32{"Stops": 1}, urls.ByRecordType)
	require.Equal(t, map[string]int32{"Awaiting Submission": 1, "Accepted": 1, "Intake": 1}, urls.ByStatus)
	require.EqualValues(t, 3, urls.OldestPending.ID)
	pending, err := service.Pending(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, pending.All)

	want := progress.URLCounts{Total: 3, Pending: 1, Validated: 2, Rejected: 1}
	batches, err := service.Batches(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, batches, 1)
	require.Equal(t, want, batches[0].URLs)
	strategies, err := service.BatchesByStrategy(t.Context())
	require.NoError(t, err)
	for _, strategy := range strategies {
		if strategy.Strategy == "manual" {
			require.Equal(t, want, strategy.URLs)
		}
	}
}
