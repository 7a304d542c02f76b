// Package schema brings a database to the version of a set of migrations, or to a target schema.
//
// It owns the migrations directory (names, checksums, what a file may hold, the down file of each), the revisions table, and
// the decision whether a database is behind, ahead, edited or in order. It executes files through the Atlas library, records
// them as Atlas does and takes Atlas's own lock. The Atlas command and this package can therefore both be used on one
// database.
//
// It does not guess. A database that it has not built, a file that was changed after it ran, and a history with a gap are
// reported and never repaired. It knows nothing of the program that uses it: see Advice and Workbench.
package schema

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"time"

	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Options are the options of a Migrator. The zero value is usable.
type Options struct {
	// Operator is recorded with each applied file: the program and its version. The name in Advice when empty.
	Operator string
	Advice   Advice
	// LockWait bounds the wait for another migration to end and for a lock on a table, see boundLockWaits. 30 seconds when zero.
	LockWait time.Duration
	// VerifyBaseline fails unless the database has everything that the migrations up to and including version make. It is
	// called before a baseline is recorded, on the connection that holds the lock, and must not write. When nil, a baseline
	// is not checked.
	VerifyBaseline func(ctx context.Context, db atlas.ExecQuerier, version string) error
}

// Migrator applies one set of migrations to one database. It holds no connection between calls.
type Migrator struct {
	config *pgx.ConnConfig
	dir    *directory
	opts   Options
}

// New reads the migrations and checks them as CheckDirectory does. It does not connect yet.
func New(url string, migrations fs.FS, opts Options) (*Migrator, error) {
	config, err := connConfig(url, opts.Advice.line("migrate"))
	if err != nil {
		return nil, err
	}
	dir, err := readDirectory(migrations, opts.Advice)
	if err != nil {
		return nil, err
	}
	if opts.LockWait == 0 {
		opts.LockWait = 30 * time.Second
	}
	if opts.Operator == "" {
		opts.Operator = opts.Advice.Program
	}
	return &Migrator{config: config, dir: dir, opts: opts}, nil
}

// Status compares the database with the migrations and writes nothing. Its error is about reading the database. A problem of
// the history is in Status.Err.
func (m *Migrator) Status(ctx context.Context) (Status, error) {
	conn, disconnect, err := m.connect(ctx)
	if err != nil {
		return Status{}, err
	}
	defer disconnect()
	status, _, err := m.read(ctx, conn)
	return status, err
}

// Check fails unless the database is at the version of the last migration. A server may then start on it.
func (m *Migrator) Check(ctx context.Context) error {
	status, err := m.Status(ctx)
	if err != nil {
		return err
	}
	return status.Err()
}

// connectLocked connects and takes the lock. The caller must call release.
func (m *Migrator) connectLocked(ctx context.Context) (conn *sql.Conn, release func(), err error) {
	conn, disconnect, err := m.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	unlock, err := m.lock(ctx, conn)
	if err != nil {
		disconnect()
		return nil, nil, err
	}
	return conn, func() {
		_ = unlock() // the server releases the lock when the connection ends, at the latest
		disconnect()
	}, nil
}

// connect opens the only connection of a run. If it breaks, the lock is lost, and so is the ability to
// continue.
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

// read returns the status as seen by conn, and the files that an Apply would run.
func (m *Migrator) read(ctx context.Context, conn *sql.Conn) (Status, []*file, error) {
	applied, err := revisions{db: conn}.ReadRevisions(ctx)
	if err != nil {
		return Status{}, nil, m.recordError(err)
	}
	status, pending := compare(m.dir.files, applied, m.opts.Advice)
	status.Database = m.databaseName()
	status.Latest = m.dir.latest()
	for i := range status.Applied {
		_, status.Applied[i].Down = m.dir.downs[status.Applied[i].Version]
	}
	switch {
	case len(applied) == 0:
		objects, err := objectsInPublic(ctx, conn)
		if err != nil {
			return Status{}, nil, err
		}
		if len(objects) > 0 {
			status.State, status.problem = Foreign, notEmptyError(objects, m.opts.Advice)
		}
	case status.State == Unfinished:
		indexes, err := invalidIndexes(ctx, conn)
		if err != nil {
			return Status{}, nil, err
		}
		if len(indexes) > 0 {
			status.problem = fmt.Errorf("%w; before that, %s", status.problem, dropInvalid(indexes))
		}
	}
	if err := status.Err(); err != nil {
		status.Problem = err.Error()
	}
	return status, pending, nil
}

// databaseName names the database in messages, without its password.
func (m *Migrator) databaseName() string {
	return fmt.Sprintf("%q at %s", m.config.Database, m.config.Host)
}
