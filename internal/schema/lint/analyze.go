package lint

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5/pgconn"

	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

// snapshot is the schema of a scratch database between two statements.
type snapshot struct {
	state   *state.State
	model   *atlas.Schema
	catalog *catalog
}

// step is one statement and what it did.
type step struct {
	stmt          *migrate.Stmt
	before, after *catalog
	// Changes of tables and enums, in which a rename is not a drop and an addition. There are none while only tables that
	// the file itself created have changed. Those come with the next change of another table.
	changes atlas.Changes
}

// history is what one file did. A statement that could not run has no step, and end is then unknown.
type history struct {
	file       *file
	start, end snapshot
	steps      []step
	driver     migrate.Driver // for analyzers that split the file with it
}

// analyze runs the selected files statement by statement, after those before them. It stops at a file that cannot run.
func analyze(ctx context.Context, opts Options, before, selected []*file) (problems []problem, failed *file, err error) {
	err = opts.Server.With(ctx, func(db *scratch.Database) error {
		broken, err := replay(ctx, db, before)
		if broken != nil {
			problems, failed = []problem{*broken}, broken.file
		}
		if broken != nil || err != nil {
			return err
		}
		conn, err := db.DB.Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect to scratch database: %w", err)
		}
		defer func() { _ = conn.Close() }()
		for _, f := range selected {
			found, ok, err := analyzeFile(ctx, conn, opts, f)
			if err != nil {
				return err
			}
			problems = append(problems, found...)
			if !ok {
				failed = f
				return nil
			}
		}
		return nil
	})
	return problems, failed, err
}

func analyzeFile(ctx context.Context, conn *sql.Conn, opts Options, f *file) (problems []problem, ok bool, err error) {
	if err := grantViews(ctx, conn); err != nil {
		return nil, false, err
	}
	var h *history
	var broken []problem
	if f.transactional {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return nil, false, fmt.Errorf("begin: %w", err)
		}
		defer func() { _ = tx.Rollback() }()
		if h, broken, ok, err = run(ctx, tx, f); err != nil {
			return nil, false, err
		}
		if ok {
			// Deferred constraints are checked here.
			if err := tx.Commit(); err != nil {
				broken, ok = append(broken, *f.cannotRun(codeCannotRun, 1, err)), false
			}
		}
	} else if h, broken, ok, err = run(ctx, conn, f); err != nil {
		return nil, false, err
	}
	if ok {
		// The settings of this file must not affect the next one.
		if _, err := conn.ExecContext(ctx, scratch.ResetSession); err != nil {
			return nil, false, fmt.Errorf("reset the session after %s: %w", f.path, err)
		}
	}
	found, err := h.check(ctx, opts, ok)
	return append(broken, found...), ok, err
}

// run executes the statements of f and reads the catalog after each. It is not ok when one of them cannot run.
func run(ctx context.Context, db atlas.ExecQuerier, f *file) (h *history, problems []problem, ok bool, err error) {
	driver, err := postgres.Open(db)
	if err != nil {
		return nil, nil, false, fmt.Errorf("open migration driver: %w", err)
	}
	start, err := takeSnapshot(ctx, db)
	if err != nil {
		return nil, nil, false, err
	}
	h = &history{file: f, start: start, end: start, driver: driver}
	last := start // when the state was read
	for _, stmt := range f.statements {
		text := stmt.Text
		if f.transactional && concurrently(text) {
			problems = append(problems, problem{file: f, stmt: stmt, code: codeConcurrently,
				text: "CONCURRENTLY in a file that runs in a transaction fails"})
			// Without the word, the statements after it can be checked as well.
			if text, err = parsed(text).WithoutConcurrently(); err != nil {
				return nil, nil, false, err
			}
		}
		if _, err := db.ExecContext(ctx, text); err != nil {
			var refused *pgconn.PgError
			if !errors.As(err, &refused) {
				return nil, nil, false, fmt.Errorf("run %s on a scratch database: %w", f.path, err)
			}
			return h, append(problems, *f.cannotRun(codeCannotRun, f.lineOf(stmt, refused), err)), false, nil
		}
		s := step{stmt: stmt, before: h.end.catalog}
		if s.after, err = readCatalog(ctx, db, s.before); err != nil {
			return nil, nil, false, err
		}
		h.end.catalog = s.after
		if s.before.tablesChanged(start.catalog, s.after) {
			now := snapshot{catalog: s.after}
			if err := now.inspect(ctx, db); err != nil {
				return nil, nil, false, fmt.Errorf("%s:%d: after this statement: %w", f.path, f.line(stmt), err)
			}
			if s.changes, err = changes(driver, last, now); err != nil {
				return nil, nil, false, fmt.Errorf("%s:%d: compare tables: %w", f.path, f.line(stmt), err)
			}
			last = now
		}
		h.steps = append(h.steps, s)
	}
	if err := h.end.inspect(ctx, db); err != nil {
		return nil, nil, false, fmt.Errorf("at the end of %s: %w", f.path, err)
	}
	return h, problems, true, nil
}

func takeSnapshot(ctx context.Context, db atlas.ExecQuerier) (s snapshot, err error) {
	if s.catalog, err = readCatalog(ctx, db, nil); err != nil {
		return s, err
	}
	return s, s.inspect(ctx, db)
}

// inspect reads the state and the model with search_path public, and then restores the search_path that the file set.
func (s *snapshot) inspect(ctx context.Context, db atlas.ExecQuerier) error {
	var path string
	err := collect(ctx, db, "SELECT current_setting('search_path')", func(scan scanFunc) error { return scan(&path) })
	if err != nil {
		return err
	}
	set := func(path string) error {
		if _, err := db.ExecContext(ctx, "SELECT set_config('search_path', $1, false)", path); err != nil {
			return fmt.Errorf("set search_path: %w", err)
		}
		return nil
	}
	if err := set("public"); err != nil {
		return err
	}
	if s.state, err = state.Inspect(ctx, db, nil); err == nil {
		s.model, err = readModel(ctx, db, s.state)
	}
	return cmp.Or(err, set(path))
}

// lineOf is the line of the file at which PostgreSQL reports the error.
func (f *file) lineOf(stmt *migrate.Stmt, refused *pgconn.PgError) int {
	runes := []rune(stmt.Text)
	return f.line(stmt) + strings.Count(string(runes[:min(max(int(refused.Position)-1, 0), len(runes))]), "\n")
}

// check runs every check on the history. Checks of the end of a file need a complete history.
func (h *history) check(ctx context.Context, opts Options, complete bool) ([]problem, error) {
	problems, err := h.analyzers(ctx)
	if err != nil {
		return nil, err
	}
	problems = append(problems, h.newEnumValues()...)
	problems = append(problems, h.indexes(opts)...)
	problems = append(problems, h.storage(opts)...)
	problems = append(problems, h.constraints(opts)...)
	if complete {
		problems = append(problems, h.materializedViews()...)
		problems = append(problems, h.replacedViews(opts)...)
	}
	return problems, nil
}
