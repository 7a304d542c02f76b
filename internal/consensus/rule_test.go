package consensus_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/consensus"
)

// first is the first rule: two votes, and half a vote for a session.
var first = consensus.Rule{Version: 1, Threshold: 2, AnonymousWeight: 0.5}

// votesFrom reads votes as "attribute=value:users+sessions", separated by commas. "agency=5:2" are two users, "agency=5:+3" three
// sessions.
func votesFrom(t testing.TB, text string) consensus.Votes {
	t.Helper()
	votes := consensus.Votes{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		attribute, rest, found := strings.Cut(part, "=")
		require.True(t, found, part)
		value, numbers, found := strings.Cut(rest, ":")
		require.True(t, found, part)
		var count consensus.Count
		users, sessions, _ := strings.Cut(numbers, "+")
		for _, number := range []struct {
			text string
			to   *int32
		}{{users, &count.Users}, {sessions, &count.Sessions}} {
			if number.text != "" {
				_, err := fmt.Sscan(number.text, number.to)
				require.NoError(t, err, part)
			}
		}
		require.Contains(t, consensus.Attributes, consensus.Attribute(attribute), part)
		votes.Add(consensus.Attribute(attribute), value, count)
	}
	return votes
}

// What makes a consensus on one attribute: at least the threshold, and more than any other value.
func TestAgreed(t *testing.T) {
	t.Parallel()
	for votes, agreed := range map[string]string{
		"":                                "",
		"name=a:1":                        "",
		"name=a:2":                        "a",
		"name=a:1+1":                      "",
		"name=a:1+2":                      "a", // two halves are one
		"name=a:+3":                       "",
		"name=a:+4":                       "a", // four sessions alone
		"name=a:2, name=b:1":              "a",
		"name=a:2, name=b:1+1":            "a",
		"name=a:2, name=b:1+2":            "", // a tie at the top is none
		"name=a:2, name=b:2":              "",
		"name=a:3, name=b:3, name=c:1":    "",
		"name=a:3, name=b:2, name=c:2":    "a", // a tie below the top does not matter
		"name=a:2, name=b:2, name=c:2+1":  "c",
		"name=a:0+0, name=b:2":            "b",
		"name=:5":                         "", // an empty text is no value
		"name=:5, name=a:2":               "a",
		"name=a:1, name=b:1, name=c:1":    "", // three who say three things
		"name=Zed:2, name=zed:1":          "Zed",
		"name=a:1, name=b:1, name=a:1":    "a", // votes for a value are added up
		"name=100000000000:2, name=2:1+1": "100000000000",
	} {
		value, ok := first.Agreed(votesFrom(t, votes)[consensus.Name])
		require.Equal(t, agreed, value, votes)
		require.Equal(t, agreed != "", ok, votes)
	}
}

// Decimal weights add up as they do on paper.
func TestWeighIsExact(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule   consensus.Rule
		votes  string
		agreed string
	}{
		{consensus.Rule{Threshold: 2.1, AnonymousWeight: 0.7}, "name=a:+3", "a"}, // 0.7*3 < 2.1 in binary fractions
		{consensus.Rule{Threshold: 0.3, AnonymousWeight: 0.1}, "name=a:+3", "a"},
		{consensus.Rule{Threshold: 0.3, AnonymousWeight: 0.1}, "name=a:+2", ""},
		{consensus.Rule{Threshold: 1, AnonymousWeight: 0.2}, "name=a:1+3, name=b:+8", ""}, // 1.6 each
		{consensus.Rule{Threshold: 1, AnonymousWeight: 0.1}, "name=a:+30, name=b:3", ""},
		{consensus.Rule{Threshold: 1, AnonymousWeight: 0}, "name=a:1+100, name=b:1", ""}, // sessions do not count
		{consensus.Rule{Threshold: 1, AnonymousWeight: 0}, "name=a:+100", ""},
		{consensus.Rule{Threshold: 2, AnonymousWeight: 2}, "name=a:+1", "a"}, // the reference's weight of a session
	} {
		value, _ := test.rule.Agreed(votesFrom(t, test.votes)[consensus.Name])
		require.Equal(t, test.agreed, value, "%v %s", test.rule, test.votes)
	}
}

// Each row of the rule table, and what is missing for the type that was agreed on.
func TestDecide(t *testing.T) {
	t.Parallel()
	type fact = consensus.Fact
	const all = "agency=5:2, location=8:2, record_type=Stops:2, name=One:2, "
	for name, test := range map[string]struct {
		votes   string
		fact    fact
		missing []consensus.Attribute // for the agreed type, if nothing is decided
	}{
		"data source": {
			votes: all + "url_type=data source:2",
			fact:  fact{URLType: "data source", Agency: "5", Location: "8", RecordType: "Stops", Name: "One"},
		},
		"data source by half votes": {
			votes: "url_type=data source:1+2, agency=5:+4, location=8:1+2, record_type=Stops:1+2, name=One:+4",
			fact:  fact{URLType: "data source", Agency: "5", Location: "8", RecordType: "Stops", Name: "One"},
		},
		"data source without an agency": {
			votes:   "url_type=data source:2, location=8:2, record_type=Stops:2, name=One:2",
			missing: []consensus.Attribute{consensus.Agency},
		},
		"data source without a location": {
			votes:   "url_type=data source:2, agency=5:2, record_type=Stops:2, name=One:2",
			missing: []consensus.Attribute{consensus.Location},
		},
		"data source without a record type": {
			votes:   "url_type=data source:2, agency=5:2, location=8:2, record_type=Stops:1, record_type=Surveys:1, name=One:2",
			missing: []consensus.Attribute{consensus.RecordType},
		},
		"data source without a name": {
			votes:   "url_type=data source:2, agency=5:2, location=8:2, record_type=Stops:2, name=One:1+1",
			missing: []consensus.Attribute{consensus.Name},
		},
		"data source with an empty name": {
			votes:   "url_type=data source:2, agency=5:2, location=8:2, record_type=Stops:2, name=:2",
			missing: []consensus.Attribute{consensus.Name},
		},
		"data source with a tie of agencies": {
			votes:   all + "url_type=data source:2, agency=6:2",
			missing: []consensus.Attribute{consensus.Agency},
		},
		"data source with nothing else": {
			votes:   "url_type=data source:2",
			missing: []consensus.Attribute{consensus.Agency, consensus.Location, consensus.RecordType, consensus.Name},
		},
		"data source of which an agency has a surplus of votes": {
			votes: all + "url_type=data source:2, agency=6:2, agency=6:1",
			fact:  fact{URLType: "data source", Agency: "6", Location: "8", RecordType: "Stops", Name: "One"},
		},
		"meta url": {
			votes: "url_type=meta url:2, agency=5:2, location=8:2, name=One:2",
			fact:  fact{URLType: "meta url", Agency: "5", Location: "8", Name: "One"},
		},
		"meta url with a surplus record type": {
			votes: all + "url_type=meta url:2",
			fact:  fact{URLType: "meta url", Agency: "5", Location: "8", Name: "One"},
		},
		"meta url without a name": {
			votes:   "url_type=meta url:2, agency=5:2, location=8:2",
			missing: []consensus.Attribute{consensus.Name},
		},
		"individual record": {
			votes: "url_type=individual record:2, agency=5:2, location=8:2, name=One:2",
			fact:  fact{URLType: "individual record", Agency: "5", Location: "8", Name: "One"},
		},
		"individual record with a surplus record type": {
			votes: all + "url_type=individual record:2",
			fact:  fact{URLType: "individual record", Agency: "5", Location: "8", Name: "One"},
		},
		"individual record without agency and location": {
			votes:   "url_type=individual record:2, name=One:2",
			missing: []consensus.Attribute{consensus.Agency, consensus.Location},
		},
		"not relevant": {
			votes: "url_type=not relevant:2",
			fact:  fact{URLType: "not relevant"},
		},
		"not relevant by sessions": {
			votes: "url_type=not relevant:+4",
			fact:  fact{URLType: "not relevant"},
		},
		"not relevant with a name": {
			votes: "url_type=not relevant:2, name=One:2",
			fact:  fact{URLType: "not relevant", Name: "One"},
		},
		"not relevant with a surplus of everything": {
			votes: all + "url_type=not relevant:3, url_type=data source:2",
			fact:  fact{URLType: "not relevant", Name: "One"},
		},
		"not relevant with a tie of names": {
			votes: "url_type=not relevant:2, name=One:2, name=Two:2",
			fact:  fact{URLType: "not relevant"},
		},
		"a tie of types":        {votes: all + "url_type=not relevant:2, url_type=data source:2"},
		"a type without votes":  {votes: all},
		"one vote for a type":   {votes: all + "url_type=data source:1+1"},
		"broken page":           {votes: all + "url_type=broken page:20"},
		"not found":             {votes: all + "url_type=not found:20"},
		"a type that is no one": {votes: all + "url_type=page:20"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			votes := votesFrom(t, test.votes)
			got, decided := first.Decide(votes)
			require.Equal(t, test.fact, got)
			require.Equal(t, test.fact != fact{}, decided)
			if urlType, agreed := first.Agreed(votes[consensus.URLType]); agreed {
				missing, possible := first.Missing(votes, urlType)
				require.Equal(t, test.missing, missing)
				require.Equal(t, decided || len(missing) > 0, possible, "the type can be validated")
			}
		})
	}
}

// What is missing for a type that was not agreed on begins with the type.
func TestMissing(t *testing.T) {
	t.Parallel()
	votes := votesFrom(t, "url_type=data source:1, url_type=meta url:2, agency=5:2, name=One:2")
	for urlType, want := range map[string][]consensus.Attribute{
		"data source":       {consensus.URLType, consensus.Location, consensus.RecordType},
		"meta url":          {consensus.Location},
		"individual record": {consensus.URLType, consensus.Location},
		"not relevant":      {consensus.URLType},
	} {
		missing, possible := first.Missing(votes, urlType)
		require.True(t, possible, urlType)
		require.Equal(t, want, missing, urlType)
	}
	for _, never := range []string{"broken page", "not found", "", "page"} {
		missing, possible := first.Missing(votes, never)
		require.False(t, possible, never)
		require.Empty(t, missing, never)
	}
}

func TestCheckRefusesNumbers(t *testing.T) {
	t.Parallel()
	require.NoError(t, first.Check())
	require.NoError(t, consensus.Rule{Threshold: 0.001}.Check(), "sessions need not count")
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.ErrorIs(t, consensus.Rule{Threshold: bad, AnonymousWeight: 0.5}.Check(), consensus.ErrThreshold, bad)
		if bad != 0 {
			require.ErrorIs(t, consensus.Rule{Threshold: 2, AnonymousWeight: bad}.Check(), consensus.ErrWeight, bad)
		}
	}
}
