// Package changelog owns the log of what changes in a few tables, which the reference keeps with triggers. Whoever changes
// these tables through the REST interface writes it in the same transaction; docs/decisions/no-triggers.md says who does not.
// The package never reads the log.
package changelog

import (
	"context"
	"fmt"

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

// Log collects what a transaction does to one table.
type Log db.ChangeLogInsertManyParams

// New returns an empty log of one kind of operation on one of the tables above.
func New(operation db.OperationType, table string) *Log {
	return &Log{Operation: operation, TableName: table}
}

// Add notes the change of a row, given whole as JSON; what there was none of, before or after, is nil.
func (l *Log) Add(id int32, before, after []byte) *Log {
	l.Ids, l.OldData, l.NewData = append(l.Ids, id), append(l.OldData, before), append(l.NewData, after)
	return l
}

// Write stores what was collected: of an update what differs, and nothing when nothing does. On a database of the reference,
// whose triggers write the log, it stores nothing at all.
func (l *Log) Write(ctx context.Context, tx pgx.Tx) error {
	if len(l.Ids) == 0 {
		return nil
	}
	if err := queries.ChangeLogInsertMany(ctx, tx, db.ChangeLogInsertManyParams(*l)); err != nil {
		return fmt.Errorf("log changes of %s: %w", l.TableName, err)
	}
	return nil
}
