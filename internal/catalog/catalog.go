// Package catalog owns the agencies and the places they belong to: how they change, and how they and URLs are found. It
// reads what was said about URLs only to see which of them a change of an agency concerns, and it never writes a URL's
// annotations itself.
package catalog

import (
	"errors"
	"strings"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// Service reads and changes the catalog. It is safe for concurrent use.
type Service struct {
	pool    *postgres.Pool
	changes *changelog.Writer
}

// New returns a Service on the database of pool, which must be migrated.
func New(pool *postgres.Pool) *Service {
	return &Service{pool: pool.WithRules(refusals...), changes: changelog.NewWriter()}
}

var queries = db.New()

// Agency is an agency with all of its locations, by id.
type Agency struct {
	ID               int32
	Name             string
	Type             string // a value of agency_type_enum
	JurisdictionType string // a value of jurisdiction_type_enum
	Locations        []Location
}

// Location is a place under its full name, as in "Columbus, Franklin, Ohio".
type Location struct {
	ID   int64
	Name string
}

var (
	// ErrNoAgency refuses to change an agency that does not exist.
	ErrNoAgency = errors.New("agency not found")
	// ErrAgencySuggested keeps an agency that a user suggested for a URL.
	ErrAgencySuggested = errors.New("a user has suggested this agency for a URL, so it cannot be deleted")
	// ErrLocationLinked refuses to give an agency a location twice.
	ErrLocationLinked = errors.New("the agency has this location already")
	// ErrLocalityKnown refuses a second locality of one name in a county.
	ErrLocalityKnown = errors.New("the county has a locality of this name already")
	// ErrNothingToSearch refuses a search for agencies that says nothing of them.
	ErrNothingToSearch = errors.New("at least one of query or location_id must be provided")
)

// ValueError refuses the value of one field, which the REST contract cannot express.
type ValueError struct {
	Field string // as in the REST contract
	Text  string
}

func (e *ValueError) Error() string { return e.Field + ": " + e.Text }

// notBlank refuses a name of white space alone, which nobody could see.
func notBlank(field, name string) error {
	if strings.TrimSpace(name) == "" {
		return &ValueError{field, "must not be blank"}
	}
	return nil
}

// refusals names the constraints that a change of the catalog can violate. The foreign keys do so only when a row goes away
// between a statement's look and its end.
var refusals = []postgres.Rule{
	postgres.On("user_url_agency_suggestions_agency_id_fkey", ErrAgencySuggested),
	postgres.On("link_agencies__locations_pkey", ErrLocationLinked),
	postgres.On("localities_name_county_id_key", ErrLocalityKnown),
	postgres.On("localities_name_check", &ValueError{"locality_name", "must not contain a comma"}),
	postgres.On("localities_county_id_fkey", &unknown.Error{Kind: unknown.County}),
	postgres.On("link_agencies__locations_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("link_agencies__locations_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
}
