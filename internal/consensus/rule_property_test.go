package consensus_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/consensus"
)

// vote is a vote of one annotator for one value.
type vote struct {
	attribute consensus.Attribute
	value     string
	session   bool
}

func (v vote) count() consensus.Count {
	if v.session {
		return consensus.Count{Sessions: 1}
	}
	return consensus.Count{Users: 1}
}

// values are few, so that votes agree and tie often.
var values = map[consensus.Attribute][]string{
	consensus.URLType:    {"data source", "meta url", "individual record", "not relevant", "broken page"},
	consensus.Agency:     {"5", "6"},
	consensus.Location:   {"8", "9"},
	consensus.RecordType: {"Stops", "Surveys"},
	consensus.Name:       {"One", "Two", ""},
}

func drawVote(t *rapid.T) vote {
	attribute := rapid.SampledFrom(consensus.Attributes).Draw(t, "attribute")
	// Mostly the first value, or nothing would ever be agreed on.
	value := values[attribute][0]
	if rapid.IntRange(0, 2).Draw(t, "another") == 0 {
		value = rapid.SampledFrom(values[attribute]).Draw(t, "value")
	}
	return vote{attribute, value, rapid.Bool().Draw(t, "session")}
}

func drawVotes(t *rapid.T) []vote {
	return rapid.SliceOfN(rapid.Custom(drawVote), 0, 40).Draw(t, "votes")
}

// drawRule draws decimal numbers, of which many are no binary fractions.
func drawRule(t *rapid.T) consensus.Rule {
	return consensus.Rule{
		Threshold:       float64(rapid.IntRange(1, 40).Draw(t, "tenths of the threshold")) / 10,
		AnonymousWeight: float64(rapid.IntRange(0, 20).Draw(t, "tenths of the weight")) / 10,
	}
}

func added(votes []vote) consensus.Votes {
	sum := consensus.Votes{}
	for _, v := range votes {
		sum.Add(v.attribute, v.value, v.count())
	}
	return sum
}

// withVote returns the votes and one more.
func withVote(votes []vote, more vote) consensus.Votes {
	return added(append(append([]vote{}, votes...), more))
}

func TestOrderOfVotesIsIrrelevant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule, votes := drawRule(t), drawVotes(t)
		fact, decided := rule.Decide(added(votes))
		again, decidedAgain := rule.Decide(added(rapid.Permutation(votes).Draw(t, "another order")))
		require.Equal(t, fact, again)
		require.Equal(t, decided, decidedAgain)
	})
}

// A vote for what a fact says leaves the fact as it is.
func TestAgreeingVoteNeverUndoesAFact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule, votes := drawRule(t), drawVotes(t)
		fact, decided := rule.Decide(added(votes))
		if !decided {
			return
		}
		for _, attribute := range consensus.Attributes {
			if fact.Value(attribute) == "" {
				continue
			}
			for _, session := range []bool{false, true} {
				after, decided := rule.Decide(withVote(votes, vote{attribute, fact.Value(attribute), session}))
				require.True(t, decided)
				require.Equal(t, fact, after)
			}
		}
	})
}

// A vote about something that the type does not need does not change whether there is a fact, nor its other values.
func TestSurplusIsIgnored(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule, votes, more := drawRule(t), drawVotes(t), drawVote(t)
		fact, decided := rule.Decide(added(votes))
		required, _ := consensus.Requirements(fact.URLType)
		for _, needed := range append(required, consensus.URLType, consensus.Name) {
			if !decided || more.attribute == needed {
				return
			}
		}
		after, decided := rule.Decide(withVote(votes, more))
		require.True(t, decided)
		require.Equal(t, fact, after)
	})
}

// What a lower threshold does not agree on, a higher one does not agree on either.
func TestHigherThresholdAgreesOnLess(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		low, votes := drawRule(t), drawVotes(t)
		high := low
		high.Threshold += float64(rapid.IntRange(0, 30).Draw(t, "tenths more")) / 10
		for _, attribute := range consensus.Attributes {
			if value, agreed := high.Agreed(added(votes)[attribute]); agreed {
				lower, agreed := low.Agreed(added(votes)[attribute])
				require.True(t, agreed)
				require.Equal(t, value, lower)
			}
		}
	})
}

// A fact is decided if and only if nothing is missing for its type, which is never that of a page that may work again.
func TestDecidedMeansNothingIsMissing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule, votes := drawRule(t), added(drawVotes(t))
		fact, decided := rule.Decide(votes)
		complete := 0
		for _, urlType := range values[consensus.URLType] {
			if missing, possible := rule.Missing(votes, urlType); possible && len(missing) == 0 {
				complete++
				require.Equal(t, urlType, fact.URLType)
			}
		}
		require.Equal(t, decided, complete == 1)
		require.NotEqual(t, "broken page", fact.URLType)
	})
}

// The arithmetic is that of exact fractions.
func TestAgreedIsExact(t *testing.T) {
	t.Parallel()
	exact := func(tenths int64) *big.Rat { return big.NewRat(tenths, 10) }
	rapid.Check(t, func(t *rapid.T) {
		threshold, weight := rapid.Int64Range(1, 100).Draw(t, "threshold"), rapid.Int64Range(0, 30).Draw(t, "weight")
		rule := consensus.Rule{Threshold: float64(threshold) / 10, AnonymousWeight: float64(weight) / 10}
		counts := map[string]consensus.Count{}
		var leading []string
		most := exact(0)
		for _, value := range []string{"a", "b", "c"} {
			count := consensus.Count{
				Users: rapid.Int32Range(0, 9).Draw(t, "users"), Sessions: rapid.Int32Range(0, 30).Draw(t, "sessions"),
			}
			counts[value] = count
			votes := exact(int64(count.Users)*10 + int64(count.Sessions)*weight)
			switch votes.Cmp(most) {
			case 1:
				leading, most = []string{value}, votes
			case 0:
				leading = append(leading, value)
			}
		}
		value, agreed := rule.Agreed(counts)
		require.Equal(t, most.Sign() > 0 && len(leading) == 1 && most.Cmp(exact(threshold)) >= 0, agreed)
		if agreed {
			require.Equal(t, leading[0], value)
		}
	})
}
