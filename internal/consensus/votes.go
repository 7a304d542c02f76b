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
	return byURL(rows), nil
}

// LoadVotesBetween returns the votes about the URLs whose ids are greater than after and not greater than upto. A URL without votes is
// missing.
func LoadVotesBetween(ctx context.Context, on db.DBTX, after, upto int32) (map[int32]Votes, error) {
	rows, err := queries.ConsensusVoteListRange(ctx, on, db.ConsensusVoteListRangeParams{After: after, Upto: upto})
	if err != nil {
		return nil, fmt.Errorf("read votes: %w", err)
	}
	return byURL(rows), nil
}

func byURL[Row db.ConsensusVoteListManyRow | db.ConsensusVoteListRangeRow](rows []Row) map[int32]Votes {
	loaded := make(map[int32]Votes)
	for _, row := range rows {
		row := db.ConsensusVoteListManyRow(row)
		votes := loaded[row.URLID]
		if votes == nil {
			votes = Votes{}
			loaded[row.URLID] = votes
		}
		votes.Add(Attribute(row.Attribute), row.Value, Count{Users: row.Users, Sessions: row.Sessions})
	}
	return loaded
}
