package annotation

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/ranking"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

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
	votes := votesOf(rows)
	url.room = e.neededBy(e.rule, votes)
	if url.Cause == IsValidated || url.Cause == IsSuspended {
		return nil
	}
	url.Needed, url.Open = int32(e.rule.Needed(votes)), e.rule.Open(votes)
	return nil
}
