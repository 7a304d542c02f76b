// Package progress tells what was done and what is left: what annotators contributed, and how far URLs and batches are. It owns
// the queries contributions.sql and metrics.sql. It counts and never writes, and it refuses to remember: every answer is of the
// moment it is asked for, from the tables themselves.
package progress

import (
	"context"
	"fmt"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
)

// Service counts. It is safe for concurrent use.
type Service struct {
	pool *postgres.Pool
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool) *Service { return &Service{pool: pool} }

var queries = db.New()

// Contributor is a user with at least one url-type vote.
type Contributor struct {
	UserID int32
	Votes  int32
}

// Leaderboard returns all contributors, those with most votes first, then by id.
func (s *Service) Leaderboard(ctx context.Context) ([]Contributor, error) {
	rows, err := counted(ctx, s, "count votes by user", queries.LeaderboardList)
	return converted(rows, func(row db.LeaderboardListRow) Contributor { return Contributor(row) }), err
}

// Contribution is what one user did.
type Contribution struct {
	Votes int32 // url-type votes, whatever became of their URLs

	// Of what the user said of validated URLs, the share that is what was agreed on, from 0 to 1; 0 when there is nothing to
	// compare. What the user left open is not compared.
	URLType, RecordType, Agency float64
}

// Contribution returns what a user did. Who never gave a URL a type has contributed nothing, whatever else they suggested.
func (s *Service) Contribution(ctx context.Context, userID int32) (Contribution, error) {
	row, err := counted(ctx, s, "count a user's votes", func(ctx context.Context, conn db.DBTX) (db.ContributionGetByUserRow, error) {
		return queries.ContributionGetByUser(ctx, conn, userID)
	})
	if err != nil || row.Votes == 0 {
		return Contribution{}, err
	}
	return Contribution{
		Votes:      row.Votes,
		URLType:    share(row.URLTypeConfirmed, row.URLTypeValidated),
		RecordType: share(row.RecordTypeConfirmed, row.RecordTypeValidated),
		Agency:     share(row.AgencyConfirmed, row.AgencyValidated),
	}, nil
}

func share(part, whole int32) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// counted runs a query on a connection of its own, so that waiting for one is not taken for counting.
func counted[Result any](
	ctx context.Context, s *Service, act string, query func(context.Context, db.DBTX) (Result, error),
) (result Result, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return result, fmt.Errorf("%s: %w", act, err)
	}
	defer conn.Release()
	defer phase.Start(ctx, phase.Progress)()
	if result, err = query(ctx, conn); err != nil {
		return result, fmt.Errorf("%s: %w", act, err)
	}
	return result, nil
}

func converted[From, To any](rows []From, convert func(From) To) []To {
	list := make([]To, len(rows))
	for i, row := range rows {
		list[i] = convert(row)
	}
	return list
}
