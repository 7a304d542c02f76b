package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"docket/internal/annotation"
	"docket/internal/auth"
	"docket/internal/contract"
	"docket/internal/convert"
	"docket/internal/origin"
)

// annotateHandlers serve the annotation cycle of signed-in users and of anonymous sessions.
type annotateHandlers struct {
	annotations *annotation.Service
	unavailable func(error) bool
	origins     *origin.Hasher
}

func (h annotateHandlers) AnnotateNext(ctx context.Context, req AnnotateNextRequestObject) (AnnotateNextResponseObject, error) {
	if req.Params.AnnoURLID != nil && req.Params.Offset != nil {
		return nil, &annotation.RuleError{Text: "anno_url_id and offset query arguments cannot both be defined"}
	}
	filter := annotation.Filter{BatchID: req.Params.BatchID, URLID: req.Params.AnnoURLID, Skip: orZero(req.Params.Offset)}
	offer, err := h.annotations.Next(ctx, auth.UserFrom(ctx).UserID, filter, showing(req.Params.Suggestions))
	if err != nil {
		return nil, err
	}
	return AnnotateNext200JSONResponse{
		Body:    NextAnnotationResponse{NextAnnotation: nextFrom(offer.Next)},
		Headers: AnnotateNext200ResponseHeaders(headersOf(offer)),
	}, nil
}

func (h annotateHandlers) AnnotateSubmit(
	ctx context.Context, req AnnotateSubmitRequestObject,
) (AnnotateSubmitResponseObject, error) {
	user, answer := auth.UserFrom(ctx).UserID, answerFrom(req.Body)
	answer.SuggestionsHidden = hidden(req.Params.Suggestions)
	if !orZero(req.Params.GetNextURL) { // the contract's check has filled in the default
		return AnnotateSubmit200JSONResponse{}, h.annotations.Submit(ctx, user, req.URLID, answer)
	}
	filter := annotation.Filter{BatchID: req.Params.BatchID, URLID: req.Params.AnnoURLID}
	submitted, err := h.annotations.SubmitThenNext(ctx, user, req.URLID, answer, filter)
	if err != nil {
		return nil, err
	}
	return AnnotateSubmit200JSONResponse{
		Body:    NextAnnotationResponse{NextAnnotation: nextFrom(submitted.Offer.Next)},
		Headers: AnnotateSubmit200ResponseHeaders(h.headersAfter(ctx, submitted)),
	}, nil
}

func (h annotateHandlers) AnnotateAnonymousNext(
	ctx context.Context, req AnnotateAnonymousNextRequestObject,
) (AnnotateAnonymousNextResponseObject, error) {
	session, offer, err := h.nextAnonymous(ctx, req.Params)
	if err != nil {
		return nil, err
	}
	return AnnotateAnonymousNext200JSONResponse{
		Body:    AnonymousNextAnnotationResponse{NextAnnotation: nextFrom(offer.Next), SessionID: session},
		Headers: AnnotateAnonymousNext200ResponseHeaders(headersOf(offer)),
	}, nil
}

func (h annotateHandlers) nextAnonymous(
	ctx context.Context, params AnnotateAnonymousNextParams,
) (annotation.Session, annotation.Offer, error) {
	skip, how := orZero(params.Offset), showing(params.Suggestions)
	if params.SessionID == nil {
		return h.annotations.NextNewSession(ctx, skip, how)
	}
	offer, err := h.annotations.NextAnonymous(ctx, *params.SessionID, skip, how)
	return *params.SessionID, offer, err
}

func (h annotateHandlers) AnnotateAnonymousSubmit(
	ctx context.Context, req AnnotateAnonymousSubmitRequestObject,
) (AnnotateAnonymousSubmitResponseObject, error) {
	session, answer := req.Params.SessionID, h.anonymousAnswerFrom(ctx, req.Body)
	answer.SuggestionsHidden = hidden(req.Params.Suggestions)
	if !orZero(req.Params.GetNextURL) {
		return AnnotateAnonymousSubmit200JSONResponse{Body: AnonymousNextAnnotationResponse{SessionID: session}},
			h.annotations.SubmitAnonymous(ctx, session, req.URLID, answer)
	}
	submitted, err := h.annotations.SubmitAnonymousThenNext(ctx, session, req.URLID, answer)
	if err != nil {
		return nil, err
	}
	return AnnotateAnonymousSubmit200JSONResponse{
		Body:    AnonymousNextAnnotationResponse{NextAnnotation: nextFrom(submitted.Offer.Next), SessionID: session},
		Headers: AnnotateAnonymousSubmit200ResponseHeaders(h.headersAfter(ctx, submitted)),
	}, nil
}

// offerHeaders are the headers of a response that offers a URL.
type offerHeaders struct {
	AnnotationReason *AnnotationReason
	ReservedUntil    *string
	RetryAfter       *int
}

func headersOf(offer annotation.Offer) (headers offerHeaders) {
	if offer.Reason != "" {
		headers.AnnotationReason = new(AnnotationReason(offer.Reason))
	}
	if until := offer.ReservedUntil; !until.IsZero() {
		headers.ReservedUntil = new(inSeconds(until))
	}
	if after := offer.RetryAfter; after > 0 {
		headers.RetryAfter = new(int((after + time.Second - 1) / time.Second))
	}
	return headers
}

// offerAfterHeaders are the headers of a response that offers a URL after a write.
type offerAfterHeaders struct {
	AnnotationReason     *AnnotationReason
	NextAnnotationFailed *string
	ReservedUntil        *string
	RetryAfter           *int
}

func (h annotateHandlers) headersAfter(ctx context.Context, submitted annotation.Submitted) offerAfterHeaders {
	of := headersOf(submitted.Offer)
	return offerAfterHeaders{
		AnnotationReason:     of.AnnotationReason,
		NextAnnotationFailed: h.reasonOf(ctx, submitted.NextErr),
		ReservedUntil:        of.ReservedUntil,
		RetryAfter:           of.RetryAfter,
	}
}

// reasonOf returns the value of the header Next-Annotation-Failed, nil for no error, and keeps the error for the log line.
func (h annotateHandlers) reasonOf(ctx context.Context, err error) *string {
	if err == nil {
		return nil
	}
	if crash, ok := errors.AsType[*annotation.PanicError](err); ok {
		err = &panicError{value: crash.Value, stack: crash.Stack}
	}
	if c, ok := ctx.(*gin.Context); ok {
		_ = c.Error(err)
	}
	switch problemOf(err, nil, h.unavailable).Status {
	case http.StatusGatewayTimeout:
		return new("timeout")
	case http.StatusServiceUnavailable:
		return new("unavailable")
	default:
		return new("error")
	}
}

func (h annotateHandlers) AnnotateSkip(ctx context.Context, req AnnotateSkipRequestObject) (AnnotateSkipResponseObject, error) {
	filter := annotation.Filter{BatchID: req.Params.BatchID, URLID: req.Params.AnnoURLID}
	stored, err := h.annotations.SkipThenNext(ctx, auth.UserFrom(ctx).UserID, req.URLID, skipFrom(req.Body), filter,
		showing(req.Params.Suggestions))
	if err != nil {
		return nil, err
	}
	return AnnotateSkip200JSONResponse{
		Body:    NextAnnotationResponse{NextAnnotation: nextFrom(stored.Offer.Next)},
		Headers: AnnotateSkip200ResponseHeaders(h.headersAfter(ctx, stored)),
	}, nil
}

func (h annotateHandlers) AnnotateAnonymousSkip(
	ctx context.Context, req AnnotateAnonymousSkipRequestObject,
) (AnnotateAnonymousSkipResponseObject, error) {
	session := req.Params.SessionID
	stored, err := h.annotations.SkipAnonymousThenNext(ctx, session, req.URLID, skipFrom(req.Body), showing(req.Params.Suggestions))
	if err != nil {
		return nil, err
	}
	return AnnotateAnonymousSkip200JSONResponse{
		Body:    AnonymousNextAnnotationResponse{NextAnnotation: nextFrom(stored.Offer.Next), SessionID: session},
		Headers: AnnotateAnonymousSkip200ResponseHeaders(h.headersAfter(ctx, stored)),
	}, nil
}

func skipFrom(body *Skip) annotation.Skip {
	return annotation.Skip{Reason: annotation.SkipReason(body.Reason), Note: orZero(body.Note)}
}

func (h annotateHandlers) AnnotateReserve(
	ctx context.Context, req AnnotateReserveRequestObject,
) (AnnotateReserveResponseObject, error) {
	until, err := h.annotations.Hold(ctx, annotation.User(auth.UserFrom(ctx).UserID), req.URLID, showing(req.Params.Suggestions))
	return AnnotateReserve200JSONResponse{URLID: req.URLID, ExpiresAt: inSeconds(until)}, err
}

func (h annotateHandlers) AnnotateRelease(
	ctx context.Context, req AnnotateReleaseRequestObject,
) (AnnotateReleaseResponseObject, error) {
	err := h.annotations.Release(ctx, annotation.User(auth.UserFrom(ctx).UserID), req.URLID)
	return AnnotateRelease200JSONResponse{Message: released}, err
}

func (h annotateHandlers) AnnotateAnonymousReserve(
	ctx context.Context, req AnnotateAnonymousReserveRequestObject,
) (AnnotateAnonymousReserveResponseObject, error) {
	until, err := h.annotations.Hold(ctx, annotation.Anonymous(req.Params.SessionID), req.URLID, showing(req.Params.Suggestions))
	return AnnotateAnonymousReserve200JSONResponse{URLID: req.URLID, ExpiresAt: inSeconds(until)}, err
}

func (h annotateHandlers) AnnotateAnonymousRelease(
	ctx context.Context, req AnnotateAnonymousReleaseRequestObject,
) (AnnotateAnonymousReleaseResponseObject, error) {
	err := h.annotations.Release(ctx, annotation.Anonymous(req.Params.SessionID), req.URLID)
	return AnnotateAnonymousRelease200JSONResponse{Message: released}, err
}

const released = "Reservation ended."

// inSeconds writes when a reservation ends.
func inSeconds(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func (h annotateHandlers) AnnotateMine(ctx context.Context, req AnnotateMineRequestObject) (AnnotateMineResponseObject, error) {
	after, err := positionFrom(req.Params.After)
	if err != nil {
		return nil, err
	}
	answers, next, err := h.annotations.Given(ctx, auth.UserFrom(ctx).UserID, req.Params.URLID, after)
	if err != nil {
		return nil, err
	}
	return AnnotateMine200JSONResponse(givenAnswersFrom(answers, next)), nil
}

func (h annotateHandlers) AnnotateAnonymousMine(
	ctx context.Context, req AnnotateAnonymousMineRequestObject,
) (AnnotateAnonymousMineResponseObject, error) {
	after, err := positionFrom(req.Params.After)
	if err != nil {
		return nil, err
	}
	answers, next, err := h.annotations.GivenAnonymous(ctx, req.Params.SessionID, req.Params.URLID, after)
	if err != nil {
		return nil, err
	}
	return AnnotateAnonymousMine200JSONResponse(givenAnswersFrom(answers, next)), nil
}

func (h annotateHandlers) AnnotateReplace(
	ctx context.Context, req AnnotateReplaceRequestObject,
) (AnnotateReplaceResponseObject, error) {
	err := h.annotations.Replace(ctx, auth.UserFrom(ctx).UserID, req.URLID, answerFrom(req.Body))
	return AnnotateReplace200JSONResponse{Message: "Answer stored."}, err
}

func (h annotateHandlers) AnnotateAnonymousReplace(
	ctx context.Context, req AnnotateAnonymousReplaceRequestObject,
) (AnnotateAnonymousReplaceResponseObject, error) {
	err := h.annotations.ReplaceAnonymous(ctx, req.Params.SessionID, req.URLID, h.anonymousAnswerFrom(ctx, req.Body))
	return AnnotateAnonymousReplace200JSONResponse{Message: "Answer stored."}, err
}

func (h annotateHandlers) AnnotateTakeBack(
	ctx context.Context, req AnnotateTakeBackRequestObject,
) (AnnotateTakeBackResponseObject, error) {
	err := h.annotations.TakeBack(ctx, auth.UserFrom(ctx).UserID, req.URLID)
	return AnnotateTakeBack200JSONResponse{Message: "Answer taken back."}, err
}

func (h annotateHandlers) AnnotateAnonymousTakeBack(
	ctx context.Context, req AnnotateAnonymousTakeBackRequestObject,
) (AnnotateAnonymousTakeBackResponseObject, error) {
	err := h.annotations.TakeBackAnonymous(ctx, req.Params.SessionID, req.URLID)
	return AnnotateAnonymousTakeBack200JSONResponse{Message: "Answer taken back."}, err
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
	suggestions, err := h.annotations.Agencies(ctx, annotation.User(auth.UserFrom(ctx).UserID), req.URLID, req.Params.LocationID)
	if err != nil {
		return nil, err
	}
	return AnnotateAgencySuggestions200JSONResponse(entitiesFrom(suggestions)), nil
}

// hidden reports whether a value of the parameter suggestions asks for URLs without suggestions.
func hidden[Parameter ~string](suggestions *Parameter) bool { return orZero(suggestions) == "hidden" }

func showing[Parameter ~string](suggestions *Parameter) annotation.Showing {
	return annotation.HideSuggestions(hidden(suggestions))
}

func (h annotateHandlers) anonymousAnswerFrom(ctx context.Context, body *Answer) annotation.Answer {
	answer := answerFrom(body)
	answer.Origin = originOf(ctx, h.origins)
	return answer
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

// positionLayout is the time in a position: with all digits, so that it names one answer.
const positionLayout = "2006-01-02T15:04:05.000000"

// positionFrom parses the parameter after: a time and the id of a URL.
func positionFrom(text *string) (*annotation.Position, error) {
	if text == nil {
		return nil, nil
	}
	at, id, _ := strings.Cut(*text, "_")
	time, timeErr := time.Parse(positionLayout, at)
	urlID, idErr := strconv.ParseInt(id, 10, 32)
	if timeErr != nil || idErr != nil {
		return nil, contract.Faults{contract.ValueFault("not the text next of a page", "query", "after")}
	}
	return &annotation.Position{At: time, URLID: int32(urlID)}, nil
}

func givenAnswersFrom(answers []annotation.GivenAnswer, next *annotation.Position) GivenAnswers {
	wire := GivenAnswers{Answers: convert.Each(answers, func(given annotation.GivenAnswer) GivenAnswer {
		answer := given.Answer
		return GivenAnswer{
			URLID: given.URLID, URL: given.URL, CreatedAt: timestampFrom(given.At), Changeable: !given.Validated,
			Answer: Answer{
				SuggestedStatus: URLType(answer.URLType),
				RecordType:      (*RecordType)(answer.RecordType),
				AgencyInfo:      &AnswerAgencies{AgencyIds: &answer.AgencyIDs, NotFound: &answer.AgencyNotFound},
				LocationInfo:    &AnswerLocations{LocationIds: &answer.LocationIDs, NotFound: &answer.LocationNotFound},
				NameInfo:        &AnswerName{NewName: answer.NewName},
			},
		}
	})}
	if next != nil {
		wire.Next = new(fmt.Sprintf("%s_%d", next.At.UTC().Format(positionLayout), next.URLID))
	}
	return wire
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
