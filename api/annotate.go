package api

import (
	"context"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/convert"
)

// annotateHandlers serve the annotation cycle of signed-in users and of anonymous sessions.
type annotateHandlers struct {
	annotations *annotation.Service
}

func (h annotateHandlers) AnnotateNext(ctx context.Context, req AnnotateNextRequestObject) (AnnotateNextResponseObject, error) {
	if req.Params.AnnoURLID != nil && req.Params.Offset != nil {
		return nil, &annotation.RuleError{Text: "anno_url_id and offset query arguments cannot both be defined"}
	}
	filter := annotation.Filter{BatchID: req.Params.BatchID, URLID: req.Params.AnnoURLID, Skip: orZero(req.Params.Offset)}
	next, err := h.annotations.Next(ctx, auth.UserFrom(ctx).UserID, filter)
	if err != nil {
		return nil, err
	}
	return AnnotateNext200JSONResponse{NextAnnotation: nextFrom(next)}, nil
}

func (h annotateHandlers) AnnotateSubmit(
	ctx context.Context, req AnnotateSubmitRequestObject,
) (AnnotateSubmitResponseObject, error) {
	user := auth.UserFrom(ctx).UserID
	if err := h.annotations.Submit(ctx, user, req.URLID, answerFrom(req.Body)); err != nil {
		return nil, err
	}
	if !orZero(req.Params.GetNextURL) { // the contract's check has filled in the default
		return AnnotateSubmit200JSONResponse{}, nil
	}
	filter := annotation.Filter{BatchID: req.Params.BatchID, URLID: req.Params.AnnoURLID}
	next, err := h.annotations.Next(ctx, user, filter)
	if err != nil {
		return nil, err
	}
	return AnnotateSubmit200JSONResponse{NextAnnotation: nextFrom(next)}, nil
}

func (h annotateHandlers) AnnotateAnonymousNext(
	ctx context.Context, req AnnotateAnonymousNextRequestObject,
) (AnnotateAnonymousNextResponseObject, error) {
	session := annotation.NewSession()
	if given := req.Params.SessionID; given != nil {
		session = *given
	}
	next, err := h.annotations.NextAnonymous(ctx, session, orZero(req.Params.Offset))
	if err != nil {
		return nil, err
	}
	return AnnotateAnonymousNext200JSONResponse{NextAnnotation: nextFrom(next), SessionID: session}, nil
}

func (h annotateHandlers) AnnotateAnonymousSubmit(
	ctx context.Context, req AnnotateAnonymousSubmitRequestObject,
) (AnnotateAnonymousSubmitResponseObject, error) {
	session := req.Params.SessionID
	if err := h.annotations.SubmitAnonymous(ctx, session, req.URLID, answerFrom(req.Body)); err != nil {
		return nil, err
	}
	if !orZero(req.Params.GetNextURL) {
		return AnnotateAnonymousSubmit200JSONResponse{SessionID: session}, nil
	}
	next, err := h.annotations.NextAnonymous(ctx, session, 0)
	if err != nil {
		return nil, err
	}
	return AnnotateAnonymousSubmit200JSONResponse{NextAnnotation: nextFrom(next), SessionID: session}, nil
}

func (h annotateHandlers) AnnotateMigrate(
	ctx context.Context, req AnnotateMigrateRequestObject,
) (AnnotateMigrateResponseObject, error) {
	done, err := h.annotations.TransferSession(ctx, auth.UserFrom(ctx).UserID, req.Params.SessionID)
	if err != nil {
		return nil, err
	}
	return AnnotateMigrate200JSONResponse{
		Message: "Annotations migrated successfully.", Migrated: done.Transferred, Skipped: done.Skipped,
	}, nil
}

func (h annotateHandlers) AnnotateAgencySuggestions(
	ctx context.Context, req AnnotateAgencySuggestionsRequestObject,
) (AnnotateAgencySuggestionsResponseObject, error) {
	suggestions, err := h.annotations.Agencies(ctx, req.URLID, req.Params.LocationID)
	if err != nil {
		return nil, err
	}
	return AnnotateAgencySuggestions200JSONResponse(entitiesFrom(suggestions)), nil
}

func answerFrom(body *Answer) annotation.Answer {
	answer := annotation.Answer{
		URLType:    annotation.URLType(body.SuggestedStatus),
		RecordType: (*annotation.RecordType)(body.RecordType),
	}
	if agencies := body.AgencyInfo; agencies != nil {
		answer.AgencyIDs, answer.AgencyNotFound = orZero(agencies.AgencyIds), orZero(agencies.NotFound)
	}
	if locations := body.LocationInfo; locations != nil {
		answer.LocationIDs, answer.LocationNotFound = orZero(locations.LocationIds), orZero(locations.NotFound)
	}
	if name := body.NameInfo; name != nil {
		answer.NewName, answer.ExistingNameID = name.NewName, name.ExistingNameID
	}
	return answer
}

func nextFrom(next *annotation.Next) *NextAnnotation {
	if next == nil {
		return nil
	}
	wire := &NextAnnotation{
		URLInfo: URLInfo{URLID: next.URLID, URL: next.URL},
		HTMLInfo: HTMLInfo{
			Index:        -1,
			HTTPResponse: -1,
			Title:        next.HTML.Title,
			Description:  next.HTML.Description,
			H1:           next.HTML.H1,
			H2:           next.HTML.H2,
			H3:           next.HTML.H3,
			H4:           next.HTML.H4,
			H5:           next.HTML.H5,
			H6:           next.HTML.H6,
			Div:          next.HTML.Div,
		},
		AgencySuggestions:   entitiesFrom(next.Agencies),
		LocationSuggestions: entitiesFrom(next.Locations),
		URLTypeSuggestions: convert.Each(next.URLTypes, func(v annotation.URLTypeVotes) URLTypeSuggestion {
			return URLTypeSuggestion{URLType: SuggestedURLType(v.Type), EndorsementCount: v.Votes}
		}),
		RecordTypeSuggestions: RecordTypeSuggestions{
			Suggestions: convert.Each(next.RecordTypes, func(v annotation.RecordTypeVotes) RecordTypeSuggestion {
				return RecordTypeSuggestion{RecordType: RecordType(v.Type), UserCount: v.Votes}
			}),
		},
		NameSuggestions: NameSuggestions{Suggestions: convert.Each(next.Names, nameFrom)},
	}
	if batch := next.Batch; batch != nil {
		wire.BatchInfo = &BatchInfo{
			CountAnnotated:    batch.Annotated,
			TotalUrls:         batch.Total,
			CountNotAnnotated: batch.Total - batch.Annotated,
		}
	}
	return wire
}

func entitiesFrom(s annotation.EntitySuggestions) EntitySuggestions {
	return EntitySuggestions{
		NotFoundCount: s.NotFound,
		Suggestions: convert.Each(s.Entities, func(e annotation.EntitySuggestion) EntitySuggestion {
			return EntitySuggestion{
				ID: e.ID, DisplayName: e.DisplayName, UserCount: e.Votes, RoboConfidence: e.RoboConfidence,
			}
		}),
	}
}

func nameFrom(n annotation.NameSuggestion) NameSuggestion {
	wire := NameSuggestion{ID: n.ID, DisplayName: n.Name, UserCount: n.Endorsements}
	if n.FromRobot {
		wire.RoboCount = 1
	}
	return wire
}

func orZero[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}
