package export_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/export"
	"docket/internal/ranking"
)

// An exported fact has what the rule decided, and the votes that it saw, also when more votes follow and when its agency is removed.
func TestFactsOfAConsensus(t *testing.T) {
	t.Parallel()
	pool, service := setup(t, `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania');
		INSERT INTO locations (type, state_id) VALUES ('State', 1);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local');
		INSERT INTO urls (id, url, source) VALUES (1, 'one.org', 'manual');
		INSERT INTO anonymous_sessions (id) VALUES ('5e551011-0000-4000-8000-000000000001')`)
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
	answers := annotation.New(pool, ranking.NewQueue())
	source := func(agencies ...int32) annotation.Answer {
		return annotation.Answer{
			URLType: annotation.DataSource, RecordType: new(annotation.RecordType("Stops")), AgencyIDs: agencies,
			LocationIDs: []int64{1}, NewName: new("Stops of A"),
		}
	}
	validator := consensus.New(pool, consensus.Config{})
	submit := func(userID int32, answer annotation.Answer) {
		require.NoError(t, answers.Submit(t.Context(), userID, 1, answer))
		_, err := validator.Drain(t.Context())
		require.NoError(t, err)
	}
	submit(7, source(1, 2))
	submit(8, annotation.Answer{URLType: annotation.MetaURL, AgencyIDs: []int32{2}, LocationIDs: []int64{1}})
	session := uuid.MustParse("5e551011-0000-4000-8000-000000000001")
	require.NoError(t, answers.SubmitAnonymous(t.Context(), session, 1, source(1)))
	require.Empty(t, collectFacts(t, service, export.FactOptions{}))
	submit(9, source(1))

	fact := func() export.Fact {
		facts := collectFacts(t, service, export.FactOptions{})
		require.Len(t, facts, 1)
		return facts[0]
	}
	first := fact()
	require.Equal(t, export.Fact{
		URLID: 1, URL: "one.org", URLType: "data source", RecordType: new("Stops"), Name: new("Stops of A"),
		Agencies:    []export.FactAgency{{ID: 1, Name: "A"}},
		Locations:   []export.FactLocation{{ID: 1, Type: "State", Name: "Pennsylvania", StateISO: "PA"}},
		ByAgreement: true, Rule: &consensus.Rule{Version: 1, Threshold: 2, AnonymousWeight: 0.5},
		ValidatedAt: first.ValidatedAt, UpdatedAt: first.ValidatedAt,
		Votes: export.FactVotes{
			URLType: export.VoteCount{For: 2.5, Against: 1}, Agency: &export.VoteCount{For: 2.5, Against: 2},
			Location: &export.VoteCount{For: 3.5}, RecordType: &export.VoteCount{For: 2.5}, Name: &export.VoteCount{For: 2.5},
		},
		Users: 3, Sessions: 1,
	}, first)
	require.NotZero(t, first.ValidatedAt)

	submit(10, source(1))
	require.Equal(t, first, fact(), "votes that the rule did not see")

	dbtest.Exec(t, pool, "DELETE FROM link_agencies__urls WHERE agency_id = 1")
	without := fact()
	require.Empty(t, without.Agencies)
	require.Nil(t, without.Votes.Agency)
	require.Equal(t, first.Votes.Location, without.Votes.Location)
}
