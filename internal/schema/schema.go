// Package schema keeps a database at the version of the migrations that ship
// with the program, or of those in a checkout.
//
// It owns the migrations directory (names, checksums, what a file may hold, the
// down file of each), the revisions table, and the decision whether a database
// is behind, ahead, edited or in order. It executes files through the Atlas library, records
// them as Atlas does and takes Atlas's own lock, so that the Atlas command and
// this package may be used on one database in turn.
//
// It refuses to guess: a database it has not built, a file that was changed
// after it ran, and a history with a hole are reported, never repaired.
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

// Options are the knobs of a Migrator; the zero value is usable.
type Options struct {
	// Operator is recorded with each applied file: the program and its version. The name in Advice when empty.
	Operator string
	Advice   Advice
	// LockWait bounds the wait for another migration to end and, within a
	// transactional file, for a lock on a table. 30 seconds when zero.
	LockWait time.Duration
	// VerifyBaseline says whether the database has what the migrations up to and including version make; its error says
	// what is missing. It is asked, on the connection that holds the lock, before a baseline is recorded, and must not
	// write. When nil, a baseline is taken on trust.
	VerifyBaseline func(ctx context.Context, db atlas.ExecQuerier, version string) error
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

// exclusive connects and takes the lock; release gives both back.
func (m *Migrator) exclusive(ctx context.Context) (conn *sql.Conn, release func(), err error) {
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
		_ = unlock() // the server frees the lock with the connection at the latest
		disconnect()
	}, nil
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
		return Status{}, nil, m.onRecord(err)
	}
	status, pending := compare(m.dir.files, applied, m.opts.Advice)
	status.Database = m.where()
	status.Latest = m.dir.latest()
	for i := range status.Applied {
		_, status.Applied[i].Down = m.dir.downs[status.Applied[i].Version]
	}
	switch {
	case len(applied) == 0:
		objects, err := foreignObjects(ctx, conn)
		if err != nil {
			return Status{}, nil, err
		}
		if len(objects) > 0 {
			status.State, status.problem = Foreign, foreignProblem(objects, m.opts.Advice)
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

// where names the database without its password.
func (m *Migrator) where() string {
	return fmt.Sprintf("%q at %s", m.config.Database, m.config.Host)
}
