package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/page"
	"docket/internal/postgres"
	"docket/internal/urlform"
)

// FindURL returns the id of the URL with the same id form as a text. It returns nil when the URL is unknown or the text is no
// URL.
func (s *Service) FindURL(ctx context.Context, url string) (*int32, error) {
	return postgres.Read(ctx, s.pool, func(ctx context.Context, conn *postgres.Conn) (*int32, error) {
		for _, form := range urlform.IDs(url) {
			id, err := queries.URLGetIDByForm(ctx, conn, form)
			switch {
			case err == nil:
				return &id, nil
			case !errors.Is(err, pgx.ErrNoRows):
				return nil, fmt.Errorf("find URL: %w", err)
			}
		}
		return nil, nil
	})
}

// Search is a search for agencies. At least one of its first three fields must be given.
type Search struct {
	LocationID       *int64  // agencies at this location or within it
	Query            *string // sorts by the similarity of names to it, and filters nothing
	JurisdictionType *string
	Page             int32 // from 1
}

// FoundAgency is an agency at one of its locations.
type FoundAgency struct {
	ID               int32
	Name             string
	JurisdictionType string
	Type             string
	LocationName     string // the short name, as in "Columbus"
}

// SearchAgencies returns a page of agencies, each one once for each of its locations. An agency without locations is not found.
// Error: ErrNothingToSearch.
func (s *Service) SearchAgencies(ctx context.Context, search Search) ([]FoundAgency, error) {
	if search.LocationID == nil && search.Query == nil && search.JurisdictionType == nil {
		return nil, ErrNothingToSearch
	}
	rows, err := postgres.Read(ctx, s.pool, search.run)
	if err != nil {
		return nil, fmt.Errorf("search agencies: %w", err)
	}
	return convert.Each(rows, func(row searchRow) FoundAgency {
		return FoundAgency{
			ID: row.ID, Name: row.Name, JurisdictionType: string(row.JurisdictionType), Type: string(row.AgencyType),
			LocationName: row.LocationDisplayName,
		}
	}), nil
}

// searchRow is the row of all three statements.
type searchRow db.AgencySearchByNameRow

func (search Search) run(ctx context.Context, conn *postgres.Conn) ([]searchRow, error) {
	skip := page.Offset(search.Page, page.SearchSize)
	jurisdiction := (*db.JurisdictionTypeEnum)(search.JurisdictionType)
	nation := search.LocationID
	if search.LocationID != nil {
		kind, err := queries.LocationGetType(ctx, conn, *search.LocationID)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil, nil
		case err != nil:
			return nil, err
		case kind != db.LocationTypeNational:
			rows, err := queries.AgencySearchInLocation(ctx, conn, db.AgencySearchInLocationParams{
				LocationID: *search.LocationID, Query: search.Query, JurisdictionType: jurisdiction, Skip: skip,
			})
			return convert.Each(rows, func(row db.AgencySearchInLocationRow) searchRow { return searchRow(row) }), err
		}
	}
	// The agencies of the whole nation are too many to be sorted. Either the trigram index returns the most similar names first,
	// or the agencies are read by id.
	if search.Query != nil && hasWord(*search.Query) {
		rows, err := queries.AgencySearchByName(ctx, conn, db.AgencySearchByNameParams{
			Query: *search.Query, JurisdictionType: jurisdiction, NationID: nation,
			Reach: skip + page.SearchSize, Skip: skip,
		})
		return convert.Each(rows, func(row db.AgencySearchByNameRow) searchRow { return searchRow(row) }), err
	}
	rows, err := queries.AgencySearchInNation(ctx, conn, db.AgencySearchInNationParams{
		JurisdictionType: jurisdiction, NationID: nation, Skip: skip,
	})
	return convert.Each(rows, func(row db.AgencySearchInNationRow) searchRow { return searchRow(row) }), err
}

// hasWord reports whether a text has a letter or digit, of which trigrams are made. A text without one is equally similar to all
// names.
func hasWord(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}
