package annotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// Explanation is what an annotator would be offered next, and why.
type Explanation struct {
	Reason Reason        // that of the offer; Requested for a URL that the filter names, also if it is not offered
	URL    *ExplainedURL // nil if none would be offered
	Counts Causes
}

// Causes counts all URLs, each under the first cause that applies, in the order of the fields. They add up to All.
type Causes struct {
	All         int64
	NotQueued   int64 // stored by another program, and not ranked before the next docket queue reconcile
	FilteredOut int64 // outside the batch
	Validated   int64
	Suspended   int64 // and not validated
	Done        int64 // by the annotator
	Skipped     int64 // by the annotator: they come after all others
	Reserved    int64 // by others, as many as the URL needs answers
	Offered     int64
}

// Cause is why an annotator is offered a URL, or not.
type Cause string

// The causes.
const (
	NotQueued     Cause = "not_queued"
	OutsideBatch  Cause = "filtered_out"
	IsValidated   Cause = "validated"
	IsSuspended   Cause = "suspended"
	DoneByYou     Cause = "done_by_you"
	PutOff        Cause = "skipped_by_you"
	FullyReserved Cause = "reserved"
	Offered       Cause = "offered"
)

// ExplainedURL is a URL that an annotator is offered, or has asked about.
type ExplainedURL struct {
	ID      int32
	URL     string // with scheme and trailing slash, where known
	Cause   Cause
	Place   int64 // 1 for the first in the annotator's order; 0 if it is not in it
	BatchID *int32

	// The parts of the order, first to last.
	OwnFollow    bool     // the annotator follows a location that the batch is linked to
	OwnLocations []string // these locations, sorted
	Followed     bool     // any user does
	Manual       bool
	URLTypes     Given

	Skip         *ActiveSkip // nil unless the annotator has skipped it
	Reservations []HeldReservation
	Needed       int32                 // how many more answers a fact takes at best; 0 for a URL that is validated or suspended
	Open         []consensus.Attribute // what annotators do not agree on yet, of all that the URL may need

	priority int64
	others   int32 // who have reserved it
	ahead    int32 // those of the others who would get it before the annotator
	room     int32 // how many annotators may reserve it
}

// Given counts the URL types that users, sessions and robots gave a URL.
type Given struct{ Users, Sessions, Robots int32 }

// ActiveSkip is that an annotator has put a URL off.
type ActiveSkip struct {
	Reason    string
	At        time.Time
	ReturnsAt *time.Time // nil: not before nothing else is left
}

// HeldReservation is a live reservation.
type HeldReservation struct {
	Own       bool
	UserID    *int32 // nil for a session, whose id is a secret
	ExpiresAt time.Time
}

// ExplainNext explains what Next would offer the user, with the same filter, as of one snapshot. It reserves nothing and sets no
// cursor. It returns an unknown.Error if the URL or the batch of the filter does not exist.
func (s *Service) ExplainNext(ctx context.Context, userID int32, filter Filter) (Explanation, error) {
	return s.explain(ctx, User(userID), filter)
}

// ExplainNextAnonymous is ExplainNext for an anonymous session, known or not. The filter must have no batch.
func (s *Service) ExplainNextAnonymous(ctx context.Context, session Session, filter Filter) (Explanation, error) {
	return s.explain(ctx, Anonymous(session), filter)
}

func (s *Service) explain(ctx context.Context, by Annotator, filter Filter) (explanation Explanation, err error) {
	ctx, end := phase.Start(ctx, phase.MainQuery)
	defer end()
	err = postgres.InSnapshot(ctx, s.pool, func(tx pgx.Tx) error {
		e := explainer{Service: s, tx: tx, by: by, filter: filter, ranked: s.ranking}
		if _, live := s.ranking.(*ranking.Queue); live {
			e.ranked = ranking.NewQueue() // its cursors end with it
		}
		explanation, err = e.explain(ctx)
		return err
	})
	if _, isUnknown := errors.AsType[*unknown.Error](err); isUnknown {
		return Explanation{}, err
	}
	if err != nil {
		return Explanation{}, fmt.Errorf("explain the next URL: %w", err)
	}
	return explanation, nil
}
