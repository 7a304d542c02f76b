// Package catalog owns agencies and locations: how they change, how users propose agencies, and how they and URLs are found. It
// reads annotations only to find the URLs that a change of an agency concerns. The only annotations it deletes are those of
// anonymous sessions that name a deleted agency.
package catalog

import (
	"errors"
	"fmt"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/unknown"
	"docket/internal/urlform"
)

// Service reads and changes the catalog. It is safe for concurrent use.
type Service struct {
	pool    *postgres.Pool
	changes *changelog.Writer
}

// New returns a Service on the database of pool, which must be migrated. Searches read from the standby of pool, if there is one.
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

// Location is a location with its full name, as in "Columbus, Franklin, Ohio".
type Location struct {
	ID   int64
	Name string
}

var (
	// ErrNoAgency refuses to change an agency that does not exist.
	ErrNoAgency = errors.New("agency not found")
	// ErrAgencySuggested refuses to delete an agency that a user suggested for a URL.
	ErrAgencySuggested = errors.New("a user has suggested this agency for a URL, so it cannot be deleted")
	// ErrLocationLinked refuses to add a location that the agency has.
	ErrLocationLinked = errors.New("the agency has this location already")
	// ErrLocalityKnown refuses a second locality with the same name in a county.
	ErrLocalityKnown = errors.New("the county has a locality of this name already")
	// ErrNoProposal refuses to change a proposal that does not exist.
	ErrNoProposal = errors.New("proposed Agency not found")
	// ErrProposalName refuses to approve a proposal with a name that no agency can have. The reference may have stored it.
	ErrProposalName = errors.New("an agency cannot have the name of this proposal: it is blank or too long; change it first")
	// ErrProposalLocationLinked refuses to add a location that the proposal has.
	ErrProposalLocationLinked = errors.New("the proposed agency has this location already")
	// ErrNothingToSearch refuses a search for agencies without any condition.
	ErrNothingToSearch = errors.New("at least one of query or location_id must be provided")
)

// ValueError refuses the value of one field by a rule that the REST contract cannot express.
type ValueError struct {
	Field string // as in the REST contract
	Text  string
}

func (e *ValueError) Error() string { return e.Field + ": " + e.Text }

// maxNameBytes is the most bytes of an agency's name. An entry of agencies_name_lower_idx can have 2,704 bytes, and lower case
// can make a name half as long again.
const maxNameBytes = 1800

// checkName refuses the name of an agency that is only white space or too long.
func checkName(name string) error {
	if len(name) > maxNameBytes {
		return &ValueError{"name", fmt.Sprintf("must not be longer than %d bytes", maxNameBytes)}
	}
	return notBlank("name", name)
}

// notBlank refuses a name that shows nothing.
func notBlank(field, name string) error {
	if urlform.IsBlank(name) {
		return &ValueError{field, "must not be blank"}
	}
	return nil
}

// refusals maps the constraints that a change of the catalog can violate. A foreign key is violated only when a concurrent
// transaction deletes the referenced row after a statement has read it.
var refusals = []postgres.Rule{
	postgres.On("annotation__agency__user_agency_id_fkey", ErrAgencySuggested),
	postgres.On("link_agencies__locations_pkey", ErrLocationLinked),
	postgres.On("proposal__link__agencies__locations_pkey", ErrProposalLocationLinked),
	postgres.On("proposal__link__agencies__locations_proposal_agency_id_fkey", &unknown.Error{Kind: unknown.Proposal}),
	postgres.On("proposal__link__agencies__locations_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
	postgres.On("localities_name_county_id_key", ErrLocalityKnown),
	postgres.On("localities_name_check", &ValueError{"locality_name", "must not contain a comma"}),
	postgres.On("localities_county_id_fkey", &unknown.Error{Kind: unknown.County}),
	postgres.On("link_agencies__locations_agency_id_fkey", &unknown.Error{Kind: unknown.Agency}),
	postgres.On("link_agencies__locations_location_id_fkey", &unknown.Error{Kind: unknown.Location}),
}
