package submissions

import (
	"errors"

	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

// Service takes in URLs that people submit, shows what came in and in which batches, and deletes URLs. It is safe for
// concurrent use.
type Service struct {
	pool *postgres.Pool
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool) *Service { return &Service{pool: pool.WithRules(refusals...)} }

var queries = db.New()

var (
	// ErrInvalidURL refuses a data source whose URL is none.
	ErrInvalidURL = errors.New("invalid URL")
	// ErrNoScreenshot says that there is no screenshot of a URL, or no such URL.
	ErrNoScreenshot = errors.New("URL not found")
	// ErrNotInProcess refuses to abort a batch that is not being collected.
	ErrNotInProcess = errors.New("the batch is not in process, so it cannot be aborted")
)

// DuplicateError refuses a data source whose URL is there already.
type DuplicateError struct {
	URLID     int32
	URLType   *string // what it was validated as
	URLStatus string
}

func (e *DuplicateError) Error() string { return "Duplicate URL found" }

// refusals names the keys that a submission can violate when what it refers to goes away between the look and the write.
var refusals = []postgres.Rule{
	postgres.On("user_url_agency_suggestions_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("user_location_suggestions_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
	postgres.On("anonymous_annotation_agency_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("anonymous_annotation_location_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
}

// submittedForm takes a submitted URL apart. It is less choosy than an import, which must not take prose for URLs: whoever
// submits a single one means it.
func submittedForm(raw string) (form urlform.Form, ok bool) {
	form, err := urlform.Parse(raw)
	return form, err == nil && urlform.Valid(raw) && len(form.ID) <= urlform.MaxID
}
