package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"ariga.io/atlas/sql/migrate"
)

// The reasons why a Down is refused, other than a history that is not in order.
var (
	ErrNoDown  = errors.New("a migration cannot be undone")
	ErrChanged = errors.New("the database was migrated in the meantime")
)

// Before is the version before the first migration.
const Before = "0"

// PreviewDown returns what undoes the last migrations, as many as steps. It writes nothing and takes no lock. Down runs it.
//
// Only a history in order can be undone (see Status), and only migrations with a down file: neither a baseline, which no
// migration made, nor a file that stopped half-way.
func (m *Migrator) PreviewDown(ctx context.Context, steps int) (Preview, error) {
	return m.previewDown(ctx, func(applied []Applied) (int, error) {
		if steps < 1 || steps > len(applied) {
			return 0, fmt.Errorf("cannot undo %d migrations: database %s has %d", steps, m.databaseName(), len(applied))
		}
		return steps, nil
	})
}

// PreviewDownTo returns, like PreviewDown, what undoes all migrations after version. For Before these are all migrations.
func (m *Migrator) PreviewDownTo(ctx context.Context, version string) (Preview, error) {
	return m.previewDown(ctx, func(applied []Applied) (int, error) {
		if version == Before {
			return len(applied), nil
		}
		i := slices.IndexFunc(applied, func(a Applied) bool { return a.Version == version })
		if i < 0 {
			return 0, fmt.Errorf("database %s never had version %s, so it cannot go back to it; "+
				"%s lists the versions it has", m.databaseName(), version, m.opts.Advice.command("migrate status"))
		}
		return len(applied) - i - 1, nil
	})
}

func (m *Migrator) previewDown(ctx context.Context, count func([]Applied) (int, error)) (Preview, error) {
	conn, disconnect, err := m.connect(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer disconnect()
	status, _, err := m.read(ctx, conn)
	if err != nil {
		return Preview{}, err
	}
	if err := undoable(status); err != nil {
		return Preview{}, err
	}
	n, err := count(status.Applied)
	if err != nil {
		return Preview{}, err
	}
	files, err := m.downFiles(status, n)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Database: m.databaseName(), From: status.Version, Files: []PreviewFile{}}
	if left := status.Applied[:len(status.Applied)-n]; len(left) > 0 {
		p.To = left[len(left)-1].Version
	}
	for _, f := range files {
		p.Files = append(p.Files, f.preview(0))
	}
	return p, nil
}

// undoable fails when the last migration of a history cannot be undone.
func undoable(status Status) error {
	switch status.State {
	case OK, Pending:
		return nil
	case Unfinished:
		return fmt.Errorf("%w; after that it can be undone", status.Err())
	default:
		return status.Err()
	}
}

// downFiles are the files that undo the last n migrations, newest first.
func (m *Migrator) downFiles(status Status, n int) ([]*file, error) {
	undone := slices.Clone(status.Applied[len(status.Applied)-n:])
	slices.Reverse(undone)
	files := make([]*file, 0, n)
	for _, a := range undone {
		if a.Kind == migrate.RevisionTypeBaseline.String() {
			return nil, fmt.Errorf("%w: %s is the baseline of database %s, whose earlier migrations were never recorded; "+
				"the last possible step is %s", ErrNoDown, a.Version, m.databaseName(), m.opts.Advice.command("migrate down --to", a.Version))
		}
		f, ok := m.dir.downs[a.Version]
		if !ok {
			return nil, fmt.Errorf("%w: %s/%s_%s.sql is missing; write there what undoes the migration, "+
				"then run %s and try again", ErrNoDown, downDir, a.Version, a.Name, m.opts.Advice.command("migrate hash"))
		}
		if err := f.mustHaveStatements(m.opts.Advice); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// Down runs what PreviewDown or PreviewDownTo returned: each file in one transaction, together with the deletion of its
// migration's row in the revisions table, newest first. A run that is stopped leaves only complete steps.
//
// It refuses, with ErrChanged, a database that has changed since the preview. When a file fails, the report holds those before
// it, which stay undone.
func (m *Migrator) Down(ctx context.Context, shown Preview) (Report, error) {
	report := Report{From: shown.From, To: shown.From, Files: []FileReport{}}
	conn, release, err := m.connectLocked(ctx)
	if err != nil {
		return report, err
	}
	defer release()
	status, _, err := m.read(ctx, conn)
	if err != nil {
		return report, err
	}
	if err := undoable(status); err != nil {
		return report, err
	}
	versions := versionsOf(status.Applied)
	files, err := m.downFiles(status, min(len(shown.Files), len(versions)))
	if err != nil {
		return report, err
	}
	same := func(f *file, p PreviewFile) bool { return f.Version() == p.Version }
	if !slices.EqualFunc(files, shown.Files, same) {
		return report, fmt.Errorf("%w: database %s is at version %q, and was at %q when the plan was shown; run the command again",
			ErrChanged, m.databaseName(), status.Version, shown.From)
	}
	if err := m.checkOwner(ctx, conn, nil); err != nil {
		return report, err
	}
	for i, f := range files {
		start := time.Now()
		if err := m.undoFile(ctx, conn, f); err != nil {
			return report, m.explain(ctx, conn, "down", f, err)
		}
		report.To = ""
		if left := len(versions) - i - 1; left > 0 {
			report.To = versions[left-1]
		}
		report.Files = append(report.Files, FileReport{
			Version: f.Version(), Name: f.Desc(), Statements: len(f.statements), Duration: time.Since(start),
		})
	}
	return report, nil
}

func versionsOf(applied []Applied) []string {
	versions := make([]string, len(applied))
	for i, a := range applied {
		versions[i] = a.Version
	}
	return versions
}

func (m *Migrator) undoFile(ctx context.Context, conn *sql.Conn, f *file) error {
	if err := resetSession(ctx, conn); err != nil {
		return err
	}
	return m.inTransaction(ctx, conn, func(tx *sql.Tx) error {
		for _, s := range f.statements {
			if _, err := tx.ExecContext(ctx, s.Text); err != nil {
				return &migrate.StmtExecError{File: f, Stmt: s, Version: f.Version(), Err: err}
			}
		}
		return revisions{db: tx}.DeleteRevision(ctx, f.Version())
	})
}
