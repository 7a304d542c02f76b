package ranking

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"docket/internal/db"
)

// window is what a Queue caches about a user who follows some batches. It states that in some snapshot the rows were all the
// eligible, undone URLs of these batches at or before the end that were not reserved, and that no transaction older than the
// horizon was running.
type window struct {
	followsXID int64      // the transaction that last changed which batches the user follows
	rows       []position // in order
	end        position
	complete   bool // the end is after all URLs
	horizon    int64
}

// position is the key of a URL in the order that all annotators share.
type position struct {
	priority int64
	urlID    int32
}

func comparePositions(a, b position) int {
	return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.urlID, b.urlID))
}

const (
	// followsNothing is the followsXID of a user who follows no batch.
	followsNothing = -1
	// windowSize is how many URLs a new window reads. It is repeated as a literal in next_queue.sql.
	windowSize = 64
	// maxWindow is how many rows a window may have after URLs have entered it.
	maxWindow = 256
)

// nextAmongAll returns the next URL for a user among all. The URLs of batches that the user follows come first. As long as some
// of them are undone, QueueFollowedGetWarm finds the next one. If all are done, QueueNextGetWarm finds it, and reports when one
// of them is undone again. A user who follows nothing has no window. The statements that read the queue report when that changes.
func (q *Queue) nextAmongAll(ctx context.Context, conn db.DBTX, userID int32) (*Choice, error) {
	by := annotator{kind: user, userID: userID}
	if known, ok := q.windows.Get(userID); ok {
		chosen, found, from, err := q.nextAfterFollowed(ctx, conn, by, known)
		if err != nil || found {
			return chosen, err
		}
		chosen, follows, err := q.nextFollowed(ctx, conn, userID, from)
		if err != nil || chosen != nil {
			return chosen, err
		}
		if follows {
			if chosen, _, err = q.next(ctx, conn, by, 0); err == nil {
				q.join(by)
			}
			return chosen, err
		}
	}
	chosen, followsXID, err := q.next(ctx, conn, by, q.warmFrom)
	if err != nil || followsXID == followsNothing {
		return chosen, err
	}
	followed, _, err := q.nextFollowed(ctx, conn, userID, nil)
	if err != nil || followed != nil {
		return followed, err
	}
	return chosen, nil
}

// nextAfterFollowed returns the next URL for a user whose window shows that all URLs of the followed batches are done, and true. It
// returns false if there may be undone ones, and then the window to start at: nil if it is not usable.
func (q *Queue) nextAfterFollowed(ctx context.Context, conn db.DBTX, by annotator, known window) (*Choice, bool, *window, error) {
	current, _ := q.states.Get(by)
	if !known.complete || len(known.rows) > 0 || current.cursor == nil || current.cursor.horizon > known.horizon {
		return nil, false, &known, nil
	}
	row, err := warm(ctx, conn, by, *current.cursor)
	switch {
	case err != nil:
		return nil, false, nil, fmt.Errorf("read queue from cursor: %w", err)
	case !row.usable():
		q.states.Remove(by)
		return nil, false, nil, nil
	case row.FollowsXid != known.followsXID:
		return nil, false, nil, nil
	case row.FollowedChanged:
		return nil, false, &known, nil
	}
	known.horizon = row.Horizon
	q.windows.Add(by.userID, known)
	q.states.Add(by, state{cursor: row.cursor(), counted: current.counted})
	return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), true, nil, nil
}

// join gives the cursor of a user the horizon of the window, if that is older, so that the changes which one statement reads for
// the cursor include those which matter to the window.
func (q *Queue) join(by annotator) {
	current, _ := q.states.Get(by)
	known, _ := q.windows.Get(by.userID)
	if current.cursor == nil || current.cursor.horizon <= known.horizon {
		return
	}
	older := *current.cursor
	older.horizon = known.horizon
	current.cursor = &older
	q.states.Add(by, current)
}

// nextFollowed returns the next URL for a user among those of the batches that the user follows, or nil when none is left, and
// whether the user follows any batch. It starts at the known window, if it is not nil.
func (q *Queue) nextFollowed(ctx context.Context, conn db.DBTX, userID int32, known *window) (*Choice, bool, error) {
	if known != nil {
		row, err := queries.QueueFollowedGetWarm(ctx, conn, db.QueueFollowedGetWarmParams{
			UserID: userID, WindowURLIDs: known.urlIDs(), EndPriority: known.end.priority, EndURLID: known.end.urlID,
			Horizon: known.horizon,
		})
		if err != nil {
			return nil, false, fmt.Errorf("read followed URLs from window: %w", err)
		}
		if row.FollowsXid == followsNothing {
			q.windows.Remove(userID)
			return nil, false, nil
		}
		if row.FollowsXid == known.followsXID && !row.Stale {
			updated := known.after(row)
			if row.URLID != 0 || updated.complete {
				q.windows.Add(userID, updated)
				return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), true, nil
			}
			chosen, extended, err := q.extend(ctx, conn, userID, updated)
			if err != nil || extended {
				return chosen, true, err
			}
		}
	}
	row, err := queries.QueueFollowedGetCold(ctx, conn, userID)
	if err != nil {
		return nil, false, fmt.Errorf("read followed URLs: %w", err)
	}
	if row.FollowsXid == followsNothing {
		q.windows.Remove(userID)
		return nil, false, nil
	}
	q.windows.Add(userID, newWindow(row, row.Horizon))
	return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), true, nil
}

// extend replaces a window without undone URLs by the next one. It returns false if the window must be built from the start:
// the user follows other batches, or has done all URLs that the statement reads.
func (q *Queue) extend(ctx context.Context, conn db.DBTX, userID int32, empty window) (*Choice, bool, error) {
	row, err := queries.QueueFollowedGetColdFrom(ctx, conn, db.QueueFollowedGetColdFromParams{
		UserID: userID, EndPriority: empty.end.priority, EndURLID: empty.end.urlID,
	})
	if err != nil {
		return nil, false, fmt.Errorf("read more followed URLs: %w", err)
	}
	if row.FollowsXid != empty.followsXID || row.URLID == 0 && !row.Complete {
		return nil, false, nil
	}
	// The older horizon: a URL that moved before the end between the two snapshots is in no window.
	q.windows.Add(userID, newWindow(db.QueueFollowedGetColdRow(row), empty.horizon))
	return choice(row.URLID, row.URL, row.Scheme, row.TrailingSlash, row.ChangedXid), true, nil
}

func newWindow(row db.QueueFollowedGetColdRow, horizon int64) window {
	w := window{
		followsXID: row.FollowsXid, rows: positions(row.WindowPriorities, row.WindowURLIDs),
		end: position{row.EndPriority, row.EndURLID}, complete: row.Complete, horizon: horizon,
	}
	if w.complete {
		w.end = position{0, afterAll}
	}
	return w
}

// after returns the window as of the snapshot in which a statement read it.
func (w window) after(row db.QueueFollowedGetWarmRow) window {
	w.horizon = row.Horizon
	if len(row.RemovedURLIDs) == 0 && len(row.EnteredURLIDs) == 0 {
		return w
	}
	// The rows are shared with concurrent requests of the user.
	rows := positions(row.EnteredPriorities, row.EnteredURLIDs)
	for _, p := range w.rows {
		if !slices.Contains(row.RemovedURLIDs, p.urlID) {
			rows = append(rows, p)
		}
	}
	slices.SortFunc(rows, comparePositions)
	w.rows = rows
	if len(rows) > maxWindow {
		w.rows = rows[:windowSize:windowSize]
		w.end, w.complete = w.rows[windowSize-1], false
	}
	return w
}

func (w window) urlIDs() []int32 {
	ids := make([]int32, len(w.rows))
	for i, p := range w.rows {
		ids[i] = p.urlID
	}
	return ids
}

func positions(priorities []int64, urlIDs []int32) []position {
	all := make([]position, len(urlIDs))
	for i, id := range urlIDs {
		all[i] = position{priorities[i], id}
	}
	return all
}
