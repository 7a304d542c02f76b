package ranking

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

// Queue ranks by the live queue. It remembers where each annotator is, so that what they have done already need not be
// read again; see next_queue.sql. That memory is a hint: a Queue that has lost it, or another process without it, gives the
// same answers. It is safe for concurrent use.
type Queue struct {
	cursors *lru.Cache[place, cursor]
}

// rememberedAnnotators bounds the memory of a Queue, at some hundred bytes each.
const rememberedAnnotators = 10_000

// lookAtMost is how many rows a warm statement reads ahead, and how many changed rows it looks at, before the annotator is
// looked for from the start again. The number stands in next_queue.sql: of a parameter the planner would expect a tenth of
// the table.
const lookAtMost = 256

// NewQueue returns a Queue that remembers nobody yet.
func NewQueue() *Queue {
	cursors, err := lru.New[place, cursor](rememberedAnnotators)
	if err != nil { // only for a size below one
		panic(err)
	}
	return &Queue{cursors: cursors}
}

// place is one annotator's way through the whole queue, or through a batch. Any number can be a user's or a batch's, and any
// UUID a session's, so the kind of place is no value of these.
type place struct {
	kind    placeKind
	user    int32
	batch   int32
	session uuid.UUID
}

type placeKind int8

const (
	ofUser placeKind = iota
	ofUserInBatch
	ofSession
)

// cursor says that in some snapshot every eligible row before (priority, urlID) was done by the annotator, but for those
// kept, and that no transaction older than the horizon was running.
type cursor struct {
	priority, urlID int32
	horizon         int64
	kept            []int32
}

// atEnd is the position after every row.
const atEnd = math.MaxInt32

// NextForUser returns the next URL for a user, or nil when none is left. It sees every commit before it.
func (q *Queue) NextForUser(ctx context.Context, conn db.DBTX, userID int32, filter Filter) (*Choice, error) {
	if filter.URLID != nil {
		row, err := queries.QueueNextGetByID(ctx, conn, db.QueueNextGetByIDParams{
			URLID: *filter.URLID, BatchID: filter.BatchID, UserID: userID,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		return choice(coldRow{
			URLID: row.URLID, ChangedXid: row.ChangedXid, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash,
		}), err
	}
	way := way{
		place: place{kind: ofUser, user: userID},
		cold: func() (coldRow, error) {
			row, err := queries.QueueNextGetCold(ctx, conn, userID)
			return coldRow(row), err
		},
		warm: func(c cursor) (warmRow, error) {
			row, err := queries.QueueNextGetWarm(ctx, conn, db.QueueNextGetWarmParams{
				UserID: userID, Priority: c.priority, URLID: c.urlID, Horizon: c.horizon, Kept: c.kept,
			})
			return warmRow(row), err
		},
	}
	if filter.BatchID != nil {
		batch := *filter.BatchID
		way.place.kind, way.place.batch = ofUserInBatch, batch
		way.cold = func() (coldRow, error) {
			row, err := queries.QueueNextGetColdInBatch(ctx, conn, db.QueueNextGetColdInBatchParams{BatchID: batch, UserID: userID})
			return coldRow(row), err
		}
		way.warm = func(c cursor) (warmRow, error) {
			row, err := queries.QueueNextGetWarmInBatch(ctx, conn, db.QueueNextGetWarmInBatchParams{
				BatchID: batch, UserID: userID, Priority: c.priority, URLID: c.urlID, Horizon: c.horizon, Kept: c.kept,
			})
			return warmRow(row), err
		}
	}
	return q.next(way)
}

// NextForSession returns the next URL for an anonymous session, known or not, or nil when none is left. It sees every
// commit before it.
func (q *Queue) NextForSession(ctx context.Context, conn db.DBTX, session uuid.UUID) (*Choice, error) {
	return q.next(way{
		place: place{kind: ofSession, session: session},
		cold: func() (coldRow, error) {
			row, err := queries.QueueNextGetColdAnonymous(ctx, conn, session)
			return coldRow(row), err
		},
		warm: func(c cursor) (warmRow, error) {
			row, err := queries.QueueNextGetWarmAnonymous(ctx, conn, db.QueueNextGetWarmAnonymousParams{
				SessionID: session, Priority: c.priority, URLID: c.urlID, Horizon: c.horizon, Kept: c.kept,
			})
			return warmRow(row), err
		},
	})
}

// The rows of the three cold statements are alike, and so are those of the warm ones.
type (
	coldRow db.QueueNextGetColdRow
	warmRow db.QueueNextGetWarmRow
)

// way is how to find the next URL in one place.
type way struct {
	place place
	cold  func() (coldRow, error)
	warm  func(cursor) (warmRow, error)
}

// next goes on from the cursor, if there is one that still leads somewhere, or else from the start. Two requests of one
// annotator at once may both move the cursor; each leaves one that is true, and the last one stays.
func (q *Queue) next(way way) (*Choice, error) {
	if c, ok := q.cursors.Get(way.place); ok {
		row, err := way.warm(c)
		if err != nil {
			return nil, fmt.Errorf("go on from cursor: %w", err)
		}
		if !row.TooFar && len(row.Kept) <= lookAtMost {
			q.cursors.Add(way.place, cursor{row.AheadPriority, row.AheadURLID, row.Horizon, row.Kept})
			return choice(coldRow{
				URLID: row.URLID, ChangedXid: row.ChangedXid, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash,
			}), nil
		}
	}
	row, err := way.cold()
	if err != nil {
		return nil, fmt.Errorf("look from the start: %w", err)
	}
	c := cursor{priority: row.Priority, urlID: row.URLID, horizon: row.Horizon, kept: []int32{}}
	if row.URLID == 0 {
		c.priority, c.urlID = atEnd, atEnd
	}
	q.cursors.Add(way.place, c)
	return choice(row), nil
}

// choice is nil for the row that says that nothing is left.
func choice(row coldRow) *Choice {
	if row.URLID == 0 {
		return nil
	}
	return &Choice{
		URLID: row.URLID, URL: row.URL, Scheme: row.Scheme, TrailingSlash: row.TrailingSlash, Revision: row.ChangedXid,
	}
}
