package annotation

import (
	"context"
	"fmt"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/ranking"
	"docket/internal/urlform"
)

// Ranking chooses the URL that an annotator is offered; nil means that none is left. ranking.Queue and ranking.Matview
// implement it.
type Ranking interface {
	NextForUser(ctx context.Context, conn db.DBTX, userID int32, filter ranking.Filter) (*ranking.Choice, error)
	NextForSession(ctx context.Context, conn db.DBTX, session Session, skip int32) (*ranking.Choice, error)
}

// Next returns the URL that the user should annotate next, or nil when none is left. Candidates are neither validated
// nor suspended, have no URL type, record type, agency or location of this user, and match the filter. Package ranking describes
// their order. Nothing is reserved.
func (s *Service) Next(ctx context.Context, userID int32, filter Filter) (*Next, error) {
	return s.next(ctx, filter.BatchID, func(conn db.DBTX) (*ranking.Choice, error) {
		return s.ranking.NextForUser(ctx, conn, userID, filter)
	})
}

// NextAnonymous is Next for an anonymous session, known or not, which skips so many URLs of its order. URLs that users have
// annotated are candidates too.
func (s *Service) NextAnonymous(ctx context.Context, session Session, skip int32) (*Next, error) {
	return s.next(ctx, nil, func(conn db.DBTX) (*ranking.Choice, error) {
		return s.ranking.NextForSession(ctx, conn, session, skip)
	})
}

// next uses one connection for both round trips: the choice of the URL and, unless it is cached, what is shown of it.
func (s *Service) next(ctx context.Context, batchID *int32, choose func(db.DBTX) (*ranking.Choice, error)) (*Next, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("choose next URL: %w", err)
	}
	defer conn.Release()

	stop := phase.Start(ctx, phase.MainQuery)
	chosen, err := choose(conn)
	stop()
	if err != nil {
		return nil, fmt.Errorf("choose next URL: %w", err)
	}
	if chosen == nil {
		return nil, nil
	}

	next := &Next{URLID: chosen.URLID, URL: urlform.Full(chosen.Scheme, chosen.URL, chosen.TrailingSlash)}
	if err := s.describe(ctx, conn, next, chosen.Revision, batchID); err != nil {
		return nil, fmt.Errorf("describe URL %d: %w", next.URLID, err)
	}
	return next, nil
}
