package consensus_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/submissions"
)

// A number that every run of the tests can afford; -rapid.checks raises it.
func init() { _ = flag.Set("rapid.checks", "40") }

// replacedRule gives the database another rule.
const replacedRule = `CREATE OR REPLACE VIEW consensus_rule AS
	SELECT 9 AS version, %v::double precision AS threshold, %v::double precision AS anonymous_weight`

// After any history of answers, transfers of sessions, submissions and deletions, replaying the current rule makes the stored
// facts, at the same number of answers, and each explanation says what is stored.
func TestSimulatingTheCurrentRuleMakesWhatIsStored(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]consensus.Rule{
		"first":    first,
		"one vote": {Version: 9, Threshold: 1, AnonymousWeight: 1},
		"quarters": {Version: 9, Threshold: 2.25, AnonymousWeight: 0.75},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dbtest.Exec(t, b.pool, "SELECT setval('urls_id_seq', 5)") // those of setup have ids of their own
			if rule != first {
				dbtest.Exec(t, b.pool, fmt.Sprintf(replacedRule, rule.Threshold, rule.AnonymousWeight))
			}
			h := histories{bundle: b, submissions: submissions.New(b.pool)}
			h.begin(t)
			rapid.Check(t, func(rt *rapid.T) { h.run(t, rt, rule) })
			require.Positive(t, h.facts, "no history made a fact")
			require.Positive(t, h.incomplete, "no history was incomplete")
		})
	}
}

type histories struct {
	bundle
	submissions *submissions.Service
	urls        int // stored so far
	facts       int64
	incomplete  int64
}

// begin makes a fact, and moves one of its votes. What random histories contain depends on chance.
func (h *histories) begin(t *testing.T) {
	urlID, session := h.newURL(t, t.Context()), uuid.New()
	answer := annotation.Answer{URLType: annotation.NotRelevant}
	require.NoError(t, h.service.SubmitAnonymous(t.Context(), session, urlID, answer))
	for user := range int32(3) {
		h.submit(t, user+1, urlID, answer)
		h.drain(t)
	}
	_, err := h.service.TransferSession(t.Context(), 4, session)
	require.NoError(t, err)
}

func (h *histories) run(t *testing.T, rt *rapid.T, rule consensus.Rule) {
	ctx := t.Context()
	urlIDs := []int32{h.newURL(t, ctx), h.newURL(t, ctx)}
	sessions := []annotation.Session{uuid.New(), uuid.New(), uuid.New()}
	drawURL := func() int32 { return rapid.SampledFrom(urlIDs).Draw(rt, "URL") }
	drawUser := func() int32 { return rapid.Int32Range(1, 4).Draw(rt, "user") }
	for range rapid.IntRange(6, 16).Draw(rt, "steps") {
		var err error
		switch step := rapid.IntRange(0, 15).Draw(rt, "step"); {
		case step < 8:
			err = h.service.Submit(ctx, drawUser(), drawURL(), drawFittingAnswer(rt))
		case step < 13:
			answer := drawFittingAnswer(rt)
			if rapid.Bool().Draw(rt, "with an address") {
				answer = from(rapid.SampledFrom([]string{one, one, other}).Draw(rt, "address"), answer)
			}
			err = h.service.SubmitAnonymous(ctx, rapid.SampledFrom(sessions).Draw(rt, "session"), drawURL(), answer)
		case step < 14:
			_, err = h.service.TransferSession(ctx, drawUser(), rapid.SampledFrom(sessions).Draw(rt, "session"))
		case step < 15:
			urlIDs = append(urlIDs, h.submitURL(t, rt, drawUser()))
		default:
			err = h.submissions.DeleteURL(ctx, urlIDs[0])
			urlIDs[0] = h.newURL(t, ctx)
		}
		if !errors.Is(err, annotation.ErrAlreadyAnnotated) {
			require.NoError(rt, err)
		}
		for {
			taken, err := h.validator.Drain(ctx)
			require.NoError(rt, err)
			if taken == 0 {
				break
			}
		}
	}

	stored := dbtest.Structs[struct{ Facts, Annotators int64 }](t, h.pool,
		"SELECT count(*), coalesce(sum(users + sessions), 0) FROM consensus_facts")[0]
	for _, options := range []consensus.SimulateOptions{
		{},
		// The same rule with other numbers, so that the order of time decides and not what the facts have recorded.
		{Threshold: new(rule.Threshold - 0.001)},
	} {
		done, differences := simulate(t, h.pool, options)
		require.Empty(rt, differences)
		require.Equal(rt, options.Threshold == nil, done.Rule == rule)
		require.Equal(rt, stored.Facts, done.Facts())
		require.Equal(rt, stored.Facts, done.Comparisons[consensus.AsStored])
		require.InDelta(rt, float64(stored.Annotators), done.AnswersPerFact()*float64(stored.Facts), 1e-6)
		h.facts, h.incomplete = stored.Facts, done.Incomplete
	}
	for _, urlID := range urlIDs {
		h.explain(t, rt, urlID)
	}
}

// explain checks an explanation against what is stored and simulated.
func (h *histories) explain(t *testing.T, rt *rapid.T, urlID int32) {
	e, err := consensus.NewExplainer(h.pool).Explain(t.Context(), urlID)
	require.NoError(rt, err)
	require.Equal(rt, e.Fact != nil, e.Status == consensus.Validated)
	require.Equal(rt, e.Fact != nil, e.Validation != nil && e.Validation.Automatic)
	if e.Fact == nil {
		require.Equal(rt, consensus.Undecided, e.Status, "nothing waits")
		require.Nil(rt, e.Decision)
		return
	}
	require.Equal(rt, e.Rule, e.Fact.Rule)
	require.Equal(rt, e.Fact.URLType, e.Validation.URLType)
	for _, tally := range e.Fact.Votes {
		if value := e.Fact.Value(tally.Attribute); value != "" {
			require.Equal(rt, consensus.Agreement, tally.Outcome)
			require.Equal(rt, value, tally.Agreed)
			require.Equal(rt, value, tally.Values[0].Value)
		}
	}
}

func (h *histories) newURL(t *testing.T, ctx context.Context) int32 {
	h.urls++
	done, err := h.submissions.EnterBatch(ctx, 9, "a batch", []submissions.ManualEntry{{URL: fmt.Sprintf("https://entered%d.org", h.urls)}})
	require.NoError(t, err)
	return done.URLIDs[0]
}

// submitURL stores a URL with votes of its submitter.
func (h *histories) submitURL(t *testing.T, rt *rapid.T, userID int32) int32 {
	h.urls++
	submission := submissions.Submission{URL: fmt.Sprintf("https://submitted%d.org", h.urls)}
	if rapid.Bool().Draw(rt, "with an agency") {
		submission.AgencyID = new(rapid.Int32Range(1, 2).Draw(rt, "agency"))
	}
	if rapid.Bool().Draw(rt, "with a location and a name") {
		submission.LocationID, submission.Name = new(int64(1)), new("One")
	}
	done, err := h.submissions.SubmitURL(t.Context(), userID, submission)
	require.NoError(t, err)
	return *done.URLID
}

// drawFittingAnswer draws an answer that the rules admit. Most agree with each other.
func drawFittingAnswer(t *rapid.T) annotation.Answer {
	answer := annotation.Answer{URLType: rapid.SampledFrom([]annotation.URLType{
		annotation.MetaURL, annotation.MetaURL, annotation.NotRelevant, annotation.NotRelevant, annotation.DataSource, annotation.BrokenPage,
	}).Draw(t, "type")}
	if rapid.IntRange(0, 3).Draw(t, "with a name") > 0 {
		answer.NewName = new(rapid.SampledFrom([]string{"One", "One", "Two", ""}).Draw(t, "name"))
	}
	if answer.URLType == annotation.NotRelevant {
		return answer
	}
	if answer.URLType == annotation.DataSource {
		answer.RecordType = new(annotation.RecordType("Stops"))
	}
	answer.AgencyIDs = rapid.SampledFrom([][]int32{{1}, {1}, {1, 2}, {2}, nil}).Draw(t, "agencies")
	answer.LocationIDs = rapid.SampledFrom([][]int64{{1}, {1}, {1, 2}, nil}).Draw(t, "locations")
	return answer
}
