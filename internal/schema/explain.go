package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// act is what was being done with a file, and the command that does it.
type act struct{ verb, command string }

var (
	apply = act{"apply", "docket migrate apply"}
	undo  = act{"undo", "docket migrate down"}
)

// commitError says that nobody knows whether a transaction was committed,
// unless the server itself answered that it was not.
type commitError struct{ error }

func (e commitError) Error() string { return "commit: " + e.error.Error() }
func (e commitError) Unwrap() error { return e.error }

// explain says where in f the error arose, what of f remains and how to go on.
// The file's transaction, if it had one, is over.
func (m *Migrator) explain(ctx context.Context, conn *sql.Conn, a act, f *file, err error) error {
	place, kept := f.path, "nothing of this file was kept"
	if !f.transactional {
		kept = "the statements before it were kept, since the file runs outside a transaction"
	}
	mend := fmt.Sprintf(`mend the cause (after changing the file: "docket migrate hash"), then run "%s" again`, a.command)
	var stmt *migrate.StmtExecError
	var changed migrate.HistoryChangedError
	switch {
	case errors.As(err, &changed):
		return fmt.Errorf("%w: statement %d of %s on database %s has run already and was changed since; "+
			"put it back as it was and change only what follows it", ErrEdited, changed.Stmt, place, m.where())
	case errors.As(err, &stmt):
		place = fmt.Sprintf("%s, statement at line %d", place, f.line(stmt.Stmt.Pos))
		err = stmt.Err // the joined rest is the executor failing to record it in the aborted transaction
	}
	var pgErr *pgconn.PgError
	var code string
	if errors.As(err, &pgErr) {
		code = pgErr.Code
	}
	switch {
	case lost(conn):
		mend = fmt.Sprintf(`the connection is gone: once the server can be reached, "docket migrate status" tells where the `+
			`database stands, and "%s" goes on from there`, a.command)
		switch {
		case errors.As(err, &commitError{}) && code == "":
			kept = "whether this file was kept is not known"
		case !f.transactional:
			kept += ", and whether it was itself done is not known"
		}
	case code == "55P03":
		mend = fmt.Sprintf("another transaction has held a lock for longer than %s: "+
			"find it in pg_stat_activity, then run \"%s\" again", m.opts.LockWait, a.command)
	case strings.HasPrefix(code, "53"): // the class "insufficient resources": disk, memory, connections
		mend = fmt.Sprintf(`the server has run out of something: make room, then run "%s" again`, a.command)
	case !f.transactional && (code == "42P07" || code == "42710"): // it exists already
		mend = fmt.Sprintf("an earlier run may have been cut off right after this statement, or before it: look at what is there, "+
			`drop it, then run "%s" again`, a.command)
	case strings.HasPrefix(code, "23") && stmt != nil: // data that break a rule
		if rows := rejectedRows(ctx, conn, stmt.Stmt.Text, pgErr); rows != "" {
			mend = rows + "; " + mend
		}
	}
	if !f.transactional && !lost(conn) {
		if indexes, err := invalidIndexes(ctx, conn); err == nil && len(indexes) > 0 {
			mend = dropInvalid(indexes) + "; " + mend
		}
	}
	return fmt.Errorf("%s %s to database %s: %w; %s; %s", a.verb, place, m.where(), err, kept, mend)
}

// lost tells whether conn can no longer be used. An interrupted statement loses
// it too.
func lost(conn *sql.Conn) bool {
	closed := true
	_ = conn.Raw(func(c any) error {
		if c, ok := c.(*stdlib.Conn); ok {
			closed = c.Conn().IsClosed()
		}
		return nil
	})
	return closed
}

// invalidIndexes are what a CREATE INDEX CONCURRENTLY leaves behind when it
// fails or is cut off.
func invalidIndexes(ctx context.Context, conn *sql.Conn) ([]string, error) {
	return scanStrings(ctx, conn, "list invalid indexes", `
SELECT format('%I', c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname COLLATE "C"`)
}

func dropInvalid(indexes []string) string {
	drops := make([]string, len(indexes))
	for i, name := range indexes {
		drops[i] = "DROP INDEX CONCURRENTLY " + name
	}
	return "a CREATE INDEX CONCURRENTLY that failed has left an invalid index, to be dropped by hand: " + strings.Join(drops, "; ")
}
