package api

import (
	"context"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/consensus"
	"docket/internal/convert"
)

func (h annotateHandlers) AnnotateExplain(
	ctx context.Context, req AnnotateExplainRequestObject,
) (AnnotateExplainResponseObject, error) {
	caller, params := auth.UserFrom(ctx), req.Params
	asAdmin := caller.Require(auth.AccessSourceCollector)
	filter := annotation.Filter{BatchID: params.BatchID, URLID: params.AnnoURLID}
	if session := params.SessionID; session != nil {
		switch {
		case asAdmin != nil:
			return nil, asAdmin
		case params.UserID != nil || params.BatchID != nil:
			return nil, &annotation.RuleError{Text: "session_id excludes user_id and batch_id"}
		}
		explanation, err := h.annotations.ExplainNextAnonymous(ctx, *session, filter)
		return AnnotateExplain200JSONResponse(ExplanationFrom(explanation, true)), err
	}
	user := caller.UserID
	if params.UserID != nil && *params.UserID != user {
		if asAdmin != nil {
			return nil, asAdmin
		}
		user = *params.UserID
	}
	explanation, err := h.annotations.ExplainNext(ctx, user, filter)
	return AnnotateExplain200JSONResponse(ExplanationFrom(explanation, asAdmin == nil)), err
}

func (h annotateHandlers) AnnotateAnonymousExplain(
	ctx context.Context, req AnnotateAnonymousExplainRequestObject,
) (AnnotateAnonymousExplainResponseObject, error) {
	filter := annotation.Filter{URLID: req.Params.AnnoURLID}
	explanation, err := h.annotations.ExplainNextAnonymous(ctx, req.Params.SessionID, filter)
	return AnnotateAnonymousExplain200JSONResponse(ExplanationFrom(explanation, false)), err
}

// ExplanationFrom returns an explanation as clients see it, with what only administrators see or without.
func ExplanationFrom(e annotation.Explanation, forAdmin bool) AnnotationExplanation {
	wire := AnnotationExplanation{
		Reason: AnnotationReason(e.Reason),
		Text:   e.Reason.Words(),
		Counts: ExplainedCounts{
			All: e.Counts.All, NotQueued: e.Counts.NotQueued, FilteredOut: e.Counts.FilteredOut, Validated: e.Counts.Validated,
			Suspended: e.Counts.Suspended, DoneByYou: e.Counts.Done, SkippedByYou: e.Counts.Skipped, Reserved: e.Counts.Reserved,
			Offered: e.Counts.Offered,
		},
	}
	if e.URL != nil {
		wire.URL = new(explainedURLFrom(*e.URL, forAdmin))
	}
	return wire
}

func explainedURLFrom(u annotation.ExplainedURL, forAdmin bool) ExplainedURL {
	wire := ExplainedURL{
		URLID:             u.ID,
		URL:               u.URL,
		Cause:             ExplainedURLCause(u.Cause),
		Text:              u.Cause.Words(),
		BatchID:           u.BatchID,
		Order:             u.Order(),
		FollowedByYou:     u.OwnFollow,
		FollowedLocations: u.OwnLocations,
		Followed:          u.Followed,
		Manual:            u.Manual,
		URLTypes:          ExplainedURLTypes{Users: u.URLTypes.Users, Sessions: u.URLTypes.Sessions, Robots: u.URLTypes.Robots},
		Reservations:      explainedReservationsFrom(u.Reservations, forAdmin),
		Needed:            u.Needed,
	}
	if u.Place > 0 {
		wire.Place = &u.Place
	}
	if s := u.Skip; s != nil {
		wire.Skipped = &ExplainedSkip{Reason: s.Reason, CreatedAt: timestampFrom(s.At), ReturnsAt: timestampOrNull(s.ReturnsAt)}
	}
	if forAdmin {
		wire.NotAgreed = new(convert.Each(u.Open, func(a consensus.Attribute) ConsensusAttribute { return ConsensusAttribute(a) }))
	}
	return wire
}

func explainedReservationsFrom(held []annotation.HeldReservation, forAdmin bool) (wire ExplainedReservations) {
	for _, r := range held {
		until := timestampFrom(r.ExpiresAt)
		if r.Own {
			wire.YoursUntil = &until
			continue
		}
		wire.Others++
		if wire.OthersUntil == nil {
			wire.OthersUntil = &until
		}
	}
	if forAdmin {
		wire.Holders = new(convert.Each(held, func(r annotation.HeldReservation) ExplainedHolder {
			return ExplainedHolder{UserID: r.UserID, ExpiresAt: timestampFrom(r.ExpiresAt)}
		}))
	}
	return wire
}
