package imports

import (
	"context"

	"github.com/jackc/pgx/v5"

	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/robots"
)

// The source of suggestions that a file makes: instead of a model, and as a method of finding agencies and locations.
const (
	modelName  = "import"
	methodName = "batch_link"
)

const (
	reasonURLType         = "relevance does not follow from this URL type: no suggestion"
	reasonRecordType      = "not a record type: no suggestion"
	reasonUnknownAgency   = "the agency is unknown: no suggestion"
	reasonSeveralAgencies = "several agencies have this name: no suggestion"
	reasonDeleted         = "deleted during the import: no suggestion"
)

// relevant maps a URL type in a file to the URL's relevance.
var relevant = map[string]bool{
	string(db.URLTypeDatasource):       true,
	string(db.URLTypeMetaurl):          true,
	string(db.URLTypeIndividualrecord): true,
	string(db.URLTypeNotrelevant):      false,
}

// suggest stores what the file says about URLs as suggestions of robots, and keeps earlier suggestions. It returns them with what
// was stored. The tasks are those of earlier parts of the file.
func suggest(
	ctx context.Context, tx pgx.Tx, pages []*webPage, confidence int, tasks map[string]int32,
) (robots.Stored, suggestionList, error) {
	said := suggestionList{confidence: float64(confidence)}
	for _, p := range pages {
		said.addPage(p)
	}
	stored, err := robots.Store(ctx, tx, said.suggestions, robots.Options{Keep: true, Tasks: tasks})
	return stored, said, err
}

// addSuggested counts suggestions that were stored and returns their number, and notes those that were not.
func (s *URLSummary) addSuggested(stored robots.Stored, said suggestionList) (n int64) {
	for _, r := range stored.Rejected {
		s.Note(said.lines[r.Index], csvfile.NewDefect("", r.Detail, reasonDeleted))
	}
	for attribute, count := range map[string]*int64{
		robots.Relevant: &s.Relevance, robots.RecordType: &s.RecordTypes, robots.Name: &s.Names,
		robots.Agency: &s.Agencies, robots.Location: &s.Locations,
	} {
		*count += int64(stored.ByAttribute[attribute])
		n += int64(stored.ByAttribute[attribute])
	}
	s.Tasks += int64(stored.NewTasks)
	return n
}

// suggestionList is what a file says about its URLs, as suggestions.
type suggestionList struct {
	confidence  float64 // in percent
	suggestions []robots.Suggestion
	lines       []int64 // of the suggestions
}

func (s *suggestionList) add(p *webPage, line int64, suggestion robots.Suggestion) {
	suggestion.URLID = &p.id
	s.suggestions = append(s.suggestions, suggestion)
	s.lines = append(s.lines, line)
}

func (s *suggestionList) addPage(p *webPage) {
	if p.urlType != "" {
		s.add(p, p.line, robots.Suggestion{
			Attribute: robots.Relevant, Value: relevant[p.urlType], Confidence: new(s.confidence / 100), Source: new(modelName),
		})
	}
	if p.recordType != "" {
		s.add(p, p.line, robots.Suggestion{Attribute: robots.RecordType, Value: p.recordType})
	}
	if p.name != "" {
		s.add(p, p.line, robots.Suggestion{Attribute: robots.Name, Value: p.name})
	}
	for _, e := range p.entities {
		s.add(p, e.line, robots.Suggestion{
			Attribute: e.attribute, Value: e.id, Confidence: &s.confidence, Source: new(methodName),
		})
	}
}
