package submissions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/idempotency"
	"docket/internal/origin"
	"docket/internal/ranking"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

// Submission is a URL with what its submitter says about it. Nil means nothing.
type Submission struct {
	URL         string
	RecordType  *string // a value of the database type record_type
	Name        *string // at most 100 characters
	LocationID  *int64
	AgencyID    *int32
	Description *string
}

// SubmissionStatus is the outcome of a Submission, as in the contract.
type SubmissionStatus string

const (
	AcceptedAsIs         SubmissionStatus = "accepted_as_is"
	AcceptedWithCleaning SubmissionStatus = "accepted_with_cleaning"
	DatabaseDuplicate    SubmissionStatus = "database_duplicate"
	Invalid              SubmissionStatus = "invalid"
)

// SubmissionResult is the result of a Submission.
type SubmissionResult struct {
	Status  SubmissionStatus
	Cleaned *string // nil when it is invalid
	URLID   *int32  // nil unless it was accepted
	Reason  *string // why it is invalid, for the submitter; nil otherwise
}

// SubmitURL stores a new URL, and what its submitter says about it as that user's suggestions, in one transaction. The URL is
// in the queue from then on; if the submitter suggested more than a name, it is not offered to them. An invalid or known URL is
// not an error. Error: *unknown.Error.
func (s *Service) SubmitURL(ctx context.Context, userID int32, submission Submission) (SubmissionResult, error) {
	result, err := idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (SubmissionResult, error) {
		return s.submitURL(ctx, tx, userID, submission)
	})
	if err != nil {
		return SubmissionResult{}, fmt.Errorf("submit URL: %w", err)
	}
	return result, nil
}

func (s *Service) submitURL(ctx context.Context, tx pgx.Tx, userID int32, submission Submission) (SubmissionResult, error) {
	form, err := urlform.Parse(submission.URL)
	if err != nil {
		return SubmissionResult{Status: Invalid, Reason: new(err.Error())}, nil
	}
	cleaned := urlform.Clean(submission.URL)
	submitted := SubmissionResult{Status: AcceptedAsIs, Cleaned: &cleaned}
	if cleaned != submission.URL {
		submitted.Status = AcceptedWithCleaning
	}
	err = s.submit(ctx, tx, form, nil, submission.Description, func(id int32) error {
		if err := checkKnown(ctx, tx, listOf(submission.AgencyID), listOf(submission.LocationID)); err != nil {
			return err
		}
		submitted.URLID = &id
		err := queries.UserSubmissionInsert(ctx, tx, db.UserSubmissionInsertParams{
			URLID:      id,
			UserID:     userID,
			RecordType: (*db.RecordType)(submission.RecordType),
			Name:       submission.Name,
			LocationID: submission.LocationID,
			AgencyID:   submission.AgencyID,
		})
		if err != nil {
			return fmt.Errorf("store suggestions: %w", err)
		}
		return submission.record(ctx, tx, id, userID)
	})
	if duplicate := new(DuplicateError); errors.As(err, &duplicate) {
		return SubmissionResult{Status: DatabaseDuplicate, Cleaned: &cleaned}, nil // submit has changed nothing
	}
	return submitted, err
}

// record appends what the submitter says about the URL, if anything, to its history.
func (s Submission) record(ctx context.Context, tx pgx.Tx, urlID, userID int32) error {
	said := history.Answer{AgencyIDs: listOf(s.AgencyID), LocationIDs: listOf(s.LocationID), Cause: history.Submission}
	if s.RecordType != nil {
		said.RecordType = *s.RecordType
	}
	if s.Name != nil {
		said.Name = *s.Name
	}
	if s.RecordType == nil && s.Name == nil && s.AgencyID == nil && s.LocationID == nil {
		return nil
	}
	return history.Append(ctx, tx, []history.Event{{URLID: urlID, Kind: history.Answered, UserID: &userID, Detail: said}})
}

// DataSource is a URL that its submitter says is a data source, with what else they say about it.
type DataSource struct {
	URL         string
	Name        string // at most 100 characters
	RecordType  string
	AgencyIDs   []int32 // without repeats
	LocationIDs []int64 // without repeats
	Description *string
	Origin      origin.Origin // from where it is submitted; its answer counts among those of annotation.Answer.Origin

	RecordFormats                []string
	AccessTypes                  []string // values of access_type_enum
	DataPortalType               *string
	SupplyingEntity              *string
	CoverageStart, CoverageEnd   *time.Time // days
	AgencySupplied               *bool
	AgencyOriginated             *bool
	AgencyAggregation            *string // a value of agency_aggregation_enum
	AgencyDescribedNotInDatabase *string
	UpdateMethod                 *string // a value of update_method_enum
	ReadmeURL                    *string
	OriginatingEntity            *string
	RetentionSchedule            *string // a value of retention_schedule_enum
	ScraperURL                   *string
	SubmissionNotes              *string
	AccessNotes                  *string
}

// SubmitDataSource stores a data source in a new batch, with what is said about it as suggestions of a new anonymous session,
// and returns the URL's id. Errors: *InvalidURLError, *DuplicateError and *unknown.Error.
func (s *Service) SubmitDataSource(ctx context.Context, source DataSource) (urlID int32, err error) {
	form, err := urlform.Parse(source.URL)
	if err != nil {
		return 0, &InvalidURLError{Reason: err}
	}
	urlID, err = idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (urlID int32, err error) {
		err = s.submit(ctx, tx, form, &source.Name, source.Description, func(id int32) error {
			urlID = id
			return source.insert(ctx, tx, id)
		})
		return urlID, err
	})
	if err != nil {
		return 0, fmt.Errorf("submit data source: %w", err)
	}
	return urlID, nil
}

// insert stores what is said about the URL.
func (source DataSource) insert(ctx context.Context, tx pgx.Tx, urlID int32) error {
	if err := checkKnown(ctx, tx, source.AgencyIDs, source.LocationIDs); err != nil {
		return err
	}
	session, err := queries.DataSourceSubmissionInsert(ctx, tx, db.DataSourceSubmissionInsertParams{
		URLID:       urlID,
		Name:        source.Name,
		RecordType:  db.RecordType(source.RecordType),
		AgencyIDs:   source.AgencyIDs,
		LocationIDs: source.LocationIDs,
		AddressHash: source.Origin.Hash(urlID),
	})
	if err != nil {
		return fmt.Errorf("store suggestions: %w", err)
	}
	said := history.Answer{
		URLType: "data source", RecordType: source.RecordType,
		AgencyIDs: source.AgencyIDs, LocationIDs: source.LocationIDs, Cause: history.Submission,
	}
	event := history.Event{URLID: urlID, Kind: history.Answered, Session: &session, Detail: said}
	if err := history.Append(ctx, tx, []history.Event{event}); err != nil {
		return err
	}
	return queries.DataSourceMetadataInsert(ctx, tx, source.metadata(urlID))
}

func (source DataSource) metadata(urlID int32) db.DataSourceMetadataInsertParams {
	return db.DataSourceMetadataInsertParams{
		URLID:                        urlID,
		RecordFormats:                source.RecordFormats,
		DataPortalType:               source.DataPortalType,
		SupplyingEntity:              source.SupplyingEntity,
		CoverageStart:                source.CoverageStart,
		CoverageEnd:                  source.CoverageEnd,
		AgencySupplied:               source.AgencySupplied,
		AgencyOriginated:             source.AgencyOriginated,
		AgencyAggregation:            (*db.AgencyAggregationEnum)(source.AgencyAggregation),
		AgencyDescribedNotInDatabase: source.AgencyDescribedNotInDatabase,
		UpdateMethod:                 (*db.UpdateMethodEnum)(source.UpdateMethod),
		ReadmeURL:                    source.ReadmeURL,
		OriginatingEntity:            source.OriginatingEntity,
		RetentionSchedule:            (*db.RetentionScheduleEnum)(source.RetentionSchedule),
		ScraperURL:                   source.ScraperURL,
		SubmissionNotes:              source.SubmissionNotes,
		AccessNotes:                  source.AccessNotes,
		AccessTypes:                  source.AccessTypes,
	}
}

// submit stores a new URL, calls store for what is said about it, and puts it into the queue. A known URL is a *DuplicateError, and
// nothing is changed.
func (s *Service) submit(
	ctx context.Context, tx pgx.Tx, form urlform.Form, name, description *string, store func(urlID int32) error,
) error {
	url, err := insertURL(ctx, tx, db.URLInsertParams{
		URL: form.ID, Scheme: form.Scheme, TrailingSlash: form.TrailingSlash, Name: name, Description: description,
	})
	if err != nil {
		return err
	}
	if err := store(url.ID); err != nil {
		return err
	}
	stored := changelog.New(db.OperationTypeINSERT, changelog.URLs).Add(url.ID, nil, url.NewData)
	if err := s.changes.Write(ctx, tx, stored); err != nil {
		return err
	}
	return ranking.Recount(ctx, tx, []int32{url.ID})
}

// insertAttempts bounds the repetitions when a known URL is deleted before it can be read.
const insertAttempts = 5

func insertURL(ctx context.Context, tx pgx.Tx, url db.URLInsertParams) (db.URLInsertRow, error) {
	for range insertAttempts {
		stored, err := queries.URLInsert(ctx, tx, url)
		if !errors.Is(err, pgx.ErrNoRows) {
			return stored, err
		}
		known, err := queries.URLGetDuplicate(ctx, tx, url.URL)
		switch {
		case err == nil:
			return stored, &DuplicateError{URLID: known.ID, URLType: (*string)(known.URLType), URLStatus: string(known.Status)}
		case !errors.Is(err, pgx.ErrNoRows):
			return stored, err
		}
	}
	return db.URLInsertRow{}, errors.New("other transactions stored and deleted the URL several times")
}

// checkKnown returns an *unknown.Error if agencies or, otherwise, locations do not exist.
func checkKnown(ctx context.Context, tx pgx.Tx, agencyIDs []int32, locationIDs []int64) error {
	if len(agencyIDs)+len(locationIDs) == 0 {
		return nil
	}
	named := db.SubmissionListUnknownParams{AgencyIDs: agencyIDs, LocationIDs: locationIDs}
	missing, err := queries.SubmissionListUnknown(ctx, tx, named)
	switch {
	case err != nil:
		return fmt.Errorf("look up agencies and locations: %w", err)
	case len(missing.UnknownAgencyIDs) > 0:
		return unknown.New(unknown.Agency, missing.UnknownAgencyIDs...)
	case len(missing.UnknownLocationIDs) > 0:
		return unknown.New(unknown.Location, missing.UnknownLocationIDs...)
	}
	return nil
}

func listOf[T any](p *T) []T {
	if p == nil {
		return nil
	}
	return []T{*p}
}
