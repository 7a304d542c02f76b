// Package schema keeps a database at the version of the migrations that ship
// with the program.
//
// It owns the migrations directory (names, checksums, what a file may hold),
// the revisions table, and the decision whether a database is behind, ahead,
// edited or in order. It executes files through the Atlas library, records
// them as Atlas does and takes Atlas's own lock, so that the Atlas command and
// this package may be used on one database in turn.
//
// It refuses to guess: a database it has not built, a file that was changed
// after it ran, and a history with a hole are reported, never repaired.
package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Options are the knobs of a Migrator; the zero value is usable.
type Options struct {
	// Operator is recorded with each applied file, e.g. "Docket v1.2.0".
	Operator string
	// LockWait bounds the wait for another migration to end and, within a
	// transactional file, for a lock on a table. 30 seconds when zero.
	LockWait time.Duration
}

// Migrator applies one set of migrations to one database. It holds no
// connection between calls.
type Migrator struct {
	config *pgx.ConnConfig
	dir    *directory
	opts   Options
}

// New reads the migrations and checks them as Validate does. It does not
// connect yet.
func New(url string, migrations fs.FS, opts Options) (*Migrator, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// Not even the parser's reason may be told: it can hold a piece of the password.
		return nil, errors.New("the database URL cannot be read: it should look like postgres://user:password@host:5432/database")
	}
	// Whatever the role or the URL say: the tables live in public, and a long
	// index build must not fall to a timeout meant for requests.
	config.RuntimeParams["search_path"] = "public"
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["application_name"] = "docket migrate"
	dir, err := readDirectory(migrations)
	if err != nil {
		return nil, err
	}
	if opts.LockWait == 0 {
		opts.LockWait = 30 * time.Second
	}
	if opts.Operator == "" {
		opts.Operator = "Docket"
	}
	return &Migrator{config: config, dir: dir, opts: opts}, nil
}

// Report tells what one Apply did.
type Report struct {
	From  string       `json:"from"` // version before; empty for a new database
	To    string       `json:"to"`   // version after
	Files []FileReport `json:"files"`
}

// FileReport tells how one file went.
type FileReport struct {
	Version    string        `json:"version"`
	Name       string        `json:"name"`
	Statements int           `json:"statements"`
	Duration   time.Duration `json:"duration_ns"`
}

// Apply brings the database up to date. Each file runs in one transaction
// together with its row in the revisions table, so a run that is stopped,
// however harshly, leaves whole files only, and the next run goes on from
// there. A file marked "-- atlas:txmode none" runs statement by statement, and
// the next run goes on from the statement that failed.
//
// Nothing is touched unless the history is in order (see Status). When a file
// fails, the report holds those before it, which stay applied.
func (m *Migrator) Apply(ctx context.Context) (Report, error) {
	report := Report{Files: []FileReport{}}
	conn, disconnect, err := m.connect(ctx)
	if err != nil {
		return report, err
	}
	defer disconnect()
	unlock, err := m.lock(ctx, conn)
	if err != nil {
		return report, err
	}
	defer func() { _ = unlock() }() // the server frees the lock with the connection at the latest

	status, pending, err := m.read(ctx, conn)
	if err != nil {
		return report, err
	}
	report.From, report.To = status.Version, status.Version
	if !status.State.appliable() {
		return report, status.Err()
	}
	if len(pending) == 0 {
		return report, nil
	}
	if err := (revisions{db: conn}).create(ctx); err != nil {
		return report, err
	}
	for _, f := range pending {
		start := time.Now()
		if err := m.applyFile(ctx, conn, f); err != nil {
			return report, m.explain(f, err)
		}
		report.To = f.Version()
		report.Files = append(report.Files, FileReport{
			Version: f.Version(), Name: f.Desc(), Statements: len(f.statements), Duration: time.Since(start),
		})
	}
	return report, nil
}

// Status compares the database with the migrations and writes nothing. Its
// error is about reaching the database; what is wrong with the history is in
// Status.Err.
func (m *Migrator) Status(ctx context.Context) (Status, error) {
	conn, disconnect, err := m.connect(ctx)
	if err != nil {
		return Status{}, err
	}
	defer disconnect()
	status, _, err := m.read(ctx, conn)
	return status, err
}

// Check is nil when the database is exactly at the program's version, so that
// a server may start on it.
func (m *Migrator) Check(ctx context.Context) error {
	status, err := m.Status(ctx)
	if err != nil {
		return err
	}
	return status.Err()
}

// connect gives the one connection a run uses for everything: should it break,
// the lock is lost together with the ability to go on.
func (m *Migrator) connect(ctx context.Context) (*sql.Conn, func(), error) {
	db := stdlib.OpenDB(*m.config)
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("connect for migrations: %w", err)
	}
	return conn, func() {
		_ = conn.Close()
		_ = db.Close()
	}, nil
}

// read is the status as seen by conn, and the files an Apply would run.
func (m *Migrator) read(ctx context.Context, conn *sql.Conn) (Status, []*file, error) {
	applied, err := revisions{db: conn}.ReadRevisions(ctx)
	if err != nil {
		return Status{}, nil, err
	}
	status, pending := compare(m.dir.files, applied)
	status.Database = m.where()
	if len(applied) == 0 {
		objects, err := foreignObjects(ctx, conn)
		if err != nil {
			return Status{}, nil, err
		}
		if len(objects) > 0 {
			status.State, status.problem = Foreign, foreignProblem(objects)
		}
	}
	return status, pending, nil
}

func (m *Migrator) applyFile(ctx context.Context, conn *sql.Conn, f *file) error {
	if !f.transactional {
		return m.execute(ctx, conn, f)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	// A statement that queues behind a long transaction makes every request
	// for that table queue behind it in turn.
	wait := strconv.FormatInt(m.opts.LockWait.Milliseconds(), 10)
	if _, err := tx.ExecContext(ctx, "SELECT set_config('lock_timeout', $1, true)", wait); err != nil {
		return fmt.Errorf("set lock timeout: %w", err)
	}
	if err := m.execute(ctx, tx, f); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// execute runs the statements of f that have not run yet and records them,
// both on c.
func (m *Migrator) execute(ctx context.Context, c atlas.ExecQuerier, f *file) error {
	driver, err := postgres.Open(c)
	if err != nil {
		return fmt.Errorf("open migration driver: %w", err)
	}
	store := revisions{db: c, started: time.Now()}
	// The executor goes on within a half-applied file, but keeps the checksum
	// and length it had then, although its rest may have been mended since.
	switch r, err := store.ReadRevision(ctx, f.Version()); {
	case errors.Is(err, migrate.ErrRevisionNotExist):
	case err != nil:
		return err
	default:
		r.Hash, r.Total = f.hash, len(f.statements)
		if err := store.WriteRevision(ctx, r); err != nil {
			return err
		}
	}
	executor, err := migrate.NewExecutor(driver, m.dir, store, migrate.WithOperatorVersion(m.opts.Operator))
	if err != nil {
		return fmt.Errorf("open migration executor: %w", err)
	}
	return executor.Execute(ctx, f.LocalFile)
}

// explain says where in f the error arose, what of f remains and how to go on.
func (m *Migrator) explain(f *file, err error) error {
	place, kept := f.Name(), "nothing of this file was kept"
	if !f.transactional {
		kept = "the statements before it were kept, since the file runs outside a transaction"
	}
	mend := `mend the cause (after changing the file: "docket migrate hash"), then run "docket migrate apply" again`
	var stmt *migrate.StmtExecError
	var changed migrate.HistoryChangedError
	switch {
	case errors.As(err, &changed):
		return fmt.Errorf("%w: statement %d of %s on database %s has run already and was changed since; "+
			"put it back as it was and change only what follows it", ErrEdited, changed.Stmt, place, m.where())
	case errors.As(err, &stmt):
		line := 1 + strings.Count(string(f.Bytes()[:stmt.Stmt.Pos]), "\n")
		place = fmt.Sprintf("%s, statement at line %d", place, line)
		err = stmt.Err // the joined rest is the executor failing to record it in the aborted transaction
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "55P03" {
		mend = fmt.Sprintf("another transaction has held a lock for longer than %s: "+
			"find it in pg_stat_activity, then run \"docket migrate apply\" again", m.opts.LockWait)
	}
	return fmt.Errorf("apply %s to database %s: %w; %s; %s", place, m.where(), err, kept, mend)
}

// where names the database without its password.
func (m *Migrator) where() string {
	return fmt.Sprintf("%q at %s", m.config.Database, m.config.Host)
}
