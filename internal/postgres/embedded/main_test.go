package embedded

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
)

// ownerDirEnv makes the test binary a process that starts a server in that directory and waits for a signal.
const ownerDirEnv = "DOCKET_TEST_OWNER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDirEnv); dir != "" {
		ownServer(dir)
		return
	}
	code := m.Run()
	_ = os.RemoveAll(template.dir)
	os.Exit(code)
}

func ownServer(dir string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server, err := Start(ctx, Config{DataDir: dir, Owner: "docket test"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready", server.process.os.Pid)
	<-ctx.Done()
	if err := server.Stop(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// newDir is t.TempDir with search permission for all users, because root's servers run as another user.
func newDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "docket-embedded-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	return dir
}

// template is a cluster that a server has stopped on.
var template struct {
	once sync.Once
	dir  string
	err  error
}

// newCluster is newDir with the cluster of an earlier server, durable or ephemeral: clusterDir or ephemeralDir. It is a copy,
// because initdb takes longer than most tests.
func newCluster(t testing.TB, name string) string {
	t.Helper()
	template.once.Do(func() { template.dir, template.err = makeTemplate() })
	require.NoError(t, template.err)
	dir := newDir(t)
	pgdata := filepath.Join(dir, name)
	require.NoError(t, os.CopyFS(pgdata, os.DirFS(filepath.Join(template.dir, ephemeralDir))))
	require.NoError(t, os.Chmod(pgdata, 0o700))
	acct, err := serverAccount()
	require.NoError(t, err)
	require.NoError(t, acct.ownTree(pgdata))
	return dir
}

func makeTemplate() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "docket-embedded-"); err != nil {
		return dir, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return dir, err
	}
	server, err := Start(context.Background(), Config{DataDir: dir, Ephemeral: true})
	if err != nil {
		return dir, err
	}
	return dir, server.Stop(context.Background())
}

// start runs a server for one test.
func start(t testing.TB, cfg Config) *Server {
	t.Helper()
	cfg.Log = zaptest.NewLogger(t)
	server, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	return server
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

// requireClosed waits for a channel that must close soon.
func requireClosed(t testing.TB, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(time.Minute):
		require.FailNow(t, "still open after a minute")
	}
}
