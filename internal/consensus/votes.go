package consensus

import (
	"context"
	"fmt"

	"docket/internal/db"
)

// LoadVotes returns the votes about URLs. A URL without votes is missing.
func LoadVotes(ctx context.Context, on db.DBTX, urlIDs []int32) (map[int32]Votes, error) {
	rows, err := queries.ConsensusVoteListMany(ctx, on, urlIDs)
	if err != nil {
		return nil, fmt.Errorf("read votes: %w", err)
	}
	loaded := make(map[int32]Votes)
	for _, row := range rows {
		votes := loaded[row.URLID]
		if votes == nil {
			votes = Votes{}
			loaded[row.URLID] = votes
		}
		votes.Add(Attribute(row.Attribute), row.Value, Count{Users: row.Users, Sessions: row.Sessions})
	}
	return loaded, nil
}
