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
// their order. The URL is reserved for the user, if the Service reserves URLs: others are not offered it while as many annotators
// have it as it needs answers. A URL that the user has reserved before comes first. Skip only looks ahead, and reserves nothing.
func (s *Service) Next(ctx context.Context, userID int32, filter Filter, how ...Showing) (Offer, error) {
	return s.nextFrom(ctx, s.pool, ask(User(userID), filter, how))
}

// NextAnonymous is Next for an anonymous session, known or not, which skips so many URLs of its order. URLs that users have
// annotated are candidates too.
func (s *Service) NextAnonymous(ctx context.Context, session Session, skip int32, how ...Showing) (Offer, error) {
	return s.nextFrom(ctx, s.pool, ask(Anonymous(session), Filter{Skip: skip}, how))
}

// NextNewSession is NextAnonymous for a session that it creates. The URL is reserved for a short time only: a visitor who leaves,
// or a crawler, never uses the session again. The next request of the session, or its heartbeat, extends the reservation.
func (s *Service) NextNewSession(ctx context.Context, skip int32, how ...Showing) (Session, Offer, error) {
	session := s.ids.New()
	asking := ask(Anonymous(session), Filter{Skip: skip}, how)
	asking.first, asking.unreserved = true, true
	offer, err := s.nextFrom(ctx, s.pool, asking)
	return session, offer, err
}

// asking is a request for a URL.
type asking struct {
	by     Annotator
	filter Filter // of a session: Skip only
	hidden bool   // without suggestions
	first  bool   // of a session that may never ask again

	unreserved bool // the annotator has no reservation: the only one has just ended, or none was found. A hint
}

func ask(by Annotator, filter Filter, how []Showing) asking {
	asking := asking{by: by, filter: filter}
	for _, change := range how {
		change(&asking)
	}
	return asking
}

// choose returns the next URL in the annotator's order; nil means that none is left.
func (s *Service) choose(ctx context.Context, conn db.DBTX, ask asking) (chosen *ranking.Choice, err error) {
	ctx, end := phase.Start(ctx, phase.MainQuery)
	defer end()
	if chosen, err = chooseFrom(ctx, conn, s.ranking, ask.by, ask.filter); err != nil {
		return nil, fmt.Errorf("choose next URL: %w", err)
	}
	return chosen, nil
}

// nextFrom reserves the URL, if the Service and the request do so and the database allows it.
func (s *Service) nextFrom(ctx context.Context, pool *postgres.Pool, ask asking) (Offer, error) {
	if s.reserve.For > 0 && ask.filter.Skip == 0 {
		var offer Offer
		err := postgres.Retry(ctx, func() (err error) {
			offer, err = onConn(ctx, pool.AcquireWriter, ask, s.offerReserved)
			return err
		})
		if !cannotReserve(err) {
			return offer, err
		}
	}
	return onConn(ctx, pool.Acquire, ask, s.offer)
}

// onConn uses one connection for all round trips: the choice of the URL, what is shown of it unless that is cached, and its
// reservation.
func onConn(
	ctx context.Context, acquire func(context.Context) (*postgres.Conn, error), ask asking,
	offer func(context.Context, *postgres.Conn, asking) (Offer, error),
) (Offer, error) {
	conn, err := acquire(ctx)
	if err != nil {
		return Offer{}, fmt.Errorf("choose next URL: %w", err)
	}
	defer conn.Release()
	return offer(ctx, conn, ask)
}

// offer offers the next URL without a reservation.
func (s *Service) offer(ctx context.Context, conn *postgres.Conn, ask asking) (Offer, error) {
	chosen, err := s.choose(ctx, conn, ask)
	switch {
	case err != nil:
		return Offer{}, err
	case chosen == nil:
		return s.offerNone(ctx, conn, ask)
	}
	offer, _, err := s.described(ctx, conn, ask, chosen)
	return offer, err
}

// described returns an offer of a URL, with what is shown of it, and what it needs, if the Service reserves URLs.
func (s *Service) described(ctx context.Context, conn *postgres.Conn, ask asking, chosen *ranking.Choice) (Offer, need, error) {
	offer := Offer{
		Next:   &Next{URLID: chosen.URLID, URL: urlform.Full(chosen.Scheme, chosen.URL, chosen.TrailingSlash)},
		Reason: NextInOrder,
	}
	if ask.filter.URLID != nil {
		offer.Reason = Requested
	}
	at, err := s.describe(ctx, conn, offer.Next, chosen.Revision, ask.filter.BatchID)
	if err != nil {
		return Offer{}, need{}, fmt.Errorf("describe URL %d: %w", chosen.URLID, err)
	}
	if ask.hidden {
		offer.Next.SuggestionsHidden = true
	}
	if offer.Next.SuggestionsHidden {
		offer.Next.hideSuggestions()
	}
	return offer, at, nil
}

// offerNone is for an annotator for whom no URL is left but those that the annotator has put off.
func (s *Service) offerNone(ctx context.Context, conn *postgres.Conn, ask asking) (Offer, error) {
	if offer, err := s.offerSkipped(ctx, conn, ask); err != nil || offer != nil {
		return orNone(offer), err
	}
	reason, err := s.emptyReason(ctx, conn, s.ranking, ask.by, ask.filter)
	return Offer{Reason: reason}, err
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

// nextAfterCommit is nextFrom for an annotator whose answer is committed. That must not be reported as a failure, so a panic
// becomes an error as well, and the choice has time left, even when the deadline of the request has passed. It is repeated one
// time when the connection breaks. Without a client nothing is chosen.
func (s *Service) nextAfterCommit(
	ctx context.Context, pool *postgres.Pool, ask asking,
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
	offer, err = s.nextFrom(ctx, pool, ask)
	if postgres.IsUnavailable(err) && ctx.Err() == nil { // the pool replaces the connection on which the answer was stored
		offer, err = s.nextFrom(ctx, pool, ask)
	}
	return offer, err
}
