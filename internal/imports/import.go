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

// ErrRejected says that a strict import stopped because of bad rows, and wrote nothing.
var ErrRejected = errors.New("rows were rejected")

// chunkRows is how many rows travel in one statement: enough to make round trips not count, few enough for the
// parameters of one to stay within some megabytes.
const chunkRows = 5000

var queries = db.New()

// Options are common to all imports.
type Options struct {
	// Strict refuses the whole file when a row is rejected.
	Strict bool

	// Progress, if not nil, is told how much of the work is done, in parts of a total that stays the same. A
	// transaction that has to be repeated starts from zero. It is called from the goroutine of the import.
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

// refuse is the end of a strict import that met bad rows.
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
