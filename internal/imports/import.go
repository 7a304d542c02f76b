package imports

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/csvfile"
	"docket/internal/db"
)

// ErrRejected means that a strict import stopped because of rejected rows, and stored nothing.
var ErrRejected = errors.New("rows were rejected")

// chunkRows is the number of rows in one statement: enough that round trips take little of the time, few enough that the
// parameters have at most some megabytes.
const chunkRows = 5000

var queries = db.New()

// Options are common to all imports.
type Options struct {
	// Strict stores nothing when a row is rejected.
	Strict bool

	// Progress, if not nil, is called with the part of the work that is done, in the goroutine of the import. The total does
	// not change. A transaction that is retried starts from zero.
	Progress func(done, total int64)
}

// progress counts the work of one transaction.
type progress struct {
	report      func(done, total int64)
	done, total int
}

func (p *progress) add(n int) {
	p.done += n
	if p.report != nil {
		p.report(int64(p.done), int64(p.total))
	}
}

// refuse returns the error of a strict import when rows were rejected.
func (o Options) refuse(a csvfile.Accounting) error {
	if !o.Strict || a.Rejected == 0 {
		return nil
	}
	first := a.Rejections.First[0]
	return fmt.Errorf("%d of %d %w, so nothing was imported; the first is line %d: %s",
		a.Rejected, a.Rows, ErrRejected, first.Line, first.Reason)
}

// analyze gives the planner statistics of what was stored.
func analyze(ctx context.Context, tx pgx.Tx) error {
	if err := queries.TablesAnalyze(ctx, tx); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

// inChunks calls store for successive parts of items.
func inChunks[T any](items []T, store func([]T) error) error {
	for chunk := range slices.Chunk(items, chunkRows) {
		if err := store(chunk); err != nil {
			return err
		}
	}
	return nil
}
