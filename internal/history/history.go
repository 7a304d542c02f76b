// Package history owns url_history: what happened to each URL, in order. Events are appended in the transaction that makes the
// change, and never changed afterwards. The statements of an answer (sql/queries/submit.sql) and of a skip (sql/queries/skips.sql)
// append theirs themselves. The package decides nothing: a state is in the other tables, and docs/decisions/history.md says how the
// events lead to it.
package history

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

var queries = db.New()

// Kind is what happened. The values are those of the database type url_event.
type Kind string

// The kinds of events, with the type of the detail that each has.
const (
	Answered  Kind = "answered"   // Answer
	Changed   Kind = "changed"    // Answer, the whole one after the change
	TakenBack Kind = "taken back" // TakeBack
	Skipped   Kind = "skipped"    // Skip
	Suggested Kind = "suggested"  // Suggestions
	Validated Kind = "validated"  // Validation
	Reopened  Kind = "reopened"   // Reopening
	Suspended Kind = "suspended"  // Suspension
)

// Event is what happened to a URL.
type Event struct {
	URLID   int32
	Kind    Kind
	UserID  *int32     // who did it; nil for a session, and for what no person did
	Session *uuid.UUID // likewise
	Detail  any        // of the type of the kind
}

// Append stores events in the order given. The caller holds a lock on each URL or on its row of the queue, so that the events of a
// URL are in the order of the commits.
func Append(ctx context.Context, tx pgx.Tx, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	var rows db.HistoryInsertManyParams
	for _, event := range events {
		detail, err := json.Marshal(event.Detail)
		if err != nil {
			return fmt.Errorf("encode the event %q of URL %d: %w", event.Kind, event.URLID, err)
		}
		userID, session := "", ""
		if event.UserID != nil {
			userID = strconv.Itoa(int(*event.UserID))
		}
		if event.Session != nil {
			session = event.Session.String()
		}
		rows.URLIDs = append(rows.URLIDs, event.URLID)
		rows.Events = append(rows.Events, string(event.Kind))
		rows.UserIds = append(rows.UserIds, userID)
		rows.SessionIds = append(rows.SessionIds, session)
		rows.Details = append(rows.Details, detail)
	}
	if err := queries.HistoryInsertMany(ctx, tx, rows); err != nil {
		return fmt.Errorf("append to the history of URLs: %w", err)
	}
	return nil
}

// Stored is an event of the history of a URL.
type Stored struct {
	ID      int64
	Kind    Kind
	At      time.Time
	UserID  *int32
	Session *uuid.UUID
	Detail  []byte // a JSON object

	SuggestionsShown *bool  // whether the annotator was shown suggestions; nil unless it is an answer
	Robots           []byte // what robots suggested then, a JSON object of arrays; nil unless it is an answer
}

// Reader reads the history. It is safe for concurrent use.
type Reader struct{ pool *postgres.Pool }

// NewReader returns a Reader of the database of pool, which must be migrated.
func NewReader(pool *postgres.Pool) *Reader { return &Reader{pool} }

// List returns the next events of a URL after the one with an id, the oldest first, at most page.Size. It returns an unknown.Error
// if the URL does not exist.
func (r *Reader) List(ctx context.Context, urlID int32, after int64) ([]Stored, error) {
	rows, err := queries.HistoryList(ctx, r.pool, db.HistoryListParams{URLID: urlID, AfterID: after})
	if err != nil {
		return nil, fmt.Errorf("list the history of URL %d: %w", urlID, err)
	}
	if len(rows) == 0 {
		exists, err := queries.HistoryURLExists(ctx, r.pool, urlID)
		if err != nil {
			return nil, fmt.Errorf("look up URL %d: %w", urlID, err)
		}
		if !exists {
			return nil, unknown.New(unknown.URL, urlID)
		}
	}
	return convert.Each(rows, func(row db.URLHistory) Stored {
		return Stored{row.ID, Kind(row.Event), row.CreatedAt, row.UserID, row.SessionID, row.Detail, row.SuggestionsShown, row.Robots}
	}), nil
}

// Delete deletes the history of a URL. The transaction that deletes the URL calls it.
func Delete(ctx context.Context, tx pgx.Tx, urlID int32) error {
	if err := queries.HistoryDelete(ctx, tx, urlID); err != nil {
		return fmt.Errorf("delete the history of URL %d: %w", urlID, err)
	}
	return nil
}
