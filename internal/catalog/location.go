package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
)

// AddLocality stores a locality and returns the id of its location. Errors: *ValueError, *unknown.Error for the county, and
// ErrLocalityKnown.
func (s *Service) AddLocality(ctx context.Context, name string, countyID int32) (locationID int64, err error) {
	if err := notBlank("locality_name", name); err != nil {
		return 0, err
	}
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		locality, err := queries.LocalityInsert(ctx, tx, db.LocalityInsertParams{Name: name, CountyID: countyID})
		if err != nil {
			return err
		}
		// By now a trigger may have done so, as in a database of the reference.
		if _, err := queries.LocationInsertMissing(ctx, tx, db.LocationInsertMissingParams{LocalityIds: []int64{locality}}); err != nil {
			return fmt.Errorf("give it a location: %w", err)
		}
		locationID, err = queries.LocationGetByLocality(ctx, tx, locality)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("add locality: %w", err)
	}
	return locationID, nil
}
