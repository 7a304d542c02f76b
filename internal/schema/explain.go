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

// commitError says that nobody knows whether a transaction was committed,
// unless the server itself answered that it was not.
type commitError struct{ error }

func (e commitError) Error() string { return "commit: " + e.error.Error() }
func (e commitError) Unwrap() error { return e.error }

// explain says where in f the error arose, what of f remains and how to go on.
// The file's transaction, if it had one, is over. The command is "apply" or "down".
func (m *Migrator) explain(ctx context.Context, conn *sql.Conn, command string, f *file, err error) error {
	place, kept := f.path, "nothing of this file was kept"
	if !f.transactional {
		kept = "the statements before it were kept, since the file runs outside a transaction"
	}
	var stmt *migrate.StmtExecError
	var changed migrate.HistoryChangedError
	text := ""
	switch {
	case errors.As(err, &changed):
		return fmt.Errorf("%w: statement %d of %s on database %s has run already and was changed since; "+
			"put it back as it was and change only what follows it", ErrEdited, changed.Stmt, place, m.where())
	case errors.As(err, &stmt):
		place, text = fmt.Sprintf("%s, statement at line %d", place, f.line(stmt.Stmt.Pos)), stmt.Stmt.Text
		err = stmt.Err // the joined rest is the executor failing to record it in the aborted transaction
	}
	if lost(conn) {
		switch {
		case commitUnknown(err):
			kept = "whether this file was kept is not known"
		case !f.transactional:
			kept += ", and whether it was itself done is not known"
		}
	}
	advice := m.opts.Advice
	run := advice.command("migrate", command)
	again := fmt.Sprintf("run %s again", run)
	mend := m.remedy(ctx, conn, failure{
		err: err, statement: text, transactional: f.transactional, again: again,
		mend: fmt.Sprintf("mend the cause (after changing the file: %s), then %s", advice.command("migrate hash"), again),
		lost: fmt.Sprintf("%s reports the version of the database, and %s goes on from there", advice.command("migrate status"), run),
	})
	return fmt.Errorf("%s %s to database %s: %w; %s; %s", verbs[command], place, m.where(), err, kept, mend)
}

// verbs are what the commands do with a file.
var verbs = map[string]string{"apply": "apply", "down": "undo"}

// failure is a statement that failed, and how to go on by what was the reason.
type failure struct {
	err               error
	statement         string // empty when it was none of ours
	transactional     bool
	mend, again, lost string // when nothing better is known; to end a sentence; once the server can be reached
}

// remedy says how to go on.
func (m *Migrator) remedy(ctx context.Context, conn *sql.Conn, f failure) string {
	if lost(conn) {
		return "the connection is gone: once the server can be reached, " + f.lost
	}
	mend := f.mend
	switch refusal, code := refusalOf(f.err); {
	case code == "55P03":
		mend = fmt.Sprintf("another transaction has held a lock for longer than %s: find it in pg_stat_activity, then %s",
			m.opts.LockWait, f.again)
	case code == "2BP01", code == "0A000" && refusal.Detail != "": // what is dropped, or changes its type, is in use
		mend = fmt.Sprintf("in the way, since nothing is dropped with CASCADE: %s; see to that first, then %s",
			strings.ReplaceAll(refusal.Detail, "\n", "; "), f.again)
	case refusedRole[code] != "":
		mend = refusedRole[code] + ", then " + f.again
	case strings.HasPrefix(code, "53"): // the class "insufficient resources": disk, memory, connections
		mend = "the server has run out of something: make room, then " + f.again
	case !f.transactional && (code == "42P07" || code == "42710"): // it exists already
		mend = "an earlier run may have been cut off right after this statement, or before it: look at what is there, " +
			"drop it, then " + f.again
	case strings.HasPrefix(code, "23") && f.statement != "": // data that break a rule
		if rows := rejectedRows(ctx, conn, f.statement, refusal); rows != "" {
			mend = rows + "; " + mend
		}
	}
	if f.transactional {
		return mend
	}
	if indexes, err := invalidIndexes(ctx, conn); err == nil && len(indexes) > 0 {
		mend = dropInvalid(indexes) + "; " + mend
	}
	return mend
}

// refusedRole says what to do, by SQLSTATE, where nothing is wrong with the statement.
var refusedRole = map[string]string{
	"42501": "the role may not do that: connect as the one that owns the tables, or as a superuser",
	"25006": "the database takes no changes, as a standby or with default_transaction_read_only: name its primary, or set that off",
}

// onRecord says of an error with the record of migrations where it arose, and how to go on.
func (m *Migrator) onRecord(err error) error {
	_, code := refusalOf(err)
	if way := refusedRole[code]; way != "" {
		return fmt.Errorf("database %s: %w; %s", m.where(), err, way)
	}
	return fmt.Errorf("database %s: %w", m.where(), err)
}

// refusalOf is what the server answered, with its code; empty when it did not.
func refusalOf(err error) (refusal *pgconn.PgError, code string) {
	if errors.As(err, &refusal) {
		code = refusal.Code
	}
	return refusal, code
}

// commitUnknown tells whether a commit was sent and not answered.
func commitUnknown(err error) bool {
	_, code := refusalOf(err)
	return code == "" && errors.As(err, &commitError{})
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
