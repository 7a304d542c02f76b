// Package dbtest gives each test a PostgreSQL database of its own, and the helpers that tests of several packages need to
// query one. It owns the servers that tests run on and the templates that the databases are cloned from. Only tests import it.
//
// A test process starts a server when its first test needs a database, and the server ends with the process. Later processes
// reuse the server's data directory, so initdb runs once. DOCKET_TEST_DATABASE_URL names a running server to use instead.
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

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" for pgtestdb
	"github.com/peterldowns/pgtestdb"

	"docket/internal/postgres"
	"docket/internal/schema/scratch/database"
	sqlfiles "docket/sql"
)

// maxConns is enough for tests whose statements wait for one another, and leaves connections for parallel tests.
const maxConns = 8

// server is the PostgreSQL server on which this process creates its databases.
type server struct {
	url  *url.URL
	user string
}

// New returns a pool on a new database with the whole schema and no data. The test's end closes the pool and drops the
// database. The database of a failed test is kept until the server ends.
func New(t testing.TB) *postgres.Pool {
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

// Empty returns the connection string of a new database that contains nothing.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, pgtestdb.NoopMigrator{})
}

func create(t testing.TB, migrator pgtestdb.Migrator) string {
	t.Helper()
	s, err := sharedServer()
	if err != nil {
		t.Fatalf("test database server: %v", err)
	}
	return database.URL(s.url.String(), pgtestdb.Custom(t, s.config(), migrator).Database)
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
	names, err := fs.Glob(m.files, "*.sql") // sorted
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(m.files, name)
		if err != nil {
			return err
		}
		if err := fn(name, text); err != nil {
			return err
		}
	}
	return nil
}

// config describes the server to pgtestdb, which builds a connection string from it without escaping. Therefore the host,
// which may be the path of a socket, and the password are options.
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
