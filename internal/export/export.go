// Package export returns all annotations, or all facts, as of one snapshot, one line at a time. It owns the queries export.sql and
// export_facts.sql, and the pseudonyms of annotators. It only reads, and it never holds more than a page of lines in memory.
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

// pageLines is the most lines that one statement returns: enough for few round trips, and few enough for memory.
const pageLines = 5000

var errNoKey = errors.New("pseudonyms need a key")

// Service exports. It is safe for concurrent use.
type Service struct {
	pool       *postgres.Pool
	pseudonyms *pseudonyms // nil without a key
	slots      slots       // one for each running export
	factSlots  slots       // one for each running export of facts, which has one of slots too
}

// New returns a Service on the database of pool, which must be migrated, or on the standby of pool, if there is one. Pseudonyms
// are derived from the key of the tokens and stay the same as long as the key does. Without a key there are no pseudonyms.
func New(pool *postgres.Pool, tokenKey []byte) *Service {
	most := max(1, pool.Config().MaxConns/connsPerExport)
	s := &Service{pool: pool, slots: make(slots, most), factSlots: make(slots, max(1, most-1))}
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
	return sequence("export answers", func(emit func(Line) error, begun func() bool) error {
		if o.Pseudonymous && s.pseudonyms == nil {
			return errNoKey
		}
		out := newOutput(emit)
		if o.Pseudonymous {
			out = newSecretOutput(s.pseudonyms, emit)
		}
		return s.inSnapshot(ctx, []slots{s.slots}, begun, func(tx pgx.Tx) error {
			if err := readWindows(ctx, tx, allURLs, o.Progress, func(first, last int32) error {
				return readLines(ctx, tx, first, last, o.Since, out.add)
			}); err != nil {
				return err
			}
			return out.close()
		})
	})
}

// readLines reads the lines of the URLs from first to last page by page.
func readLines(
	ctx context.Context, tx pgx.Tx, first, last int32, since *time.Time, add func(db.ExportLineListPageRow) error,
) error {
	next := db.ExportLineListPageParams{
		AfterURLID: first, AfterUserID: math.MinInt32, // before the first line of the first URL
		LastURLID: last, Since: since, PageSize: pageLines,
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
		end := page[len(page)-1]
		next.AfterURLID, next.AfterSessionID, next.AfterUserID = end.URLID, end.SessionID, end.UserID
		next.AfterAttribute, next.AfterValue = end.Attribute, end.Value
	}
}

func readPage(ctx context.Context, tx pgx.Tx, params db.ExportLineListPageParams) ([]db.ExportLineListPageRow, error) {
	ctx, end := phase.Start(ctx, phase.Export)
	defer end()
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
