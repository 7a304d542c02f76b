package imports

import (
	"cmp"
	"context"
	"slices"
	"strings"

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

// learn adds what one more row says about the page.
func (p *webPage) learn(row csvfile.Row, note csvfile.NoteFunc) {
	p.rows++
	if urlType := strings.ToLower(row.Fields[1]); urlType != "" {
		if _, ok := relevant[urlType]; !ok {
			note(row.Line, csvfile.NewDefect("url_type", row.Fields[1], reasonURLType))
		} else if p.urlType == "" {
			p.urlType = urlType
		}
	}
	if recordType := db.RecordType(row.Fields[2]); recordType != "" {
		if !recordType.Valid() {
			note(row.Line, csvfile.NewDefect("record_type", row.Fields[2], reasonRecordType))
		} else if p.recordType == "" {
			p.recordType = recordType
		}
	}
	p.name = cmp.Or(p.name, shortenName(row.Fields[3]))
	p.description = cmp.Or(p.description, row.Fields[4])
	names := row.Fields[5]
	if names != "" && !slices.ContainsFunc(p.agencies, func(m mention) bool { return m.names == names }) {
		p.agencies = append(p.agencies, mention{row.Line, names})
	}
}

// shortenName makes a title fit as a suggested name.
func shortenName(name string) string {
	runes := []rune(name)
	if len(runes) <= robots.MaxName {
		return name
	}
	return strings.TrimSpace(string(runes[:robots.MaxName-3])) + "..."
}

// suggest stores what the file says about its URLs as suggestions of robots, and keeps earlier suggestions. It calls done after
// each of robots.Attributes.
func suggest(ctx context.Context, tx pgx.Tx, pages []*webPage, confidence int, summary *URLSummary, done func()) error {
	directory, err := loadDirectory(ctx, tx)
	if err != nil {
		return err
	}
	said := suggestionList{confidence: float64(confidence)}
	for _, p := range pages {
		said.addPage(p)
		said.addAgencies(p, directory, summary.Note)
	}
	stored, err := robots.Store(ctx, tx, said.suggestions, robots.Options{Keep: true, Progress: done})
	if err != nil {
		return err
	}
	for _, r := range stored.Rejected {
		summary.Note(said.lines[r.Index], csvfile.NewDefect("", r.Detail, reasonDeleted))
	}
	for attribute, count := range map[string]*int64{
		robots.Relevant: &summary.Relevance, robots.RecordType: &summary.RecordTypes, robots.Name: &summary.Names,
		robots.Agency: &summary.Agencies, robots.Location: &summary.Locations,
	} {
		*count = int64(stored.ByAttribute[attribute])
	}
	summary.Tasks = int64(stored.Tasks)
	return nil
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
		s.add(p, p.line, robots.Suggestion{Attribute: robots.RecordType, Value: string(p.recordType)})
	}
	if p.name != "" {
		s.add(p, p.line, robots.Suggestion{Attribute: robots.Name, Value: p.name})
	}
}

// addAgencies adds the agencies that the file names, and their locations.
func (s *suggestionList) addAgencies(p *webPage, directory directory, note csvfile.NoteFunc) {
	var seen []string
	for _, m := range p.agencies {
		for _, name := range directory.split(m.names) {
			if slices.Contains(seen, name) {
				continue
			}
			seen = append(seen, name)
			known, reason := directory.find(name)
			if reason != "" {
				note(m.line, csvfile.NewDefect("agencies", name, reason))
				continue
			}
			s.addEntity(p, m.line, robots.Agency, int64(known.id))
			for _, id := range known.locations {
				s.addEntity(p, m.line, robots.Location, id)
			}
		}
	}
}

func (s *suggestionList) addEntity(p *webPage, line int64, attribute string, id int64) {
	s.add(p, line, robots.Suggestion{Attribute: attribute, Value: id, Confidence: &s.confidence, Source: new(methodName)})
}
