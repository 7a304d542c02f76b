package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/unknown"
)

// ProposalOutcome says whether a proposal was stored, as in the contract.
type ProposalOutcome string

// A proposal is stored unless an agency or a pending proposal has the same name, types and set of locations. Letter case, white
// space at the ends of a name and the number of spaces between its words do not matter.
const (
	Proposed        ProposalOutcome = "SUCCESS"
	AlreadyProposed ProposalOutcome = "PROPOSAL_DUPLICATE"
	AlreadyAgency   ProposalOutcome = "ACCEPTED_DUPLICATE"
)

// ProposalResult is the outcome of a proposal, and its id if it was stored.
type ProposalResult struct {
	Outcome ProposalOutcome
	ID      *int32
}

// errDuplicate undoes the insertion of a proposal.
var errDuplicate = errors.New("the proposal is a duplicate")

// ProposeAgency stores a user's proposal of an agency as pending, unless it is a duplicate. Of several concurrent proposals that
// are equal, one is stored: proposals of the same name wait for each other. Errors: *ValueError and *unknown.Error.
func (s *Service) ProposeAgency(ctx context.Context, userID int32, agency NewAgency) (ProposalResult, error) {
	if err := checkName(agency.Name); err != nil {
		return ProposalResult{}, err
	}
	result, err := idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (result ProposalResult, err error) {
		// A savepoint, because that a proposal is a duplicate is a result too, which is stored under an Idempotency-Key.
		err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			result, err = proposeAgency(ctx, tx, userID, agency)
			return err
		})
		if errors.Is(err, errDuplicate) {
			return result, nil
		}
		return result, err
	})
	if err != nil {
		return ProposalResult{}, fmt.Errorf("propose agency: %w", err)
	}
	return result, nil
}

// proposeAgency returns errDuplicate and the result if the insertion must be undone.
func proposeAgency(ctx context.Context, tx pgx.Tx, userID int32, agency NewAgency) (ProposalResult, error) {
	stored, err := queries.ProposalInsert(ctx, tx, db.ProposalInsertParams{
		Name:             agency.Name,
		AgencyType:       db.AgencyTypeEnum(agency.Type),
		JurisdictionType: db.JurisdictionTypeEnum(agency.JurisdictionType),
		ProposingUserID:  userID,
		LocationIDs:      agency.LocationIDs,
	})
	if err != nil {
		return ProposalResult{}, err
	}
	if len(stored.UnknownLocationIDs) > 0 {
		return ProposalResult{}, unknown.New(unknown.Location, stored.UnknownLocationIDs...)
	}
	// An equal proposal that is not committed yet is invisible until this transaction has the lock.
	if err := queries.ProposalLockName(ctx, tx, stored.ID); err != nil {
		return ProposalResult{}, fmt.Errorf("lock name: %w", err)
	}
	isAgency, err := queries.ProposalFindEqual(ctx, tx, stored.ID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ProposalResult{Outcome: Proposed, ID: &stored.ID}, nil
	case err != nil:
		return ProposalResult{}, fmt.Errorf("find equal: %w", err)
	case isAgency:
		return ProposalResult{Outcome: AlreadyAgency}, errDuplicate
	default:
		return ProposalResult{Outcome: AlreadyProposed}, errDuplicate
	}
}

// Proposal is a proposal of an agency with all of its locations, by id.
type Proposal struct {
	ID               int32
	Name             string
	Type             string // a value of agency_type_enum
	JurisdictionType string // a value of jurisdiction_type_enum
	Locations        []Location
	ProposingUserID  *int32 // nil in rows of the reference only
	CreatedAt        time.Time
}

// PendingProposals returns all proposals that are pending, by id.
func (s *Service) PendingProposals(ctx context.Context) ([]Proposal, error) {
	rows, err := queries.ProposalListPending(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("list pending proposals: %w", err)
	}
	var proposals []Proposal
	for _, row := range rows {
		if last := len(proposals) - 1; last < 0 || proposals[last].ID != row.ID {
			proposals = append(proposals, Proposal{
				ID: row.ID, Name: row.Name, Type: string(row.AgencyType), JurisdictionType: string(row.JurisdictionType),
				ProposingUserID: row.ProposingUserID, CreatedAt: row.CreatedAt,
			})
		}
		if row.LocationID != 0 {
			proposal := &proposals[len(proposals)-1]
			proposal.Locations = append(proposal.Locations, Location{ID: row.LocationID, Name: row.FullDisplayName})
		}
	}
	return proposals, nil
}

// Decision says whether a proposal was approved or rejected.
type Decision int

// Only a pending proposal can be decided, and only once.
const (
	NoProposal Decision = iota
	NotPending
	Decided
)

// ApproveProposal creates the agency of a pending proposal with its locations and returns its id. Of several concurrent decisions
// about a proposal, the first one counts. Errors: ErrProposalName and *unknown.Error.
func (s *Service) ApproveProposal(ctx context.Context, userID, id int32) (agencyID *int32, decision Decision, err error) {
	done, err := s.decide(ctx, id, func(tx pgx.Tx, proposal db.ProposalLockRow) (*int32, error) {
		if checkName(proposal.Name) != nil {
			return nil, ErrProposalName
		}
		locations, err := queries.ProposalLocationList(ctx, tx, id)
		if err != nil {
			return nil, fmt.Errorf("list locations: %w", err)
		}
		created, err := s.addAgency(ctx, tx, NewAgency{
			Name:             proposal.Name,
			Type:             string(proposal.AgencyType),
			JurisdictionType: string(proposal.JurisdictionType),
			LocationIDs:      convert.Each(locations, func(row db.ProposalLocationListRow) int64 { return row.ID }),
		})
		if err != nil {
			return nil, fmt.Errorf("add agency: %w", err)
		}
		return &created, queries.ProposalApprove(ctx, tx, db.ProposalApproveParams{
			ID: id, DecidingUserID: userID, PromotedAgencyID: created,
		})
	})
	if err != nil {
		return nil, NoProposal, fmt.Errorf("approve proposal %d: %w", id, err)
	}
	return done.AgencyID, done.Decision, nil
}

// RejectProposal rejects a pending proposal for a reason. Of several concurrent decisions about a proposal, the first one counts.
func (s *Service) RejectProposal(ctx context.Context, userID, id int32, reason string) (Decision, error) {
	done, err := s.decide(ctx, id, func(tx pgx.Tx, _ db.ProposalLockRow) (*int32, error) {
		return nil, queries.ProposalReject(ctx, tx, db.ProposalRejectParams{
			ID: id, DecidingUserID: userID, RejectionReason: reason,
		})
	})
	if err != nil {
		return NoProposal, fmt.Errorf("reject proposal %d: %w", id, err)
	}
	return done.Decision, nil
}

// decided is what a decision did: it may have created an agency.
type decided struct {
	Decision Decision
	AgencyID *int32
}

// decide locks a proposal and records a decision about it if it is pending. record returns the id of a new agency.
func (s *Service) decide(
	ctx context.Context, id int32, record func(pgx.Tx, db.ProposalLockRow) (*int32, error),
) (decided, error) {
	return idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (decided, error) {
		proposal, err := queries.ProposalLock(ctx, tx, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return decided{Decision: NoProposal}, nil
		case err != nil:
			return decided{}, fmt.Errorf("lock: %w", err)
		case !proposal.IsPending:
			return decided{Decision: NotPending}, nil
		}
		agencyID, err := record(tx, proposal)
		return decided{Decided, agencyID}, err
	})
}

// ChangeProposal changes a proposal, whatever its status. An agency that was created for it stays as it is. Errors: ErrNoProposal
// and *ValueError.
func (s *Service) ChangeProposal(ctx context.Context, id int32, change AgencyChange) error {
	if change.Name != nil {
		if err := checkName(*change.Name); err != nil {
			return err
		}
	}
	changed, err := queries.ProposalUpdate(ctx, s.pool, db.ProposalUpdateParams{
		ID:               id,
		Name:             change.Name,
		AgencyType:       (*db.AgencyTypeEnum)(change.Type),
		JurisdictionType: (*db.JurisdictionTypeEnum)(change.JurisdictionType),
	})
	if err == nil && changed == 0 {
		err = ErrNoProposal
	}
	if err != nil {
		return fmt.Errorf("change proposal %d: %w", id, err)
	}
	return nil
}

// ProposalLocations returns the locations of a proposal by id. An unknown proposal has none.
func (s *Service) ProposalLocations(ctx context.Context, id int32) ([]Location, error) {
	rows, err := queries.ProposalLocationList(ctx, s.pool, id)
	if err != nil {
		return nil, fmt.Errorf("list locations of proposal %d: %w", id, err)
	}
	return convert.Each(rows, func(row db.ProposalLocationListRow) Location {
		return Location{ID: row.ID, Name: row.FullDisplayName}
	}), nil
}

// AddProposalLocation adds a location to a proposal, whatever its status. An agency that was created for it stays as it is.
// Errors: *unknown.Error and ErrProposalLocationLinked.
func (s *Service) AddProposalLocation(ctx context.Context, id int32, locationID int64) error {
	err := idempotency.OnceDo(ctx, s.pool, func(tx pgx.Tx) error {
		row, err := queries.ProposalLocationInsert(ctx, tx, db.ProposalLocationInsertParams{ProposalID: id, LocationID: locationID})
		switch {
		case err != nil:
			return err
		case !row.ProposalKnown:
			return unknown.New(unknown.Proposal, id)
		case !row.LocationKnown:
			return unknown.New(unknown.Location, locationID)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add location %d to proposal %d: %w", locationID, id, err)
	}
	return nil
}

// RemoveProposalLocation removes a location from a proposal, whatever its status. A location that the proposal does not have is
// no error, and neither is an unknown proposal. An agency that was created for it stays as it is.
func (s *Service) RemoveProposalLocation(ctx context.Context, id int32, locationID int64) error {
	err := queries.ProposalLocationDelete(ctx, s.pool, db.ProposalLocationDeleteParams{ProposalID: id, LocationID: locationID})
	if err != nil {
		return fmt.Errorf("remove location %d from proposal %d: %w", locationID, id, err)
	}
	return nil
}
