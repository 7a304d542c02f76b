package consensus

import (
	"maps"

	"github.com/google/uuid"

	"docket/internal/db"
)

// history is all that was voted about one URL.
type history struct {
	votes []db.ReplayVoteListRow // in the order of time

	// What a consensus stored when it validated the URL; empty and 0 without a fact.
	recorded   Votes
	annotators int

	transferred bool // some votes are those of a session that became a user's; they have the time of that
}

// replayed is what a rule makes of a history.
type replayed struct {
	fact       Fact
	decided    bool
	annotators int  // who had voted when it was decided
	all        int  // who have voted, also later
	complete   bool // the history has all votes with their times
}

// annotator is a user or a session.
type annotator struct {
	user    int32
	session uuid.UUID
}

// replay adds the votes in the order of time, all of one time together, and decides at the first consensus.
//
// Votes that were transferred or deleted since leave an incomplete history: it does not say which votes there were together before.
// Then only two moments count: that of the stored fact, whose votes are recorded, and now.
func (r Rule) replay(h history) (result replayed) {
	votes, voted := Votes{}, map[annotator]bool{}
	result.complete = !h.transferred && len(h.recorded) == 0
	for i, row := range h.votes {
		by, count := annotator{user: row.UserID}, Count{Users: 1}
		if row.SessionID != nil {
			by, count = annotator{session: *row.SessionID}, Count{Sessions: 1}
		}
		voted[by] = true
		if result.decided && result.complete {
			continue
		}
		votes.Add(Attribute(row.Attribute), row.Value, count)
		if i+1 < len(h.votes) && h.votes[i+1].CreatedAt.Equal(row.CreatedAt) {
			continue
		}
		if !result.decided {
			result.fact, result.decided = r.Decide(votes)
			result.annotators = len(voted)
		}
		result.complete = result.complete || !h.transferred && votes.equal(h.recorded)
	}
	result.all = len(voted)
	if result.complete {
		return result
	}
	result.annotators = h.annotators
	if result.fact, result.decided = r.Decide(h.recorded); !result.decided {
		result.annotators = result.all
		result.fact, result.decided = r.Decide(votes)
	}
	return result
}

// equal reports whether both are the same votes. An attribute without votes is the same as none.
func (v Votes) equal(other Votes) bool {
	for _, attribute := range Attributes {
		if !maps.Equal(v[attribute], other[attribute]) {
			return false
		}
	}
	return true
}
