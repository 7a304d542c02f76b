package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/scratch"
)

// Report is what one Apply or Down did.
type Report struct {
	From     string       `json:"from"`               // version before; empty for a new database
	To       string       `json:"to"`                 // version after
	Baseline string       `json:"baseline,omitempty"` // version that was recorded without running anything
	Files    []FileReport `json:"files"`              // in the order they ran
}

// FileReport is what one file did.
type FileReport struct {
	Version    string        `json:"version"`
	Name       string        `json:"name"`
	Statements int           `json:"statements"`
	Duration   time.Duration `json:"duration_ns"`
}

// ApplyOption restricts what an Apply does.
type ApplyOption func(*applyChoice)

type applyChoice struct{ to, baseline string }

// To stops after the file of this version. Empty means all files.
func To(version string) ApplyOption { return func(c *applyChoice) { c.to = version } }

// Latest, given to FromBaseline, is the version of the last file.
const Latest = "latest"

// FromBaseline records, as Atlas does, that a database without a record of migrations has everything that the files up to
// and including this version make. None of them is run, then or later. Options.VerifyBaseline is called first. Empty means
// no baseline.
func FromBaseline(version string) ApplyOption { return func(c *applyChoice) { c.baseline = version } }

// Apply brings the database up to date. Each file runs in one transaction together with its row in the revisions table. A run
// that is stopped, even by a crash, therefore leaves only complete files, and the next run continues with the file after
// them. A file marked "-- atlas:txmode none" runs statement by statement, and the next run continues with the statement that
// failed.
//
// Nothing is changed unless the history is in order (see Status) and the role owns tables of the database (ErrNotOwner). When a file fails, the report holds those before it, which
// stay applied.
func (m *Migrator) Apply(ctx context.Context, opts ...ApplyOption) (Report, error) {
	report := Report{Files: []FileReport{}}
	conn, release, err := m.connectLocked(ctx)
	if err != nil {
		return report, err
	}
	defer release()
	choice := m.chosen(opts)
	status, files, err := m.selectFiles(ctx, conn, choice)
	report.From, report.To = status.Version, status.Version
	if err != nil || len(files) == 0 && choice.baseline == "" {
		return report, err
	}
	if err := m.checkOwner(ctx, conn, nil); err != nil {
		return report, err
	}
	store := revisions{db: conn}
	if err := store.create(ctx); err != nil {
		return report, m.recordError(err)
	}
	if choice.baseline != "" {
		if err := store.WriteRevision(ctx, m.baselineRevision(choice.baseline)); err != nil {
			return report, m.recordError(err)
		}
		report.Baseline, report.To = choice.baseline, choice.baseline
	}
	for _, f := range files {
		start := time.Now()
		if err := m.applyFile(ctx, conn, f); err != nil {
			return report, m.explain(ctx, conn, "apply", f, err)
		}
		report.To = f.Version()
		report.Files = append(report.Files, FileReport{
			Version: f.Version(), Name: f.Desc(), Statements: len(f.statements), Duration: time.Since(start),
		})
	}
	return report, nil
}

func (m *Migrator) chosen(opts []ApplyOption) applyChoice {
	var c applyChoice
	for _, opt := range opts {
		opt(&c)
	}
	if c.baseline == Latest {
		c.baseline = m.dir.latest()
	}
	return c
}

// selectFiles returns the status of the database and the files that an Apply has to run. Its error says why none may run. It
// writes nothing.
func (m *Migrator) selectFiles(ctx context.Context, conn *sql.Conn, c applyChoice) (Status, []*file, error) {
	status, files, err := m.read(ctx, conn)
	if err != nil {
		return status, nil, err
	}
	at := status.Version
	if c.baseline != "" {
		at = c.baseline
		files, err = m.afterBaseline(ctx, conn, status, c.baseline)
	} else if !status.State.appliable() {
		err = status.Err()
	}
	if err != nil {
		return status, nil, err
	}
	if c.to != "" {
		if files, err = m.upTo(files, c.to, at); err != nil {
			return status, nil, err
		}
	}
	for _, f := range files {
		if err := f.mustHaveStatements(m.opts.Advice); err != nil {
			return status, nil, err
		}
	}
	return status, files, nil
}

// afterBaseline returns the files to run on a database whose history begins with a baseline.
func (m *Migrator) afterBaseline(ctx context.Context, conn *sql.Conn, status Status, version string) ([]*file, error) {
	if len(status.Applied) > 0 {
		return nil, fmt.Errorf("%w: database %s has a record of migrations already, up to version %s; "+
			"run %s without a baseline", ErrBaseline, m.databaseName(), status.Version, m.opts.Advice.command("migrate apply"))
	}
	i := m.dir.index(version)
	if i < 0 {
		return nil, fmt.Errorf("%w: %w", ErrBaseline, m.dir.unknownVersion(version))
	}
	if m.opts.VerifyBaseline != nil {
		if err := m.opts.VerifyBaseline(ctx, conn, version); err != nil {
			return nil, fmt.Errorf("%w: database %s at version %s: %w", ErrBaseline, m.databaseName(), version, err)
		}
	}
	return m.dir.files[i+1:], nil
}

func (m *Migrator) baselineRevision(version string) *migrate.Revision {
	return &migrate.Revision{
		Version: version, Description: m.dir.files[m.dir.index(version)].Desc(), Type: migrate.RevisionTypeBaseline,
		ExecutedAt: time.Now(), OperatorVersion: m.opts.Operator,
	}
}

// upTo cuts pending off after a version. The database is at version at.
func (m *Migrator) upTo(pending []*file, version, at string) ([]*file, error) {
	if i := slices.IndexFunc(pending, func(f *file) bool { return f.Version() == version }); i >= 0 {
		return pending[:i+1], nil
	}
	switch {
	case m.dir.index(version) < 0:
		return nil, m.dir.unknownVersion(version)
	case version == at:
		return nil, nil
	default:
		return nil, fmt.Errorf("database %s is at version %s already, past %s; to go back, run %s",
			m.databaseName(), at, version, m.opts.Advice.command("migrate down --to", version))
	}
}

func (m *Migrator) applyFile(ctx context.Context, conn *sql.Conn, f *file) error {
	if err := resetSession(ctx, conn); err != nil {
		return err
	}
	if !f.transactional {
		bounded, err := m.boundLockWaits(ctx, conn)
		if err != nil {
			return err
		}
		return m.execute(ctx, bounded, f)
	}
	return m.inTransaction(ctx, conn, func(tx *sql.Tx) error { return m.execute(ctx, tx, f) })
}

// resetSession resets what the previous file set for the session.
func resetSession(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, scratch.ResetSession); err != nil {
		return fmt.Errorf("reset the session: %w", err)
	}
	return nil
}

// inTransaction commits what fn did, or rolls it back.
func (m *Migrator) inTransaction(ctx context.Context, conn *sql.Conn, fn func(*sql.Tx) error) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	// A statement that waits for a lock on a table blocks all later statements on that table.
	wait := strconv.FormatInt(m.opts.LockWait.Milliseconds(), 10)
	if _, err := tx.ExecContext(ctx, "SELECT set_config('lock_timeout', $1, true)", wait); err != nil {
		return fmt.Errorf("set lock timeout: %w", err)
	}
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return commitError{err}
	}
	return nil
}

// execute runs the statements of f that have not run yet and records them, both on c.
func (m *Migrator) execute(ctx context.Context, c atlas.ExecQuerier, f *file) error {
	driver, err := postgres.Open(c)
	if err != nil {
		return fmt.Errorf("open migration driver: %w", err)
	}
	store := revisions{db: c, started: time.Now()}
	// The executor continues a half-applied file but keeps its recorded checksum and length. The rest of the file may have
	// been changed since.
	switch r, err := store.ReadRevision(ctx, f.Version()); {
	case errors.Is(err, migrate.ErrRevisionNotExist):
	case err != nil:
		return err
	case r.Applied > len(f.statements): // the executor would look for them beyond the end of the file
		return migrate.HistoryChangedError{File: f.Name(), Stmt: len(f.statements) + 1}
	default:
		r.Hash, r.Total = f.hash, len(f.statements)
		if err := store.WriteRevision(ctx, r); err != nil {
			return err
		}
	}
	executor, err := migrate.NewExecutor(splitter{driver}, m.dir, store, migrate.WithOperatorVersion(m.opts.Operator))
	if err != nil {
		return fmt.Errorf("open migration executor: %w", err)
	}
	return executor.Execute(ctx, f.LocalFile)
}

// splitter is Atlas's driver with scratch.Statements.
type splitter struct{ migrate.Driver }

// ScanStmts implements migrate.StmtScanner.
func (splitter) ScanStmts(text string) ([]*migrate.Stmt, error) { return scratch.Statements(text) }
