package imports

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/csvfile"
	"docket/internal/db"
	"docket/internal/postgres"
)

// ErrRejected means that a strict import stopped because of rejected rows, and stored nothing.
var ErrRejected = errors.New("rows were rejected")

var queries = db.New()

// Options are common to all imports.
type Options struct {
	// Strict stores nothing when a row is rejected.
	Strict bool

	// Progress, if not nil, is called with the part of the work that is stored, in the goroutine of the import. The total does
	// not change.
	Progress func(done, total int64)

	// Waiting, if not nil, is called when another import must end before this one stores anything.
	Waiting func()

	partSize int // items of a part, for tests; 0 sizes parts by their time
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

// lockKey is the advisory lock that every import of agencies and URLs holds from its first to its last transaction. It prevents
// two imports from storing the same place or the same batch twice, where no unique key does.
const lockKey = "docket import"

// importer stores the items of a file in parts.
type importer struct {
	options Options
	conn    *postgres.Conn // holds the import lock
	what    string         // the items, for messages

	done, total int64 // items
	changed     int64 // rows of the database
	analyzed    int64 // changed when statistics were last updated
}

// firstAnalyze is how many rows are stored before statistics are updated for the first time; then it happens after each tenfold. A
// plan for a small table is kept until there are new statistics.
const firstAnalyze = 1000

// run runs an import in one session that holds the import lock: nothing is stored without it. The error says how much is stored.
func (i *importer) run(ctx context.Context, pool *postgres.Pool, store func() error) error {
	err := postgres.InSession(ctx, pool, lockKey, i.options.Waiting, func(conn *postgres.Conn) error {
		i.conn = conn
		if err := store(); err != nil || i.changed == i.analyzed {
			return err
		}
		return i.analyze(ctx)
	})
	switch {
	case err == nil:
		return nil
	case i.done == 0:
		return fmt.Errorf("import %s: %w", i.what, err)
	default:
		return fmt.Errorf("import %s: %w; %d of %d are stored, and importing the file again stores the others",
			i.what, err, i.done, i.total)
	}
}

// stored counts items that are stored, with the rows of the database that changed, after their transaction.
func (i *importer) stored(ctx context.Context, items int, changed int64) error {
	i.done += int64(items)
	i.changed += changed
	if i.options.Progress != nil {
		i.options.Progress(i.done, i.total)
	}
	if i.changed < max(firstAnalyze, 10*i.analyzed) {
		return nil
	}
	return i.analyze(ctx)
}

// analyze gives the planner statistics of what was stored. It is not part of a transaction that stores: it may wait for another
// ANALYZE of a table, and other writers would wait as long.
func (i *importer) analyze(ctx context.Context) error {
	i.analyzed = i.changed
	if err := queries.TablesAnalyze(ctx, i.conn); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

// inParts stores the items that next returns. The function that store returns is called after the commit.
func inParts[T any](
	ctx context.Context, i *importer, next func() (T, error), store func(tx pgx.Tx, part []T) (stored func() error, err error),
) error {
	parts := postgres.Parts[T]{Next: next, Store: store, Size: i.options.partSize}
	return parts.Run(ctx, i.conn.InTx)
}
