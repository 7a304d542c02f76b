package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

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

// URLs stores the URLs of a CSV file with the columns URLColumns and URLOptionalColumns. Rows whose URLs have the same id form are
// one URL: the first is created, unless the database has it, and the others are duplicates. For each URL and column the first row
// with a value counts; of agencies, all rows count. Agencies are separated by "|", which can be part of a name as well: the longest
// known name counts.
//
// The file is read to its end before anything is stored, into a temporary file of about its size; about 150 bytes of memory are
// needed for each URL. Then the URLs are stored in parts, each in a transaction with everything that the file says about them, so
// that other writers wait for some tenths of a second at most. After an error, including the end of ctx, the parts that were
// stored remain, the summary counts them, and importing the file again stores the others. A strict import stores nothing if a row
// is rejected. The error is an *unknown.Error, and nothing is stored, if a location of the batch does not exist.
func URLs(ctx context.Context, pool *postgres.Pool, file io.Reader, o URLOptions) (URLSummary, error) {
	switch {
	case urlform.IsBlank(o.Batch):
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
	defer pages.close()
	if err := o.refuse(read); err != nil {
		return URLSummary{Accounting: read}, err
	}
	i := urlImport{
		importer: importer{options: o.Options, what: "URLs", total: int64(len(pages.last))},
		options:  o, summary: URLSummary{Accounting: read},
	}
	err = i.run(ctx, pool, func() error { return i.store(ctx, pages) })
	return i.summary, err
}

// urlImport stores the URLs of a file.
type urlImport struct {
	importer
	options URLOptions
	summary URLSummary
	linked  bool // the batch is linked to its locations
	tasks   map[string]int32
}

func (i *urlImport) store(ctx context.Context, pages *pages) error {
	if err := i.linkKnownBatch(ctx); err != nil {
		return err
	}
	reader := pages.reader(nil, i.summary.Note)
	if i.options.Robots {
		err := i.conn.InTx(ctx, func(tx pgx.Tx) error {
			known, err := loadDirectory(ctx, tx)
			reader.directory = &known
			return err
		})
		if err != nil {
			return err
		}
	}
	return inParts(ctx, &i.importer, reader.next, func(tx pgx.Tx, pages []*webPage) (func() error, error) {
		part := urlPart{urlImport: i, pages: pages, batchID: i.summary.BatchID}
		err := part.store(ctx, tx)
		return func() error { return i.stored(ctx, len(pages), part.count()) }, err
	})
}

// linkKnownBatch links the batch to its locations if it exists. A new one is linked by the part that creates it, because without a
// new URL it is not created.
func (i *urlImport) linkKnownBatch(ctx context.Context) error {
	if len(i.options.BatchLocations) == 0 {
		return nil
	}
	var batchID int32
	var links int64
	err := i.conn.InTx(ctx, func(tx pgx.Tx) error {
		return ranking.ChangeFollows(ctx, tx, func() (_ []int32, err error) {
			if err := follows.RequireLocations(ctx, tx, i.options.BatchLocations); err != nil {
				return nil, err
			}
			batchID, err = queries.BatchGetByName(ctx, tx, i.options.Batch)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil, nil
			}
			if err != nil {
				return nil, fmt.Errorf("open batch %q: %w", i.options.Batch, err)
			}
			links, err = linkBatch(ctx, tx, i.options, batchID)
			return nil, err
		})
	})
	if err == nil && batchID != 0 {
		i.summary.BatchID, i.summary.BatchLinks, i.linked = batchID, links, true
		i.changed += links
	}
	return err
}

func linkBatch(ctx context.Context, tx pgx.Tx, o URLOptions, batchID int32) (links int64, err error) {
	links, err = queries.BatchLocationInsertMany(ctx, tx, db.BatchLocationInsertManyParams{
		BatchID: batchID, LocationIDs: o.BatchLocations,
	})
	if err != nil {
		return 0, fmt.Errorf("link batch %q to locations: %w", o.Batch, err)
	}
	return links, nil
}

// urlPart is a part of the URLs of a file, and what storing it has done.
type urlPart struct {
	*urlImport
	pages []*webPage

	ids          map[string]int32 // by id form
	created      []int32
	batchID      int32
	batchCreated bool
	links        int64
	suggested    robots.Stored
	said         suggestionList
}

// store stores the URLs that are unknown and what the file says about all of them, and updates the queue for those that it changed.
func (p *urlPart) store(ctx context.Context, tx pgx.Tx) error {
	p.ids = make(map[string]int32, len(p.pages))
	if err := p.find(ctx, tx, p.pages); err != nil {
		return err
	}
	// Nothing is locked so far: ChangeFollows must be the first to lock.
	if len(p.options.BatchLocations) > 0 && !p.linked && len(p.missing()) > 0 {
		return ranking.ChangeFollows(ctx, tx, func() ([]int32, error) {
			if err := follows.RequireLocations(ctx, tx, p.options.BatchLocations); err != nil {
				return nil, err
			}
			return p.change(ctx, tx)
		})
	}
	changed, err := p.change(ctx, tx)
	if err != nil || len(changed) == 0 {
		return err
	}
	return ranking.Recount(ctx, tx, changed)
}

// change returns the URLs that it changed.
func (p *urlPart) change(ctx context.Context, tx pgx.Tx) ([]int32, error) {
	if err := p.insert(ctx, tx, p.missing()); err != nil {
		return nil, err
	}
	// A writer that does not take the import lock stored these between the two statements.
	if late := p.missing(); len(late) > 0 {
		if err := p.find(ctx, tx, late); err != nil {
			return nil, err
		}
		if left := p.missing(); len(left) > 0 {
			return nil, fmt.Errorf("another transaction stored and deleted the URL of line %d during the import; try again",
				left[0].line)
		}
	}
	if err := p.putInBatch(ctx, tx); err != nil {
		return nil, err
	}
	if !p.options.Robots {
		return p.created, nil
	}
	var err error
	p.suggested, p.said, err = suggest(ctx, tx, p.pages, p.options.Confidence, p.tasks)
	return slices.Concat(p.created, p.suggested.URLs), err
}

// find looks up the ids of pages.
func (p *urlPart) find(ctx context.Context, tx pgx.Tx, pages []*webPage) error {
	known, err := queries.URLListByIDForm(ctx, tx, convert.Each(pages, func(p *webPage) string { return p.form.ID }))
	if err != nil {
		return fmt.Errorf("look up URLs: %w", err)
	}
	for _, url := range known {
		p.ids[url.URL] = url.ID
	}
	return nil
}

// missing sets the ids of the pages that are known, and returns the others.
func (p *urlPart) missing() (rest []*webPage) {
	for _, page := range p.pages {
		if page.id = p.ids[page.form.ID]; page.id == 0 {
			rest = append(rest, page)
		}
	}
	return rest
}

func (p *urlPart) insert(ctx context.Context, tx pgx.Tx, fresh []*webPage) error {
	if len(fresh) == 0 {
		return nil
	}
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
		p.ids[url.URL] = url.ID
		p.created = append(p.created, url.ID)
	}
	return nil
}

// putInBatch puts the created URLs into the batch, which is created and linked to its locations when needed.
func (p *urlPart) putInBatch(ctx context.Context, tx pgx.Tx) (err error) {
	if len(p.created) == 0 {
		return nil
	}
	name := p.options.Batch
	if p.batchID == 0 {
		p.batchID, err = queries.BatchGetByName(ctx, tx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			p.batchCreated = true
			p.batchID, err = queries.BatchInsert(ctx, tx, name)
		}
		if err != nil {
			return fmt.Errorf("open batch %q: %w", name, err)
		}
	}
	err = queries.BatchURLInsertMany(ctx, tx, db.BatchURLInsertManyParams{BatchID: p.batchID, URLIDs: p.created})
	if err != nil {
		return fmt.Errorf("put URLs into batch %q: %w", name, err)
	}
	if len(p.options.BatchLocations) > 0 && !p.linked {
		p.links, err = linkBatch(ctx, tx, p.options, p.batchID)
	}
	return err
}

// count adds the part to the summary, once it is committed, and returns how many rows of the database changed.
func (p *urlPart) count() (changed int64) {
	s := &p.summary
	created := int64(len(p.created))
	s.Created += created
	for _, page := range p.pages {
		s.Duplicate += page.rows
	}
	s.Duplicate -= created
	s.BatchID = p.batchID
	s.BatchCreated = s.BatchCreated || p.batchCreated
	s.BatchLinks += p.links
	p.linked = p.linked || created > 0
	changed = created + p.links
	if p.options.Robots {
		changed += s.addSuggested(p.suggested, p.said)
		p.tasks = p.suggested.Tasks
	}
	return changed
}
