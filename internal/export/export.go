// Package export returns all annotations, as of one snapshot, one line at a time. It owns the queries export.sql and the
// pseudonyms of annotators. It only reads, and it never holds more than a page of lines in memory.
package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/urlform"
)

// The most URLs that one statement reads and the most lines that it returns: enough for few round trips, and few enough for the
// statement timeout and for memory.
const (
	windowURLs = 1000
	pageLines  = 5000
)

// connsPerExport is the number of connections of the pool for each concurrent export. An export holds a connection for as long as
// its client reads.
const connsPerExport = 4

var (
	// ErrBusy refuses an export while the greatest number of them is running.
	ErrBusy = errors.New("the maximum number of exports is running; try again later")

	errNoKey   = errors.New("pseudonyms need a key")
	errStopped = errors.New("the iteration was stopped")
)

// Service exports. It is safe for concurrent use.
type Service struct {
	pool       *postgres.Pool
	pseudonyms *pseudonyms   // nil without a key
	slots      chan struct{} // one for each running export
}

// New returns a Service on the database of pool, which must be migrated. Pseudonyms are derived from the key of the tokens and
// stay the same as long as the key does. Without a key there are no pseudonyms.
func New(pool *postgres.Pool, tokenKey []byte) *Service {
	s := &Service{pool: pool, slots: make(chan struct{}, max(1, pool.Config().MaxConns/connsPerExport))}
	if len(tokenKey) > 0 {
		s.pseudonyms = newPseudonyms(tokenKey)
	}
	return s
}

// Attribute is what a line is about.
type Attribute string

const (
	URLType          Attribute = "url_type"
	RecordType       Attribute = "record_type"
	Agency           Attribute = "agency"
	Location         Attribute = "location"
	Name             Attribute = "name"
	AgencyNotFound   Attribute = "agency_not_found"
	LocationNotFound Attribute = "location_not_found"
)

// Line is what one annotator said about one attribute of one URL. One answer of an annotator is several lines.
type Line struct {
	URLID     int32
	URL       string // with scheme and trailing slash, where known
	User      string // the id or a pseudonym; always a pseudonym for an anonymous session
	Attribute Attribute
	Value     *string    // a text or an id; nil for a not-found flag and for an agency that the catalog does not have
	CreatedAt *time.Time // nil if unknown
	Validated bool       // the URL is validated, and this is the confirmed value
}

// Options are the filter and the form of an export.
type Options struct {
	Since        *time.Time // only lines created then or later
	Pseudonymous bool       // users have pseudonyms instead of ids

	// Progress, unless nil, is called from time to time with the number of URLs read and the number of all URLs.
	Progress func(done, total int64)
}

var queries = db.New()

// Lines returns the lines as of the snapshot at the start of the iteration, by URL, user, attribute and value. Users are ordered
// by id, with anonymous sessions after them; in a pseudonymous export all annotators are ordered by pseudonym. An error is the
// last thing that it yields; the export is then incomplete. An iteration holds a connection until it ends.
func (s *Service) Lines(ctx context.Context, o Options) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		err := s.export(ctx, o, func(line Line) error {
			if !yield(line, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(Line{}, fmt.Errorf("export answers: %w", err))
		}
	}
}

func (s *Service) export(ctx context.Context, o Options, emit func(Line) error) error {
	if o.Pseudonymous && s.pseudonyms == nil {
		return errNoKey
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return ErrBusy
	}
	out := newOutput(emit)
	if o.Pseudonymous {
		out = newSecretOutput(s.pseudonyms, emit)
	}
	return postgres.InSnapshot(ctx, s.pool, func(tx pgx.Tx) error {
		if err := read(ctx, tx, o, out.add); err != nil {
			return err
		}
		return out.close()
	})
}

// read reads the URLs window by window.
func read(ctx context.Context, tx pgx.Tx, o Options, add func(db.ExportLineListPageRow) error) error {
	var done, total int64
	if o.Progress != nil {
		var err error
		if total, err = queries.URLCountAll(ctx, tx); err != nil {
			return fmt.Errorf("count URLs: %w", err)
		}
		o.Progress(0, total)
	}
	for after := int32(math.MinInt32); ; {
		window, err := queries.URLWindowGet(ctx, tx, db.URLWindowGetParams{AfterID: after, Most: windowURLs})
		if err != nil {
			return fmt.Errorf("choose URLs: %w", err)
		}
		if window.Count == 0 {
			return nil
		}
		if err := readWindow(ctx, tx, window, o.Since, add); err != nil {
			return err
		}
		after = window.LastID
		if done += window.Count; o.Progress != nil {
			o.Progress(done, total)
		}
	}
}

// readWindow reads the lines of a window's URLs page by page.
func readWindow(
	ctx context.Context, tx pgx.Tx, window db.URLWindowGetRow, since *time.Time, add func(db.ExportLineListPageRow) error,
) error {
	next := db.ExportLineListPageParams{
		AfterURLID: window.FirstID, AfterUserID: math.MinInt32, // before the first line of the first URL
		LastURLID: window.LastID, Since: since, PageSize: pageLines,
	}
	for {
		page, err := readPage(ctx, tx, next)
		if err != nil {
			return fmt.Errorf("read answers: %w", err)
		}
		for _, row := range page {
			if err := add(row); err != nil {
				return err
			}
		}
		if len(page) < pageLines {
			return nil
		}
		last := page[len(page)-1]
		next.AfterURLID, next.AfterSessionID, next.AfterUserID = last.URLID, last.SessionID, last.UserID
		next.AfterAttribute, next.AfterValue = last.Attribute, last.Value
	}
}

func readPage(ctx context.Context, tx pgx.Tx, params db.ExportLineListPageParams) ([]db.ExportLineListPageRow, error) {
	defer phase.Start(ctx, phase.Export)()
	return queries.ExportLineListPage(ctx, tx, params)
}

// lineFrom returns the line of a row without its user.
func lineFrom(row db.ExportLineListPageRow) Line {
	line := Line{
		URLID:     row.URLID,
		URL:       urlform.Full(row.Scheme, row.URL, row.TrailingSlash),
		Attribute: Attribute(row.Attribute),
		CreatedAt: row.CreatedAt,
		Validated: row.Validated,
	}
	if row.Value != "" || line.Attribute == Name { // other writers have stored empty names
		line.Value = &row.Value
	}
	return line
}

// annotator is a user or an anonymous session.
type annotator struct {
	user    int32
	session uuid.UUID
}
