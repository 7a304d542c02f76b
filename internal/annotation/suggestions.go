package annotation

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// describe fills in what is shown of next's URL, and returns what it needs, from the cache or in one round trip.
func (s *Service) describe(
	ctx context.Context, conn *postgres.Conn, next *Next, revision int64, batchID *int32,
) (at need, err error) {
	var steps []postgres.Step
	readAt := s.cache.now()
	at, cached := s.cache.get(next, revision)
	if !cached {
		steps = aboutURL(next)
		if s.reserve.For > 0 {
			steps = append(steps, s.votes(next.URLID, &at))
		}
	}
	if batchID != nil {
		steps = append(steps,
			postgres.Step{Phase: phase.BatchInfo, SQL: db.BatchInfoGet, Args: []any{*batchID}, Read: all(next.setBatch)})
	}
	if len(steps) == 0 {
		return at, nil
	}
	if err := postgres.Pipeline(ctx, conn, steps); err != nil {
		return need{}, err
	}
	if !cached {
		if revision != ranking.UnknownRevision {
			at.revision = revision // a change since has another one
		}
		s.cache.put(next, revision, readAt, at)
	}
	return at, nil
}

// votes is the statement for what next's URL needs.
func (s *Service) votes(urlID int32, at *need) postgres.Step {
	return postgres.Step{Phase: phase.Reservation, SQL: db.ReservationVoteList, Args: []any{urlID}, Read: func(rows pgx.Rows) error {
		votes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.ReservationVoteListRow])
		*at = s.needOf(votes)
		return err
	}}
}

// aboutURL are the statements about next's URL itself.
func aboutURL(next *Next) []postgres.Step {
	url := []any{next.URLID}
	return slices.Concat([]postgres.Step{
		{Phase: phase.Format, SQL: db.URLSuggestionsHiddenGet, Args: url, Read: scalar(&next.SuggestionsHidden)},
		{Phase: phase.Format, SQL: db.HTMLContentListByURL, Args: url, Read: all(next.HTML.set)},
		{Phase: phase.Format, SQL: db.URLTypeSuggestionListByURL, Args: url, Read: all(next.addURLType)},
		{Phase: phase.Format, SQL: db.RecordTypeSuggestionListByURL, Args: url, Read: all(next.addRecordType)},
	}, agenciesOf(next.URLID, &next.Agencies), []postgres.Step{
		{Phase: phase.LocationSuggestions, SQL: db.LocationSuggestionListByURL, Args: url, Read: all(next.Locations.addLocation)},
		{Phase: phase.LocationSuggestions, SQL: db.LocationNotFoundCountByURL, Args: url, Read: scalar(&next.Locations.NotFound)},
		{Phase: phase.NameSuggestions, SQL: db.NameSuggestionListByURL, Args: url, Read: all(next.addName)},
	})
}

// agenciesOf are the statements about a URL's agencies.
func agenciesOf(urlID int32, agencies *EntitySuggestions) []postgres.Step {
	url := []any{urlID}
	return []postgres.Step{
		{Phase: phase.AgencySuggestions, SQL: db.AgencySuggestionListByURL, Args: url, Read: all(agencies.addAgency)},
		{Phase: phase.AgencySuggestions, SQL: db.AgencyNotFoundCountByURL, Args: url, Read: scalar(&agencies.NotFound)},
	}
}

// Agencies returns the agencies suggested for a URL in any state; an unknown URL has none. With a location it returns only agencies
// of this location or of one within it. NotFound does not depend on the location. There are none while suggestions of the URL are
// hidden: by its batch, or from the annotator who works on it.
func (s *Service) Agencies(ctx context.Context, by Annotator, urlID int32, locationID *int64) (EntitySuggestions, error) {
	agencies, err := s.agencies(ctx, by, urlID, locationID)
	if err != nil {
		return EntitySuggestions{}, fmt.Errorf("list agencies of URL %d: %w", urlID, err)
	}
	return agencies, nil
}

func (s *Service) agencies(
	ctx context.Context, by Annotator, urlID int32, locationID *int64,
) (agencies EntitySuggestions, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return agencies, err
	}
	defer conn.Release()
	var ofBatch, fromCaller bool
	steps := append(agenciesOf(urlID, &agencies), postgres.Step{
		Phase: phase.AgencySuggestions, SQL: db.URLSuggestionsHiddenGet, Args: []any{urlID}, Read: scalar(&ofBatch),
	})
	if s.reserve.For > 0 {
		steps = append(steps, postgres.Step{
			Phase: phase.Reservation, SQL: db.ReservationSuggestionsHidden, Args: []any{by.String(), urlID, false}, Read: scalar(&fromCaller),
		})
	}
	if err := postgres.Pipeline(ctx, conn, steps); err != nil {
		return agencies, err
	}
	if ofBatch || fromCaller {
		return EntitySuggestions{}, nil
	}
	if locationID == nil || len(agencies.Entities) == 0 {
		return agencies, nil
	}
	ids := make([]int32, len(agencies.Entities))
	for i, agency := range agencies.Entities {
		ids[i] = int32(agency.ID)
	}
	defer phase.Start(ctx, phase.AgencySuggestions)()
	there, err := queries.AgencyListInLocation(ctx, conn,
		db.AgencyListInLocationParams{AgencyIDs: ids, LocationID: *locationID})
	agencies.Entities = slices.DeleteFunc(agencies.Entities, func(agency EntitySuggestion) bool {
		_, found := slices.BinarySearch(there, int32(agency.ID))
		return !found
	})
	return agencies, err
}

// all calls take with each row of a result, as its generated type.
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
		ID: int64(row.ID), DisplayName: row.DisplayName, Votes: row.UserCount, RoboConfidence: row.RoboConfidence,
	})
}

func (s *EntitySuggestions) addLocation(row db.LocationSuggestionListByURLRow) {
	s.Entities = append(s.Entities, EntitySuggestion{
		ID: row.ID, DisplayName: row.DisplayName, Votes: row.UserCount, RoboConfidence: row.RoboConfidence,
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
