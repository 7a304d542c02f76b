package annotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/unknown"
)

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
