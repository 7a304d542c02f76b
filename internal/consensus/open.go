package consensus

import (
	"context"
	"fmt"
	"slices"

	"docket/internal/db"
)

// VotesOf returns the votes about a URL; none for an unknown one.
func VotesOf(ctx context.Context, on db.DBTX, urlID int32) (Votes, error) {
	rows, err := queries.ConsensusVoteList(ctx, on, urlID)
	if err != nil {
		return nil, fmt.Errorf("read the votes about URL %d: %w", urlID, err)
	}
	votes := Votes{}
	for _, row := range rows {
		votes.Add(Attribute(row.Attribute), row.Value, Count{row.Users, row.Sessions})
	}
	return votes, nil
}

// Open returns what is not agreed on yet, in the order of Attributes: of what the type needs, if the type is agreed on, or else of
// everything. It is empty if the votes make a fact, or if the agreed type is never validated automatically.
func (r Rule) Open(votes Votes) []Attribute {
	if urlType, agreed := r.Agreed(votes[URLType]); agreed {
		missing, _ := r.Missing(votes, urlType)
		return missing
	}
	return slices.DeleteFunc(slices.Clone(Attributes), func(attribute Attribute) bool {
		_, agreed := r.Agreed(votes[attribute])
		return agreed
	})
}
