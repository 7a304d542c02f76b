package consensus_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/consensus"
)

func TestNeeded(t *testing.T) {
	t.Parallel()
	rule := consensus.Rule{Threshold: 2, AnonymousWeight: 0.5}
	whole := []vote{
		{consensus.URLType, "data source", false}, {consensus.Agency, "5", false}, {consensus.Location, "8", false},
		{consensus.RecordType, "Stops", false}, {consensus.Name, "One", false},
	}
	for _, test := range []struct {
		name   string
		votes  []vote
		needed int
	}{
		{"no vote", nil, 2},
		{"one answer", whole, 1},
		{"two answers that agree", append(whole, whole...), 1},
		{"a session", []vote{{consensus.URLType, "not relevant", true}}, 2},
		{"two sessions", []vote{{consensus.URLType, "not relevant", true}, {consensus.URLType, "not relevant", true}}, 1},
		{"a tie", []vote{
			{consensus.URLType, "not relevant", false}, {consensus.URLType, "not relevant", false},
			{consensus.URLType, "meta url", false}, {consensus.URLType, "meta url", false},
		}, 1},
		{"a type that is never validated",
			[]vote{{consensus.URLType, "broken page", false}, {consensus.URLType, "broken page", false}}, 3},
		{"a type, and no more", []vote{{consensus.URLType, "meta url", false}, {consensus.URLType, "meta url", false}}, 2},
		{"an empty name", append(whole[:4:4], vote{consensus.Name, "", false}), 2},
	} {
		require.Equal(t, test.needed, rule.Needed(added(test.votes)), test.name)
	}
	require.Equal(t, math.MaxInt32, consensus.Rule{Threshold: 1e300}.Needed(nil))
	require.Equal(t, 1000000, consensus.Rule{Threshold: 1e6}.Needed(nil))
}

// TestNeededIsTheFewest compares Needed with Decide. So many answers that agree make a fact; fewer make none, whatever they say.
func TestNeededIsTheFewest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule, votes := drawRule(t), added(drawVotes(t))
		needed := rule.Needed(votes)
		require.GreaterOrEqual(t, needed, 1)

		require.True(t, decidedWith(rule, votes, needed), "%d answers make a fact of %v", needed, votes)
		require.False(t, needed > 1 && decidedWith(rule, votes, needed-1), "%d answers make a fact of %v", needed-1, votes)

		for left := needed; left > 1; left = rule.Needed(votes) {
			for attribute, value := range drawAnswer(t) {
				votes.Add(attribute, value, consensus.Count{Users: 1})
			}
			require.GreaterOrEqual(t, rule.Needed(votes), left-1, "one answer lowers it by one at most")
			if _, decided := rule.Decide(votes); decided {
				require.Equal(t, 1, rule.Needed(votes))
				return
			}
			if rule.Needed(votes) >= left {
				return // the annotators disagree
			}
		}
	})
}

// What a URL needs that has no vote on its type is known without reading its votes.
func TestNeededWithoutVotesOnTheType(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule, votes := drawRule(t), added(drawVotes(t))
		delete(votes, consensus.URLType)
		require.Equal(t, rule.Needed(nil), rule.Needed(votes), "%v", votes)
	})
}

// decidedWith reports whether so many answers of users who all say the same can make a fact. It tries each combination of values.
func decidedWith(rule consensus.Rule, votes consensus.Votes, answers int) bool {
	var try func(int) bool
	try = func(i int) bool {
		if i == len(consensus.Attributes) {
			_, decided := rule.Decide(votes)
			return decided
		}
		attribute := consensus.Attributes[i]
		for _, value := range values[attribute] {
			votes.Add(attribute, value, consensus.Count{Users: int32(answers)})
			decided := try(i + 1)
			votes.Add(attribute, value, consensus.Count{Users: int32(-answers)})
			if decided {
				return true
			}
		}
		return false
	}
	return try(0)
}

// drawAnswer draws what one user says.
func drawAnswer(t *rapid.T) map[consensus.Attribute]string {
	answer := map[consensus.Attribute]string{}
	for _, attribute := range consensus.Attributes {
		if attribute == consensus.URLType || rapid.IntRange(0, 3).Draw(t, "given") > 0 {
			answer[attribute] = rapid.SampledFrom(values[attribute][:2]).Draw(t, "value")
		}
	}
	return answer
}
