package consensus

import (
	"time"

	"github.com/google/uuid"

	"docket/internal/db"
)

// urlVotes is all that was voted about one URL.
type urlVotes struct {
	votes []db.ReplayVoteListRow // in the order of time

	// What a consensus stored when it validated the URL; empty and 0 without a fact.
	recorded   Votes
	annotators int
	rule       Rule

	// When its validation was taken back, unless it was validated again. Votes until then decide nothing by themselves.
	reopened *time.Time

	transferred bool // some votes are those of a session that became a user's; they have the time of that
}

// replayed is what a rule makes of the votes about a URL.
type replayed struct {
	fact       Fact
	decided    bool
	annotators int  // who had voted when it was decided
	all        int  // who have voted, also later
	complete   bool // no vote was transferred or deleted since
}

// annotator is a user or a session.
type annotator struct {
	user    int32
	session uuid.UUID
}

// replay returns what the rule makes of the votes about a URL.
//
// If the rule made the stored fact, the votes that the fact has recorded decide: a process may have decided after the first moment of
// consensus, and seen more votes. Likewise if votes were transferred or deleted since, because the history does not say which votes
// there were together before. In both cases the votes of now are what comes after. Else the order of time decides.
func (r Rule) replay(h urlVotes) replayed {
	result := replayed{complete: !h.transferred}
	known := !result.complete
	if len(h.recorded) > 0 {
		all, _ := tally(h.votes)
		result.complete = result.complete && all.cover(h.recorded)
		known = !result.complete || h.rule.Threshold == r.Threshold && h.rule.AnonymousWeight == r.AnonymousWeight
	}
	if known {
		return r.replayKnown(h, result)
	}
	return r.replayInOrder(h, result)
}

// replayKnown decides by the votes of the fact, or else by those of now.
func (r Rule) replayKnown(h urlVotes, result replayed) replayed {
	all, everyone := tally(h.votes)
	result.all, result.annotators = everyone, h.annotators
	if result.fact, result.decided = r.Decide(h.recorded); !result.decided && h.anyCounts() {
		result.annotators = everyone
		result.fact, result.decided = r.Decide(all)
	}
	return result
}

// replayInOrder adds the votes in the order of time, all of one time together, and decides at the first consensus.
func (r Rule) replayInOrder(h urlVotes, result replayed) replayed {
	votes, voted := Votes{}, map[annotator]bool{}
	for i, row := range h.votes {
		voted[annotatorOf(row)] = true
		if result.decided {
			continue
		}
		votes.addRow(row)
		if i+1 < len(h.votes) && h.votes[i+1].CreatedAt.Equal(row.CreatedAt) || !h.counts(row) {
			continue
		}
		result.fact, result.decided = r.Decide(votes)
		result.annotators = len(voted)
	}
	result.all = len(voted)
	return result
}

// counts reports whether the URL may be decided about once there is the vote.
func (h urlVotes) counts(row db.ReplayVoteListRow) bool {
	return h.reopened == nil || row.CreatedAt.After(*h.reopened)
}

func (h urlVotes) anyCounts() bool { return len(h.votes) > 0 && h.counts(h.votes[len(h.votes)-1]) }

// tally adds up votes, and counts who gave them.
func tally(rows []db.ReplayVoteListRow) (votes Votes, annotators int) {
	votes, voted := Votes{}, map[annotator]bool{}
	for _, row := range rows {
		votes.addRow(row)
		voted[annotatorOf(row)] = true
	}
	return votes, len(voted)
}

func annotatorOf(row db.ReplayVoteListRow) annotator {
	if row.SessionID != nil {
		return annotator{session: *row.SessionID}
	}
	return annotator{user: row.UserID}
}

func (v Votes) addRow(row db.ReplayVoteListRow) {
	count := Count{Users: 1}
	if row.SessionID != nil {
		count = Count{Sessions: 1}
	}
	v.Add(Attribute(row.Attribute), row.Value, count)
}

// cover reports whether the votes include all others.
func (v Votes) cover(others Votes) bool {
	for attribute, counts := range others {
		for value, count := range counts {
			if own := v[attribute][value]; own.Users < count.Users || own.Sessions < count.Sessions {
				return false
			}
		}
	}
	return true
}
