package catalog

import (
	"context"
	"fmt"

	"docket/internal/db"
)

// changeLog collects what a transaction changes of one table, for the log that the reference keeps with triggers.
type changeLog db.ChangeLogInsertManyParams

// The tables whose changes are logged.
const (
	agencyTable  = "agencies"
	urlTable     = "urls"
	urlLinkTable = "link_agencies__urls"
)

func newChangeLog(operation db.OperationType, table string) *changeLog {
	return &changeLog{Operation: operation, TableName: table}
}

// add notes the change of a row; what there was none of, before or after, is nil.
func (l *changeLog) add(id int32, before, after []byte) *changeLog {
	l.Ids, l.OldData, l.NewData = append(l.Ids, id), append(l.OldData, before), append(l.NewData, after)
	return l
}

func (l *changeLog) write(ctx context.Context, tx db.DBTX) error {
	if err := queries.ChangeLogInsertMany(ctx, tx, db.ChangeLogInsertManyParams(*l)); err != nil {
		return fmt.Errorf("log changes of %s: %w", l.TableName, err)
	}
	return nil
}
