package annotation

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/db"
	"docket/internal/phase"
)

// statement is one of the generated statements about a URL or a batch, and what to do with its rows.
type statement struct {
	phase string
	sql   string
	id    int32
	read  func(pgx.Rows) error
}

// describe fills in what is known and suggested of next's URL, in one round trip.
func describe(ctx context.Context, conn *pgxpool.Conn, next *Next, batchID *int32) error {
	statements := []statement{
		{phase.Format, db.HTMLContentListByURL, next.URLID, all(next.HTML.set)},
		{phase.Format, db.URLTypeSuggestionListByURL, next.URLID, all(next.addURLType)},
		{phase.Format, db.RecordTypeSuggestionListByURL, next.URLID, all(next.addRecordType)},
		{phase.AgencySuggestions, db.AgencySuggestionListByURL, next.URLID, all(next.Agencies.addAgency)},
		{phase.AgencySuggestions, db.AgencyNotFoundCountByURL, next.URLID, scalar(&next.Agencies.NotFound)},
		{phase.LocationSuggestions, db.LocationSuggestionListByURL, next.URLID, all(next.Locations.addLocation)},
		{phase.LocationSuggestions, db.LocationNotFoundCountByURL, next.URLID, scalar(&next.Locations.NotFound)},
		{phase.NameSuggestions, db.NameSuggestionListByURL, next.URLID, all(next.addName)},
	}
	if batchID != nil {
		statements = append(statements, statement{phase.BatchInfo, db.BatchInfoGet, *batchID, all(next.setBatch)})
	}
	return pipeline(ctx, conn, statements)
}

// pipeline sends all statements at once. PostgreSQL runs them one after the other, so the time from one result to the
// next is the time of the statement between, and counts for its phase.
func pipeline(ctx context.Context, conn *pgxpool.Conn, statements []statement) error {
	var batch pgx.Batch
	var stop func()
	for i, statement := range statements {
		batch.Queue(statement.sql, statement.id).Query(func(rows pgx.Rows) error {
			err := statement.read(rows)
			stop()
			if i+1 < len(statements) {
				stop = phase.Start(ctx, statements[i+1].phase)
			}
			return err
		})
	}
	stop = phase.Start(ctx, statements[0].phase)
	return conn.SendBatch(ctx, &batch).Close()
}

// all hands each row of a result, as its generated type, to take.
func all[Row any](take func(Row)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Row])
		for _, row := range got {
			take(row)
		}
		return err
	}
}

// scalar stores the one value of a result.
func scalar[T any](into *T) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
		return err
	}
}

func (h *HTML) set(row db.HTMLContentListByURLRow) {
	switch row.ContentType {
	case db.URLHTMLContentTypeTitle:
		h.Title = row.Content
	case db.URLHTMLContentTypeDescription:
		h.Description = row.Content
	case db.URLHTMLContentTypeH1:
		h.H1 = row.Content
	case db.URLHTMLContentTypeH2:
		h.H2 = row.Content
	case db.URLHTMLContentTypeH3:
		h.H3 = row.Content
	case db.URLHTMLContentTypeH4:
		h.H4 = row.Content
	case db.URLHTMLContentTypeH5:
		h.H5 = row.Content
	case db.URLHTMLContentTypeH6:
		h.H6 = row.Content
	case db.URLHTMLContentTypeDiv:
		h.Div = row.Content
	}
}

func (n *Next) addURLType(row db.URLTypeSuggestionListByURLRow) {
	n.URLTypes = append(n.URLTypes, URLTypeVotes{Type: URLType(row.URLType), Votes: row.EndorsementCount})
}

func (n *Next) addRecordType(row db.RecordTypeSuggestionListByURLRow) {
	n.RecordTypes = append(n.RecordTypes, RecordTypeVotes{Type: RecordType(row.RecordType), Votes: row.UserCount})
}

func (s *EntitySuggestions) addAgency(row db.AgencySuggestionListByURLRow) {
	s.Entities = append(s.Entities, EntitySuggestion{
		ID: int64(row.ID), DisplayName: row.DisplayName, Users: row.UserCount, RoboConfidence: row.RoboConfidence,
	})
}

func (s *EntitySuggestions) addLocation(row db.LocationSuggestionListByURLRow) {
	s.Entities = append(s.Entities, EntitySuggestion{
		ID: row.ID, DisplayName: row.DisplayName, Users: row.UserCount, RoboConfidence: row.RoboConfidence,
	})
}

func (n *Next) addName(row db.NameSuggestionListByURLRow) {
	n.Names = append(n.Names, NameSuggestion{
		ID: row.ID, Name: row.DisplayName, Endorsements: row.UserCount, FromRobot: row.RoboCount > 0,
	})
}

func (n *Next) setBatch(row db.BatchInfoGetRow) {
	n.Batch = &BatchInfo{Total: row.Total, Annotated: row.Annotated}
}
