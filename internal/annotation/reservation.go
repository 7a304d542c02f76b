package annotation

import (
	"context"
	"errors"
	"fmt"
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
// reservation of another URL. HideSuggestions says that the annotator was shown the URL without suggestions. It counts if the
// annotator has no reservation of the URL any more: a reservation that is stored knows. Errors: *unknown.Error, ErrHeldByOthers,
// ErrNotOffered and ErrNothingIsReserved.
func (s *Service) Hold(ctx context.Context, by Annotator, urlID int32, how ...Showing) (time.Time, error) {
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
		until, err = s.hold(ctx, conn, ask(by, Filter{}, how), urlID)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("reserve URL %d: %w", urlID, err)
	}
	return until, nil
}

func (s *Service) hold(ctx context.Context, conn *postgres.Conn, ask asking, urlID int32) (time.Time, error) {
	ctx, end := phase.Start(ctx, phase.Reservation)
	defer end()
	offered, err := queries.ReservationIsOffered(ctx, conn, db.ReservationIsOfferedParams{
		URLID: urlID, UserID: ask.by.userID, SessionID: ask.by.session,
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return time.Time{}, unknown.New(unknown.URL, urlID)
	case err != nil:
		return time.Time{}, err
	case !offered:
		return time.Time{}, ErrNotOffered
	}
	ask.hidden, err = queries.ReservationSuggestionsHidden(ctx, conn, db.ReservationSuggestionsHiddenParams{
		Annotator: ask.by.String(), URLID: urlID, Hidden: ask.hidden,
	})
	if err != nil {
		return time.Time{}, err
	}
	for range mostChoices {
		at, err := s.needByVotes(ctx, conn, urlID)
		if err != nil {
			return time.Time{}, err
		}
		got, err := s.claim(ctx, conn, ask, urlID, at)
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
	s.holders.remove(by)
	return nil
}

// need is how many annotators may have a URL reserved at a revision of the URL.
type need struct {
	answers  int32
	revision int64
}

// needByVotes reads what a URL needs.
func (s *Service) needByVotes(ctx context.Context, on db.DBTX, urlID int32) (need, error) {
	rows, err := queries.ReservationVoteList(ctx, on, urlID)
	switch {
	case err != nil:
		return need{}, fmt.Errorf("read the votes of URL %d: %w", urlID, err)
	case len(rows) == 0: // the URL was deleted
		return need{answers: 1, revision: ranking.UnknownRevision}, nil
	}
	rule := consensus.Rule{Threshold: rows[0].Threshold, AnonymousWeight: rows[0].AnonymousWeight}
	return need{s.neededBy(rule, votesOf(rows)), rows[0].ChangedXid}, nil
}

func (s *Service) neededBy(rule consensus.Rule, votes consensus.Votes) int32 {
	if s.reserve.Overlap > 0 {
		return s.reserve.Overlap
	}
	return int32(rule.Needed(votes))
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

// trim makes the reservations of URLs fit their votes, which the transaction has changed. It has locked their rows of the queue.
// Reservations beyond what a URL needs now end, those in the highest slots. A URL with fewer is offered again.
func (s *Service) trim(ctx context.Context, tx pgx.Tx, urlIDs []int32) error {
	if s.reserve.For == 0 {
		return nil
	}
	crowded, err := queries.ReservationCrowdedURLList(ctx, tx, db.ReservationCrowdedURLListParams{URLIDs: urlIDs, Now: s.time()})
	if err != nil {
		return fmt.Errorf("look for URLs with several reservations: %w", err)
	}
	for _, urlID := range crowded {
		needed, err := s.offerAgain(ctx, tx, urlID)
		if err != nil {
			return err
		}
		if !s.trims() {
			continue
		}
		err = queries.ReservationTrim(ctx, tx, db.ReservationTrimParams{URLID: urlID, Needed: needed.answers, Now: s.time()})
		if err != nil {
			return fmt.Errorf("end reservations of URL %d: %w", urlID, err)
		}
	}
	return nil
}

// offerAgain has a URL offered that its row of the queue says to be full, if fewer annotators have reserved it than it needs: an
// answer has not lowered the need. It returns the need.
func (s *Service) offerAgain(ctx context.Context, on db.DBTX, urlID int32) (need, error) {
	at, err := s.needByVotes(ctx, on, urlID)
	if err != nil {
		return need{}, err
	}
	err = queries.ReservationOfferAgain(ctx, on, db.ReservationOfferAgainParams{
		URLID: urlID, Revision: at.revision, Needed: at.answers, Now: s.time(),
	})
	if err != nil {
		return need{}, fmt.Errorf("offer URL %d again: %w", urlID, err)
	}
	return at, nil
}

// claimed is the result of a claim. Without any of them, others have reserved the URL.
type claimed struct {
	granted   bool
	lost      bool      // the URL has changed since it was chosen, or another transaction is changing it
	elsewhere bool      // the annotator, who seemed to have no reservation, has one
	until     time.Time // of a granted one
}

// firstShare is the part of ReservePolicy.For for which the first URL of a session is reserved.
const firstShare = 5

// reserveFor returns for how long a claim reserves a URL.
func (s *Service) reserveFor(ask asking) time.Duration {
	if ask.first {
		return s.reserve.For / firstShare
	}
	return s.reserve.For
}

// claim reserves a URL for the annotator if it still has the revision and fewer others than it needs have reserved it: the guard.
func (s *Service) claim(ctx context.Context, conn db.DBTX, ask asking, urlID int32, at need) (claimed, error) {
	ctx, end := phase.Start(ctx, phase.Reservation)
	defer end()
	if s.claims != nil {
		conn = s.claims(conn)
	}
	params := db.ReservationClaimParams{
		Annotator: ask.by.String(), URLID: urlID, Revision: at.revision, Needed: at.answers,
		Seconds: s.reserveFor(ask).Seconds(), SuggestionsHidden: ask.hidden, Now: s.time(),
	}
	if ask.unreserved {
		got, decided, err := s.claimFirst(ctx, conn, params)
		if err != nil || decided {
			return got, err
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

// claimFirst is claim for an annotator who seems to have no reservation. It is not decided if the URL has expired reservations.
func (s *Service) claimFirst(
	ctx context.Context, conn db.DBTX, params db.ReservationClaimParams,
) (got claimed, decided bool, err error) {
	row, err := queries.ReservationClaimFirst(ctx, conn, db.ReservationClaimFirstParams{
		Annotator: params.Annotator, URLID: params.URLID, Revision: params.Revision, Needed: params.Needed,
		Seconds: params.Seconds, SuggestionsHidden: params.SuggestionsHidden, Now: params.Now,
	})
	if err != nil {
		return claimed{}, false, fmt.Errorf("reserve URL %d: %w", params.URLID, err)
	}
	s.cache.rename(params.URLID, params.Revision, row.Revision)
	switch {
	case row.Slot > 0:
		return claimed{granted: true, until: row.ExpiresAt}, true, nil
	case row.Elsewhere:
		return claimed{elsewhere: true}, true, nil
	case row.Expired:
		return claimed{}, false, nil
	default:
		return claimed{lost: !row.Full}, true, nil
	}
}

// ReservationCount returns how many annotators have a URL reserved.
func ReservationCount(ctx context.Context, on db.DBTX) (int64, error) {
	live, err := queries.ReservationCount(ctx, on)
	if err != nil {
		return 0, fmt.Errorf("count reservations: %w", err)
	}
	return live, nil
}
