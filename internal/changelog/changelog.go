// Package changelog owns change_log, the log of changes of a few tables, which the reference writes with triggers. The use
// cases behind the REST interface, and package consensus, write it in the transaction that makes the change;
// docs/decisions/no-triggers.md names the writers that do not. The package never reads the log.
package changelog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

// The tables whose changes are logged.
const (
	Agencies        = "agencies"
	URLs            = "urls"
	URLAgencies     = "link_agencies__urls"
	DataSourceLinks = "ds_app_link_data_source"
)

var queries = db.New()

// Changes are changes of rows of one table by one kind of operation.
type Changes db.ChangeLogInsertManyParams

// New returns no changes of one of the tables above.
func New(operation db.OperationType, table string) *Changes {
	return &Changes{Operation: operation, TableName: table}
}

// Add adds the change of a row. The row before and after is given whole as JSON, and is nil where it did not exist.
func (c *Changes) Add(id int32, before, after []byte) *Changes {
	c.Ids, c.OldData, c.NewData = append(c.Ids, id), append(c.OldData, before), append(c.NewData, after)
	return c
}

// checkEvery is how long a Writer relies on what it knows of the triggers.
const checkEvery = time.Minute

// Writer writes the log of one database. It is safe for concurrent use.
//
// Where a trigger of a table writes the log, as in a database of the reference, the Writer writes nothing. It looks for the
// trigger at the first change of the table, and again at the first one after a minute. So after a trigger is created or
// dropped, changes may be logged twice or not at all for up to a minute.
type Writer struct {
	now func() time.Time

	mu       sync.Mutex
	triggers map[string]trigger // by table
}

type trigger struct {
	exists     bool
	validUntil time.Time
}

// NewWriter returns a Writer that has not looked for triggers yet.
func NewWriter() *Writer {
	return &Writer{now: time.Now, triggers: make(map[string]trigger)}
}

// Write logs changes: the whole row of an insert or a deletion, and of an update the columns that differ. An update without
// any is not logged.
func (w *Writer) Write(ctx context.Context, tx pgx.Tx, changes *Changes) error {
	if len(changes.Ids) == 0 {
		return nil
	}
	byTrigger, err := w.loggedByTrigger(ctx, tx, changes.TableName)
	if err == nil && !byTrigger {
		err = queries.ChangeLogInsertMany(ctx, tx, db.ChangeLogInsertManyParams(*changes))
	}
	if err != nil {
		return fmt.Errorf("log changes of %s: %w", changes.TableName, err)
	}
	return nil
}

func (w *Writer) loggedByTrigger(ctx context.Context, tx pgx.Tx, table string) (bool, error) {
	w.mu.Lock()
	known := w.triggers[table]
	w.mu.Unlock()
	if w.now().Before(known.validUntil) {
		return known.exists, nil
	}
	exists, err := queries.ChangeLogTriggerExists(ctx, tx, table)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	w.triggers[table] = trigger{exists, w.now().Add(checkEvery)}
	w.mu.Unlock()
	return exists, nil
}
