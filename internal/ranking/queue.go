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

// Queue ranks by the live queue. For each annotator with many done URLs it keeps a cursor, so that these are not read again for
// each request; see next_queue.sql. For each user who follows batches it keeps a window of their URLs. Both are only hints: a
// Queue without them, such as that of another process, returns the same URL. Queue is safe for concurrent use.
type Queue struct {
	states   *lru.Cache[annotator, state]
	windows  *lru.Cache[int32, window]
	warmFrom int32
}

const (
	// maxStates bounds the memory of a Queue. A state takes some hundred bytes, a window one to four thousand.
	maxStates = 10_000
	// readAtMost is how many rows a warm statement reads from the position on, how many changed rows it reads, and how many
	// rows undoneBefore holds. Beyond that the cold statement runs. It is repeated as a literal in next_queue.sql.
	readAtMost = 256
	// warmFrom is the number of done URLs from which the warm statement is faster than the cold one:
	// docs/decisions/one-text-for-the-next-url.md.
	warmFrom = 64
	// recountAfter is the largest number of requests after which the done URLs of an annotator who had fewer than warmFrom are
	// counted again. It bounds how many requests are slow after the transfer of a session has added many done URLs at once.
	recountAfter = 16
)

// NewQueue returns a Queue without cursors.
func NewQueue() *Queue { return newQueue(warmFrom) }

func newQueue(warmFrom int32) *Queue {
	states, err := lru.New[annotator, state](maxStates)
	if err != nil { // only for a size below one
		panic(err)
	}
	windows, err := lru.New[int32, window](maxStates)
	if err != nil {
		panic(err)
	}
	return &Queue{states: states, windows: windows, warmFrom: warmFrom}
}

// Forget drops all cursors and windows. It must be called while the server is down after a crash: the server gives the ids of the
// transactions that it lost to later ones, which a cursor from before would take for seen.
func (q *Queue) Forget() {
	q.states.Purge()
	q.windows.Purge()
}

// annotator identifies a user among all URLs, a user in a batch, or an anonymous session. The kind is a field of its own because
// 0 is a valid id of a user and of a batch, and the zero UUID one of a session.
type annotator struct {
	kind    annotatorKind
	userID  int32
	batchID int32
	session uuid.UUID
}

type annotatorKind int8

const (
	user annotatorKind = iota
	userInBatch
	anonymous
)

// state is what a Queue caches about an annotator.
type state struct {
	// cursor is nil for an annotator who has done fewer than warmFrom URLs.
	cursor *cursor
	// counted is set when the annotator with the cursor has done at least warmFrom URLs.
	counted bool
	// fromFront is how many more requests of an annotator without a cursor start at the front before one is set again.
	fromFront int32
}

// cursor states that in some snapshot every eligible row before (priority, urlID) was reserved, or done by the annotator, except
// those in undoneBefore, and that no transaction older than the horizon was running.
type cursor struct {
	priority     int64
	urlID        int32
	horizon      int64
	undoneBefore []int32
}

// afterAll is the id of a position after every row, whose priority is then 0, the largest of all.
const afterAll = math.MaxInt32

// NextForUser returns the next URL for a user, or nil when none is left. It sees every commit before it.
func (q *Queue) NextForUser(ctx context.Context, conn db.DBTX, userID int32, filter Filter) (*Choice, error) {
	switch {
	case filter.URLID != nil && filter.Skip > 0:
		return nil, nil // there is only one
	case filter.URLID != nil:
		row, err := queries.QueueNextGetByID(ctx, conn, db.QueueNextGetByIDParams{
			URLID: *filter.URLID, BatchID: filter.BatchID, UserID: userID,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), err
	case filter.Skip > 0:
		row, err := queries.QueueNextGetSkipping(ctx, conn, db.QueueNextGetSkippingParams{
			UserID: userID, BatchID: filter.BatchID, Skip: int64(filter.Skip), AtMost: int64(filter.Skip) + 1,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), err
	case filter.BatchID != nil:
		chosen, _, err := q.next(ctx, conn, annotator{kind: userInBatch, userID: userID, batchID: *filter.BatchID}, q.warmFrom)
		return chosen, err
	default:
		return q.nextAmongAll(ctx, conn, userID)
	}
}

// NextForSession returns the next URL for an anonymous session, known or not, after skip URLs, or nil when none is left. It sees
// every commit before it.
func (q *Queue) NextForSession(ctx context.Context, conn db.DBTX, session uuid.UUID, skip int32) (*Choice, error) {
	if skip > 0 {
		row, err := queries.QueueNextGetSkippingAnonymous(ctx, conn, db.QueueNextGetSkippingAnonymousParams{
			SessionID: session, Skip: int64(skip),
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), err
	}
	chosen, _, err := q.next(ctx, conn, annotator{kind: anonymous, session: session}, q.warmFrom)
	return chosen, err
}

// next reads the queue, in the order that all annotators share, from the annotator's cursor, if there is one and it is not too far
// behind, or else from the front. For a user among all URLs it also returns the followsXID. An annotator with fewer than warmFrom
// done URLs has no cursor. Two concurrent requests of one annotator may both store a state. Both cursors are correct, and the
// last one stays.
func (q *Queue) next(ctx context.Context, conn db.DBTX, by annotator, warmFrom int32) (*Choice, int64, error) {
	current, err := q.state(ctx, conn, by, warmFrom)
	if err != nil {
		return nil, 0, fmt.Errorf("count done URLs: %w", err)
	}
	if current.cursor != nil {
		row, err := warm(ctx, conn, by, *current.cursor)
		if err != nil {
			return nil, 0, fmt.Errorf("read queue from cursor: %w", err)
		}
		if row.usable() {
			q.states.Add(by, state{cursor: row.cursor(), counted: true})
			return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), row.FollowsXid, nil
		}
	}
	row, err := cold(ctx, conn, by)
	if err != nil {
		return nil, 0, fmt.Errorf("read queue from the front: %w", err)
	}
	updated := state{fromFront: current.fromFront - 1}
	if updated.fromFront <= 0 || warmFrom == 0 {
		c := cursor{priority: row.Priority, urlID: row.URLID, horizon: row.Horizon, undoneBefore: []int32{}}
		if row.URLID == 0 {
			c.priority, c.urlID = 0, afterAll
		}
		updated = state{cursor: &c, counted: current.counted}
	}
	q.states.Add(by, updated)
	return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), row.FollowsXid, nil
}

// state returns what is cached about an annotator. It counts the done URLs if it is not known whether the cursor saves time.
func (q *Queue) state(ctx context.Context, conn db.DBTX, by annotator, warmFrom int32) (state, error) {
	current, _ := q.states.Get(by)
	if current.cursor == nil || current.counted || warmFrom == 0 {
		return current, nil
	}
	done, err := countDone(ctx, conn, by, warmFrom)
	if err != nil {
		return state{}, err
	}
	if missing := warmFrom - done; missing > 0 {
		return state{fromFront: min(missing, recountAfter)}, nil
	}
	current.counted = true
	return current, nil
}

// countDone counts the URLs that an annotator has done, up to a limit.
func countDone(ctx context.Context, conn db.DBTX, by annotator, limit int32) (int32, error) {
	if by.kind == anonymous {
		return queries.QueueDoneCountAnonymous(ctx, conn, db.QueueDoneCountAnonymousParams{
			SessionID: by.session, CountTo: int64(limit),
		})
	}
	return queries.QueueDoneCount(ctx, conn, db.QueueDoneCountParams{UserID: by.userID, CountTo: int64(limit)})
}

// The three cold statements return the same columns, and so do the three warm ones.
type (
	coldRow db.QueueNextGetColdRow
	warmRow db.QueueNextGetWarmRow
)

// usable reports whether the statement found the next URL: the cursor was not too far behind.
func (r warmRow) usable() bool { return !r.TooFar && len(r.UndoneBefore) <= readAtMost }

func (r warmRow) cursor() *cursor {
	return &cursor{priority: r.CursorPriority, urlID: r.CursorURLID, horizon: r.Horizon, undoneBefore: r.UndoneBefore}
}

// cold reads the queue from the front.
func cold(ctx context.Context, conn db.DBTX, by annotator) (coldRow, error) {
	switch by.kind {
	case user:
		row, err := queries.QueueNextGetCold(ctx, conn, by.userID)
		return coldRow(row), err
	case userInBatch:
		row, err := queries.QueueNextGetColdInBatch(ctx, conn, db.QueueNextGetColdInBatchParams{
			UserID: by.userID, BatchID: by.batchID,
		})
		return coldRow(row), err
	default:
		row, err := queries.QueueNextGetColdAnonymous(ctx, conn, by.session)
		return coldRow(row), err
	}
}

// warm reads the queue from a cursor.
func warm(ctx context.Context, conn db.DBTX, by annotator, c cursor) (warmRow, error) {
	switch by.kind {
	case user:
		row, err := queries.QueueNextGetWarm(ctx, conn, db.QueueNextGetWarmParams{
			UserID: by.userID, Priority: c.priority, URLID: c.urlID, Horizon: c.horizon, UndoneBefore: c.undoneBefore,
		})
		return warmRow(row), err
	case userInBatch:
		row, err := queries.QueueNextGetWarmInBatch(ctx, conn, db.QueueNextGetWarmInBatchParams{
			UserID: by.userID, BatchID: by.batchID, Priority: c.priority, URLID: c.urlID, Horizon: c.horizon, UndoneBefore: c.undoneBefore,
		})
		return warmRow(row), err
	default:
		row, err := queries.QueueNextGetWarmAnonymous(ctx, conn, db.QueueNextGetWarmAnonymousParams{
			SessionID: by.session, Priority: c.priority, URLID: c.urlID, Horizon: c.horizon, UndoneBefore: c.undoneBefore,
		})
		return warmRow(row), err
	}
}

// choice is nil for id 0, which means that no URL is left.
func choice(urlID int32, url, scheme *string, trailingSlash bool, revision int64) *Choice {
	if urlID == 0 {
		return nil
	}
	return &Choice{URLID: urlID, URL: url, Scheme: scheme, TrailingSlash: trailingSlash, Revision: revision}
}
