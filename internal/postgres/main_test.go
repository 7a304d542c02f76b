package postgres

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/postgres/embedded"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// shared is the server of all tests. dbtest cannot provide it, because dbtest imports this package.
var shared struct {
	once      sync.Once
	dir       string
	server    *embedded.Server
	err       error
	databases atomic.Int64
}

// newPool returns a pool on a new database.
func newPool(t testing.TB, cfg PoolConfig) *Pool {
	t.Helper()
	cfg.URL = newDatabase(t)
	pool, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// newDatabase returns the URL of a new database.
func newDatabase(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "docket-postgres-"); shared.err != nil {
			return
		}
		// When the tests run as root, the server runs as another user, who must be able to search the directory.
		if shared.err = os.Chmod(shared.dir, 0o711); shared.err != nil {
			return
		}
		shared.server, shared.err = embedded.Start(context.Background(),
			embedded.Config{DataDir: shared.dir, Ephemeral: true})
	})
	require.NoError(t, shared.err)
	name := fmt.Sprintf("test_%d", shared.databases.Add(1))
	execute(t, shared.server.URL(), "CREATE DATABASE "+name)
	database, err := url.Parse(shared.server.URL())
	require.NoError(t, err)
	database.Path = "/" + name
	return database.String()
}

// execute runs one statement on a new connection.
func execute(t testing.TB, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// value returns the only row and column of a query's result, which must be a text.
func value(t testing.TB, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	var text string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&text))
	return text
}
