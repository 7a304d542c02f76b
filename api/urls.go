package api

import (
	"bytes"
	"context"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"docket/internal/auth"
	"docket/internal/catalog"
	"docket/internal/convert"
	"docket/internal/origin"
	"docket/internal/submissions"
)

// urlHandlers serve URLs and accept submissions.
type urlHandlers struct {
	submissions *submissions.Service
	catalog     *catalog.Service
	origins     *origin.Hasher
}

func (h urlHandlers) URLList(ctx context.Context, req URLListRequestObject) (URLListResponseObject, error) {
	filter := submissions.URLFilter{WithErrors: orZero(req.Params.Errors), Skipped: (*string)(req.Params.Skipped)}
	page, err := h.submissions.URLs(ctx, pageFrom(req.Params.Page), filter)
	if err != nil {
		return nil, err
	}
	return URLList200JSONResponse{Count: int32(len(page)), Urls: convert.Each(page, func(u submissions.URL) URLListed {
		return URLListed{
			ID:                u.ID,
			BatchID:           u.BatchID,
			URL:               u.URL,
			Status:            URLStatus(u.Status),
			CollectorMetadata: metadataFrom(u.CollectorMetadata),
			CreatedAt:         timestampFrom(u.CreatedAt),
			UpdatedAt:         timestampOrNull(u.UpdatedAt),
			Errors: convert.Each(u.Errors, func(e submissions.TaskError) URLError {
				return URLError{Task: e.Task, Error: e.Text, UpdatedAt: timestampFrom(e.At)}
			}),
		}
	})}, nil
}

func (h urlHandlers) URLDelete(ctx context.Context, req URLDeleteRequestObject) (URLDeleteResponseObject, error) {
	if err := h.submissions.DeleteURL(ctx, req.URLID); err != nil {
		return nil, err
	}
	return URLDelete200JSONResponse{Message: "URL deleted."}, nil
}

func (h urlHandlers) URLScreenshot(ctx context.Context, req URLScreenshotRequestObject) (URLScreenshotResponseObject, error) {
	image, err := h.submissions.Screenshot(ctx, req.URLID)
	if err != nil {
		return nil, err
	}
	return URLScreenshot200ImageWebpResponse{Body: bytes.NewReader(image), ContentLength: int64(len(image))}, nil
}

func (h urlHandlers) CheckUniqueURL(ctx context.Context, req CheckUniqueURLRequestObject) (CheckUniqueURLResponseObject, error) {
	id, err := h.catalog.FindURL(ctx, req.Params.URL)
	if err != nil {
		return nil, err
	}
	return CheckUniqueURL200JSONResponse{UniqueURL: id == nil, URLID: id}, nil
}

func (h urlHandlers) SubmitURL(ctx context.Context, req SubmitURLRequestObject) (SubmitURLResponseObject, error) {
	submitted, err := h.submissions.SubmitURL(ctx, auth.UserFrom(ctx).UserID, submissions.Submission{
		URL:         req.Body.URL,
		RecordType:  (*string)(req.Body.RecordType),
		Name:        req.Body.Name,
		LocationID:  req.Body.LocationID,
		AgencyID:    req.Body.AgencyID,
		Description: req.Body.Description,
	})
	if err != nil {
		return nil, err
	}
	return SubmitURL200JSONResponse{
		URLOriginal: req.Body.URL,
		URLCleaned:  submitted.Cleaned,
		Status:      URLSubmissionStatus(submitted.Status),
		URLID:       submitted.URLID,
		Reason:      submitted.Reason,
	}, nil
}

func (h urlHandlers) SubmitDataSource(
	ctx context.Context, req SubmitDataSourceRequestObject,
) (SubmitDataSourceResponseObject, error) {
	source := dataSourceFrom(req.Body)
	source.Origin = originOf(ctx, h.origins)
	id, err := h.submissions.SubmitDataSource(ctx, source)
	if err != nil {
		return nil, err
	}
	return SubmitDataSource200JSONResponse{URLID: id}, nil
}

func dataSourceFrom(body *DataSourceSubmission) submissions.DataSource {
	return submissions.DataSource{
		URL:                          body.SourceURL,
		Name:                         body.Name,
		RecordType:                   string(body.RecordType),
		AgencyIDs:                    orZero(body.AgencyIds),
		LocationIDs:                  orZero(body.LocationIds),
		Description:                  body.Description,
		RecordFormats:                orZero(body.RecordFormats),
		AccessTypes:                  convert.Each(orZero(body.AccessTypes), func(t AccessType) string { return string(t) }),
		DataPortalType:               body.DataPortalType,
		SupplyingEntity:              body.SupplyingEntity,
		CoverageStart:                dayFrom(body.CoverageStart),
		CoverageEnd:                  dayFrom(body.CoverageEnd),
		AgencySupplied:               body.AgencySupplied,
		AgencyOriginated:             body.AgencyOriginated,
		AgencyAggregation:            (*string)(body.AgencyAggregation),
		AgencyDescribedNotInDatabase: body.AgencyDescribedNotInDatabase,
		UpdateMethod:                 (*string)(body.UpdateMethod),
		ReadmeURL:                    body.ReadmeURL,
		OriginatingEntity:            body.OriginatingEntity,
		RetentionSchedule:            (*string)(body.RetentionSchedule),
		ScraperURL:                   body.ScraperURL,
		SubmissionNotes:              body.SubmissionNotes,
		AccessNotes:                  body.AccessNotes,
	}
}

func dayFrom(date *openapi_types.Date) *time.Time {
	if date == nil {
		return nil
	}
	return &date.Time
}

func (h urlHandlers) CollectorManual(
	ctx context.Context, req CollectorManualRequestObject,
) (CollectorManualResponseObject, error) {
	entries := convert.Each(req.Body.Entries, func(entry ManualBatchEntry) submissions.ManualEntry {
		return submissions.ManualEntry{
			URL:               entry.URL,
			Name:              orZero(entry.Name),
			Description:       orZero(entry.Description),
			CollectorMetadata: orZero(entry.CollectorMetadata),
			RecordType:        string(orZero(entry.RecordType)),
			RecordFormats:     orZero(entry.RecordFormats),
			DataPortalType:    orZero(entry.DataPortalType),
			SupplyingEntity:   orZero(entry.SupplyingEntity),
		}
	})
	entered, err := h.submissions.EnterBatch(ctx, auth.UserFrom(ctx).UserID, req.Body.Name, entries)
	if err != nil {
		return nil, err
	}
	return CollectorManual200JSONResponse{
		BatchID:       entered.BatchID,
		Urls:          append([]int32{}, entered.URLIDs...),
		DuplicateUrls: append([]string{}, entered.LeftOut...),
		InvalidUrls: convert.Each(entered.Invalid, func(e submissions.InvalidEntry) InvalidManualEntry {
			return InvalidManualEntry{Index: int32(e.Index), URL: e.URL, Reason: e.Reason}
		}),
	}, nil
}
