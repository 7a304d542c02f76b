package annotation

import (
	"context"
	"fmt"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// refusals are the constraints that an answer can violate. A unique key means that the same annotator has answered before,
// even if in a concurrent request. A foreign key means that a row was deleted after the statement had read it.
var refusals = []postgres.Rule{
	postgres.On("annotation__url_type__user_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__record_type__user_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__location__user_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__agency__user_agency_id_url_id_user_id_key", ErrAlreadyAnnotated),
	postgres.On("link_user_suggestion_agency_not_found_pkey", ErrAlreadyAnnotated),
	postgres.On("link_user_suggestion_location_not_found_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__record_type__anon_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__location__anon_pkey", ErrAlreadyAnnotated),
	postgres.On("annotation__agency__anon_pkey", ErrAlreadyAnnotated),

	postgres.On("annotation__url_type__user_url_id_fkey", &unknown.Error{Kind: unknown.URL}),
	postgres.On("annotation__url_type__anon_url_id_fkey", &unknown.Error{Kind: unknown.URL}),
	postgres.On("annotation__agency__user_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("annotation__agency__anon_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("annotation__location__user_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
	postgres.On("annotation__location__anon_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
	postgres.On("annotation__name__user__endorsements_suggestion_id_fkey", &unknown.Error{Kind: unknown.NameSuggestion}),
}

// Submit stores a user's answer about a URL completely or not at all. When it returns nil, the answer is committed. The URL
// need not be eligible. Errors: FieldErrors and *RuleError for an answer that contradicts itself, *unknown.Error, and
// ErrAlreadyAnnotated.
func (s *Service) Submit(ctx context.Context, userID, urlID int32, answer Answer) error {
	if err := answer.check(); err != nil {
		return err
	}
	defer phase.Start(ctx, phase.Submit)()

	params := db.AnnotationInsertParams{
		URLID:            urlID,
		UserID:           userID,
		URLType:          db.URLType(answer.URLType),
		RecordType:       (*db.RecordType)(answer.RecordType),
		AgencyIDs:        answer.AgencyIDs,
		AgencyNotFound:   answer.AgencyNotFound && answer.URLType != NotRelevant,
		LocationIDs:      answer.LocationIDs,
		LocationNotFound: answer.LocationNotFound && answer.URLType != NotRelevant,
		NewName:          answer.NewName,
		ExistingNameID:   answer.ExistingNameID,
	}
	var row db.AnnotationInsertRow
	err := postgres.Retry(ctx, func() (err error) {
		row, err = queries.AnnotationInsert(ctx, s.pool, params)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("store annotation of URL %d: %w", urlID, err)
	case row.Stored:
		return nil
	case !row.URLKnown:
		return unknown.New(unknown.URL, urlID)
	case len(row.UnknownAgencyIDs) > 0:
		return unknown.New(unknown.Agency, row.UnknownAgencyIDs...)
	case len(row.UnknownLocationIDs) > 0:
		return unknown.New(unknown.Location, row.UnknownLocationIDs...)
	default:
		return unknown.New(unknown.NameSuggestion, *answer.ExistingNameID)
	}
}

// SubmitAnonymous is Submit for an anonymous session. The name and the not-found flags are ignored. A session answers once
// about a URL: a second answer, the same or another, is ErrAlreadyAnnotated.
func (s *Service) SubmitAnonymous(ctx context.Context, session Session, urlID int32, answer Answer) error {
	if err := answer.check(); err != nil {
		return err
	}
	defer phase.Start(ctx, phase.Submit)()

	// The key of annotation__url_type__anon includes the type, so it allows a second type. Without this lock, two concurrent
	// requests would both find no earlier answer.
	oneByOne := postgres.WithLock(s.pool, fmt.Sprintf("anonymous annotation %s %d", session, urlID))
	params := db.AnonymousAnnotationInsertParams{
		URLID:       urlID,
		SessionID:   session,
		URLType:     db.URLType(answer.URLType),
		RecordType:  (*db.RecordType)(answer.RecordType),
		AgencyIDs:   answer.AgencyIDs,
		LocationIDs: answer.LocationIDs,
	}
	var row db.AnonymousAnnotationInsertRow
	err := postgres.Retry(ctx, func() (err error) {
		row, err = queries.AnonymousAnnotationInsert(ctx, oneByOne, params)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("store anonymous annotation of URL %d: %w", urlID, err)
	case row.Stored:
		return nil
	case !row.SessionKnown:
		return unknown.New(unknown.Session, session)
	case !row.URLKnown:
		return unknown.New(unknown.URL, urlID)
	case row.AnnotatedBefore:
		return ErrAlreadyAnnotated
	case len(row.UnknownAgencyIDs) > 0:
		return unknown.New(unknown.Agency, row.UnknownAgencyIDs...)
	default:
		return unknown.New(unknown.Location, row.UnknownLocationIDs...)
	}
}
