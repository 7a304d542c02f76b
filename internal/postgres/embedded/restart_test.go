package embedded

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// kill kills the server program as the kernel does when memory is short, and returns its process id.
func (s *Server) kill(t testing.TB) int {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NoError(t, s.process.os.Kill())
	return s.process.os.Pid
}

// requireUp waits until another process than the killed one accepts connections.
func (s *Server) requireUp(t testing.TB, killed int) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.down == nil && s.process.os.Pid != killed
	}, time.Minute, 5*time.Millisecond)
}

// busyBackend runs a statement that does not notice the death of its server. It ends after two minutes even if the test is aborted.
// The channel receives its error.
func busyBackend(t testing.TB, url string) <-chan error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), `DO $$ DECLARE last timestamptz := clock_timestamp() + interval '2 minutes';
			BEGIN WHILE clock_timestamp() < last LOOP END LOOP; END $$`)
		ended <- err
	}()
	require.Eventually(t, func() bool {
		return value(t, url, "SELECT count(*)::text FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'") == "1"
	}, time.Minute, 5*time.Millisecond)
	return ended
}

func TestKilledServerIsRestarted(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	var server *Server
	restarted := 0
	server = start(t, Config{DataDir: dir, Owner: "docket serve", Restarts: 3, firstPause: time.Millisecond, BeforeRestart: func() {
		restarted++
		require.Error(t, server.Down())
		_, err := pgx.Connect(context.Background(), server.URL())
		require.Error(t, err, "no server runs")
	}})
	url := server.URL()
	execute(t, url, "CREATE TABLE kept (word text)")
	for i := range 4 { // more than Restarts: only failed starts in a row count
		execute(t, url, fmt.Sprintf("INSERT INTO kept VALUES ('word %d')", i))
		busy := busyBackend(t, server.URL())
		server.requireUp(t, server.kill(t))
		require.Equal(t, i+1, restarted)
		require.Error(t, <-busy, "the backend of the killed server has ended")
		require.Equal(t, strconv.Itoa(i+1), value(t, url, "SELECT count(*)::text FROM kept"))
		_, err := Start(t.Context(), Config{DataDir: dir})
		require.ErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, fmt.Sprintf("held by docket serve (pid %d); stop that first", os.Getpid()))
		running, err := RunningURL(dir)
		require.NoError(t, err)
		require.Equal(t, url, running)
	}
	require.NoError(t, server.Err())
	require.NoError(t, server.Stop(t.Context()))
	require.NoError(t, server.Err())
	require.NoDirExists(t, server.socketDir)
}

func TestRestartGivesUp(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	server := start(t, Config{DataDir: dir, Restarts: 3, firstPause: time.Millisecond, longestPause: 2 * time.Millisecond})
	conf := filepath.Join(dir, clusterDir, "postgresql.conf")
	text, err := os.ReadFile(conf)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(conf, append(text, "no_such_setting = 1\n"...), 0))
	server.kill(t)
	requireClosed(t, server.Done())
	require.ErrorContains(t, server.Err(), "gave up after 3 failed starts in a row")
	require.ErrorContains(t, server.Err(), `unrecognized configuration parameter "no_such_setting"`)
	require.ErrorContains(t, server.Down(), "failed to start 3 times in a row; see "+server.logPath)
	require.Equal(t, 3, strings.Count(readFile(t, server.logPath), "no_such_setting"), "as many starts")

	require.NoError(t, os.WriteFile(conf, text, 0))
	start(t, Config{DataDir: dir})
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestStopEndsARestart(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	for _, pause := range []time.Duration{time.Hour, time.Microsecond} {
		server := start(t, Config{DataDir: dir, Restarts: 3, firstPause: pause})
		server.kill(t)
		require.Eventually(t, func() bool { return server.Down() != nil }, time.Minute, time.Millisecond)
		require.NoError(t, server.Stop(t.Context()))
		requireClosed(t, server.Done())
		require.NoError(t, server.Err(), "stopped on purpose")
		require.Empty(t, backends(filepath.Join(dir, clusterDir)))
	}
	start(t, Config{DataDir: dir}) // removes the shared memory that the killed servers left
}

// Another process that looks for the server learns that it is being restarted, and waits for it.
func TestOtherProcessesLearnOfTheRestart(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	server := start(t, Config{DataDir: dir, Owner: "docket serve", Restarts: 1, firstPause: time.Hour})
	server.kill(t)
	holder := fmt.Sprintf("docket serve (pid %d)", os.Getpid())
	require.Eventually(t, func() bool { return restartHolder(dir) == holder }, time.Minute, time.Millisecond)
	_, err := Start(t.Context(), Config{DataDir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, holder+", which is restarting its PostgreSQL; try again in some seconds")
	_, _, err = Attach(t.Context(), Config{DataDir: dir})
	require.ErrorIs(t, err, ErrRestarting)
	require.ErrorContains(t, err, holder)
	require.NoError(t, server.Stop(t.Context()))
	_, err = RunningURL(dir)
	require.ErrorIs(t, err, ErrNotRunning)

	// A process that was killed during a restart leaves the text, but not the lock.
	path := filepath.Join(dir, lockFile)
	require.NoError(t, os.WriteFile(path, []byte(holder+", which "+restarting+"\n"), 0o600))
	_, err = RunningURL(dir)
	require.ErrorIs(t, err, ErrNotRunning)

	server = start(t, Config{DataDir: dir, Restarts: 1, firstPause: time.Second})
	server.kill(t)
	require.Eventually(t, func() bool { return restartHolder(dir) != "" }, time.Minute, time.Millisecond)
	url, attached, err := Attach(t.Context(), Config{DataDir: dir})
	require.NoError(t, err)
	require.Nil(t, attached)
	require.Equal(t, "1", value(t, url, "SELECT '1'"))
}

func TestServerStartsDespiteAStaleSocket(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"of a dead process":       "999999999",
		"of an unrelated process": strconv.Itoa(unrelatedProcess(t)),
		"of this process":         strconv.Itoa(os.Getpid()),
		"of a negative process":   "-" + strconv.Itoa(unrelatedProcess(t)),
		"malformed":               "postgres",
		"empty":                   "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newCluster(t, clusterDir)
			server := start(t, Config{DataDir: dir})
			server.kill(t)
			requireClosed(t, server.Done())
			lock := filepath.Join(server.socketDir, ".s.PGSQL.5432.lock")
			_, rest, found := strings.Cut(readFile(t, lock), "\n")
			require.True(t, found, "a killed server leaves it")
			if content != "" && content != "postgres" {
				content += "\n" + rest
			}
			require.NoError(t, os.WriteFile(lock, []byte(content), 0o600))
			acct, err := serverAccount(filepath.Join(dir, clusterDir))
			require.NoError(t, err)
			require.NoError(t, acct.own(lock))
			again := start(t, Config{DataDir: dir})
			require.Equal(t, "1", value(t, again.URL(), "SELECT '1'"))
		})
	}
}

func TestSocketOfALiveServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	sockets := filepath.Join(dir, socketDir)
	require.NoError(t, os.Mkdir(sockets, 0o700))
	path := filepath.Join(sockets, ".s.PGSQL.5432")
	other, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer other.Close()
	_, err = Start(t.Context(), Config{DataDir: dir})
	require.ErrorContains(t, err, "another server listens on "+path)
	require.FileExists(t, path)
}

// The kernel may kill a server and its Docket. PostgreSQL looks for live backends of a dead server only through the pid file: without
// it two servers would write to one cluster.
func TestBackendsOfAKilledDocketAreEnded(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"pid file as it was":  func(string) error { return nil },
		"pid file missing":    os.Remove,
		"pid file malformed":  func(path string) error { return os.WriteFile(path, []byte("4"), 0o600) },
		"pid file of another": func(path string) error { return os.WriteFile(path, []byte("1\n\n\n\n\n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newCluster(t, clusterDir)
			owner, pid := startOwner(t, dir)
			url, err := RunningURL(dir)
			require.NoError(t, err)
			busy := busyBackend(t, url)
			require.NoError(t, owner.Process.Signal(syscall.SIGSTOP)) // it must not end the backends
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			require.NoError(t, owner.Process.Kill())
			_ = owner.Wait()
			pgdata := filepath.Join(dir, clusterDir)
			require.NoError(t, change(filepath.Join(pgdata, pidFile)))
			require.NotEmpty(t, backends(pgdata))
			start(t, Config{DataDir: dir})
			require.Error(t, <-busy)
		})
	}
}

// A stopped process does not react to SIGQUIT.
func TestStoppedBackendOfAKilledServerIsEnded(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	server := start(t, Config{DataDir: dir, Restarts: 1})
	busy := busyBackend(t, server.URL())
	pid, err := strconv.Atoi(value(t, server.URL(), "SELECT pid::text FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'"))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	server.requireUp(t, server.kill(t))
	require.Error(t, <-busy)
}
