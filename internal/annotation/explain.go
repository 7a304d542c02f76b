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
	"docket/internal/urlform"
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

// ExplainNext explains what Next would offer the user, with the same filter, as of one snapshot. It reserves nothing and sets no cursor.
// It returns an unknown.Error if the URL or the batch of the filter does not exist.
func (s *Service) ExplainNext(ctx context.Context, userID int32, filter Filter) (Explanation, error) {
	return s.explain(ctx, User(userID), filter)
}

// ExplainNextAnonymous is ExplainNext for an anonymous session, known or not. The filter must have no batch.
func (s *Service) ExplainNextAnonymous(ctx context.Context, session Session, filter Filter) (Explanation, error) {
	return s.explain(ctx, Anonymous(session), filter)
}

func (s *Service) explain(ctx context.Context, by Annotator, filter Filter) (explanation Explanation, err error) {
	defer phase.Start(ctx, phase.MainQuery)()
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

// explainer explains one offer, in a transaction that only reads.
type explainer struct {
	*Service
	tx     pgx.Tx
	by     Annotator
	filter Filter
	ranked Ranking

	reservations bool // can be read
	rule         consensus.Rule
	own          *db.ExplainReservationGetRow // nil: none is live
}

func (e *explainer) explain(ctx context.Context) (explanation Explanation, err error) {
	if err := e.prepare(ctx); err != nil {
		return explanation, err
	}
	if e.filter.URLID != nil {
		explanation.Reason = Requested
		if explanation.URL, err = e.describeURL(ctx, *e.filter.URLID); err != nil {
			return explanation, err
		}
	} else if explanation.URL, explanation.Reason, err = e.choose(ctx); err != nil {
		return explanation, err
	}
	explanation.Counts, err = e.count(ctx)
	return explanation, err
}

func (e *explainer) prepare(ctx context.Context) error {
	state, err := queries.ExplainStateGet(ctx, e.tx, e.filter.BatchID)
	if err != nil {
		return err
	}
	if !state.BatchKnown {
		return unknown.New(unknown.Batch, *e.filter.BatchID)
	}
	if e.rule, err = consensus.CurrentRule(ctx, e.tx); err != nil {
		return err
	}
	e.reservations = !state.InRecovery
	if !e.reservations {
		return nil
	}
	own, err := queries.ExplainReservationGet(ctx, e.tx, e.by.String())
	if err == nil {
		e.own = &own
	} else if !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read the reservation: %w", err)
	}
	return nil
}

// choose returns the URL that would be offered, or nil, and why.
func (e *explainer) choose(ctx context.Context) (*ExplainedURL, Reason, error) {
	if e.own != nil {
		url, err := e.describeURL(ctx, e.own.URLID)
		if _, deleted := errors.AsType[*unknown.Error](err); err != nil && !deleted {
			return nil, "", err
		}
		if err == nil && url.Cause == Offered {
			return url, ReservedByYou, nil
		}
	}
	chosen, err := chooseFrom(ctx, e.tx, e.ranked, e.by, e.filter)
	if err != nil {
		return nil, "", fmt.Errorf("choose next URL: %w", err)
	}
	if chosen != nil {
		url, err := e.describeURL(ctx, chosen.URLID)
		return url, NextInOrder, err
	}
	urlID, err := e.skipped(ctx)
	if err == nil {
		url, err := e.describeURL(ctx, urlID)
		return url, SkippedByYou, err
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, "", fmt.Errorf("choose among skipped URLs: %w", err)
	}
	reason, err := e.emptyReason(ctx, e.tx, e.ranked, e.by, e.filter)
	return nil, reason, err
}

// skipped returns the URL that the annotator is given when nothing else is left.
func (e *explainer) skipped(ctx context.Context) (int32, error) {
	if e.by.userID == nil {
		row, err := queries.AnonymousSkipNextGet(ctx, e.tx, *e.by.session)
		return row.URLID, err
	}
	row, err := queries.SkipNextGet(ctx, e.tx, db.SkipNextGetParams{UserID: *e.by.userID, BatchID: e.filter.BatchID})
	return row.URLID, err
}

func (e *explainer) count(ctx context.Context) (Causes, error) {
	row, err := queries.ExplainCauseCount(ctx, e.tx, db.ExplainCauseCountParams{
		BatchID: e.filter.BatchID, OwnURLID: e.ownURL(), UserID: e.by.userID, SessionID: e.by.session,
	})
	if err != nil {
		return Causes{}, fmt.Errorf("count URLs by cause: %w", err)
	}
	return Causes{
		All:         row.Total,
		NotQueued:   row.Total - row.Queued + row.Ineligible - row.Flagged,
		FilteredOut: row.Queued - row.Inside,
		Validated:   row.Validated,
		Suspended:   row.Flagged - row.Validated,
		Done:        row.Passed - row.Skipped,
		Skipped:     row.Skipped,
		Reserved:    row.Reserved,
		Offered:     row.Inside - row.Ineligible - row.Passed - row.Reserved,
	}, nil
}

func (e *explainer) ownURL() *int32 {
	if e.own == nil {
		return nil
	}
	return &e.own.URLID
}

// describeURL returns an unknown.Error if there is no such URL.
func (e *explainer) describeURL(ctx context.Context, urlID int32) (*ExplainedURL, error) {
	row, err := queries.ExplainURLGet(ctx, e.tx, db.ExplainURLGetParams{
		URLID: urlID, UserID: e.by.userID, SessionID: e.by.session,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, unknown.New(unknown.URL, urlID)
	}
	if err != nil {
		return nil, fmt.Errorf("read URL %d: %w", urlID, err)
	}
	url := &ExplainedURL{
		ID: row.ID, URL: urlform.Full(row.Scheme, row.URL, row.TrailingSlash), Cause: e.cause(row), BatchID: row.BatchID,
		OwnFollow: row.OwnFollow, OwnLocations: row.OwnLocations, Followed: row.Followed, Manual: row.Manual,
		URLTypes: Given{row.Users, row.Sessions, row.Robots},
	}
	if row.SkipReason != nil {
		url.Skip = &ActiveSkip{Reason: string(*row.SkipReason), At: *row.SkippedAt, ReturnsAt: row.ReturnsAt}
	}
	if err := e.addReservations(ctx, url); err != nil {
		return nil, err
	}
	if err := e.addNeeds(ctx, url); err != nil {
		return nil, err
	}
	if err := e.addPlace(ctx, url, row); err != nil {
		return nil, fmt.Errorf("count URLs before URL %d: %w", urlID, err)
	}
	return url, nil
}

// cause is the cause under which ExplainCauseCount counts the URL.
func (e *explainer) cause(row db.ExplainURLGetRow) Cause {
	own := e.own != nil && e.own.URLID == row.ID
	switch batch := e.filter.BatchID; {
	case !row.Queued:
		return NotQueued
	case batch != nil && (row.BatchID == nil || *row.BatchID != *batch):
		return OutsideBatch
	case row.Eligible && row.Passed && row.SkipReason == nil:
		return DoneByYou
	case row.Eligible && row.Passed:
		return PutOff
	case row.Eligible && row.Reserved && !own:
		return FullyReserved
	case row.Eligible:
		return Offered
	case row.Validated:
		return IsValidated
	case row.Suspended:
		return IsSuspended
	default:
		return NotQueued
	}
}

// addPlace sets the place of a URL that is offered.
func (e *explainer) addPlace(ctx context.Context, url *ExplainedURL, row db.ExplainURLGetRow) error {
	if url.Cause != Offered {
		return nil
	}
	if _, byView := e.ranked.(ranking.Matview); byView {
		found, err := queries.ExplainBeforeCountMatview(ctx, e.tx, db.ExplainBeforeCountMatviewParams{
			UserID: e.by.userID, SessionID: e.by.session, BatchID: e.filter.BatchID, URLID: url.ID,
		})
		if errors.Is(err, pgx.ErrNoRows) { // the queue differs from the tables; docket queue verify reports it
			return nil
		}
		url.Place, url.URLTypes = found.Before+1, Given{found.Users, found.Sessions, found.Robots}
		return err
	}
	before, err := e.before(ctx, row)
	url.Place = before + 1
	return err
}

// before counts the URLs that come before a URL in the order of the annotator: those of the batches that the annotator follows come
// before all others.
func (e *explainer) before(ctx context.Context, row db.ExplainURLGetRow) (int64, error) {
	batches := row.OwnBatches
	if e.filter.BatchID != nil {
		batches = []int32{*e.filter.BatchID}
	}
	within, err := queries.ExplainBeforeCountInBatches(ctx, e.tx, db.ExplainBeforeCountInBatchesParams{
		Priority: row.Priority, URLID: row.ID, BatchIDs: batches, UserID: e.by.userID, SessionID: e.by.session,
	})
	if err != nil || row.OwnFollow || e.filter.BatchID != nil {
		return within.Before, err
	}
	all, err := queries.ExplainBeforeCount(ctx, e.tx, db.ExplainBeforeCountParams{
		Priority: row.Priority, URLID: row.ID, UserID: e.by.userID, SessionID: e.by.session,
	})
	return all - within.Before + within.Total, err
}

func (e *explainer) addReservations(ctx context.Context, url *ExplainedURL) error {
	if !e.reservations {
		return nil
	}
	rows, err := queries.ExplainReservationList(ctx, e.tx, url.ID)
	if err != nil {
		return fmt.Errorf("list reservations of URL %d: %w", url.ID, err)
	}
	for _, row := range rows {
		held := HeldReservation{Own: row.Annotator == e.by.String(), ExpiresAt: row.ExpiresAt}
		if id, err := strconv.ParseInt(row.Annotator, 10, 32); err == nil {
			held.UserID = new(int32(id))
		}
		url.Reservations = append(url.Reservations, held)
	}
	return nil
}

func (e *explainer) addNeeds(ctx context.Context, url *ExplainedURL) error {
	if url.Cause == IsValidated || url.Cause == IsSuspended {
		return nil
	}
	votes, err := consensus.VotesOf(ctx, e.tx, url.ID)
	if err != nil {
		return err
	}
	url.Open = e.rule.Open(votes)
	return nil
}
