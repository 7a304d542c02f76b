package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// agencyPage is how many agencies a page of the list has, as in agency.sql.
const agencyPage = 100

// Agencies returns a page of all agencies by id; the first page is 1.
func (s *Service) Agencies(ctx context.Context, page int32) ([]Agency, error) {
	rows, err := queries.AgencyListPage(ctx, s.pool, before(page, agencyPage))
	if err != nil {
		return nil, fmt.Errorf("list agencies: %w", err)
	}
	agencies := make([]Agency, 0, agencyPage)
	for _, row := range rows {
		if last := len(agencies) - 1; last < 0 || agencies[last].ID != row.ID {
			agencies = append(agencies, Agency{
				ID: row.ID, Name: row.Name, Type: string(row.AgencyType), JurisdictionType: string(row.JurisdictionType),
			})
		}
		if row.LocationID != 0 {
			agency := &agencies[len(agencies)-1]
			agency.Locations = append(agency.Locations, Location{ID: row.LocationID, Name: row.FullDisplayName})
		}
	}
	return agencies, nil
}

// before is how many rows come before a page.
func before(page int32, size int64) int64 { return int64(page-1) * size }

// NewAgency is an agency to be added.
type NewAgency struct {
	Name             string
	Type             string
	JurisdictionType string
	LocationIDs      []int64 // without repeats
}

// AddAgency stores an agency with its locations, or nothing, and returns its id. Errors: *ValueError and *unknown.Error.
func (s *Service) AddAgency(ctx context.Context, agency NewAgency) (id int32, err error) {
	if err := notBlank("name", agency.Name); err != nil {
		return 0, err
	}
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		row, err := queries.AgencyInsert(ctx, tx, db.AgencyInsertParams{
			Name:             agency.Name,
			AgencyType:       db.AgencyTypeEnum(agency.Type),
			JurisdictionType: db.JurisdictionTypeEnum(agency.JurisdictionType),
			LocationIDs:      agency.LocationIDs,
		})
		if err != nil {
			return err
		}
		if len(row.UnknownLocationIDs) > 0 {
			return unknown.New(unknown.Location, row.UnknownLocationIDs...)
		}
		id = row.ID
		return s.changes.Write(ctx, tx, changelog.New(db.OperationTypeINSERT, changelog.Agencies).Add(id, nil, row.NewData))
	})
	if err != nil {
		return 0, fmt.Errorf("add agency: %w", err)
	}
	return id, nil
}

// AgencyChange says what to change of an agency; nil keeps what there is.
type AgencyChange struct {
	Name             *string
	Type             *string
	JurisdictionType *string
}

// ChangeAgency changes an agency. Whoever is shown its name beside a URL is shown the new one from then on. Errors: ErrNoAgency
// and *ValueError.
func (s *Service) ChangeAgency(ctx context.Context, id int32, change AgencyChange) error {
	if change.Name != nil {
		if err := notBlank("name", *change.Name); err != nil {
			return err
		}
	}
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		row, err := queries.AgencyUpdate(ctx, tx, db.AgencyUpdateParams{
			ID:               id,
			Name:             change.Name,
			AgencyType:       (*db.AgencyTypeEnum)(change.Type),
			JurisdictionType: (*db.JurisdictionTypeEnum)(change.JurisdictionType),
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNoAgency
		case err != nil:
			return err
		case !row.Changed:
			return nil
		}
		changes := changelog.New(db.OperationTypeUPDATE, changelog.Agencies).Add(id, row.OldData, row.NewData)
		if err := s.changes.Write(ctx, tx, changes); err != nil || !row.Renamed {
			return err
		}
		shown, err := queries.AgencyShownURLList(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("list URLs where it is shown: %w", err)
		}
		return ranking.Recount(ctx, tx, shown)
	})
	if err != nil {
		return fmt.Errorf("change agency %d: %w", id, err)
	}
	return nil
}

// AgencyLocations returns the locations of an agency by id, none for one that does not exist.
func (s *Service) AgencyLocations(ctx context.Context, id int32) ([]Location, error) {
	rows, err := queries.AgencyLocationList(ctx, s.pool, id)
	if err != nil {
		return nil, fmt.Errorf("list locations of agency %d: %w", id, err)
	}
	locations := make([]Location, len(rows))
	for i, row := range rows {
		locations[i] = Location{ID: row.ID, Name: row.FullDisplayName}
	}
	return locations, nil
}

// AddAgencyLocation gives an agency one more location. Errors: *unknown.Error and ErrLocationLinked.
func (s *Service) AddAgencyLocation(ctx context.Context, agencyID int32, locationID int64) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		row, err := queries.AgencyLocationInsert(ctx, tx, db.AgencyLocationInsertParams{AgencyID: agencyID, LocationID: locationID})
		switch {
		case err != nil:
			return err
		case !row.AgencyKnown:
			return unknown.New(unknown.Agency, agencyID)
		case !row.LocationKnown:
			return unknown.New(unknown.Location, locationID)
		}
		return s.touchAgency(ctx, tx, agencyID)
	})
	if err != nil {
		return fmt.Errorf("add location %d to agency %d: %w", locationID, agencyID, err)
	}
	return nil
}

// RemoveAgencyLocation takes a location from an agency, if it has it.
func (s *Service) RemoveAgencyLocation(ctx context.Context, agencyID int32, locationID int64) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		// Before the row that goes, as the deletion of the agency does.
		if err := queries.AgencyHold(ctx, tx, agencyID); err != nil {
			return fmt.Errorf("lock agency: %w", err)
		}
		removed, err := queries.AgencyLocationDelete(ctx, tx, db.AgencyLocationDeleteParams{AgencyID: agencyID, LocationID: locationID})
		if err != nil || removed == 0 {
			return err
		}
		return s.touchAgency(ctx, tx, agencyID)
	})
	if err != nil {
		return fmt.Errorf("remove location %d from agency %d: %w", locationID, agencyID, err)
	}
	return nil
}

// touchAgency marks an agency as changed.
func (s *Service) touchAgency(ctx context.Context, tx pgx.Tx, id int32) error {
	row, err := queries.AgencyTouch(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // deleted meanwhile, and its locations with it
	}
	if err != nil {
		return fmt.Errorf("touch agency: %w", err)
	}
	return s.changes.Write(ctx, tx, changelog.New(db.OperationTypeUPDATE, changelog.Agencies).Add(id, row.OldData, row.NewData))
}
