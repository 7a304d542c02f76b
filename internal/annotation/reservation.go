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
	defer phase.Start(ctx, phase.Reservation)()
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
		rows, err := queries.ReservationVoteList(ctx, conn, urlID)
		if err != nil {
			return time.Time{}, err
		}
		got, err := s.claim(ctx, conn, ask, urlID, s.needOf(rows))
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
	defer phase.Start(ctx, phase.Reservation)()
	if s.claims != nil {
		conn = s.claims(conn)
	}
	params := db.ReservationClaimParams{
		Annotator: ask.by.String(), URLID: urlID, Revision: at.revision, Needed: at.answers,
		Seconds: s.reserveFor(ask).Seconds(), SuggestionsHidden: ask.hidden, Now: s.time(),
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

// ReservationCount returns how many annotators have a URL reserved.
func ReservationCount(ctx context.Context, on db.DBTX) (int64, error) {
	live, err := queries.ReservationCount(ctx, on)
	if err != nil {
		return 0, fmt.Errorf("count reservations: %w", err)
	}
	return live, nil
}
