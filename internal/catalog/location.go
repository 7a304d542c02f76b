package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/idempotency"
)

// AddLocality stores a locality and returns the id of its location. Errors: *ValueError, *unknown.Error for the county, and
// ErrLocalityKnown.
func (s *Service) AddLocality(ctx context.Context, name string, countyID int32) (locationID int64, err error) {
	if err := notBlank("locality_name", name); err != nil {
		return 0, err
	}
	locationID, err = idempotency.Once(ctx, s.pool, func(tx pgx.Tx) (int64, error) {
		locality, err := queries.LocalityInsert(ctx, tx, db.LocalityInsertParams{Name: name, CountyID: countyID})
		if err != nil {
			return 0, err
		}
		// In a database of the reference a trigger has inserted it by now.
		missing := db.LocationInsertMissingParams{LocalityIds: []int64{locality}}
		if _, err := queries.LocationInsertMissing(ctx, tx, missing); err != nil {
			return 0, fmt.Errorf("insert its location: %w", err)
		}
		return queries.LocationGetByLocality(ctx, tx, locality)
	})
	if err != nil {
		return 0, fmt.Errorf("add locality: %w", err)
	}
	return locationID, nil
}
