package annotation

import (
	"cmp"
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
	own, err := queries.ExplainReservationGet(ctx, e.tx, db.ExplainReservationGetParams{
		Annotator: e.by.String(), Now: e.time(),
	})
	if err == nil {
		e.own = &own
	} else if !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read the reservation: %w", err)
	}
	return nil
}

// choose returns the URL that would be offered, or nil, and why. It follows nextFrom step by step: what that would write is taken
// into account without being written.
func (e *explainer) choose(ctx context.Context) (*ExplainedURL, Reason, error) {
	if !e.reserving() {
		chosen, err := chooseFrom(ctx, e.tx, e.ranked, e.by, e.filter)
		if err != nil {
			return nil, "", fmt.Errorf("choose next URL: %w", err)
		}
		if chosen == nil {
			return e.chooseLast(ctx)
		}
		url, err := e.describeURL(ctx, chosen.URLID)
		return url, NextInOrder, err
	}
	own, err := e.chooseOwn(ctx)
	if err != nil || own != nil && !own.refused() {
		return own, ReservedByYou, err
	}
	refused, url, err := e.chooseInOrder(ctx)
	if err != nil || url != nil {
		return url, NextInOrder, err
	}
	switch {
	case own != nil && e.reserve.WhenAllReserved == Share:
		return own, Shared, nil
	case e.reserve.WhenAllReserved == Share:
		if url, err = e.chooseShared(ctx, refused); err != nil || url != nil {
			return url, Shared, err
		}
	default:
		reason, err := e.emptyReason(ctx, e.tx, e.ranked, e.by, e.filter)
		if err != nil || len(refused) > 0 || reason == AllReserved {
			return nil, AllReserved, err
		}
	}
	return e.chooseLast(ctx)
}

// reserving reports whether Next would reserve a URL.
func (e *explainer) reserving() bool {
	return e.reservations && e.reserve.For > 0 && e.filter.Skip == 0
}

// refused reports whether the URL would not be reserved for the annotator: as many others as it needs have reserved it. Only those
// who did so before count for an annotator who has reserved it.
func (u *ExplainedURL) refused() bool { return u.ahead >= u.room }

// chooseOwn returns the URL that the annotator has reserved, if it can still be offered.
func (e *explainer) chooseOwn(ctx context.Context) (*ExplainedURL, error) {
	if e.own == nil {
		return nil, nil
	}
	url, err := e.describeURL(ctx, e.own.URLID)
	if _, deleted := errors.AsType[*unknown.Error](err); deleted {
		return nil, nil
	}
	if err != nil || url.Cause != Offered && url.Cause != PutOff { // it may be one that was offered again after all others
		return nil, err
	}
	return url, nil
}

// chooseInOrder returns the first URL of the annotator's order that would be reserved, or nil, and those that would be refused:
// first among the URLs that are not reserved according to the queue, then among those that a sweep offers again.
func (e *explainer) chooseInOrder(ctx context.Context) (refused []*ExplainedURL, found *ExplainedURL, err error) {
	filter := e.filter
	for filter.Skip = 0; filter.Skip < mostChoices; filter.Skip++ {
		chosen, err := chooseFrom(ctx, e.tx, e.ranked, e.by, filter)
		if err != nil {
			return nil, nil, fmt.Errorf("choose next URL: %w", err)
		}
		if chosen == nil {
			break
		}
		url, err := e.describeURL(ctx, chosen.URLID)
		if err != nil || !url.refused() {
			return nil, url, err
		}
		refused = append(refused, url)
	}
	expired, err := queries.ExplainExpiredList(ctx, e.tx, db.ExplainExpiredListParams{
		BatchID: e.filter.BatchID, UserID: e.by.userID, SessionID: e.by.session, Now: e.time(),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list URLs with expired reservations: %w", err)
	}
	for _, urlID := range expired {
		url, err := e.describeURL(ctx, urlID)
		if err != nil || !url.refused() {
			return nil, url, err
		}
	}
	return refused, nil, nil
}

// chooseShared returns the reserved URL with the fewest reservations of others, then the first in the order of the annotator; nil
// if there is none. The queue does not have those that were refused as reserved.
func (e *explainer) chooseShared(ctx context.Context, refused []*ExplainedURL) (shared *ExplainedURL, err error) {
	row, err := queries.ReservationShareGet(ctx, e.tx, db.ReservationShareGetParams{
		Annotator: e.by.String(), UserID: e.by.userID, SessionID: e.by.session, BatchID: e.filter.BatchID, Now: e.time(),
	})
	if err == nil {
		if shared, err = e.describeURL(ctx, row.URLID); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("choose reserved URL: %w", err)
	}
	for _, url := range refused {
		if shared == nil || url.sharedBefore(shared) {
			shared = url
		}
	}
	return shared, nil
}

func (u *ExplainedURL) sharedBefore(other *ExplainedURL) bool {
	last := func(follows bool) int {
		if follows {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(u.others, other.others), cmp.Compare(last(u.OwnFollow), last(other.OwnFollow)),
		cmp.Compare(u.priority, other.priority), cmp.Compare(u.ID, other.ID),
	) < 0
}

// chooseLast returns a URL that the annotator has skipped, or why there is none.
func (e *explainer) chooseLast(ctx context.Context) (*ExplainedURL, Reason, error) {
	skipped, err := queries.ExplainSkippedList(ctx, e.tx, db.ExplainSkippedListParams{
		BatchID: e.filter.BatchID, UserID: e.by.userID, SessionID: e.by.session,
	})
	if err != nil {
		return nil, "", fmt.Errorf("list skipped URLs: %w", err)
	}
	var oldest *ExplainedURL // of those that others have reserved
	for _, row := range skipped {
		url, err := e.describeURL(ctx, row.URLID)
		if err != nil || !e.reserving() || !row.Reserved && !url.refused() {
			return url, SkippedByYou, err
		}
		if oldest == nil || url.Skip.At.Before(oldest.Skip.At) {
			oldest = url
		}
	}
	switch {
	case oldest == nil:
		reason, err := e.emptyReason(ctx, e.tx, e.ranked, e.by, e.filter)
		return nil, reason, err
	case e.reserve.WhenAllReserved == Wait:
		return nil, AllReserved, nil
	}
	return oldest, SkippedByYou, nil
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
		URLTypes: Given{row.Users, row.Sessions, row.Robots}, priority: row.Priority,
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
	rows, err := queries.ExplainReservationList(ctx, e.tx, db.ExplainReservationListParams{URLID: url.ID, Now: e.time()})
	if err != nil {
		return fmt.Errorf("list reservations of URL %d: %w", url.ID, err)
	}
	for _, row := range rows {
		held := HeldReservation{Own: row.Annotator == e.by.String(), ExpiresAt: row.ExpiresAt}
		if id, err := strconv.ParseInt(row.Annotator, 10, 32); err == nil {
			held.UserID = new(int32(id))
		}
		url.Reservations = append(url.Reservations, held)
		if held.Own {
			continue
		}
		url.others++
		if e.own == nil || e.own.URLID != url.ID || row.Slot < e.own.Slot {
			url.ahead++
		}
	}
	return nil
}

func (e *explainer) addNeeds(ctx context.Context, url *ExplainedURL) error {
	rows, err := queries.ReservationVoteList(ctx, e.tx, url.ID)
	if err != nil {
		return fmt.Errorf("read the votes about URL %d: %w", url.ID, err)
	}
	url.room = e.needOf(rows).answers
	if url.Cause == IsValidated || url.Cause == IsSuspended {
		return nil
	}
	votes := votesOf(rows)
	url.Needed, url.Open = int32(e.rule.Needed(votes)), e.rule.Open(votes)
	return nil
}
