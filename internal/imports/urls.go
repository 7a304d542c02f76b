package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/follows"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/robots"
	"docket/internal/urlform"
)

// URLColumns are the columns that a file of URLs must have, URLOptionalColumns those that it may have, in any order.
var (
	URLColumns         = []string{"url"}
	URLOptionalColumns = []string{"url_type", "record_type", "name", "description", "agencies"}
)

// URLOptions say how to import URLs.
type URLOptions struct {
	Options

	// Batch is the name of the batch for new URLs, not empty. A batch entered by hand with this name gets further URLs.
	Batch string

	// BatchLocations are the locations that the batch is linked to, in addition to those that it has. Users who
	// follow one of them are offered its URLs first.
	BatchLocations []int64

	// Robots stores what the file says about URLs as suggestions of robots, where no robot has made any.
	Robots bool

	// Confidence of the suggestions, 1 to 100; 0 means DefaultConfidence.
	Confidence int
}

// DefaultConfidence is the confidence of suggestions from a file when the caller does not give one.
const DefaultConfidence = 90

// URLSummary counts what an import of URLs did.
type URLSummary struct {
	csvfile.Accounting
	BatchID      int32 // of the batch the new URLs are in or that was linked to locations; 0 when there is none
	BatchCreated bool
	BatchLinks   int64 // of the batch to locations, created

	// Robots' suggestions created, by kind.
	Relevance, RecordTypes, Names, Agencies, Locations int64
	Tasks                                              int64 // created, for the agencies and the locations
}

// Unchanged reports whether the import changed nothing in the database.
func (s URLSummary) Unchanged() bool {
	return s.Created+s.BatchLinks+s.Relevance+s.RecordTypes+s.Names+s.Agencies+s.Locations+s.Tasks == 0
}

// webPage is one URL of a file, with what all of its rows say about it.
type webPage struct {
	form        urlform.Form
	rows        int64
	name        string
	description string
	urlType     string
	recordType  db.RecordType // empty when the file gives none that is valid
	agencies    []mention     // without repeated lists
	line        int64         // of the first row

	id int32 // set when stored
}

// mention is a list of agencies as it is spelled in a line of the file.
type mention struct {
	line  int64
	names string
}

// URLs stores the URLs of a CSV file with the columns URLColumns and URLOptionalColumns. Rows whose URLs have the same id form are one URL: the first
// is created, unless the database has it, and the others are duplicates. For each URL and column the first row with a value
// counts; of agencies, all rows count. Agencies are separated by "|", which can be part of a name as well: the longest known
// name counts.
//
// The import stores all rows that were not rejected or, with an error, nothing. The summary counts the rows that were read in
// both cases. The error is an *unknown.Error if a location of the batch does not exist.
func URLs(ctx context.Context, pool *postgres.Pool, file io.Reader, o URLOptions) (URLSummary, error) {
	switch {
	case strings.TrimSpace(o.Batch) == "":
		return URLSummary{}, errors.New("the batch needs a name")
	case o.Confidence < 0 || o.Confidence > 100:
		return URLSummary{}, fmt.Errorf("the confidence is %d and must be 1 to 100", o.Confidence)
	case o.Confidence == 0:
		o.Confidence = DefaultConfidence
	}
	read, pages, err := readURLs(file, o.Robots)
	if err != nil {
		return URLSummary{}, err
	}
	if err := o.refuse(read); err != nil {
		return URLSummary{Accounting: read}, err
	}
	var summary URLSummary
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
		summary = URLSummary{Accounting: read.Clone()}
		store := func() ([]int32, error) {
			if err := storeURLs(ctx, tx, pages, o, &summary); err != nil || summary.Unchanged() {
				return nil, err
			}
			return convert.Each(pages, func(p *webPage) int32 { return p.id }), nil
		}
		if err := recounted(ctx, tx, len(o.BatchLocations) > 0, store); err != nil || summary.Unchanged() {
			return err
		}
		return analyze(ctx, tx)
	})
	if err != nil {
		return URLSummary{Accounting: read}, fmt.Errorf("import URLs: %w", err)
	}
	return summary, nil
}

// recounted calls store, which returns the URLs that it changed, and then updates the queue for them.
func recounted(ctx context.Context, tx pgx.Tx, linked bool, store func() ([]int32, error)) error {
	if linked {
		return ranking.ChangeFollows(ctx, tx, store)
	}
	urlIDs, err := store()
	if err != nil || len(urlIDs) == 0 {
		return err
	}
	return ranking.Recount(ctx, tx, urlIDs)
}

func storeURLs(ctx context.Context, tx pgx.Tx, pages []*webPage, o URLOptions, summary *URLSummary) error {
	if err := queries.ImportLock(ctx, tx); err != nil {
		return fmt.Errorf("wait for the import lock: %w", err)
	}
	if err := follows.RequireLocations(ctx, tx, o.BatchLocations); err != nil {
		return err
	}
	work := progress{report: o.Progress, total: len(pages)}
	if o.Robots {
		work.total += len(robots.Attributes) * len(pages)
	}
	err := inChunks(pages, func(chunk []*webPage) error {
		defer work.add(len(chunk))
		return storePages(ctx, tx, chunk, o.Batch, summary)
	})
	if err != nil {
		return err
	}
	if err := linkBatch(ctx, tx, o, summary); err != nil || !o.Robots {
		return err
	}
	return suggest(ctx, tx, pages, o.Confidence, summary, func() { work.add(len(pages)) })
}

// storePages sets the id of every page, and stores the pages that are unknown.
func storePages(ctx context.Context, tx pgx.Tx, pages []*webPage, batch string, summary *URLSummary) error {
	ids := make(map[string]int32, len(pages))
	find := func(pages []*webPage) error {
		known, err := queries.URLListByIDForm(ctx, tx, convert.Each(pages, func(p *webPage) string { return p.form.ID }))
		if err != nil {
			return fmt.Errorf("look up URLs: %w", err)
		}
		for _, url := range known {
			ids[url.URL] = url.ID
		}
		return nil
	}
	missing := func() (rest []*webPage) {
		for _, p := range pages {
			if p.id = ids[p.form.ID]; p.id == 0 {
				rest = append(rest, p)
			}
		}
		return rest
	}

	if err := find(pages); err != nil {
		return err
	}
	var created []int32
	if fresh := missing(); len(fresh) > 0 {
		urls, err := queries.URLInsertMany(ctx, tx, db.URLInsertManyParams{
			Urls:            convert.Each(fresh, func(p *webPage) string { return p.form.ID }),
			Schemes:         convert.Each(fresh, func(p *webPage) string { return p.form.SchemeText() }),
			TrailingSlashes: convert.Each(fresh, func(p *webPage) bool { return p.form.TrailingSlash }),
			Descriptions:    convert.Each(fresh, func(p *webPage) string { return p.description }),
		})
		if err != nil {
			return fmt.Errorf("store URLs: %w", err)
		}
		for _, url := range urls {
			ids[url.URL] = url.ID
			created = append(created, url.ID)
		}
	}
	// A writer that does not take the import lock stored these between the two statements.
	if late := missing(); len(late) > 0 {
		if err := find(late); err != nil {
			return err
		}
		if left := missing(); len(left) > 0 {
			return fmt.Errorf("another transaction stored and deleted the URL of line %d during the import; try again",
				left[0].line)
		}
	}

	summary.Created += int64(len(created))
	for _, p := range pages {
		summary.Duplicate += p.rows
	}
	summary.Duplicate -= int64(len(created))
	return putInBatch(ctx, tx, created, batch, summary)
}

func putInBatch(ctx context.Context, tx pgx.Tx, urlIDs []int32, name string, summary *URLSummary) error {
	if len(urlIDs) == 0 {
		return nil
	}
	if summary.BatchID == 0 {
		var err error
		summary.BatchID, err = queries.BatchGetByName(ctx, tx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			summary.BatchCreated = true
			summary.BatchID, err = queries.BatchInsert(ctx, tx, name)
		}
		if err != nil {
			return fmt.Errorf("open batch %q: %w", name, err)
		}
	}
	err := queries.BatchURLInsertMany(ctx, tx, db.BatchURLInsertManyParams{BatchID: summary.BatchID, URLIDs: urlIDs})
	if err != nil {
		return fmt.Errorf("put URLs into batch %q: %w", name, err)
	}
	return nil
}

// linkBatch links the batch to its locations. Without a new URL the batch need not exist, and is not created.
func linkBatch(ctx context.Context, tx pgx.Tx, o URLOptions, summary *URLSummary) (err error) {
	if len(o.BatchLocations) == 0 {
		return nil
	}
	if summary.BatchID == 0 {
		summary.BatchID, err = queries.BatchGetByName(ctx, tx, o.Batch)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("open batch %q: %w", o.Batch, err)
		}
	}
	summary.BatchLinks, err = queries.BatchLocationInsertMany(ctx, tx, db.BatchLocationInsertManyParams{
		BatchID: summary.BatchID, LocationIDs: o.BatchLocations,
	})
	if err != nil {
		return fmt.Errorf("link batch %q to locations: %w", o.Batch, err)
	}
	return nil
}

// readURLs reads the whole file. Defects of what it says about URLs are noted only when that becomes suggestions.
func readURLs(r io.Reader, suggest bool) (a csvfile.Accounting, pages []*webPage, err error) {
	note := a.Note
	if !suggest {
		note = func(int64, *csvfile.Defect) {}
	}
	byID := make(map[string]*webPage)
	err = csvfile.ReadAll(r, csvfile.Columns{Required: URLColumns, Optional: URLOptionalColumns}, &a, func(row csvfile.Row) *csvfile.Defect {
		form, err := urlform.Parse(row.Fields[0])
		if err != nil {
			return csvfile.NewDefect("url", row.Fields[0], err.Error())
		}
		page, ok := byID[form.ID]
		if !ok {
			page = &webPage{form: form, line: row.Line}
			byID[form.ID] = page
			pages = append(pages, page)
		}
		page.learn(row, note)
		return nil
	})
	return a, pages, err
}
