package consensus_test

import (
	"net/netip"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/dbtest"
	"docket/internal/origin"
	"docket/internal/ranking"
)

var hasher = origin.NewHasher([]byte("key"))

// from returns an answer that comes from an address.
func from(address string, answer annotation.Answer) annotation.Answer {
	answer.Origin = hasher.Of(netip.MustParsePrefix(address))
	return answer
}

// votes returns how many users and sessions have a vote on the type of a URL, by each of those who count: the view, what is shown
// of the URL, and the explanation.
func (b bundle) votes(t *testing.T, urlID int32) (users, sessions int32) {
	t.Helper()
	counts := dbtest.Structs[struct{ Users, Sessions int32 }](t, b.pool,
		"SELECT count(user_id), count(session_id) FROM annotation_votes WHERE attribute = 'url_type' AND url_id = $1", urlID)[0]
	offer, err := b.service.Next(t.Context(), 100, annotation.Filter{URLID: &urlID})
	require.NoError(t, err)
	if offer.Next != nil {
		shown := int32(0)
		for _, kind := range offer.Next.URLTypes {
			shown += kind.Votes
		}
		require.Equal(t, (2*counts.Users+counts.Sessions)/2, shown, "the sum, rounded down")
	}
	return counts.Users, counts.Sessions
}

const (
	one   = "203.0.113.9/32"
	other = "2001:db8::/64"
)

// Thirty sessions of one address have one vote about a URL, and all of their answers are stored. A session of another address has
// one.
func TestVotesOfAnAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := annotation.Answer{URLType: annotation.NotRelevant}
	b.submit(t, 1, 1, answer)
	sessions := make([]annotation.Session, 30)
	for i := range sessions {
		sessions[i] = uuid.New()
		require.NoError(t, b.service.SubmitAnonymous(t.Context(), sessions[i], 1, from(one, answer)))
		require.NoError(t, b.service.SubmitAnonymous(t.Context(), sessions[i], 2, from(one, answer)))
	}
	b.drain(t)
	require.Equal(t, "30 30", b.text(t, `SELECT concat_ws(' ',
		(SELECT count(*) FROM annotation__url_type__anon WHERE url_id = 1), (SELECT anon_url_type_count FROM annotation_queue WHERE url_id = 1))`))
	require.Equal(t, "0", b.text(t, "SELECT count(*)::text FROM consensus_facts"))
	for urlID, users := range map[int32]int32{1: 1, 2: 0} {
		gotUsers, gotSessions := b.votes(t, urlID)
		require.Equal(t, users, gotUsers)
		require.EqualValues(t, 1, gotSessions, "URL %d", urlID)
	}
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Error(d) }))

	// Another answer of the address has the vote when the first one is taken back, or migrated to a user.
	require.NoError(t, b.service.TakeBackAnonymous(t.Context(), sessions[0], 2))
	_, count := b.votes(t, 2)
	require.EqualValues(t, 1, count)
	_, err := b.service.TransferSession(t.Context(), 2, sessions[1])
	require.NoError(t, err)
	users, count := b.votes(t, 2)
	require.EqualValues(t, 1, users)
	require.EqualValues(t, 1, count)
	require.NoError(t, b.service.ReplaceAnonymous(t.Context(), sessions[2], 2, from(one, annotation.Answer{URLType: annotation.BrokenPage})))
	_, count = b.votes(t, 2)
	require.EqualValues(t, 1, count)
	b.drain(t)
	require.Equal(t, "1", b.text(t, "SELECT count(*)::text FROM consensus_facts"), "that of URL 1, for which two users have voted now")

	b.submit(t, 1, 3, answer)
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 3, from(one, answer)))
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 3, from(one, answer)))
	b.drain(t)
	explained, err := consensus.NewExplainer(b.pool).Explain(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, consensus.Undecided, explained.Status)
	require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 3, from(other, answer)))
	b.drain(t)
	explained, err = consensus.NewExplainer(b.pool).Explain(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, consensus.Validated, explained.Status)
	require.Equal(t, "1 2", b.text(t, "SELECT concat_ws(' ', users, sessions) FROM consensus_facts WHERE url_id = 3"))
	require.NoError(t, ranking.Verify(t.Context(), b.pool, func(d ranking.Difference) { t.Error(d) }))
}

// Without an Origin, nothing is stored of an address, and each session has a vote.
func TestVotesWithoutAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 4 {
		require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 1, annotation.Answer{URLType: annotation.NotRelevant}))
	}
	b.drain(t)
	require.Equal(t, "1 0", b.text(t,
		"SELECT concat_ws(' ', (SELECT count(*) FROM consensus_facts), (SELECT count(*) FROM anonymous_answer_addresses))"))
}

// A database without hashes of addresses reads no page for them: the table is empty.
func TestVotesWithoutAddressCostNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 4 {
		require.NoError(t, b.service.SubmitAnonymous(t.Context(), uuid.New(), 1, source("One")))
	}
	dbtest.Exec(t, b.pool, "ANALYZE")
	for _, mode := range dbtest.PlanModes {
		plan := dbtest.Explain(t, b.pool, mode, "SELECT attribute, value FROM annotation_votes WHERE url_id = $1", 1)
		read := 0
		for node := range plan.Nodes() {
			if node.Relation == "anonymous_answer_addresses" {
				read++
				require.Zero(t, node.Buffers(), "%s:\n%s", mode, plan)
			}
		}
		require.Positive(t, read, "%s:\n%s", mode, plan)
	}
}
