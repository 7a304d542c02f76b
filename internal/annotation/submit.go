package annotation

import (
	"context"
	"errors"
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
	postgres.On("annotation__url_type__anon_pkey", ErrAlreadyAnnotated),
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
	postgres.On("annotation__name__anon__endorsements_suggestion_id_fkey", &unknown.Error{Kind: unknown.NameSuggestion}),
}

// Submit stores a user's answer about a URL completely or not at all. When it returns nil, the answer is committed. The URL
// need not be eligible. An answer that says what the user has said about the URL already, by an answer, a submission or a
// transferred session, is not stored again, which is no error. Errors: FieldErrors and *RuleError for an answer that contradicts
// itself, *unknown.Error, and ErrAlreadyAnnotated for a different answer.
func (s *Service) Submit(ctx context.Context, userID, urlID int32, answer Answer) error {
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
	return submit(ctx, urlID, answer, func() (db.AnnotationInsertRow, error) {
		return queries.AnnotationInsert(ctx, s.pool, params)
	}, func() (bool, error) {
		return queries.AnnotationIsRepeated(ctx, s.pool, db.AnnotationIsRepeatedParams(params))
	})
}

// SubmitAnonymous is Submit for an anonymous session. The first answer stores the session as well. The not-found flags are
// ignored. What the session said about a URL before a transfer counts as said by it.
func (s *Service) SubmitAnonymous(ctx context.Context, session Session, urlID int32, answer Answer) error {
	// The key of annotation__url_type__anon includes the type, so it allows a second type. Without this lock, two concurrent
	// requests would both find no earlier answer.
	oneByOne := postgres.WithLock(s.pool, fmt.Sprintf("anonymous annotation %s %d", session, urlID))
	params := db.AnonymousAnnotationInsertParams{
		URLID:          urlID,
		SessionID:      session,
		URLType:        db.URLType(answer.URLType),
		RecordType:     (*db.RecordType)(answer.RecordType),
		AgencyIDs:      answer.AgencyIDs,
		LocationIDs:    answer.LocationIDs,
		NewName:        answer.NewName,
		ExistingNameID: answer.ExistingNameID,
	}
	return submit(ctx, urlID, answer, func() (db.AnnotationInsertRow, error) {
		row, err := queries.AnonymousAnnotationInsert(ctx, oneByOne, params)
		return db.AnnotationInsertRow(row), err
	}, func() (bool, error) {
		return queries.AnonymousAnnotationIsRepeated(ctx, s.pool, db.AnonymousAnnotationIsRepeatedParams(params))
	})
}

// submit stores an answer by insert. If the annotator has annotated the URL before, isRepeated decides whether that is an error.
// It is a statement of its own, so that it sees an answer that insert has waited for.
func submit(
	ctx context.Context, urlID int32, answer Answer, insert func() (db.AnnotationInsertRow, error), isRepeated func() (bool, error),
) error {
	if err := answer.check(); err != nil {
		return err
	}
	defer phase.Start(ctx, phase.Submit)()

	var row db.AnnotationInsertRow
	err := postgres.Retry(ctx, func() (err error) {
		row, err = insert()
		return err
	})
	switch {
	case errors.Is(err, ErrAlreadyAnnotated):
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
	case row.NameUnknown:
		return unknown.New(unknown.NameSuggestion, *answer.ExistingNameID)
	default:
		err = ErrAlreadyAnnotated
	}

	switch repeated, failure := isRepeated(); {
	case failure != nil:
		return fmt.Errorf("compare annotation of URL %d with an earlier one: %w", urlID, failure)
	case repeated:
		return nil
	default:
		return fmt.Errorf("store annotation of URL %d: %w", urlID, err)
	}
}
