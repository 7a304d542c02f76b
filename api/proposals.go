package api

import (
	"context"

	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/convert"
)

// proposalHandlers serve proposals of agencies.
type proposalHandlers struct {
	catalog *catalog.Service
}

// proposalDetails are the reference's texts for the outcomes of a proposal.
var proposalDetails = map[catalog.ProposalOutcome]string{
	catalog.Proposed:        "Successfully added proposed agency.",
	catalog.AlreadyProposed: "An agency with the same properties is already in the proposal queue.",
	catalog.AlreadyAgency:   "An agency with the same properties is already approved.",
}

func (h proposalHandlers) AgencyPropose(
	ctx context.Context, req AgencyProposeRequestObject,
) (AgencyProposeResponseObject, error) {
	result, err := h.catalog.ProposeAgency(ctx, auth.UserFrom(ctx).UserID, catalog.NewAgency{
		Name:             req.Body.Name,
		Type:             string(req.Body.AgencyType),
		JurisdictionType: string(req.Body.JurisdictionType),
		LocationIDs:      req.Body.LocationIds,
	})
	if err != nil {
		return nil, err
	}
	return AgencyPropose200JSONResponse{
		ProposalID: result.ID,
		Status:     ProposalOutcome(result.Outcome),
		Details:    new(proposalDetails[result.Outcome]),
	}, nil
}

func (h proposalHandlers) ProposalList(ctx context.Context, _ ProposalListRequestObject) (ProposalListResponseObject, error) {
	pending, err := h.catalog.PendingProposals(ctx)
	if err != nil {
		return nil, err
	}
	return ProposalList200JSONResponse{Results: convert.Each(pending, func(p catalog.Proposal) Proposal {
		return Proposal{
			ID:               p.ID,
			Name:             p.Name,
			ProposingUserID:  p.ProposingUserID,
			AgencyType:       AgencyType(p.Type),
			JurisdictionType: JurisdictionType(p.JurisdictionType),
			Locations:        convert.Each(p.Locations, agencyLocationFrom),
			CreatedAt:        timestampFrom(p.CreatedAt),
		}
	})}, nil
}

func (h proposalHandlers) ProposalApprove(
	ctx context.Context, req ProposalApproveRequestObject,
) (ProposalApproveResponseObject, error) {
	agencyID, decision, err := h.catalog.ApproveProposal(ctx, auth.UserFrom(ctx).UserID, req.ProposalID)
	if err != nil {
		return nil, err
	}
	return ProposalApprove200JSONResponse{
		Message:  decisionMessage(decision, "Proposed agency approved."),
		Success:  decision == catalog.Decided,
		AgencyID: agencyID,
	}, nil
}

func (h proposalHandlers) ProposalReject(
	ctx context.Context, req ProposalRejectRequestObject,
) (ProposalRejectResponseObject, error) {
	decision, err := h.catalog.RejectProposal(ctx, auth.UserFrom(ctx).UserID, req.ProposalID, req.Body.RejectionReason)
	if err != nil {
		return nil, err
	}
	return ProposalReject200JSONResponse{
		Message: decisionMessage(decision, "Proposed agency rejected."),
		Success: decision == catalog.Decided,
	}, nil
}

// decisionMessage returns the reference's text for a decision, which is done when the proposal was decided.
func decisionMessage(decision catalog.Decision, done string) string {
	switch decision {
	case catalog.NoProposal:
		return "Proposed agency not found."
	case catalog.NotPending:
		return "Proposed agency is not pending."
	default:
		return done
	}
}

func (h proposalHandlers) ProposalUpdate(
	ctx context.Context, req ProposalUpdateRequestObject,
) (ProposalUpdateResponseObject, error) {
	if err := h.catalog.ChangeProposal(ctx, req.ProposalID, agencyChangeFrom(req.Body)); err != nil {
		return nil, err
	}
	return ProposalUpdate200JSONResponse{Message: "Proposed agency updated."}, nil
}

func (h proposalHandlers) ProposalLocationList(
	ctx context.Context, req ProposalLocationListRequestObject,
) (ProposalLocationListResponseObject, error) {
	locations, err := h.catalog.ProposalLocations(ctx, req.ProposalID)
	if err != nil {
		return nil, err
	}
	return ProposalLocationList200JSONResponse{Results: convert.Each(locations, agencyLocationFrom)}, nil
}

func (h proposalHandlers) ProposalLocationInsert(
	ctx context.Context, req ProposalLocationInsertRequestObject,
) (ProposalLocationInsertResponseObject, error) {
	if err := h.catalog.AddProposalLocation(ctx, req.ProposalID, req.LocationID); err != nil {
		return nil, err
	}
	return ProposalLocationInsert200JSONResponse{Message: "Location added to agency."}, nil
}

func (h proposalHandlers) ProposalLocationDelete(
	ctx context.Context, req ProposalLocationDeleteRequestObject,
) (ProposalLocationDeleteResponseObject, error) {
	if err := h.catalog.RemoveProposalLocation(ctx, req.ProposalID, req.LocationID); err != nil {
		return nil, err
	}
	return ProposalLocationDelete200JSONResponse{Message: "Location removed from agency."}, nil
}
