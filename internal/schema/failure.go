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

// commitError is an error of a commit. Unless it holds an error of the server, it is not known whether the transaction was
// committed.
type commitError struct{ error }

func (e commitError) Error() string { return "commit: " + e.error.Error() }
func (e commitError) Unwrap() error { return e.error }

// explain says where in f the error occurred, what of f was kept and what to do next. The file's transaction, if it had one, is
// over. The command is "apply" or "down".
func (m *Migrator) explain(ctx context.Context, conn *sql.Conn, command string, f *file, err error) error {
	where, kept := f.path, "nothing of this file was kept"
	if !f.transactional {
		kept = "the statements before it were kept, because the file runs outside a transaction"
	}
	var stmt *migrate.StmtExecError
	var changed migrate.HistoryChangedError
	text := ""
	switch {
	case errors.As(err, &changed):
		return fmt.Errorf("%w: statement %d of %s on database %s has run already and was changed since; "+
			"restore it and change only what follows it", ErrEdited, changed.Stmt, where, m.databaseName())
	case errors.As(err, &stmt):
		where, text = fmt.Sprintf("%s, statement at line %d", where, f.line(stmt.Stmt.Pos)), stmt.Stmt.Text
		err = stmt.Err // the joined error is that of recording it in the aborted transaction
	}
	if lost(conn) {
		switch {
		case commitUnknown(err):
			kept = "whether this file was kept is not known"
		case !f.transactional:
			kept += ", and whether the statement itself took effect is not known"
		}
	}
	advice := m.opts.Advice
	run := advice.command("migrate", command)
	again := fmt.Sprintf("run %s again", run)
	next := m.nextStep(ctx, conn, failure{
		err: err, statement: text, transactional: f.transactional, again: again,
		fix:  fmt.Sprintf("fix the cause (after changing the file: %s), then %s", advice.command("migrate hash"), again),
		lost: fmt.Sprintf("%s reports the version of the database, and %s continues from there", advice.command("migrate status"), run),
	})
	return fmt.Errorf("%s database %s: %w; %s; %s", fmt.Sprintf(acts[command], where), m.databaseName(), interrupted(err), kept, next)
}

// acts are what the commands do with a file.
var acts = map[string]string{"apply": "apply %s to", "down": "undo %s on"}

var errInterrupted = errors.New("interrupted")

// interrupted replaces the error of a canceled context, of which the program shows nothing: the reader of this message needs the
// rest of it, to know what was kept.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

// failure is a statement that failed.
type failure struct {
	err           error
	statement     string // empty when it was not a statement of a file or a plan
	transactional bool
	dropsInvalid  bool // the next run drops an invalid index

	// What to do next: unless the reason is known; after the known reason is removed; after a lost connection.
	fix, again, lost string
}

// nextStep says what to do next, depending on the error.
func (m *Migrator) nextStep(ctx context.Context, conn *sql.Conn, f failure) string {
	if errors.Is(f.err, context.Canceled) {
		return f.lost
	}
	if lost(conn) {
		return "the connection was lost: once the server can be reached, " + f.lost
	}
	next := f.fix
	switch refusal, code := refusalOf(f.err); {
	case code == "55P03":
		next = fmt.Sprintf("another transaction has held a lock for longer than %s: find it in pg_stat_activity, then %s",
			m.opts.LockWait, f.again)
	case code == "2BP01", code == "0A000" && refusal.Detail != "": // another object uses what is dropped or changes its type
		next = fmt.Sprintf("other objects depend on it, and nothing is dropped with CASCADE: %s; drop or change them first, then %s",
			strings.ReplaceAll(refusal.Detail, "\n", "; "), f.again)
	case refusedRole[code] != "":
		next = refusedRole[code] + ", then " + f.again
	case strings.HasPrefix(code, "53"): // the class "insufficient resources": disk, memory, connections
		next = "the server has run out of a resource: free some, then " + f.again
	case !f.transactional && (code == "42P07" || code == "42710"): // it exists already
		next = "an earlier run may have been interrupted directly before or after this statement: check the existing object, " +
			"drop it, then " + f.again
	case strings.HasPrefix(code, "23") && f.statement != "": // rows that violate a constraint
		if rows := rejectedRows(ctx, conn, f.statement, refusal); rows != "" {
			next = rows + "; " + next
		}
	}
	if f.transactional {
		return next
	}
	if indexes, err := invalidIndexes(ctx, conn); err == nil && len(indexes) > 0 {
		if f.dropsInvalid {
			next = leftInvalid + ", which the next run drops: " + strings.Join(indexes, ", ") + "; " + next
		} else {
			next = dropInvalid(indexes) + "; " + next
		}
	}
	return next
}

// refusedRole says what to do, by SQLSTATE, when the statement is right and the role or the server may not run it.
var refusedRole = map[string]string{
	"42501": "the role may not do that: connect as the owner of the tables, who needs CREATE on the database and on its schema",
	"25006": "the database is read-only, as a standby or by default_transaction_read_only: name its primary, or switch that off",
}

// recordError adds the database and the next step to an error with the record of migrations.
func (m *Migrator) recordError(err error) error {
	_, code := refusalOf(err)
	if next := refusedRole[code]; next != "" {
		return fmt.Errorf("database %s: %w; %s", m.databaseName(), err, next)
	}
	return fmt.Errorf("database %s: %w", m.databaseName(), err)
}

// refusalOf is the error of the server, with its SQLSTATE. Both are empty when err holds none.
func refusalOf(err error) (refusal *pgconn.PgError, code string) {
	if errors.As(err, &refusal) {
		code = refusal.Code
	}
	return refusal, code
}

// commitUnknown reports whether a commit was sent and the server did not reply.
func commitUnknown(err error) bool {
	_, code := refusalOf(err)
	return code == "" && errors.As(err, &commitError{})
}

// lost reports whether conn can no longer be used. An interrupted statement closes it as well.
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

// invalidIndexes are the indexes that CREATE INDEX CONCURRENTLY leaves when it fails or is interrupted.
func invalidIndexes(ctx context.Context, conn *sql.Conn) ([]string, error) {
	return scanStrings(ctx, conn, "list invalid indexes", `
SELECT format('%I', c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname COLLATE "C"`)
}

const leftInvalid = "a failed CREATE INDEX CONCURRENTLY has left an invalid index"

func dropInvalid(indexes []string) string {
	drops := make([]string, len(indexes))
	for i, name := range indexes {
		drops[i] = "DROP INDEX CONCURRENTLY " + name
	}
	return leftInvalid + "; drop it by hand: " + strings.Join(drops, "; ")
}
