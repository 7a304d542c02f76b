package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/page"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/unknown"
)

// Agencies returns a page of all agencies by id. The first page is 1.
func (s *Service) Agencies(ctx context.Context, number int32) ([]Agency, error) {
	rows, err := queries.AgencyListPage(ctx, s.pool, page.Offset(number, page.Size))
	if err != nil {
		return nil, fmt.Errorf("list agencies: %w", err)
	}
	agencies := make([]Agency, 0, page.Size)
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

// NewAgency is an agency to be added.
type NewAgency struct {
	Name             string
	Type             string
	JurisdictionType string
	LocationIDs      []int64 // without repeats
}

// AddAgency stores an agency with its locations and returns its id. On an error it stores nothing. Errors: *ValueError and
// *unknown.Error.
func (s *Service) AddAgency(ctx context.Context, agency NewAgency) (id int32, err error) {
	if err := checkName(agency.Name); err != nil {
		return 0, err
	}
	id, err = idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (int32, error) { return s.addAgency(ctx, tx, agency) })
	if err != nil {
		return 0, fmt.Errorf("add agency: %w", err)
	}
	return id, nil
}

func (s *Service) addAgency(ctx context.Context, tx pgx.Tx, agency NewAgency) (id int32, err error) {
	row, err := queries.AgencyInsert(ctx, tx, db.AgencyInsertParams{
		Name:             agency.Name,
		AgencyType:       db.AgencyTypeEnum(agency.Type),
		JurisdictionType: db.JurisdictionTypeEnum(agency.JurisdictionType),
		LocationIDs:      agency.LocationIDs,
	})
	if err != nil {
		return 0, err
	}
	if len(row.UnknownLocationIDs) > 0 {
		return 0, unknown.New(unknown.Location, row.UnknownLocationIDs...)
	}
	changes := changelog.New(db.OperationTypeINSERT, changelog.Agencies).Add(row.ID, nil, row.NewData)
	return row.ID, s.changes.Write(ctx, tx, changes)
}

// AgencyChange is a change of an agency. A nil field keeps its value.
type AgencyChange struct {
	Name             *string
	Type             *string
	JurisdictionType *string
}

// ChangeAgency changes an agency. From then on, annotators of URLs for which it is suggested are shown its new name. Errors:
// ErrNoAgency and *ValueError.
func (s *Service) ChangeAgency(ctx context.Context, id int32, change AgencyChange) error {
	if change.Name != nil {
		if err := checkName(*change.Name); err != nil {
			return err
		}
	}
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		// Locked by a statement of its own: if the row was changed since the snapshot of AgencyUpdate, that statement would lock it
		// two times, and could deadlock with a transaction that waits in between.
		if err := queries.AgencyHold(ctx, tx, id); err != nil {
			return fmt.Errorf("lock agency: %w", err)
		}
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

// AgencyLocations returns the locations of an agency by id. An unknown agency has none.
func (s *Service) AgencyLocations(ctx context.Context, id int32) ([]Location, error) {
	rows, err := queries.AgencyLocationList(ctx, s.pool, id)
	if err != nil {
		return nil, fmt.Errorf("list locations of agency %d: %w", id, err)
	}
	return convert.Each(rows, func(row db.AgencyLocationListRow) Location {
		return Location{ID: row.ID, Name: row.FullDisplayName}
	}), nil
}

// AddAgencyLocation adds a location to an agency. Errors: *unknown.Error and ErrLocationLinked.
func (s *Service) AddAgencyLocation(ctx context.Context, agencyID int32, locationID int64) error {
	err := idempotency.OnceDo(ctx, s.pool, func(tx pgx.Tx) error {
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

// RemoveAgencyLocation removes a location from an agency. A location that the agency does not have is no error.
func (s *Service) RemoveAgencyLocation(ctx context.Context, agencyID int32, locationID int64) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		// Lock the agency before the row that is deleted, as the deletion of the agency does.
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

// touchAgency sets updated_at of an agency.
func (s *Service) touchAgency(ctx context.Context, tx pgx.Tx, id int32) error {
	row, err := queries.AgencyTouch(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // another transaction has deleted the agency with its locations
	}
	if err != nil {
		return fmt.Errorf("touch agency: %w", err)
	}
	return s.changes.Write(ctx, tx, changelog.New(db.OperationTypeUPDATE, changelog.Agencies).Add(id, row.OldData, row.NewData))
}
