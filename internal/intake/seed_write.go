package intake

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db/bulk"
	"docket/internal/intake/sample"
)

// enumsCopied are the enum types of the columns that Seed copies into. COPY sends binary values, and pgx knows the
// binary form of an enum only when it has been told of the type.
var enumsCopied = []string{
	"agency_auto_suggestion_method", "agency_id_subtask_detail_code", "agency_type_enum",
	"auto_location_id_subtask_type", "batch_status", "batch_strategy", "jurisdiction_type_enum", "location_type",
	"record_type", "suggestion_source_enum", "task_status_enum", "task_type", "url_html_content_type", "url_source",
	"url_status", "url_type",
}

// seedWriter copies rows table by table, and nothing more once something has failed.
type seedWriter struct {
	ctx     context.Context
	tx      pgx.Tx
	queries *bulk.Queries
	rows    int64
	err     error
}

func newSeedWriter(ctx context.Context, tx pgx.Tx, queries *bulk.Queries) (*seedWriter, error) {
	types, err := tx.Conn().LoadTypes(ctx, enumsCopied)
	if err != nil {
		return nil, fmt.Errorf("load enum types: %w", err)
	}
	tx.Conn().TypeMap().RegisterTypes(types)
	return &seedWriter{ctx: ctx, tx: tx, queries: queries}, nil
}

// put copies the rows of one table.
func put[T any](w *seedWriter, insert func(context.Context, bulk.DBTX, []T) (int64, error), rows []T) {
	if w.err != nil || len(rows) == 0 {
		return
	}
	n, err := insert(w.ctx, w.tx, rows)
	if err != nil {
		w.err = fmt.Errorf("copy %T: %w", rows, err)
	}
	w.rows += n
}

// The order within and among these satisfies the foreign keys.

func (w *seedWriter) places(world *sample.World) {
	put(w, w.queries.StateInsertMany, world.States)
	put(w, w.queries.CountyInsertMany, world.Counties)
	put(w, w.queries.LocalityInsertMany, world.Localities)
	w.clearLocations()
	put(w, w.queries.LocationInsertMany, world.Locations)
	put(w, w.queries.AgencyInsertMany, world.Agencies)
	put(w, w.queries.AgencyLocationInsertMany, world.AgencyLocations)
	put(w, w.queries.AgencyOutwardLinkInsertMany, world.AgencyOutwardLinks)
}

// clearLocations makes room for locations with the ids of the sample. The tables were empty and are locked, so whatever
// is there was made by triggers.
func (w *seedWriter) clearLocations() {
	if w.err != nil {
		return
	}
	if err := w.queries.LocationDeleteAll(w.ctx, w.tx); err != nil {
		w.err = fmt.Errorf("clear locations made by triggers: %w", err)
	}
}

func (w *seedWriter) batches(world *sample.World) {
	put(w, w.queries.BatchInsertMany, world.Batches)
	put(w, w.queries.BatchLocationInsertMany, world.BatchLocations)
	put(w, w.queries.BatchAgencyInsertMany, world.BatchAgencies)
	put(w, w.queries.AnonymousSessionInsertMany, world.Sessions)
}

func (w *seedWriter) urls(page *sample.Page) {
	put(w, w.queries.TaskInsertMany, page.Tasks)
	put(w, w.queries.URLInsertMany, page.URLs)
	put(w, w.queries.HTMLContentInsertMany, page.HTML)
	put(w, w.queries.WebMetadataInsertMany, page.WebMetadata)
	put(w, w.queries.TaskURLInsertMany, page.TaskURLs)
	put(w, w.queries.BatchURLInsertMany, page.BatchURLs)
	put(w, w.queries.DuplicateInsertMany, page.Duplicates)
}

func (w *seedWriter) robots(page *sample.Page) {
	put(w, w.queries.AgencySubtaskInsertMany, page.AgencySubtasks)
	put(w, w.queries.AgencySubtaskSuggestionInsertMany, page.AgencySubtaskSuggestions)
	put(w, w.queries.LocationSubtaskInsertMany, page.LocationSubtasks)
	put(w, w.queries.LocationSubtaskSuggestionInsertMany, page.LocationSubtaskSuggestions)
	put(w, w.queries.RobotRecordTypeInsertMany, page.RobotRecordTypes)
	put(w, w.queries.RobotRelevanceInsertMany, page.RobotRelevance)
}

func (w *seedWriter) users(page *sample.Page) {
	put(w, w.queries.UserURLTypeInsertMany, page.UserURLTypes)
	put(w, w.queries.UserRecordTypeInsertMany, page.UserRecordTypes)
	put(w, w.queries.UserAgencyInsertMany, page.UserAgencies)
	put(w, w.queries.UserLocationInsertMany, page.UserLocations)
	put(w, w.queries.NameSuggestionInsertMany, page.NameSuggestions)
	put(w, w.queries.NameEndorsementInsertMany, page.NameEndorsements)
	put(w, w.queries.AgencyNotFoundInsertMany, page.AgencyNotFound)
	put(w, w.queries.LocationNotFoundInsertMany, page.LocationNotFound)
}

func (w *seedWriter) anonymous(page *sample.Page) {
	put(w, w.queries.AnonymousURLTypeInsertMany, page.AnonymousURLTypes)
	put(w, w.queries.AnonymousRecordTypeInsertMany, page.AnonymousRecordTypes)
	put(w, w.queries.AnonymousAgencyInsertMany, page.AnonymousAgencies)
	put(w, w.queries.AnonymousLocationInsertMany, page.AnonymousLocations)
}

func (w *seedWriter) outcomes(page *sample.Page) {
	put(w, w.queries.ValidatedFlagInsertMany, page.Validated)
	put(w, w.queries.AutoValidatedFlagInsertMany, page.AutoValidated)
	put(w, w.queries.SuspendedFlagInsertMany, page.Suspended)
	put(w, w.queries.AgreedRecordTypeInsertMany, page.AgreedRecordTypes)
	put(w, w.queries.AgreedAgencyInsertMany, page.AgreedAgencies)
	put(w, w.queries.DataSourceLinkInsertMany, page.DataSourceLinks)
	put(w, w.queries.MetaURLLinkInsertMany, page.MetaURLLinks)
}
