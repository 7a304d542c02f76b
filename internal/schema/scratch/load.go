package scratch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Error is a statement of a file that PostgreSQL or CheckStatement refused.
type Error struct {
	File string
	Line int // of the error's position, else of the beginning of the statement
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns the error of PostgreSQL or of CheckStatement.
func (e *Error) Unwrap() error { return e.Err }

// Load executes the .sql files of a folder in the order of their names, each statement by itself. The session is reset before each
// file, so that the settings of a dump do not affect the next one. The error of a statement that fails, or that is refused because
// it is not a part of a schema, is an *Error.
func (d *Database) Load(ctx context.Context, files fs.FS) error {
	return d.each(ctx, files, func(string) bool { return true }, func(conn *pgx.Conn, file *migrate.LocalFile) error {
		if err := reset(ctx, conn, file); err != nil {
			return err
		}
		return execute(ctx, conn.PgConn(), file, checkSchemaStatement, advise)
	})
}

// Replay executes migrations in the order of their versions, up to and including version to (empty: all), each file in a
// transaction unless it is marked "-- atlas:txmode none". It records nothing in the database. The session is reset before
// each file. The error of a statement that fails is an *Error.
func (d *Database) Replay(ctx context.Context, migrations fs.FS, to string) error {
	selected := func(name string) bool {
		version, _, _ := strings.Cut(name, "_")
		return to == "" || strings.TrimSuffix(version, ".sql") <= to
	}
	return d.each(ctx, migrations, selected, func(conn *pgx.Conn, file *migrate.LocalFile) error {
		return d.run(ctx, conn, file)
	})
}

// Run executes the text of one migration as Replay does.
func (d *Database) Run(ctx context.Context, name, text string) error {
	return d.session(ctx, func(conn *pgx.Conn) error {
		return d.run(ctx, conn, migrate.NewLocalFile(name, []byte(text)))
	})
}

func (d *Database) run(ctx context.Context, conn *pgx.Conn, file *migrate.LocalFile) error {
	if err := reset(ctx, conn, file); err != nil {
		return err
	}
	unchanged := func(_ string, err error) error { return err }
	if modes := file.Directive("txmode"); len(modes) == 1 && modes[0] == "none" {
		return execute(ctx, conn.PgConn(), file, CheckStatement, unchanged)
	}
	return pgx.BeginFunc(ctx, conn, func(pgx.Tx) error {
		return execute(ctx, conn.PgConn(), file, CheckStatement, unchanged)
	})
}

func (d *Database) each(ctx context.Context, files fs.FS, selected func(string) bool,
	do func(*pgx.Conn, *migrate.LocalFile) error) error {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return fmt.Errorf("list SQL files: %w", err)
	}
	if len(names) == 0 {
		return errors.New("list SQL files: the folder holds no .sql file")
	}
	return d.session(ctx, func(conn *pgx.Conn) error {
		for _, name := range names {
			if !selected(name) {
				continue
			}
			text, err := fs.ReadFile(files, name)
			if err != nil {
				return fmt.Errorf("read SQL file: %w", err)
			}
			if err := do(conn, migrate.NewLocalFile(name, text)); err != nil {
				return err
			}
		}
		return nil
	})
}

// session calls fn with a new session, so that the settings of files affect no other one.
func (d *Database) session(ctx context.Context, fn func(*pgx.Conn) error) error {
	conn, err := pgx.ConnectConfig(ctx, d.config.Copy())
	if err != nil {
		return fmt.Errorf("connect to scratch database %s: %w", d.Name, err)
	}
	defer disconnect(conn)
	return fn(conn)
}

// ResetSession resets what earlier statements have set for the session, so that a migration has the same effect after others as
// alone. SET search_path, as in dumps, would otherwise create the tables of the next file in another schema. Locks are kept.
const ResetSession = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DISCARD TEMP"

func reset(ctx context.Context, conn *pgx.Conn, file *migrate.LocalFile) error {
	if _, err := conn.PgConn().Exec(ctx, ResetSession).ReadAll(); err != nil {
		return fmt.Errorf("%s: reset the session: %w", file.Name(), err)
	}
	return nil
}

// execute runs the statements of a file after check. advise adds to PostgreSQL's errors.
func execute(ctx context.Context, conn *pgconn.PgConn, file *migrate.LocalFile, check func(string) error,
	advise func(string, error) error) error {
	text := string(file.Bytes())
	statements, err := Statements(text)
	if err != nil {
		// The rows after COPY FROM STDIN may hold quotes and brackets.
		at := 0
		for row := range strings.Lines(text) {
			if at++; copiesFromClient(row) {
				return &Error{File: file.Name(), Line: at, Err: CheckStatement(row)}
			}
		}
		return fmt.Errorf("%s: split into statements: %w", file.Name(), err)
	}
	for _, statement := range statements {
		if err := check(statement.Text); err != nil {
			return &Error{File: file.Name(), Line: line(text, statement, err), Err: err}
		}
		if _, err := conn.Exec(ctx, statement.Text).ReadAll(); err != nil {
			return &Error{File: file.Name(), Line: line(text, statement, err), Err: advise(statement.Text, err)}
		}
	}
	return nil
}

// line is the line of the error of a statement in the text of a file.
func line(text string, statement *migrate.Stmt, err error) int {
	at := 1 + strings.Count(text[:statement.Pos], "\n")
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) && refusal.Position > 0 {
		runes := []rune(statement.Text)
		at += strings.Count(string(runes[:min(int(refusal.Position)-1, len(runes))]), "\n")
	}
	return at
}
