package annotation

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"docket/internal/consensus"
	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// description reads what is shown of a URL, and with it the votes, from which follows what the URL needs.
type description struct {
	next  *Next
	votes consensus.Votes
	rule  *db.ReservationRuleGetRow // nil for a URL that was deleted
}

// describe fills in what is shown of next's URL, and returns what it needs, from the cache or in one round trip.
func (s *Service) describe(
	ctx context.Context, conn *postgres.Conn, next *Next, revision int64, batchID *int32,
) (at need, err error) {
	var steps []postgres.Step
	about := description{next: next, votes: consensus.Votes{}}
	readAt := s.cache.now()
	at, cached := s.cache.get(next, revision)
	if !cached {
		if s.reserve.For > 0 {
			steps = append(steps, about.ruleStep()) // before the votes, so that a vote after its revision is noticed
		}
		steps = append(steps, about.steps()...)
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
		at = s.needOf(about)
		if revision != ranking.UnknownRevision {
			at.revision = revision // a change since has another one
		}
		s.cache.put(next, revision, readAt, at)
	}
	return at, nil
}

// needOf is what a URL needs by its description.
func (s *Service) needOf(about description) need {
	if about.rule == nil {
		return need{answers: 1, revision: ranking.UnknownRevision}
	}
	rule := consensus.Rule{Threshold: about.rule.Threshold, AnonymousWeight: about.rule.AnonymousWeight}
	return need{s.neededBy(rule, about.votes), about.rule.ChangedXid}
}

func (d *description) ruleStep() postgres.Step {
	return postgres.Step{
		Phase: phase.Reservation, SQL: db.ReservationRuleGet, Args: []any{d.next.URLID},
		Read: all(func(row db.ReservationRuleGetRow) { d.rule = &row }),
	}
}

// steps are the statements about the URL itself.
func (d *description) steps() []postgres.Step {
	url, next := []any{d.next.URLID}, d.next
	return slices.Concat([]postgres.Step{
		{Phase: phase.Format, SQL: db.URLSuggestionsHiddenGet, Args: url, Read: scalar(&next.SuggestionsHidden)},
		{Phase: phase.Format, SQL: db.HTMLContentListByURL, Args: url, Read: all(next.HTML.set)},
		{Phase: phase.Format, SQL: db.URLTypeSuggestionListByURL, Args: url, Read: all(d.addURLType)},
		{Phase: phase.Format, SQL: db.RecordTypeSuggestionListByURL, Args: url, Read: all(d.addRecordType)},
	}, agenciesOf(next.URLID, d.addAgency, &next.Agencies.NotFound), []postgres.Step{
		{Phase: phase.LocationSuggestions, SQL: db.LocationSuggestionListByURL, Args: url, Read: all(d.addLocation)},
		{Phase: phase.LocationSuggestions, SQL: db.LocationNotFoundCountByURL, Args: url, Read: scalar(&next.Locations.NotFound)},
		{Phase: phase.NameSuggestions, SQL: db.NameSuggestionListByURL, Args: url, Read: all(d.addName)},
	})
}

// agenciesOf are the statements about a URL's agencies.
func agenciesOf(urlID int32, add func(db.AgencySuggestionListByURLRow), notFound *int32) []postgres.Step {
	url := []any{urlID}
	return []postgres.Step{
		{Phase: phase.AgencySuggestions, SQL: db.AgencySuggestionListByURL, Args: url, Read: all(add)},
		{Phase: phase.AgencySuggestions, SQL: db.AgencyNotFoundCountByURL, Args: url, Read: scalar(notFound)},
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
	steps := append(agenciesOf(urlID, agencies.addAgency, &agencies.NotFound), postgres.Step{
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
	ctx, end := phase.Start(ctx, phase.AgencySuggestions)
	defer end()
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

// shownAtMost is how many types, record types and names are shown.
const shownAtMost = 3

func (d *description) vote(attribute consensus.Attribute, value string, users, sessions int32) {
	if users > 0 || sessions > 0 {
		d.votes.Add(attribute, value, consensus.Count{Users: users, Sessions: sessions})
	}
}

func (d *description) addURLType(row db.URLTypeSuggestionListByURLRow) {
	d.vote(consensus.URLType, string(row.URLType), row.Users, row.Sessions)
	if len(d.next.URLTypes) < shownAtMost {
		d.next.URLTypes = append(d.next.URLTypes, URLTypeVotes{Type: URLType(row.URLType), Votes: row.EndorsementCount})
	}
}

func (d *description) addRecordType(row db.RecordTypeSuggestionListByURLRow) {
	d.vote(consensus.RecordType, string(row.RecordType), row.Users, row.Sessions)
	if len(d.next.RecordTypes) < shownAtMost {
		d.next.RecordTypes = append(d.next.RecordTypes, RecordTypeVotes{Type: RecordType(row.RecordType), Votes: row.UserCount})
	}
}

func (d *description) addAgency(row db.AgencySuggestionListByURLRow) {
	d.vote(consensus.Agency, strconv.Itoa(int(row.ID)), row.Users, row.Sessions)
	d.next.Agencies.addAgency(row)
}

func (s *EntitySuggestions) addAgency(row db.AgencySuggestionListByURLRow) {
	s.Entities = append(s.Entities, EntitySuggestion{
		ID: int64(row.ID), DisplayName: row.DisplayName, Votes: row.UserCount, RoboConfidence: row.RoboConfidence,
	})
}

func (d *description) addLocation(row db.LocationSuggestionListByURLRow) {
	d.vote(consensus.Location, strconv.FormatInt(row.ID, 10), row.Users, row.Sessions)
	d.next.Locations.Entities = append(d.next.Locations.Entities, EntitySuggestion{
		ID: row.ID, DisplayName: row.DisplayName, Votes: row.UserCount, RoboConfidence: row.RoboConfidence,
	})
}

func (d *description) addName(row db.NameSuggestionListByURLRow) {
	d.vote(consensus.Name, row.DisplayName, row.Users, row.Sessions)
	if len(d.next.Names) < shownAtMost {
		d.next.Names = append(d.next.Names, NameSuggestion{
			ID: row.ID, Name: row.DisplayName, Endorsements: row.UserCount, FromRobot: row.RoboCount > 0,
		})
	}
}

func (n *Next) setBatch(row db.BatchInfoGetRow) {
	n.Batch = &BatchInfo{Total: row.Total, Annotated: row.Annotated}
}
