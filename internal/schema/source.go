package schema

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"docket/internal/postgres/tcp"
	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

// Source is where a state of the schema comes from: a live database, schema files, or migrations.
type Source struct {
	url        string
	files      fs.FS
	name       string
	migrations bool   // even without atlas.sum
	then       string // SQL that runs after the files
}

// Live is the database of a connection string. It is only read.
func Live(url string) Source { return Source{url: url} }

// Folder is a folder of SQL files, which messages call name. With an atlas.sum they are migrations, which are replayed.
// Otherwise they are schema files, which are loaded.
func Folder(files fs.FS, name string) Source { return Source{files: files, name: name} }

// Migrations is a folder of migrations. It may be empty.
func Migrations(files fs.FS, name string) Source {
	return Source{files: files, name: name, migrations: true}
}

// ParseSource reads postgres://… or file://DIR.
func ParseSource(text string) (Source, error) {
	path, isFile := strings.CutPrefix(text, "file://")
	switch {
	case strings.HasPrefix(text, "postgres://"), strings.HasPrefix(text, "postgresql://"):
		return Live(text), nil
	case !isFile:
		return Source{}, errors.New("a schema is given as postgres://user:password@host:5432/database or as file://FOLDER")
	}
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", text, err)
	}
	if !info.IsDir() {
		return Source{}, fmt.Errorf("%s: name the folder that holds the SQL files, not a file", text)
	}
	return Folder(os.DirFS(path), filepath.Clean(path)), nil
}

// IsLive reports whether the source is a database.
func (s Source) IsLive() bool { return s.files == nil }

// URL is the connection string of a database, with its password; empty for files.
func (s Source) URL() string { return s.url }

// String names the source in messages, without a password.
func (s Source) String() string {
	if !s.IsLive() {
		return s.name
	}
	config, err := pgx.ParseConfig(s.url)
	if err != nil {
		return "the database"
	}
	return fmt.Sprintf("database %q at %s", config.Database, config.Host)
}

// Workbench has a server for scratch databases. It opens the server when the first database is needed and keeps it until Close.
type Workbench struct {
	// DevURL is the URL of the server. Without it, Start starts one.
	DevURL string
	Start  scratch.StartFunc
	Advice Advice
	// RefreshTable is the table of live databases with the duration of each materialized view's last refresh, see
	// state.ReadRefreshes. Empty: there is none.
	RefreshTable string

	server *scratch.Server
}

// Server returns a server of the given major version of PostgreSQL (0: any).
func (w *Workbench) Server(ctx context.Context, major int) (*scratch.Server, error) {
	if w.server == nil {
		var err error
		if w.DevURL != "" {
			w.server, err = scratch.Open(ctx, w.DevURL)
		} else {
			w.server, err = scratch.Start(ctx, w.Start, major)
		}
		if err != nil {
			w.server = nil
			return nil, w.Advice.onServer(err)
		}
	}
	if major == 0 {
		return w.server, nil
	}
	return w.server, w.Advice.onServer(w.server.CheckMajor(major))
}

// Close drops the remaining scratch databases and stops the server if the workbench started it.
func (w *Workbench) Close() error {
	if w.server == nil {
		return nil
	}
	return w.server.Close()
}

// ReadStates reads two sources to be compared. Everything in files must be managed (see state.State.Unmanaged). exclude applies
// to live databases.
func ReadStates(ctx context.Context, w *Workbench, from, to Source, exclude []string) (_, _ *state.State, err error) {
	// Live databases first: they determine the major version of the scratch server.
	var states [2]*state.State
	major := 0
	for _, live := range []bool{true, false} {
		for i, source := range []Source{from, to} {
			if source.IsLive() != live {
				continue
			}
			if states[i], err = source.read(ctx, w, major, exclude); err != nil {
				return nil, nil, err
			}
			major = states[i].Major
		}
	}
	return states[0], states[1], nil
}

// ReadState reads one source.
func ReadState(ctx context.Context, w *Workbench, source Source, exclude []string) (*state.State, error) {
	return source.read(ctx, w, 0, exclude)
}

func (s Source) read(ctx context.Context, w *Workbench, major int, exclude []string) (*state.State, error) {
	if s.IsLive() {
		return s.readLive(ctx, w, exclude)
	}
	server, err := w.Server(ctx, major)
	if err != nil {
		return nil, err
	}
	return s.readVersion(ctx, w, server, "")
}

// readVersion reads files, of migrations only those up to a version (empty: all).
func (s Source) readVersion(
	ctx context.Context, w *Workbench, server *scratch.Server, version string,
) (found *state.State, err error) {
	err = server.With(ctx, func(db *scratch.Database) error {
		if err := s.load(ctx, w, db, version); err != nil {
			return err
		}
		found, err = s.inspectLoaded(ctx, db.DB)
		return err
	})
	return found, err
}

func (s Source) readLive(ctx context.Context, w *Workbench, exclude []string) (*state.State, error) {
	config, err := connConfig(s.url, w.Advice.line("schema"))
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }()
	found, err := state.Inspect(ctx, db, exclude)
	if err == nil && w.RefreshTable != "" {
		err = state.ReadRefreshes(ctx, db, found, w.RefreshTable)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return found, nil
}

// load creates the schema of the files in an empty database, of migrations only up to a version (empty: all).
func (s Source) load(ctx context.Context, w *Workbench, db *scratch.Database, version string) error {
	migrations, err := s.areMigrations()
	switch {
	case err != nil:
	case !migrations:
		err = db.Load(ctx, s.files)
	default:
		if _, err = readDirectory(s.files, w.Advice); err == nil {
			err = db.Replay(ctx, s.files, version)
		}
	}
	if err == nil && s.then != "" {
		err = db.Run(ctx, "undo.sql", s.then)
	}
	if err != nil && !errors.Is(err, errNoFiles) {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

// errNoFiles means that a folder of migrations is still empty.
var errNoFiles = errors.New("no migrations yet")

// areMigrations reports whether the files are migrations.
func (s Source) areMigrations() (bool, error) {
	if s.migrations {
		names, err := fs.Glob(s.files, "*.sql")
		if err == nil && len(names) == 0 {
			err = errNoFiles
		}
		return true, err
	}
	_, err := fs.Stat(s.files, migrate.HashFileName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, err
}

// inspectLoaded reads what the files made. Objects that are not managed are refused, because they could neither be compared nor
// created elsewhere. Rows and privileges belong into migrations.
func (s Source) inspectLoaded(ctx context.Context, db atlas.ExecQuerier) (*state.State, error) {
	found, err := state.Inspect(ctx, db, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	var uncompared []state.Object
	if migrations, _ := s.areMigrations(); !migrations {
		if uncompared, err = state.Uncompared(ctx, db); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
	}
	if err := found.Unsupported(uncompared...); err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return found, nil
}

// connConfig parses a connection string for sessions that change or read a schema. It overrides settings of the role and the
// URL: the tables are in schema public, and a long index build must not end by a timeout for requests.
func connConfig(url, application string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The parser's error is not shown, because it can hold a part of the password.
		return nil, errors.New("the database URL cannot be read: it should look like postgres://user:password@host:5432/database")
	}
	if err := tcp.Configure(&config.Config); err != nil {
		return nil, err
	}
	scratch.Settle(config, application)
	return config, nil
}
