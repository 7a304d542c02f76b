package ranking

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/views"
)

// Matview ranks by the counts of url_annotation_count_view as of its last refresh. Everything else is read from the tables: whether
// a URL is eligible or reserved, whether the annotator has done it, who follows it, and its source. It is safe for concurrent use.
type Matview struct{}

// NextForUser returns the next URL for a user, or nil when none is left.
func (Matview) NextForUser(ctx context.Context, conn db.DBTX, userID int32, filter Filter) (*Choice, error) {
	switch {
	case filter.URLID != nil && filter.Skip > 0:
		return nil, nil // there is only one
	case filter.URLID != nil:
		row, err := queries.MatviewNextGetByID(ctx, conn, db.MatviewNextGetByIDParams{
			URLID: *filter.URLID, BatchID: filter.BatchID, UserID: userID,
		})
		return matviewChoice(db.MatviewNextGetRow(row), err)
	case filter.BatchID != nil:
		row, err := queries.MatviewNextGetInBatch(ctx, conn, db.MatviewNextGetInBatchParams{
			BatchID: *filter.BatchID, UserID: userID, Skip: filter.Skip,
		})
		return matviewChoice(db.MatviewNextGetRow(row), err)
	default:
		row, err := queries.MatviewNextGet(ctx, conn, db.MatviewNextGetParams{UserID: userID, Skip: filter.Skip})
		return matviewChoice(row, err)
	}
}

// NextForSession returns the next URL for an anonymous session, known or not, after skip URLs, or nil when none is left.
func (Matview) NextForSession(ctx context.Context, conn db.DBTX, session uuid.UUID, skip int32) (*Choice, error) {
	row, err := queries.MatviewNextGetAnonymous(ctx, conn, db.MatviewNextGetAnonymousParams{SessionID: session, Skip: skip})
	return matviewChoice(db.MatviewNextGetRow(row), err)
}

// matviewChoice is nil when a statement returned no row.
func matviewChoice(row db.MatviewNextGetRow, err error) (*Choice, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, UnknownRevision), err
}

// countView is the view that Matview reads.
const countView = "url_annotation_count_view"

// Prepare refreshes the count view if no refresh of it is on record. A migration creates the view with the rows of that time,
// often none, and then every URL would count 0. Prepare does not wait while another process does the same; see views.Check.
func (Matview) Prepare(ctx context.Context, pool *postgres.Pool) ([]views.Refreshed, error) {
	known, err := views.List(ctx, pool)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(known, func(v views.View) bool { return v.Name == countView && v.RefreshedAt != nil && v.Populated }) {
		return nil, nil
	}
	return views.Refresh(ctx, pool, countView)
}
