package imports

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

// storeAgencyRows stores new agencies, and then moves known ones, which may be among the new ones.
func storeAgencyRows(ctx context.Context, tx pgx.Tx, rows []agencyRow, g *gazetteer) (created, moved int64, err error) {
	var (
		insert db.AgencyInsertManyParams
		fresh  []*knownAgency
		move   []agencyRow
	)
	for _, row := range rows {
		if !row.met.isNew {
			move = append(move, row)
			continue
		}
		fresh = append(fresh, row.met.agency)
		insert.Names = append(insert.Names, row.name)
		insert.JurisdictionTypes = append(insert.JurisdictionTypes, row.jurisdiction)
		insert.LocationIDs = append(insert.LocationIDs, g.location(row.place))
	}
	ids, err := queries.AgencyInsertMany(ctx, tx, insert)
	if err != nil {
		return 0, 0, fmt.Errorf("store agencies: %w", err)
	}
	for i, id := range ids {
		fresh[i].id = id
	}
	if moved, err = moveAgencies(ctx, tx, move, g); err != nil {
		return 0, 0, fmt.Errorf("move agencies: %w", err)
	}
	return int64(len(ids)), moved, nil
}

// moveAgencies links agencies to the places of the rows, and returns how many it has moved. An agency whose locations another
// transaction has changed since the directory was loaded stays where it is.
func moveAgencies(ctx context.Context, tx pgx.Tx, rows []agencyRow, g *gazetteer) (moved int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	var move db.AgencyLocationMoveManyParams
	index := make(map[*knownAgency]int, len(rows))
	for _, row := range rows {
		i, again := index[row.met.agency]
		if again { // two moves are one, to the last place
			move.ToLocationIds[i] = g.location(row.place)
			continue
		}
		index[row.met.agency] = len(move.AgencyIDs)
		from := int64(0)
		if row.met.from != nil {
			from = g.location(*row.met.from)
		}
		move.AgencyIDs = append(move.AgencyIDs, row.met.agency.id)
		move.FromLocationIds = append(move.FromLocationIds, from)
		move.ToLocationIds = append(move.ToLocationIds, g.location(row.place))
	}
	if err := queries.AgencyHoldMany(ctx, tx, move.AgencyIDs); err != nil {
		return 0, fmt.Errorf("lock them: %w", err)
	}
	ids, err := queries.AgencyLocationMoveMany(ctx, tx, move)
	return int64(len(ids)), err
}
