package ranking

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

// Matview ranks by url_annotation_count_view as it was at its last refresh. Whether a URL is eligible, and whether the
// annotator has done it, is always live. It is safe for concurrent use.
type Matview struct{}

// NextForUser returns the next URL for a user, or nil when none is left.
func (Matview) NextForUser(ctx context.Context, conn db.DBTX, userID int32, filter Filter) (*Choice, error) {
	switch {
	case filter.URLID != nil:
		row, err := queries.MatviewNextGetByID(ctx, conn, db.MatviewNextGetByIDParams{
			URLID: *filter.URLID, BatchID: filter.BatchID, UserID: userID,
		})
		return rowChoice(matviewRow(row), err)
	case filter.BatchID != nil:
		row, err := queries.MatviewNextGetInBatch(ctx, conn, db.MatviewNextGetInBatchParams{
			BatchID: *filter.BatchID, UserID: userID,
		})
		return rowChoice(matviewRow(row), err)
	default:
		row, err := queries.MatviewNextGet(ctx, conn, userID)
		return rowChoice(matviewRow(row), err)
	}
}

// NextForSession returns the next URL for an anonymous session, known or not, or nil when none is left.
func (Matview) NextForSession(ctx context.Context, conn db.DBTX, session uuid.UUID) (*Choice, error) {
	row, err := queries.MatviewNextGetAnonymous(ctx, conn, session)
	return rowChoice(matviewRow(row), err)
}

// matviewRow is what all four statements return.
type matviewRow db.MatviewNextGetRow

func rowChoice(row matviewRow, err error) (*Choice, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &Choice{URLID: row.URLID, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash, Revision: UnknownRevision}, err
}
