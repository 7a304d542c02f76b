// Package dbtest gives each test a PostgreSQL database of its own. It owns the servers that tests run on, and the
// template that the databases are cloned from. It refuses to be part of the program: only tests import it.
//
// A test process starts a server when its first test asks for a database, and the server ends with the process. Its
// directory is kept and taken by a later process, so that only the first one ever pays for its initialisation.
// DOCKET_TEST_DATABASE_URL names a running server to use instead.
package dbtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" for pgtestdb
	"github.com/peterldowns/pgtestdb"

	"docket/internal/postgres"
	sqlfiles "docket/sql"
)

// maxConns is enough for tests whose statements wait for one another, and leaves room for tests beside them.
const maxConns = 8

// server is where this process's databases are made.
type server struct {
	url  *url.URL
	user string
}

// New returns a pool on a new database with the whole schema and no data. Both go away with the test; the database of
// a failed one stays until the server ends.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.PoolConfig{URL: URL(t), MaxConns: maxConns})
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL returns the connection string of a new database like New's.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, fromFiles{sqlfiles.Schema})
}

// Empty returns the connection string of a new database without anything in it.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, nothing{})
}

func create(t testing.TB, migrator pgtestdb.Migrator) string {
	t.Helper()
	s, err := sharedServer()
	if err != nil {
		t.Fatalf("test database server: %v", err)
	}
	return s.database(pgtestdb.Custom(t, s.config(), migrator).Database)
}

// fromFiles builds a template by executing files in name order.
type fromFiles struct{ files fs.FS }

func (m fromFiles) Hash() (string, error) {
	hash := sha256.New()
	err := m.each(func(name string, text []byte) error {
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
		return nil
	})
	return hex.EncodeToString(hash.Sum(nil)[:8]), err
}

func (m fromFiles) Migrate(ctx context.Context, db *sql.DB, _ pgtestdb.Config) error {
	return m.each(func(name string, text []byte) error {
		if _, err := db.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("execute %s: %w", name, err)
		}
		return nil
	})
}

func (m fromFiles) each(fn func(name string, text []byte) error) error {
	entries, err := fs.ReadDir(m.files, ".") // sorted by name
	if err != nil {
		return err
	}
	for _, entry := range entries {
		text, err := fs.ReadFile(m.files, entry.Name())
		if err != nil {
			return err
		}
		if err := fn(entry.Name(), text); err != nil {
			return err
		}
	}
	return nil
}

// nothing leaves the template as PostgreSQL makes it.
type nothing struct{}

func (nothing) Hash() (string, error)                                   { return "empty", nil }
func (nothing) Migrate(context.Context, *sql.DB, pgtestdb.Config) error { return nil }

// config describes the server to pgtestdb, which puts a connection string together from it without escaping anything. So
// the host, which may be the path of a socket, and the password travel as options.
func (s server) config() pgtestdb.Config {
	options := s.url.Query()
	if host := s.url.Hostname(); host != "" {
		options.Set("host", host)
	}
	if port := s.url.Port(); port != "" {
		options.Set("port", port)
	}
	if password, ok := s.url.User.Password(); ok {
		options.Set("password", password)
	}
	return pgtestdb.Config{
		DriverName: "pgx",
		User:       s.user,
		Database:   strings.TrimPrefix(s.url.Path, "/"),
		Options:    strings.ReplaceAll(options.Encode(), "+", "%20"), // PostgreSQL's URLs take + literally
		TestRole:   &pgtestdb.Role{Username: s.user},                 // it exists
	}
}

// database returns the connection string of a database on the server.
func (s server) database(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}
