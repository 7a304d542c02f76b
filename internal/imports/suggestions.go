package imports

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"docket/internal/convert"
	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/robots"
)

// modelName is what stands in place of a model where a file made the suggestion.
const modelName = "import"

const (
	reasonURLType         = "not a URL type that tells whether the URL is relevant: no suggestion"
	reasonRecordType      = "not a record type: no suggestion"
	reasonUnknownAgency   = "the agency is unknown: no suggestion"
	reasonSeveralAgencies = "several agencies have this name: no suggestion"
)

// relevant says what a URL type in a file makes of the URL's relevance.
var relevant = map[string]bool{
	string(db.URLTypeDatasource):       true,
	string(db.URLTypeMetaurl):          true,
	string(db.URLTypeIndividualrecord): true,
	string(db.URLTypeNotrelevant):      false,
}

// learn adds what one more row says of the page.
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

// shortenName makes a title fit to be suggested as a name.
func shortenName(name string) string {
	runes := []rune(name)
	if len(runes) <= robots.MaxName {
		return name
	}
	return strings.TrimSpace(string(runes[:robots.MaxName-3])) + "..."
}

// suggestionSteps is how many kinds of suggestions suggest stores, one after another.
const suggestionSteps = 5

// suggest stores what the file says of its URLs as suggestions of robots, in the order of URL ids: the order in
// which every bulk writer locks. It calls done after each step.
func suggest(ctx context.Context, tx db.DBTX, pages []*webPage, confidence int, summary *URLSummary, done func()) error {
	pages = slices.Clone(pages)
	slices.SortFunc(pages, func(a, b *webPage) int { return cmp.Compare(a.id, b.id) })
	if err := inChunks(pages, func(chunk []*webPage) error {
		_, err := queries.RobotURLLockMany(ctx, tx, convert.Each(chunk, pageID))
		return err
	}); err != nil {
		return fmt.Errorf("hold off other robots: %w", err)
	}
	agencies, locations, err := pairs(ctx, tx, pages, summary.Note)
	if err != nil {
		return err
	}
	for _, step := range [suggestionSteps]struct {
		what  string
		store func() error
	}{
		{"relevance", func() error { return suggestRelevance(ctx, tx, pages, confidence, summary) }},
		{"record types", func() error { return suggestRecordTypes(ctx, tx, pages, summary) }},
		{"names", func() error { return suggestNames(ctx, tx, pages, summary) }},
		{"agencies", func() error { return suggestAgencies(ctx, tx, agencies, confidence, summary) }},
		{"locations", func() error { return suggestLocations(ctx, tx, locations, confidence, summary) }},
	} {
		if err := step.store(); err != nil {
			return fmt.Errorf("suggest %s: %w", step.what, err)
		}
		done()
	}
	return nil
}

func pageID(p *webPage) int32 { return p.id }

// having keeps the pages of which the file says something.
func having(pages []*webPage, says func(*webPage) bool) []*webPage {
	return slices.DeleteFunc(slices.Clone(pages), func(p *webPage) bool { return !says(p) })
}

func suggestRelevance(ctx context.Context, tx db.DBTX, pages []*webPage, confidence int, summary *URLSummary) error {
	pages = having(pages, func(p *webPage) bool { return p.urlType != "" })
	return inChunks(pages, func(chunk []*webPage) error {
		n, err := queries.AutoRelevantSuggestionInsertMany(ctx, tx, db.AutoRelevantSuggestionInsertManyParams{
			URLIDs:     convert.Each(chunk, pageID),
			Relevant:   convert.Each(chunk, func(p *webPage) bool { return relevant[p.urlType] }),
			Confidence: float64(confidence) / 100,
			ModelName:  modelName,
		})
		summary.Relevance += n
		return err
	})
}

func suggestRecordTypes(ctx context.Context, tx db.DBTX, pages []*webPage, summary *URLSummary) error {
	pages = having(pages, func(p *webPage) bool { return p.recordType != "" })
	return inChunks(pages, func(chunk []*webPage) error {
		n, err := queries.AutoRecordTypeSuggestionInsertMany(ctx, tx, db.AutoRecordTypeSuggestionInsertManyParams{
			URLIDs:      convert.Each(chunk, pageID),
			RecordTypes: convert.Each(chunk, func(p *webPage) string { return string(p.recordType) }),
		})
		summary.RecordTypes += n
		return err
	})
}

func suggestNames(ctx context.Context, tx db.DBTX, pages []*webPage, summary *URLSummary) error {
	pages = having(pages, func(p *webPage) bool { return p.name != "" })
	return inChunks(pages, func(chunk []*webPage) error {
		n, err := queries.TitleSuggestionInsertMany(ctx, tx, db.TitleSuggestionInsertManyParams{
			URLIDs:      convert.Each(chunk, pageID),
			Suggestions: convert.Each(chunk, func(p *webPage) string { return p.name }),
		})
		summary.Names += n
		return err
	})
}

// pair is an agency or a location of a URL.
type pair struct {
	url   int32
	other int64
}

// pairs finds the agencies the file names, and their locations. Each pair comes once, in the order of the pages.
func pairs(ctx context.Context, tx db.DBTX, pages []*webPage, note csvfile.NoteFunc) (agencies, locations []pair, err error) {
	directory, err := loadDirectory(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pages {
		agency, location := len(agencies), len(locations) // where this page's pairs begin
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
				agencies = appendOnce(agencies, agency, pair{p.id, int64(known.id)})
				for _, id := range known.locations {
					locations = appendOnce(locations, location, pair{p.id, id})
				}
			}
		}
	}
	return agencies, locations, nil
}

// appendOnce appends a pair that is not among those from start on.
func appendOnce(pairs []pair, start int, p pair) []pair {
	if slices.Contains(pairs[start:], p) {
		return pairs
	}
	return append(pairs, p)
}

func suggestAgencies(ctx context.Context, tx db.DBTX, agencies []pair, confidence int, summary *URLSummary) error {
	var task *int32 // made by the first statement that needs one
	return inChunks(agencies, func(chunk []pair) error {
		stored, err := queries.AgencySuggestionInsertMany(ctx, tx, db.AgencySuggestionInsertManyParams{
			URLIDs:     convert.Each(chunk, func(p pair) int32 { return p.url }),
			AgencyIDs:  convert.Each(chunk, func(p pair) int32 { return int32(p.other) }),
			TaskID:     task,
			Confidence: int32(confidence),
		})
		if stored.TaskID != 0 {
			task = &stored.TaskID
		}
		summary.Tasks += stored.Tasks
		summary.Agencies += stored.Suggestions
		return err
	})
}

func suggestLocations(ctx context.Context, tx db.DBTX, locations []pair, confidence int, summary *URLSummary) error {
	var task *int32
	return inChunks(locations, func(chunk []pair) error {
		stored, err := queries.LocationSuggestionInsertMany(ctx, tx, db.LocationSuggestionInsertManyParams{
			URLIDs:      convert.Each(chunk, func(p pair) int32 { return p.url }),
			LocationIDs: convert.Each(chunk, func(p pair) int64 { return p.other }),
			TaskID:      task,
			Confidence:  float64(confidence),
		})
		if stored.TaskID != 0 {
			task = &stored.TaskID
		}
		summary.Tasks += stored.Tasks
		summary.Locations += stored.Suggestions
		return err
	})
}
