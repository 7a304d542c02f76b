package annotation

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/urlform"
)

// Next returns the URL that the user should annotate next: of those with status ok, neither validated nor suspended,
// without any url type, record type, agency or location of this user, and within the filter, the most annotated one;
// among equals the one with the smallest id. It returns nil when none is left. Nothing is reserved.
func (s *Service) Next(ctx context.Context, userID int32, filter Filter) (*Next, error) {
	return s.next(ctx, filter.BatchID, func(conn db.DBTX) (candidate, error) {
		return s.chooseForUser(ctx, conn, userID, filter)
	})
}

// NextAnonymous does what Next does for an anonymous session, known or not. What users did does not matter to it.
func (s *Service) NextAnonymous(ctx context.Context, session Session) (*Next, error) {
	return s.next(ctx, nil, func(conn db.DBTX) (candidate, error) {
		row, err := s.queries.URLNextGetAnonymous(ctx, conn, session)
		return candidate(row), err
	})
}

// OpenSession opens an anonymous session. Sessions do not expire.
func (s *Service) OpenSession(ctx context.Context) (Session, error) {
	session, err := s.queries.AnonymousSessionInsert(ctx, s.pool)
	if err != nil {
		return Session{}, fmt.Errorf("open anonymous session: %w", err)
	}
	return session, nil
}

// candidate is the row that every statement of next.sql returns.
type candidate db.URLNextGetRow

// chooseForUser ranks the URLs for one user. It is the only place that knows how.
func (s *Service) chooseForUser(ctx context.Context, conn db.DBTX, userID int32, filter Filter) (candidate, error) {
	switch {
	case filter.URLID != nil:
		row, err := s.queries.URLNextGetByID(ctx, conn, db.URLNextGetByIDParams{
			URLID: *filter.URLID, BatchID: filter.BatchID, UserID: userID,
		})
		return candidate(row), err
	case filter.BatchID != nil:
		row, err := s.queries.URLNextGetInBatch(ctx, conn, db.URLNextGetInBatchParams{
			BatchID: *filter.BatchID, UserID: userID,
		})
		return candidate(row), err
	default:
		row, err := s.queries.URLNextGet(ctx, conn, userID)
		return candidate(row), err
	}
}

// next takes one connection for both round trips: one that chooses, one that describes what was chosen.
func (s *Service) next(ctx context.Context, batchID *int32, choose func(db.DBTX) (candidate, error)) (*Next, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("choose next URL: %w", err)
	}
	defer conn.Release()

	stop := phase.Start(ctx, phase.MainQuery)
	chosen, err := choose(conn)
	stop()
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("choose next URL: %w", postgres.Translate(err))
	}

	next := &Next{URLID: chosen.ID, URL: urlform.Full(chosen.Scheme, chosen.URL, chosen.TrailingSlash)}
	if err := describe(ctx, conn, next, batchID); err != nil {
		return nil, fmt.Errorf("describe URL %d: %w", next.URLID, postgres.Translate(err))
	}
	return next, nil
}
