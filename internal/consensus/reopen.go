package consensus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/idempotency"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

var (
	// ErrNoReason means that a URL cannot be reopened without a reason.
	ErrNoReason = errors.New("the reason must not be blank")
	// ErrNotValidated means that a URL cannot be reopened because it is not validated.
	ErrNotValidated = errors.New("the URL is not validated, so there is nothing to reopen")
	// ErrPublished means that a URL cannot be reopened because the outward application has it.
	ErrPublished = errors.New("the URL is published in the data-sources application, so it cannot be reopened; " +
		"delete it there first, or delete the URL")
)

// Reopener takes validations back. It is safe for concurrent use.
type Reopener struct {
	pool    *postgres.Pool
	changes *changelog.Writer
}

// NewReopener returns a Reopener on the database of pool, which must be migrated.
func NewReopener(pool *postgres.Pool) *Reopener { return &Reopener{pool, changelog.NewWriter()} }

// Reopen takes the validation of a URL back, with what its fact added: the record type, the agency, the location and the name. What
// was stored before, or has been changed since, stays. Annotators are offered the URL again, except those who have answered it. It
// is not validated by agreement again before there is a vote that is newer. The answers stay, and so does a suspension.
//
// What a fact added is in its event of the history. Of a fact that is older than the history, all values that equal those of the
// fact are taken back, and the name before it is not known. Of a validation by hand only the validation is taken back.
//
// Errors: ErrNoReason, *unknown.Error, ErrNotValidated, ErrPublished.
func (r *Reopener) Reopen(ctx context.Context, userID, urlID int32, reason string) error {
	reason = strings.TrimSpace(reason)
	if urlform.IsBlank(reason) {
		return ErrNoReason
	}
	err := idempotency.OnceDo(ctx, r.pool, func(tx pgx.Tx) error { return r.reopen(ctx, tx, userID, urlID, reason) })
	if err != nil {
		return fmt.Errorf("reopen URL %d: %w", urlID, err)
	}
	return nil
}

func (r *Reopener) reopen(ctx context.Context, tx pgx.Tx, userID, urlID int32, reason string) error {
	// In the order in which validations lock them.
	if err := queries.ConsensusURLLockMany(ctx, tx, []int32{urlID}); err != nil {
		return fmt.Errorf("lock the URL: %w", err)
	}
	if err := ranking.Lock(ctx, tx, []int32{urlID}); err != nil {
		return err
	}
	state, err := queries.ReopeningStateGet(ctx, tx, urlID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return unknown.New(unknown.URL, urlID)
	case err != nil:
		return fmt.Errorf("read the validation: %w", err)
	case state.ValidatedType == nil:
		return ErrNotValidated
	case state.Published:
		return ErrPublished
	}
	added, err := addedBy(state)
	if err != nil {
		return err
	}
	taken, err := r.takeBack(ctx, tx, urlID, state, added)
	if err != nil {
		return err
	}
	event := history.Event{URLID: urlID, Kind: history.Reopened, UserID: &userID, Detail: history.Reopening{
		Reason: reason, URLType: string(*state.ValidatedType), TakenBack: taken,
	}}
	if err := history.Append(ctx, tx, []history.Event{event}); err != nil {
		return err
	}
	return ranking.Recount(ctx, tx, []int32{urlID})
}

// addedBy returns what the fact of a URL has added, as far as it is known.
func addedBy(state db.ReopeningStateGetRow) (added history.Added, err error) {
	switch {
	case state.FactURLType == nil:
		return added, nil
	case state.Added == nil: // older than the history
		return history.Added{RecordType: true, Agency: true, Location: true, Name: true}, nil
	}
	if err := json.Unmarshal(state.Added, &added); err != nil {
		return added, fmt.Errorf("read the event of the validation: %w", err)
	}
	return added, nil
}

// takeBack removes the validation and what is both in the fact and among what it added. It returns what it has removed.
func (r *Reopener) takeBack(
	ctx context.Context, tx pgx.Tx, urlID int32, state db.ReopeningStateGetRow, added history.Added,
) (taken history.Added, err error) {
	params := db.ReopeningStoreParams{URLID: urlID}
	if added.RecordType {
		params.RecordType = state.FactRecordType
	}
	if added.Location {
		params.LocationID = state.FactLocationID
	}
	removed, err := queries.ReopeningStore(ctx, tx, params)
	if err != nil {
		return taken, fmt.Errorf("delete the validation: %w", err)
	}
	taken.RecordType, taken.Location = removed.RecordTypeRemoved, removed.LocationRemoved
	if added.Agency && state.FactAgencyID != nil {
		if taken.Agency, err = r.unlinkAgency(ctx, tx, urlID, *state.FactAgencyID); err != nil {
			return taken, err
		}
	}
	if added.Name && state.FactName != nil && state.Name != nil && *state.Name == *state.FactName {
		taken.Name, taken.PreviousName = true, added.PreviousName
	}
	if !taken.Agency && !taken.Name {
		return taken, nil
	}
	return taken, r.update(ctx, tx, db.ReopeningURLUpdateParams{URLID: urlID, Rename: taken.Name, Name: taken.PreviousName})
}

func (r *Reopener) unlinkAgency(ctx context.Context, tx pgx.Tx, urlID, agencyID int32) (unlinked bool, err error) {
	links, err := queries.ReopeningAgencyDelete(ctx, tx, db.ReopeningAgencyDeleteParams{URLID: urlID, AgencyID: agencyID})
	if err != nil {
		return false, fmt.Errorf("remove the agency: %w", err)
	}
	changes := changelog.New(db.OperationTypeDELETE, changelog.URLAgencies)
	for _, link := range links {
		changes.Add(link.ID, link.OldData, nil)
	}
	return len(links) > 0, r.changes.Write(ctx, tx, changes)
}

func (r *Reopener) update(ctx context.Context, tx pgx.Tx, params db.ReopeningURLUpdateParams) error {
	row, err := queries.ReopeningURLUpdate(ctx, tx, params)
	if err != nil {
		return fmt.Errorf("update the URL: %w", err)
	}
	return r.changes.Write(ctx, tx, changelog.New(db.OperationTypeUPDATE, changelog.URLs).Add(params.URLID, row.OldData, row.NewData))
}

// reopened are URLs that were reopened and about which there is no vote since then, by id.
type reopened []int32

func (r reopened) contain(urlID int32) bool {
	_, found := slices.BinarySearch(r, urlID)
	return found
}

// reopenedOf returns those of the URLs that are reopened.
func reopenedOf(ctx context.Context, on db.DBTX, urlIDs []int32) (reopened, error) {
	if len(urlIDs) == 0 {
		return nil, nil
	}
	list, err := queries.ConsensusReopenedList(ctx, on, urlIDs)
	if err != nil {
		return nil, fmt.Errorf("look for reopened URLs: %w", err)
	}
	return list, nil
}
