package submissions

import (
	"errors"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// Service stores URLs that people submit, lists URLs and batches, and deletes URLs. It is safe for concurrent use.
type Service struct {
	pool    *postgres.Pool
	changes *changelog.Writer
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool) *Service {
	return &Service{pool: pool.WithRules(refusals...), changes: changelog.NewWriter()}
}

var queries = db.New()

var (
	// ErrNoScreenshot means that the URL has no screenshot, or does not exist.
	ErrNoScreenshot = errors.New("URL not found")
	// ErrNotInProcess means that a batch cannot be aborted because it is not being collected.
	ErrNotInProcess = errors.New("the batch is not in process, so it cannot be aborted")
)

// InvalidURLError means that the URL of a data source is not that of a web page. Its own text is that of the reference.
type InvalidURLError struct {
	Reason error // for the submitter
}

func (e *InvalidURLError) Error() string { return "Invalid URL" }

func (e *InvalidURLError) Unwrap() error { return e.Reason }

// DuplicateError means that the URL of a data source is stored already.
type DuplicateError struct {
	URLID     int32
	URLType   *string // as validated; nil if it is not
	URLStatus string
}

func (e *DuplicateError) Error() string { return "Duplicate URL found" }

// refusals are the foreign keys that a submission violates when a concurrent transaction deletes what it refers to after the
// check.
var refusals = []postgres.Rule{
	postgres.On("annotation__agency__user_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("annotation__location__user_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
	postgres.On("annotation__agency__anon_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("annotation__location__anon_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
}
