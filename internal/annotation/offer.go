package annotation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// mostChoices is how often an annotator loses the URL that was chosen to others before the annotator gets one that is shared. Each
// loss means that others have got the URL, or are changing it. So a loss is rare, unless many annotators who ask at once outnumber
// the connections.
const mostChoices = 64

// patientAfter is after how many losses a claim waits for other transactions.
const patientAfter = 8

// mostAhead bounds how many URLs an annotator passes over who has lost several to others.
const mostAhead = 64

// search is the search for a URL that an annotator can reserve.
type search struct {
	*Service
	conn *postgres.Conn
	ask  asking

	checked bool   // the database has been asked for a reservation of the annotator, or it does not matter
	behind  *Offer // the annotator's own, of a URL that needs fewer answers than others have reserved
	number  int32  // of the request among those that search at the same time
	lost    int    // how many URLs others have changed or locked after they were chosen
}

// offerReserved is offer with a reservation. The annotator's own reservation comes first. An error for which cannotReserve is true
// may leave nothing but a reservation that expires.
func (s *Service) offerReserved(ctx context.Context, conn *postgres.Conn, ask asking) (Offer, error) {
	if conn.IsReadOnly() {
		return s.offer(ctx, conn, ask)
	}
	number, leave := s.seekers.join(ask.filter)
	defer leave()
	search := search{Service: s, conn: conn, ask: ask, number: number, checked: ask.filter.URLID != nil}
	offer, err := search.run(ctx)
	if err == nil && !offer.ReservedUntil.IsZero() {
		s.holders.add(ask.by, offer.ReservedUntil)
	}
	return offer, err
}

func (s *search) run(ctx context.Context) (Offer, error) {
	if !s.checked && !s.ask.unreserved {
		if !s.holders.has(s.ask.by) {
			s.ask.unreserved = true // the claim notices if that is wrong
		} else if own, err := s.own(ctx); err != nil || own != nil {
			return orNone(own), err
		}
	}
	last, swept := Offer{}, false
	for range mostChoices {
		chosen, err := s.chooseAfter(ctx)
		if err != nil {
			return Offer{}, err
		}
		if chosen == nil {
			if own, err := s.ownUnlessChecked(ctx); err != nil || own != nil {
				return orNone(own), err
			}
			if !swept && s.ask.filter.URLID == nil {
				swept = true
				if freed, err := sweep(ctx, s.conn, s.time(), true); err != nil || freed > 0 {
					if err != nil {
						return Offer{}, err
					}
					continue
				}
			}
			offer, missed, err := s.offerShared(ctx)
			if err != nil || !missed {
				return offer, err
			}
			last = Offer{Reason: AllReserved, RetryAfter: time.Second}
			continue
		}
		offer, got, err := s.offerClaimed(ctx, s.conn, s.ask, chosen, false)
		switch {
		case err != nil || got.granted:
			return offer, err
		case got.elsewhere:
			if s.ask.filter.URLID == nil {
				if own, err := s.own(ctx); err != nil || own != nil {
					return orNone(own), err
				}
			}
			s.ask.unreserved = false
			continue
		case s.ask.filter.URLID != nil && !got.lost:
			return offer, nil
		}
		last = offer
		if !got.lost {
			continue // the claim has found it full, so it is not chosen again
		}
		if s.lost++; s.lost == patientAfter && s.ask.unreserved {
			if own, err := s.ownUnlessChecked(ctx); err != nil || own != nil {
				return orNone(own), err
			}
			s.ask.unreserved = false
		}
	}
	if s.ask.filter.URLID == nil && s.reserve.WhenAllReserved == Wait {
		return Offer{Reason: AllReserved, RetryAfter: time.Second}, nil
	}
	return last, nil
}

// own returns the URL that the annotator has reserved; nil without one, or if it is behind.
func (s *search) own(ctx context.Context) (*Offer, error) {
	own, ahead, err := s.reservedBefore(ctx, s.conn, s.ask)
	if err != nil || own != nil && !ahead {
		return own, err
	}
	s.checked, s.behind = true, own
	s.ask.unreserved = own == nil
	return nil, nil
}

func (s *search) ownUnlessChecked(ctx context.Context) (*Offer, error) {
	if s.checked {
		return nil, nil
	}
	return s.own(ctx)
}

// chooseAfter is choose for one of several requests. Requests that choose at the same time would choose the same URL, and most of
// them would lose it. So each passes over as many as its number says. It does not know the requests of other processes, so after a
// loss it passes over some more at random, of twice as many after each further loss. Without a URL so far behind, it is the
// first.
func (s *search) chooseAfter(ctx context.Context) (*ranking.Choice, error) {
	ahead := s.number
	if s.lost > 0 {
		ahead += rand.Int32N(min(int32(1)<<min(s.lost, 16), mostAhead))
	}
	if ahead > 0 && s.ask.filter.URLID == nil {
		behind := s.ask
		behind.filter.Skip = ahead
		if chosen, err := s.choose(ctx, s.conn, behind); err != nil || chosen != nil {
			return chosen, err
		}
	}
	return s.choose(ctx, s.conn, s.ask)
}

func orNone(offer *Offer) Offer {
	if offer == nil {
		return Offer{}
	}
	return *offer
}

// reservedBefore returns the URL that the annotator has reserved, and extends the reservation; nil without one. behind reports that
// others who reserved it are as many as it needs: an answer from elsewhere has lowered the need.
func (s *Service) reservedBefore(ctx context.Context, conn *postgres.Conn, ask asking) (own *Offer, behind bool, err error) {
	var revision int64
	for {
		row, offer, needed, err := s.extend(ctx, conn, ask)
		if err != nil || row == nil || row.Ahead < needed {
			return offer, false, err
		}
		if row.ChangedXid == revision {
			return s.reservedBehind(ctx, conn, ask, *offer)
		}
		// An answer may have been stored after the others were counted and before the votes were read. Of an unchanged URL, both are
		// of one moment.
		revision = row.ChangedXid
	}
}

// extend returns the URL that the annotator has reserved, how many others have it in lower slots, and how many answers it needs;
// nil without one.
func (s *Service) extend(
	ctx context.Context, conn *postgres.Conn, ask asking,
) (*db.ReservationExtendRow, *Offer, int32, error) {
	within, end := phase.Start(ctx, phase.Reservation)
	row, err := queries.ReservationExtend(within, conn, db.ReservationExtendParams{
		Annotator: ask.by.String(), UserID: ask.by.userID, SessionID: ask.by.session, BatchID: ask.filter.BatchID,
		Seconds: s.reserve.For.Seconds(), Now: s.time(),
	})
	end()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil, 0, nil
	case err != nil:
		return nil, nil, 0, fmt.Errorf("extend reservation: %w", err)
	}
	offer, at, err := s.described(ctx, conn, ask, &ranking.Choice{
		URLID: row.URLID, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash, Revision: row.ChangedXid,
	})
	if err != nil {
		return nil, nil, 0, err
	}
	offer.Reason, offer.ReservedUntil = ReservedByYou, row.ExpiresAt
	if row.SuggestionsHidden && !offer.Next.SuggestionsHidden {
		err := queries.ReservationShow(ctx, conn, db.ReservationShowParams{Annotator: ask.by.String(), URLID: row.URLID})
		if err != nil {
			return nil, nil, 0, fmt.Errorf("record that suggestions are shown: %w", err)
		}
	}
	return &row, &offer, at.answers, nil
}

// reservedBehind returns an annotator's reservation, which is beyond the need, as one to share if there is no other URL. An
// annotator who would wait instead loses it.
func (s *Service) reservedBehind(ctx context.Context, conn *postgres.Conn, ask asking, own Offer) (*Offer, bool, error) {
	if s.reserve.WhenAllReserved != Wait {
		own.Reason = Shared
		return &own, true, nil // a claim replaces the reservation
	}
	_, err := queries.ReservationRelease(ctx, conn, db.ReservationReleaseParams{Annotator: ask.by.String(), URLID: own.Next.URLID})
	if err != nil {
		return nil, false, fmt.Errorf("release reservation: %w", err)
	}
	return nil, true, nil
}

// offerClaimed describes a URL and claims it; if it is shared, without bound.
func (s *Service) offerClaimed(
	ctx context.Context, conn *postgres.Conn, ask asking, chosen *ranking.Choice, shared bool,
) (Offer, claimed, error) {
	offer, at, err := s.described(ctx, conn, ask, chosen)
	if err != nil {
		return Offer{}, claimed{}, err
	}
	ask.hidden = offer.Next.SuggestionsHidden
	if shared {
		offer.Reason, at.answers = Shared, math.MaxInt32
		ask.unreserved = false
	}
	got, err := s.claim(ctx, conn, ask, chosen.URLID, at)
	if got.granted {
		offer.ReservedUntil = got.until
	}
	return offer, got, err
}

// offerShared is for an annotator for whom there is no URL that is not reserved by as many others as it needs. missed reports that
// there is none either that is reserved, but that a URL was left: it was reserved when those were read that are not, or the other
// way round.
func (s *search) offerShared(ctx context.Context) (_ Offer, missed bool, _ error) {
	if s.behind != nil {
		return *s.behind, false, nil
	}
	ask := s.ask
	if ask.filter.URLID != nil {
		offer, err := s.offerNone(ctx, s.conn, ask)
		return offer, false, err
	}
	if s.reserve.WhenAllReserved == Wait {
		return s.waitForOthers(ctx, s.conn, ask)
	}
	var last *Offer
	for range 3 {
		within, end := phase.Start(ctx, phase.Reservation)
		row, err := queries.ReservationShareGet(within, s.conn, db.ReservationShareGetParams{
			Annotator: ask.by.String(), UserID: ask.by.userID, SessionID: ask.by.session, BatchID: ask.filter.BatchID, Now: s.time(),
		})
		end()
		if errors.Is(err, pgx.ErrNoRows) {
			break
		}
		if err != nil {
			return Offer{}, false, fmt.Errorf("choose reserved URL: %w", err)
		}
		offer, got, err := s.offerClaimed(ctx, s.conn, ask, &ranking.Choice{
			URLID: row.URLID, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash, Revision: row.ChangedXid,
		}, true)
		if err != nil || got.granted {
			return offer, false, err
		}
		last = &offer
	}
	if last != nil {
		return *last, false, nil
	}
	return s.offerNoneLeft(ctx, s.conn, ask)
}

// waitForOthers reports when the first of the reservations of others ends. missed is as that of offerShared.
func (s *Service) waitForOthers(ctx context.Context, conn *postgres.Conn, ask asking) (_ Offer, missed bool, _ error) {
	within, end := phase.Start(ctx, phase.Reservation)
	row, err := queries.ReservationFirstExpiry(within, conn, db.ReservationFirstExpiryParams{
		UserID: ask.by.userID, SessionID: ask.by.session, BatchID: ask.filter.BatchID, Now: s.time(),
	})
	end()
	if err != nil {
		return Offer{}, false, fmt.Errorf("look for the first reservation to end: %w", err)
	}
	if !row.AnyReserved {
		return s.offerNoneLeft(ctx, conn, ask)
	}
	return Offer{Reason: AllReserved, RetryAfter: max(time.Duration(row.Seconds*float64(time.Second)), 1)}, false, nil
}

// offerNoneLeft is offerNone, unless one snapshot of all URLs has one that is left.
func (s *Service) offerNoneLeft(ctx context.Context, conn *postgres.Conn, ask asking) (_ Offer, missed bool, _ error) {
	var reason Reason
	err := conn.InSnapshot(ctx, func(tx pgx.Tx) error {
		chosen, err := s.choose(ctx, tx, ask)
		if err != nil || chosen != nil {
			missed = chosen != nil
			return err
		}
		reason, err = s.emptyReason(ctx, tx, s.ranking, ask.by, ask.filter)
		missed = reason == AllReserved
		return err
	})
	if err != nil || missed {
		return Offer{}, missed, err
	}
	offer, err := s.offerSkipped(ctx, conn, ask)
	if err != nil || offer != nil {
		return orNone(offer), false, err
	}
	return Offer{Reason: reason}, false, nil
}

// cannotReserve reports whether reservations failed for a reason for which a URL is offered without one: the database is read-only,
// or the row of the queue is locked for long.
func cannotReserve(err error) bool { return postgres.IsReadOnly(err) || postgres.IsLockTimeout(err) }
