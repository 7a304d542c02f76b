// Package export hands out everything that was answered, as of one moment, one answer at a time. It owns the queries export.sql
// and what stands in place of a name where nobody may be named. It never writes, and it refuses to hold more than a page of the
// answers at a time, however many there are.
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

// What one statement looks through and returns at most: enough to make round trips cheap, little enough to stay far from the
// timeout of a statement and to be held in memory.
const (
	windowURLs  = 1000
	pageAnswers = 5000
)

// connsPerExport keeps exports, which last as long as whoever reads them, from taking all connections: one of so many.
const connsPerExport = 4

var (
	// ErrBusy means that as many exports as may run at once are under way.
	ErrBusy = errors.New("as many exports as may run at once are under way; try again later")

	errNoKey  = errors.New("pseudonyms need a key")
	errEnough = errors.New("whoever reads has enough")
)

// Service exports. It is safe for concurrent use.
type Service struct {
	pool       *postgres.Pool
	pseudonyms *pseudonyms   // nil without a key
	slots      chan struct{} // one taken by each export under way
}

// New returns a Service on the database of pool, which must be migrated. The key of the tokens is what pseudonyms are derived
// from: as long as it stays, they do. Without one there are no pseudonyms.
func New(pool *postgres.Pool, tokenKey []byte) *Service {
	s := &Service{pool: pool, slots: make(chan struct{}, max(1, pool.Config().MaxConns/connsPerExport))}
	if len(tokenKey) > 0 {
		s.pseudonyms = newPseudonyms(tokenKey)
	}
	return s
}

// Attribute is what an answer is about.
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

// Answer is one thing that one annotator said of one URL.
type Answer struct {
	URLID     int32
	URL       string // with scheme and trailing slash, where known
	User      string // the id, or a pseudonym; that of an anonymous session is always one
	Attribute Attribute
	Value     *string    // a text or an id; nil for a mark that nothing was found, and for an agency that the catalog lacks
	CreatedAt *time.Time // nil where it is not known
	Validated bool       // the URL is validated, and this is what was agreed on
}

// Options narrow and shape an export.
type Options struct {
	Since        *time.Time // only answers given then or later
	Pseudonymous bool       // users by their pseudonyms

	// Progress is told, from time to time, how many URLs have been looked through, of how many. It may be nil.
	Progress func(done, total int64)
}

var queries = db.New()

// Answers returns the answers as of the moment the iteration begins, by URL, user, attribute and value: users by id, or by
// pseudonym if that is what is shown, anonymous sessions after or before them. An error is the last thing it yields; then what
// came before is not everything. An iteration holds a connection until it ends.
func (s *Service) Answers(ctx context.Context, o Options) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		err := s.export(ctx, o, func(a Answer) error {
			if !yield(a, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(Answer{}, fmt.Errorf("export answers: %w", err))
		}
	}
}

func (s *Service) export(ctx context.Context, o Options, emit func(Answer) error) error {
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

// read reads window after window of URLs.
func read(ctx context.Context, tx pgx.Tx, o Options, add func(db.AnswerListPageRow) error) error {
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

// readWindow reads page after page of the answers to a window's URLs.
func readWindow(
	ctx context.Context, tx pgx.Tx, window db.URLWindowGetRow, since *time.Time, add func(db.AnswerListPageRow) error,
) error {
	next := db.AnswerListPageParams{
		AfterURLID: window.FirstID, AfterUserID: math.MinInt32, // before anything said of the first URL
		LastURLID: window.LastID, Since: since, PageSize: pageAnswers,
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
		if len(page) < pageAnswers {
			return nil
		}
		last := page[len(page)-1]
		next.AfterURLID, next.AfterSessionID, next.AfterUserID = last.URLID, last.SessionID, last.UserID
		next.AfterAttribute, next.AfterValue = last.Attribute, last.Value
	}
}

func readPage(ctx context.Context, tx pgx.Tx, params db.AnswerListPageParams) ([]db.AnswerListPageRow, error) {
	defer phase.Start(ctx, phase.Export)()
	return queries.AnswerListPage(ctx, tx, params)
}

// answerFrom leaves out the user.
func answerFrom(row db.AnswerListPageRow) Answer {
	answer := Answer{
		URLID:     row.URLID,
		URL:       urlform.Full(row.Scheme, row.URL, row.TrailingSlash),
		Attribute: Attribute(row.Attribute),
		CreatedAt: row.CreatedAt,
		Validated: row.Validated,
	}
	if row.Value != "" || answer.Attribute == Name { // other writers have stored empty names
		answer.Value = &row.Value
	}
	return answer
}

// annotator is who answered: a user, or a session.
type annotator struct {
	user    int32
	session uuid.UUID
}
