package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
)

// windowURLs is the most URLs that one statement reads: few enough for the statement timeout, even if few of their lines are
// selected.
const windowURLs = 1000

// connsPerExport is the number of connections of the pool for each concurrent export. An export holds a connection for as long as
// its client reads.
const connsPerExport = 4

// ErrBusy refuses an export while the greatest number of them is running.
var ErrBusy = errors.New("the maximum number of exports is running; try again later")

var errStopped = errors.New("the iteration was stopped")

// slots limits how many exports run concurrently.
type slots chan struct{}

// take takes a slot and reports whether one was free.
func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) free() { <-s }

// sequence returns what run emits. An error of run is the last thing that it yields. The function begun reports whether run has
// emitted a line.
func sequence[Line any](action string, run func(emit func(Line) error, begun func() bool) error) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		begun := false
		err := run(func(line Line) error {
			begun = true
			if !yield(line, nil) {
				return errStopped
			}
			return nil
		}, func() bool { return begun })
		if err != nil && !errors.Is(err, errStopped) {
			var none Line
			yield(none, fmt.Errorf("%s: %w", action, err))
		}
	}
}

// inSnapshot runs fn in one snapshot with a slot of each kind, on the standby if the pool has one. It returns ErrBusy if there is
// no slot of a kind. When the standby fails before a line has been emitted, fn runs again on the primary. Lines of two snapshots
// are never mixed: after the first line the export fails.
func (s *Service) inSnapshot(ctx context.Context, needed []slots, begun func() bool, fn func(pgx.Tx) error) error {
	for _, kind := range needed {
		if !kind.take() {
			return ErrBusy
		}
		defer kind.free()
	}
	return postgres.ReadSnapshot(ctx, s.pool, func() bool { return !begun() }, fn)
}

// urls are the URLs of an export, in the order of their ids.
type urls struct {
	count func(context.Context, db.DBTX) (int64, error)
	next  func(ctx context.Context, conn db.DBTX, after, most int32) (window, error)
}

// window is a number of consecutive URLs, and the ids of the first and the last one.
type window struct {
	Count           int64
	FirstID, LastID int32
}

// allURLs are the URLs that may have annotations.
var allURLs = urls{
	count: queries.URLCountAll,
	next: func(ctx context.Context, conn db.DBTX, after, most int32) (window, error) {
		row, err := queries.URLWindowGet(ctx, conn, db.URLWindowGetParams{AfterID: after, Most: most})
		return window(row), err
	},
}

// readWindows calls read with the ids of the first and the last URL of each window. It calls progress, unless nil, before the first
// window and after each.
func readWindows(
	ctx context.Context, tx pgx.Tx, of urls, progress func(done, total int64), read func(first, last int32) error,
) error {
	var done, total int64
	if progress != nil {
		var err error
		if total, err = of.count(ctx, tx); err != nil {
			return fmt.Errorf("count URLs: %w", err)
		}
		progress(0, total)
	}
	for after := int32(math.MinInt32); ; {
		window, err := of.next(ctx, tx, after, windowURLs)
		if err != nil {
			return fmt.Errorf("choose URLs: %w", err)
		}
		if window.Count == 0 {
			return nil
		}
		if err := read(window.FirstID, window.LastID); err != nil {
			return err
		}
		after = window.LastID
		if done += window.Count; progress != nil {
			progress(done, total)
		}
	}
}
