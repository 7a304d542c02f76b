// Package progress counts what was done and what is left: the contributions of annotators, and the states of URLs and batches.
// It owns the queries contributions.sql and metrics.sql. It only reads, and it caches nothing: every number is counted in the
// tables when it is asked for.
package progress

import (
	"context"
	"fmt"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
)

// Service counts annotations and URLs. It is safe for concurrent use.
type Service struct {
	pool *postgres.Pool
}

// New returns a Service on the database of pool, which must be migrated. It reads from the standby of pool, if there is one.
func New(pool *postgres.Pool) *Service { return &Service{pool: pool} }

var queries = db.New()

// Contributor is a user with at least one vote for a URL type.
type Contributor struct {
	UserID int32
	Votes  int32
}

// Leaderboard returns all contributors, most votes first, then by id.
func (s *Service) Leaderboard(ctx context.Context) ([]Contributor, error) {
	rows, err := counted(ctx, s, "count votes by user", queries.LeaderboardList)
	return convert.Each(rows, func(row db.LeaderboardListRow) Contributor { return Contributor(row) }), err
}

// Contribution is what one user did.
type Contribution struct {
	Votes int32 // for a URL type, of validated URLs or not

	// The share of the user's votes on validated URLs that equal the confirmed value, from 0 to 1. It is 0 when there are none.
	URLType, RecordType, Agency float64
}

// Contribution counts the votes of a user. A user without a vote for a URL type counts as zero, even with other votes.
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

// counted runs a query, on the standby if the pool has one. The phase does not include the wait for a connection.
func counted[Result any](
	ctx context.Context, s *Service, action string, query func(context.Context, db.DBTX) (Result, error),
) (Result, error) {
	result, err := postgres.Read(ctx, s.pool, func(ctx context.Context, conn *postgres.Conn) (Result, error) {
		ctx, end := phase.Start(ctx, phase.Progress)
		defer end()
		return query(ctx, conn)
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", action, err)
	}
	return result, err
}
