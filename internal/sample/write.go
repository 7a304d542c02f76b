package sample

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db/sampledb"
)

var queries = sampledb.New()

// enumsCopied are the enum types of the columns that Seed copies into. COPY sends binary values, and pgx knows the binary form
// of an enum only after its type was registered.
var enumsCopied = []string{
	"agency_auto_suggestion_method", "agency_id_subtask_detail_code", "agency_type_enum",
	"auto_location_id_subtask_type", "batch_status", "batch_strategy", "jurisdiction_type_enum", "location_type",
	"record_type", "suggestion_source_enum", "task_status_enum", "task_type", "url_html_content_type", "url_source",
	"url_type",
}

func registerEnums(ctx context.Context, conn *pgx.Conn) error {
	types, err := conn.LoadTypes(ctx, enumsCopied)
	if err != nil {
		return fmt.Errorf("load enum types: %w", err)
	}
	conn.TypeMap().RegisterTypes(types)
	return nil
}

// copyFunc copies rows into one table, and returns their number.
type copyFunc func(ctx context.Context, tx pgx.Tx) (int64, error)

func copyAll(ctx context.Context, tx pgx.Tx, copies []copyFunc) (rows int64, err error) {
	for _, table := range copies {
		n, err := table(ctx, tx)
		if err != nil {
			return 0, err
		}
		rows += n
	}
	return rows, nil
}

// into copies rows with insert, a statement for one table.
func into[T any](insert func(context.Context, sampledb.DBTX, []T) (int64, error), rows []T) copyFunc {
	return func(ctx context.Context, tx pgx.Tx) (int64, error) {
		if len(rows) == 0 {
			return 0, nil
		}
		n, err := insert(ctx, tx, rows)
		if err != nil {
			return 0, fmt.Errorf("copy %T: %w", rows, err)
		}
		return n, nil
	}
}

// deleteLocations deletes the locations that triggers made for the places, because those of the sample have given ids. The
// tables were empty and are locked, so there are no others.
func deleteLocations(ctx context.Context, tx pgx.Tx) (int64, error) {
	if err := queries.LocationDeleteAll(ctx, tx); err != nil {
		return 0, fmt.Errorf("delete locations made by triggers: %w", err)
	}
	return 0, nil
}

// copies returns the tables of the world in an order that satisfies the foreign keys.
func (w *World) copies() []copyFunc {
	return []copyFunc{
		into(queries.StateInsertMany, w.States),
		into(queries.CountyInsertMany, w.Counties),
		into(queries.LocalityInsertMany, w.Localities),
		deleteLocations,
		into(queries.LocationInsertMany, w.Locations),
		into(queries.AgencyInsertMany, w.Agencies),
		into(queries.AgencyLocationInsertMany, w.AgencyLocations),
		into(queries.AgencyOutwardLinkInsertMany, w.AgencyOutwardLinks),
		into(queries.BatchInsertMany, w.Batches),
		into(queries.BatchLocationInsertMany, w.BatchLocations),
		into(queries.BatchAgencyInsertMany, w.BatchAgencies),
		into(queries.FollowInsertMany, w.Follows),
		into(queries.AnonymousSessionInsertMany, w.Sessions),
	}
}

// copies returns the tables of the page in an order that satisfies the foreign keys.
func (p *Page) copies() []copyFunc {
	return []copyFunc{
		into(queries.TaskInsertMany, p.Tasks),
		into(queries.URLInsertMany, p.URLs),
		into(queries.HTMLContentInsertMany, p.HTML),
		into(queries.WebMetadataInsertMany, p.WebMetadata),
		into(queries.TaskURLInsertMany, p.TaskURLs),
		into(queries.BatchURLInsertMany, p.BatchURLs),
		into(queries.DuplicateInsertMany, p.Duplicates),

		into(queries.AgencySubtaskInsertMany, p.AgencySubtasks),
		into(queries.AgencySubtaskSuggestionInsertMany, p.AgencySubtaskSuggestions),
		into(queries.LocationSubtaskInsertMany, p.LocationSubtasks),
		into(queries.LocationSubtaskSuggestionInsertMany, p.LocationSubtaskSuggestions),
		into(queries.RobotRecordTypeInsertMany, p.RobotRecordTypes),
		into(queries.RobotRelevanceInsertMany, p.RobotRelevance),

		into(queries.UserURLTypeInsertMany, p.UserURLTypes),
		into(queries.UserRecordTypeInsertMany, p.UserRecordTypes),
		into(queries.UserAgencyInsertMany, p.UserAgencies),
		into(queries.UserLocationInsertMany, p.UserLocations),
		into(queries.NameSuggestionInsertMany, p.NameSuggestions),
		into(queries.NameEndorsementInsertMany, p.NameEndorsements),
		into(queries.AgencyNotFoundInsertMany, p.AgencyNotFound),
		into(queries.LocationNotFoundInsertMany, p.LocationNotFound),

		into(queries.AnonymousURLTypeInsertMany, p.AnonymousURLTypes),
		into(queries.AnonymousRecordTypeInsertMany, p.AnonymousRecordTypes),
		into(queries.AnonymousAgencyInsertMany, p.AnonymousAgencies),
		into(queries.AnonymousLocationInsertMany, p.AnonymousLocations),
		into(queries.AnonymousNameEndorsementInsertMany, p.AnonymousNames),

		into(queries.ValidatedFlagInsertMany, p.Validated),
		into(queries.AutoValidatedFlagInsertMany, p.AutoValidated),
		into(queries.SuspendedFlagInsertMany, p.Suspended),
		into(queries.AgreedRecordTypeInsertMany, p.AgreedRecordTypes),
		into(queries.AgreedAgencyInsertMany, p.AgreedAgencies),
		into(queries.DataSourceLinkInsertMany, p.DataSourceLinks),
		into(queries.MetaURLLinkInsertMany, p.MetaURLLinks),
	}
}
