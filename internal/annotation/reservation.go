package annotation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// ReservePolicy says how URLs are reserved for the annotators who ask for them.
type ReservePolicy struct {
	For             time.Duration   // 0 means that nothing is reserved
	Overlap         int32           // how many annotators may have a URL at a time; 0 means as many as it needs answers
	WhenAllReserved WhenAllReserved // "" means Share
}

// WhenAllReserved says what annotators are offered when all URLs that are left for them are reserved by others.
type WhenAllReserved string

const (
	Share WhenAllReserved = "share" // the one with the fewest reservations
	Wait  WhenAllReserved = "wait"  // none, and when to ask again
)

// Reserve has a Service reserve URLs. Without it, nothing is reserved, and no statement about reservations runs.
func Reserve(policy ReservePolicy) Option { return func(s *Service) { s.reserve = policy } }

// The reasons for which a URL is not reserved by a heartbeat.
var (
	ErrHeldByOthers      = errors.New("others have reserved the URL as often as it needs answers; an answer is stored all the same")
	ErrNotOffered        = errors.New("the URL is validated or suspended, or you have annotated it, so it is not reserved")
	ErrNothingIsReserved = errors.New("this server reserves no URLs; an answer is stored all the same")
)

// errSlotTaken means that another annotator has reserved the URL at the same time.
var errSlotTaken = errors.New("another annotator has just reserved the URL")

// Annotator is a user or an anonymous session.
type Annotator struct {
	userID  *int32
	session *Session
}

// User returns the annotator who is a user.
func User(id int32) Annotator { return Annotator{userID: &id} }

// Anonymous returns the annotator that is an anonymous session.
func Anonymous(session Session) Annotator { return Annotator{session: &session} }

// String returns the id of the user, or that of the session, by which url_reservations knows the annotator.
func (a Annotator) String() string {
	if a.session != nil {
		return a.session.String()
	}
	return strconv.Itoa(int(*a.userID))
}

// Hold reserves a URL for an annotator, or extends the reservation, and returns when it ends. It replaces the annotator's
// reservation of another URL. Errors: *unknown.Error, ErrHeldByOthers, ErrNotOffered and ErrNothingIsReserved.
func (s *Service) Hold(ctx context.Context, by Annotator, urlID int32) (time.Time, error) {
	if s.reserve.For == 0 {
		return time.Time{}, ErrNothingIsReserved
	}
	conn, err := s.pool.AcquireWriter(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("reserve URL %d: %w", urlID, err)
	}
	defer conn.Release()
	var until time.Time
	err = postgres.Retry(ctx, func() (err error) {
		until, err = s.hold(ctx, conn, by, urlID)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reserve URL %d: %w", urlID, err)
	}
	return until, nil
}

func (s *Service) hold(ctx context.Context, conn *postgres.Conn, by Annotator, urlID int32) (time.Time, error) {
	defer phase.Start(ctx, phase.Reservation)()
	offered, err := queries.ReservationIsOffered(ctx, conn, db.ReservationIsOfferedParams{
		URLID: urlID, UserID: by.userID, SessionID: by.session,
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return time.Time{}, unknown.New(unknown.URL, urlID)
	case err != nil:
		return time.Time{}, err
	case !offered:
		return time.Time{}, ErrNotOffered
	}
	hidden, err := queries.ReservationSuggestionsHidden(ctx, conn, db.ReservationSuggestionsHiddenParams{
		Annotator: by.String(), URLID: urlID,
	})
	if err != nil {
		return time.Time{}, err
	}
	for range mostChoices {
		rows, err := queries.ReservationVoteList(ctx, conn, urlID)
		if err != nil {
			return time.Time{}, err
		}
		got, err := s.claim(ctx, conn, asking{by: by, hidden: hidden}, urlID, s.needOf(rows))
		if err != nil || got.granted {
			return got.until, err
		}
		if !got.lost {
			return time.Time{}, ErrHeldByOthers
		}
	}
	return time.Time{}, ErrHeldByOthers
}

// Release ends an annotator's reservation of a URL, if there is one. The error is *unknown.Error for an unknown URL.
func (s *Service) Release(ctx context.Context, by Annotator, urlID int32) error {
	err := postgres.Repeatable(ctx, s.pool, func(ctx context.Context, conn *postgres.Conn) error {
		row, err := queries.ReservationRelease(ctx, conn, db.ReservationReleaseParams{Annotator: by.String(), URLID: urlID})
		if err == nil && !row.URLKnown {
			err = unknown.New(unknown.URL, urlID)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("release URL %d: %w", urlID, err)
	}
	return nil
}

// need is how many annotators may have a URL reserved at a revision of the URL.
type need struct {
	answers  int32
	revision int64
}

// needOf is what the votes about a URL, which exists, say.
func (s *Service) needOf(rows []db.ReservationVoteListRow) need {
	if len(rows) == 0 {
		return need{answers: 1, revision: ranking.UnknownRevision}
	}
	answers := s.reserve.Overlap
	if answers == 0 {
		rule := consensus.Rule{Threshold: rows[0].Threshold, AnonymousWeight: rows[0].AnonymousWeight}
		answers = int32(rule.Needed(votesOf(rows)))
	}
	return need{answers, rows[0].ChangedXid}
}

func votesOf(rows []db.ReservationVoteListRow) consensus.Votes {
	votes := consensus.Votes{}
	for _, row := range rows {
		if row.Attribute != "" {
			votes.Add(consensus.Attribute(row.Attribute), row.Value, consensus.Count{Users: row.Users, Sessions: row.Sessions})
		}
	}
	return votes
}

// trims reports whether reservations end when a URL needs fewer answers than before. With Overlap, the need is always the same.
func (s *Service) trims() bool { return s.reserve.For > 0 && s.reserve.Overlap == 0 }

// trim ends reservations of URLs whose votes the transaction has changed, and whose rows of the queue it has locked: those beyond
// what a URL needs now, in the highest slots.
func (s *Service) trim(ctx context.Context, tx pgx.Tx, urlIDs []int32) error {
	if !s.trims() {
		return nil
	}
	crowded, err := queries.ReservationCrowdedURLList(ctx, tx, db.ReservationCrowdedURLListParams{URLIDs: urlIDs, Now: s.time()})
	if err != nil {
		return fmt.Errorf("look for URLs with several reservations: %w", err)
	}
	for _, urlID := range crowded {
		rows, err := queries.ReservationVoteList(ctx, tx, urlID)
		if err != nil {
			return fmt.Errorf("read the votes of URL %d: %w", urlID, err)
		}
		err = queries.ReservationTrim(ctx, tx, db.ReservationTrimParams{URLID: urlID, Needed: s.needOf(rows).answers, Now: s.time()})
		if err != nil {
			return fmt.Errorf("end reservations of URL %d: %w", urlID, err)
		}
	}
	return nil
}

// claimed is the result of a claim. If it is neither granted nor lost, others have reserved the URL.
type claimed struct {
	granted bool
	lost    bool      // the URL has changed since it was chosen
	until   time.Time // of a granted one
}

// claim reserves a URL for the annotator if it still has the revision and fewer others than it needs have reserved it: the guard.
func (s *Service) claim(ctx context.Context, conn db.DBTX, ask asking, urlID int32, at need) (claimed, error) {
	defer phase.Start(ctx, phase.Reservation)()
	if s.claims != nil {
		conn = s.claims(conn)
	}
	params := db.ReservationClaimParams{
		Annotator: ask.by.String(), URLID: urlID, Revision: at.revision, Needed: at.answers,
		Seconds: s.reserve.For.Seconds(), SuggestionsHidden: ask.hidden, Now: s.time(),
	}
	if ask.unreserved {
		row, err := queries.ReservationClaimFirst(ctx, conn, db.ReservationClaimFirstParams{
			Annotator: params.Annotator, URLID: urlID, Revision: params.Revision, Needed: params.Needed,
			Seconds: params.Seconds, SuggestionsHidden: params.SuggestionsHidden, Now: params.Now,
		})
		switch {
		case err != nil:
			return claimed{}, fmt.Errorf("reserve URL %d: %w", urlID, err)
		case row.Granted:
			s.cache.rename(urlID, at.revision, row.Revision)
			return claimed{granted: true, until: row.ExpiresAt}, nil
		}
	}
	row, err := queries.ReservationClaim(ctx, conn, params)
	switch {
	case errors.Is(err, errSlotTaken):
		return claimed{lost: true}, nil
	case err != nil:
		return claimed{}, fmt.Errorf("reserve URL %d: %w", urlID, err)
	}
	// The claim has changed nothing of what is shown.
	s.cache.rename(urlID, at.revision, row.Revision)
	return claimed{granted: row.Granted, lost: !row.Found, until: row.ExpiresAt}, nil
}

// mostChoices is how often an annotator loses the URL that was chosen to others before the annotator gets one that is shared. Each
// loss means that others have got the URL. So a loss is rare, unless many annotators who ask at once outnumber the connections.
const mostChoices = 64

// offerReserved is offer with a reservation. The annotator's own reservation comes first. An error for which cannotReserve is true
// may leave nothing but a reservation that expires.
func (s *Service) offerReserved(ctx context.Context, conn *postgres.Conn, ask asking) (Offer, error) {
	if conn.IsReadOnly() {
		return s.offer(ctx, conn, ask)
	}
	var behind *Offer // the annotator's own, of a URL that needs fewer answers than others have reserved
	if ask.filter.URLID == nil && !ask.unreserved {
		own, ahead, err := s.reservedBefore(ctx, conn, ask)
		if err != nil || own != nil && !ahead {
			return orNone(own), err
		}
		behind = own
		ask.unreserved = own == nil
	}
	last, lost, swept := Offer{}, 0, false
	for range mostChoices {
		chosen, err := s.chooseAfter(ctx, conn, ask, lost)
		switch {
		case err != nil:
			return Offer{}, err
		case chosen == nil:
			if !swept && ask.filter.URLID == nil {
				swept = true
				if freed, err := sweep(ctx, conn, s.time(), true); err != nil || freed > 0 {
					if err != nil {
						return Offer{}, err
					}
					continue
				}
			}
			offer, missed, err := s.offerShared(ctx, conn, ask, behind)
			if err != nil || !missed {
				return offer, err
			}
			last = Offer{Reason: AllReserved, RetryAfter: time.Second}
			continue
		}
		offer, got, err := s.offerClaimed(ctx, conn, ask, chosen, false)
		if err != nil || got.granted || ask.filter.URLID != nil && !got.lost {
			return offer, err
		}
		last = offer
		lost++
	}
	if ask.filter.URLID == nil && s.reserve.WhenAllReserved == Wait {
		return Offer{Reason: AllReserved, RetryAfter: time.Second}, nil
	}
	return last, nil
}

// mostAhead bounds how many URLs an annotator skips who has lost several to others.
const mostAhead = 64

// chooseAfter is choose for an annotator who has lost so many URLs to others. Annotators who ask at once choose the same URL, and
// most of them lose it. So that they do not meet at each further URL too, they take one of the first at random: of the first two
// after two losses, of twice as many after each further one. Without a URL so far behind, it is the first.
func (s *Service) chooseAfter(ctx context.Context, conn db.DBTX, ask asking, lost int) (*ranking.Choice, error) {
	if lost > 1 && ask.filter.URLID == nil {
		behind := ask
		behind.filter.Skip = rand.Int32N(min(int32(1)<<min(lost-1, 16), mostAhead))
		if chosen, err := s.choose(ctx, conn, behind); err != nil || chosen != nil {
			return chosen, err
		}
	}
	return s.choose(ctx, conn, ask)
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
	stop := phase.Start(ctx, phase.Reservation)
	row, err := queries.ReservationExtend(ctx, conn, db.ReservationExtendParams{
		Annotator: ask.by.String(), UserID: ask.by.userID, SessionID: ask.by.session, BatchID: ask.filter.BatchID,
		Seconds: s.reserve.For.Seconds(), Now: s.time(),
	})
	stop()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("extend reservation: %w", err)
	}
	offer, at, err := s.described(ctx, conn, ask, &ranking.Choice{
		URLID: row.URLID, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash, Revision: row.ChangedXid,
	})
	if err != nil {
		return nil, false, err
	}
	offer.Reason, offer.ReservedUntil = ReservedByYou, row.ExpiresAt
	if row.SuggestionsHidden && !offer.Next.SuggestionsHidden {
		err := queries.ReservationShow(ctx, conn, db.ReservationShowParams{Annotator: ask.by.String(), URLID: row.URLID})
		if err != nil {
			return nil, false, fmt.Errorf("record that suggestions are shown: %w", err)
		}
	}
	if row.Ahead < at.answers {
		return &offer, false, nil
	}
	if s.reserve.WhenAllReserved != Wait {
		offer.Reason = Shared
		return &offer, true, nil // a claim replaces the reservation
	}
	_, err = queries.ReservationRelease(ctx, conn, db.ReservationReleaseParams{Annotator: ask.by.String(), URLID: row.URLID})
	if err != nil {
		return nil, false, fmt.Errorf("release reservation: %w", err)
	}
	return nil, true, nil
}

// offerClaimed describes a URL and claims it; without bound, if others have as many as it needs.
func (s *Service) offerClaimed(
	ctx context.Context, conn *postgres.Conn, ask asking, chosen *ranking.Choice, shared bool,
) (Offer, claimed, error) {
	offer, at, err := s.described(ctx, conn, ask, chosen)
	if err != nil {
		return Offer{}, claimed{}, err
	}
	if shared {
		offer.Reason, at.answers = Shared, math.MaxInt32
	}
	ask.hidden = offer.Next.SuggestionsHidden
	got, err := s.claim(ctx, conn, ask, chosen.URLID, at)
	if got.granted {
		offer.ReservedUntil = got.until
	}
	return offer, got, err
}

// offerShared is for an annotator for whom there is no URL that is not reserved by as many others as it needs. missed reports that
// there is none either that is reserved, but that a URL was left: it was reserved when those were read that are not, or the other
// way round.
func (s *Service) offerShared(ctx context.Context, conn *postgres.Conn, ask asking, behind *Offer) (_ Offer, missed bool, _ error) {
	if behind != nil {
		return *behind, false, nil
	}
	if ask.filter.URLID != nil {
		offer, err := s.offerNone(ctx, conn, ask)
		return offer, false, err
	}
	if s.reserve.WhenAllReserved == Wait {
		return s.waitForOthers(ctx, conn, ask)
	}
	var last *Offer
	for range 3 {
		stop := phase.Start(ctx, phase.Reservation)
		row, err := queries.ReservationShareGet(ctx, conn, db.ReservationShareGetParams{
			Annotator: ask.by.String(), UserID: ask.by.userID, SessionID: ask.by.session, BatchID: ask.filter.BatchID, Now: s.time(),
		})
		stop()
		if errors.Is(err, pgx.ErrNoRows) {
			break
		}
		if err != nil {
			return Offer{}, false, fmt.Errorf("choose reserved URL: %w", err)
		}
		offer, got, err := s.offerClaimed(ctx, conn, ask, &ranking.Choice{
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
	return s.offerNoneLeft(ctx, conn, ask)
}

// waitForOthers reports when the first of the reservations of others ends. missed is as that of offerShared.
func (s *Service) waitForOthers(ctx context.Context, conn *postgres.Conn, ask asking) (_ Offer, missed bool, _ error) {
	stop := phase.Start(ctx, phase.Reservation)
	row, err := queries.ReservationFirstExpiry(ctx, conn, db.ReservationFirstExpiryParams{
		UserID: ask.by.userID, SessionID: ask.by.session, BatchID: ask.filter.BatchID, Now: s.time(),
	})
	stop()
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

// ReservationCount returns how many annotators have a URL reserved.
func ReservationCount(ctx context.Context, on db.DBTX) (int64, error) {
	live, err := queries.ReservationCount(ctx, on)
	if err != nil {
		return 0, fmt.Errorf("count reservations: %w", err)
	}
	return live, nil
}
