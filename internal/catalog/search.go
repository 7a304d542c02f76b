package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/urlform"
)

// FindURL returns the id of the URL that a text stands for in the id form, nil when it is unknown or no URL.
func (s *Service) FindURL(ctx context.Context, url string) (*int32, error) {
	form, err := urlform.Parse(url)
	if err != nil {
		return nil, nil // what has no id form cannot be stored
	}
	id, err := queries.URLGetIDByForm(ctx, s.pool, form.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find URL: %w", err)
	}
	return &id, nil
}

// Search says which agencies to find; at least one of its first three fields has to be given.
type Search struct {
	LocationID       *int64  // at this place or within it
	Query            *string // sorts by similarity to the name and filters nothing
	JurisdictionType *string
	Page             int32 // from 1
}

// FoundAgency is an agency at one of its locations.
type FoundAgency struct {
	ID               int32
	Name             string
	JurisdictionType string
	Type             string
	LocationName     string // the short one, as in "Columbus"
}

// searchPage is how many rows a page of a search has, as in search.sql.
const searchPage = 10

// SearchAgencies returns a page of agencies, each once for each of its locations, so that one without any is not found. The
// error is ErrNothingToSearch when the search says nothing.
func (s *Service) SearchAgencies(ctx context.Context, search Search) ([]FoundAgency, error) {
	if search.LocationID == nil && search.Query == nil && search.JurisdictionType == nil {
		return nil, ErrNothingToSearch
	}
	rows, err := s.searchAgencies(ctx, search)
	if err != nil {
		return nil, fmt.Errorf("search agencies: %w", err)
	}
	found := make([]FoundAgency, len(rows))
	for i, row := range rows {
		found[i] = FoundAgency{
			ID: row.ID, Name: row.Name, JurisdictionType: string(row.JurisdictionType), Type: string(row.AgencyType),
			LocationName: row.LocationDisplayName,
		}
	}
	return found, nil
}

// searchRow is what all three statements return.
type searchRow db.AgencySearchByNameRow

func (s *Service) searchAgencies(ctx context.Context, search Search) ([]searchRow, error) {
	skip := before(search.Page, searchPage)
	jurisdiction := (*db.JurisdictionTypeEnum)(search.JurisdictionType)
	nation := search.LocationID
	if search.LocationID != nil {
		kind, err := queries.LocationGetType(ctx, s.pool, *search.LocationID)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil, nil
		case err != nil:
			return nil, err
		case kind != db.LocationTypeNational:
			rows, err := queries.AgencySearchInLocation(ctx, s.pool, db.AgencySearchInLocationParams{
				LocationID: *search.LocationID, Query: search.Query, JurisdictionType: jurisdiction, Skip: skip,
			})
			return converted(rows, func(row db.AgencySearchInLocationRow) searchRow { return searchRow(row) }), err
		}
	}
	// The whole nation is too much to be sorted: names come nearest first from the trigram index, or agencies by id.
	if search.Query != nil && hasWord(*search.Query) {
		rows, err := queries.AgencySearchByName(ctx, s.pool, db.AgencySearchByNameParams{
			Query: *search.Query, JurisdictionType: jurisdiction, NationID: nation,
			Reach: skip + searchPage, Skip: skip,
		})
		return converted(rows, func(row db.AgencySearchByNameRow) searchRow { return searchRow(row) }), err
	}
	rows, err := queries.AgencySearchInNation(ctx, s.pool, db.AgencySearchInNationParams{
		JurisdictionType: jurisdiction, NationID: nation, Skip: skip,
	})
	return converted(rows, func(row db.AgencySearchInNationRow) searchRow { return searchRow(row) }), err
}

func converted[From, To any](rows []From, convert func(From) To) []To {
	list := make([]To, len(rows))
	for i, row := range rows {
		list[i] = convert(row)
	}
	return list
}

// hasWord tells whether a text has anything that trigrams are made of. One that has not is as similar to every name.
func hasWord(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}
