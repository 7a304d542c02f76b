package annotation

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/urlform"
)

// Ranking chooses the URL that an annotator is offered; nil means that none is left. ranking.Queue and ranking.Matview
// implement it.
type Ranking interface {
	NextForUser(ctx context.Context, conn db.DBTX, userID int32, filter ranking.Filter) (*ranking.Choice, error)
	NextForSession(ctx context.Context, conn db.DBTX, session Session, skip int32) (*ranking.Choice, error)
}

// Next offers the URL that the user should annotate next. Candidates are neither validated
// nor suspended, have no URL type, record type, agency or location of this user, and match the filter. Package ranking describes
// their order. Nothing is reserved.
func (s *Service) Next(ctx context.Context, userID int32, filter Filter) (Offer, error) {
	return s.nextFrom(ctx, s.pool, filter.BatchID, s.forUser(userID, filter))
}

// NextAnonymous is Next for an anonymous session, known or not, which skips so many URLs of its order. URLs that users have
// annotated are candidates too.
func (s *Service) NextAnonymous(ctx context.Context, session Session, skip int32) (Offer, error) {
	return s.nextFrom(ctx, s.pool, nil, s.forSession(session, skip))
}

// chooseFunc chooses the next URL for an annotator; nil means that none is left.
type chooseFunc func(context.Context, db.DBTX) (*ranking.Choice, error)

func (s *Service) forUser(userID int32, filter Filter) chooseFunc {
	return func(ctx context.Context, conn db.DBTX) (*ranking.Choice, error) {
		return s.ranking.NextForUser(ctx, conn, userID, filter)
	}
}

func (s *Service) forSession(session Session, skip int32) chooseFunc {
	return func(ctx context.Context, conn db.DBTX) (*ranking.Choice, error) {
		return s.ranking.NextForSession(ctx, conn, session, skip)
	}
}

// nextFrom uses one connection for both round trips: the choice of the URL and, unless it is cached, what is shown of it.
func (s *Service) nextFrom(ctx context.Context, pool *postgres.Pool, batchID *int32, choose chooseFunc) (Offer, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return Offer{}, fmt.Errorf("choose next URL: %w", err)
	}
	defer conn.Release()

	stop := phase.Start(ctx, phase.MainQuery)
	chosen, err := choose(ctx, conn)
	stop()
	if err != nil {
		return Offer{}, fmt.Errorf("choose next URL: %w", err)
	}
	if chosen == nil {
		return Offer{Reason: NoneLeft}, nil
	}

	next := &Next{URLID: chosen.URLID, URL: urlform.Full(chosen.Scheme, chosen.URL, chosen.TrailingSlash)}
	if err := s.describe(ctx, conn, next, chosen.Revision, batchID); err != nil {
		return Offer{}, fmt.Errorf("describe URL %d: %w", next.URLID, err)
	}
	return Offer{Next: next, Reason: NextInOrder}, nil
}

// PanicError is a panic while the next URL was chosen.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("choose next URL: panic: %v", e.Value) }

// chooseTimeout is how long the choice after an answer may take at least, however little of the request's time is left: many
// times what it takes when it is slow.
const chooseTimeout = 2 * time.Second

// nextAfterCommit is nextFrom for an annotator whose answer is committed. That must not be reported as a failure, so a panic becomes
// an error as well, and the choice has time left, even when the deadline of the request has passed. It is repeated one time when
// the connection breaks. Without a client nothing is chosen.
func (s *Service) nextAfterCommit(
	ctx context.Context, pool *postgres.Pool, batchID *int32, choose chooseFunc,
) (offer Offer, err error) {
	defer func() {
		if value := recover(); value != nil {
			offer, err = Offer{}, &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < chooseTimeout && !errors.Is(ctx.Err(), context.Canceled) {
		var cancel func()
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), chooseTimeout)
		defer cancel()
	}
	offer, err = s.nextFrom(ctx, pool, batchID, choose)
	if postgres.IsUnavailable(err) && ctx.Err() == nil { // the pool replaces the connection on which the answer was stored
		offer, err = s.nextFrom(ctx, pool, batchID, choose)
	}
	return offer, err
}
