package embedded

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func TestServerKeepsDataAcrossARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(newDir(t), "made by", "the server")
	first := start(t, Config{DataDir: dir})
	execute(t, first.URL(), "CREATE TABLE kept AS SELECT 'still here' AS word")
	for setting, want := range map[string]string{
		"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "data_checksums": "on",
		"listen_addresses": "", "TimeZone": "UTC", "server_encoding": "UTF8", "jit": "off",
	} {
		require.Equal(t, want, value(t, first.URL(), "SELECT current_setting('"+setting+"')"), setting)
	}
	require.Equal(t, "C", value(t, first.URL(), "SELECT datcollate FROM pg_database WHERE datname = 'docket'"))
	running, err := RunningURL(dir)
	require.NoError(t, err)
	require.Equal(t, first.URL(), running)

	require.NoError(t, first.Stop(t.Context()))
	requireClosed(t, first.Done())
	require.NoError(t, first.Err())
	require.NoError(t, first.Stop(t.Context()), "a second Stop does nothing")
	require.NoDirExists(t, first.socketDir)
	_, err = RunningURL(dir)
	require.ErrorIs(t, err, ErrNotRunning)

	second := start(t, Config{DataDir: dir})
	require.Equal(t, "still here", value(t, second.URL(), "SELECT word FROM kept"))
}

func TestServerNeverRunsAsRoot(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := start(t, Config{DataDir: dir, Ephemeral: true})
	cluster, err := os.Stat(filepath.Join(dir, ephemeralDir))
	require.NoError(t, err)
	sockets, err := os.Stat(server.socketDir)
	require.NoError(t, err)
	require.NotZero(t, ownerOf(cluster).uid)
	require.Equal(t, ownerOf(cluster), ownerOf(sockets))
	require.Equal(t, os.FileMode(0o700), sockets.Mode().Perm(), "the directory is the access control")
	root, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.Geteuid(), ownerOf(root).uid, "the data directory itself still belongs to the current user")
}

func TestServerRefusesASecondInstance(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, ephemeralDir)
	start(t, Config{DataDir: dir, Ephemeral: true, Owner: "docket serve"})
	_, err := Start(t.Context(), Config{DataDir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, fmt.Sprintf("held by docket serve (pid %d)", os.Getpid()))
	require.ErrorContains(t, err, "--data-dir")
}

func TestServerCrashIsNoticed(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	server := start(t, Config{DataDir: dir})
	execute(t, server.URL(), "CREATE TABLE kept AS SELECT 'still here' AS word")
	require.NoError(t, server.Err(), "running")
	require.NoError(t, server.process.os.Signal(syscall.SIGKILL))
	requireClosed(t, server.Done())
	require.ErrorContains(t, server.Err(), "killed")
	require.ErrorContains(t, server.Err(), filepath.Join(dir, logFile))
	require.ErrorContains(t, server.Err(), "ready to accept connections", "the end of the log")
	require.NoError(t, server.Stop(t.Context()))

	again := start(t, Config{DataDir: dir})
	require.Equal(t, "still here", value(t, again.URL(), "SELECT word FROM kept"))
}

func TestBackendOfAKilledServerIsEnded(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	server := start(t, Config{DataDir: dir})
	busy := busyBackend(t, server.URL())
	require.NoError(t, server.process.os.Signal(syscall.SIGKILL))
	requireClosed(t, server.Done())
	start(t, Config{DataDir: dir})
	require.Error(t, <-busy)
}

func TestServerThatCannotStartShowsItsLog(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	conf, err := os.OpenFile(filepath.Join(dir, clusterDir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = conf.WriteString("no_such_setting = 1\n")
	require.NoError(t, err)
	require.NoError(t, conf.Close())
	_, err = Start(t.Context(), Config{DataDir: dir})
	require.ErrorContains(t, err, `unrecognized configuration parameter "no_such_setting"`)
	require.Equal(t, 1, strings.Count(err.Error(), "no_such_setting"), "the log is quoted one time")
	lock, err := lockDataDir(dir, "test")
	require.NoError(t, err, "the lock is released")
	require.NoError(t, lock.release())
}

func TestStartStopsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx, Config{DataDir: dir})
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, filepath.Join(dir, clusterDir))
}

func TestServerStartsDespiteAStalePidFile(t *testing.T) {
	t.Parallel()
	for name, pid := range map[string]string{
		"of a dead process":       "999999999",
		"of an unrelated process": strconv.Itoa(unrelatedProcess(t)),
		"empty":                   "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newCluster(t, clusterDir)
			server := start(t, Config{DataDir: dir})
			pidPath := filepath.Join(dir, clusterDir, pidFile)
			text, err := os.ReadFile(pidPath)
			require.NoError(t, err)
			require.NoError(t, server.Stop(t.Context()))
			_, rest, _ := strings.Cut(string(text), "\n")
			if pid != "" {
				pid += "\n" + rest
			}
			require.NoError(t, os.WriteFile(pidPath, []byte(pid), 0o600))
			acct, err := serverAccount(filepath.Join(dir, clusterDir))
			require.NoError(t, err)
			require.NoError(t, acct.own(pidPath))
			if pid != "" {
				_, err = RunningURL(dir)
				require.ErrorIs(t, err, ErrNotRunning)
			}
			again := start(t, Config{DataDir: dir})
			require.Equal(t, "1", value(t, again.URL(), "SELECT '1'"))
		})
	}
}

// unrelatedProcess returns the id of a live process of the user that the servers run as. PostgreSQL alone would take it
// for the server.
func unrelatedProcess(t *testing.T) int {
	t.Helper()
	acct, err := serverAccount()
	require.NoError(t, err)
	cmd := exec.Command("sleep", "3600")
	cmd.Dir = "/"
	cmd.SysProcAttr = processAttributes(acct, syscall.SIGKILL)
	exited, err := startChild(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		<-exited
	})
	return cmd.Process.Pid
}

func TestServerOfAnotherMajorIsRefused(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, clusterDir), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, clusterDir, "PG_VERSION"), []byte("9\n"), 0o600))
	bin, err := FindBinaries()
	require.NoError(t, err)
	_, err = Start(t.Context(), Config{DataDir: dir})
	require.ErrorContains(t, err, "is of PostgreSQL 9, but")
	require.ErrorContains(t, err, fmt.Sprintf("are of PostgreSQL %d", bin.Major))
	require.ErrorContains(t, err, "install PostgreSQL 9")
}

func TestServerRefusesADirectoryOfSomethingElse(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, clusterDir), 0o700))
	precious := filepath.Join(dir, clusterDir, "thesis.txt")
	require.NoError(t, os.WriteFile(precious, nil, 0o600))
	_, err := Start(t.Context(), Config{DataDir: dir})
	require.ErrorContains(t, err, "holds no PostgreSQL data")
	require.FileExists(t, precious)
}

func TestServerRemovesAnInterruptedInitialisation(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	interrupted := filepath.Join(dir, ephemeralDir+unfinished+"1")
	require.NoError(t, os.Mkdir(interrupted, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(interrupted, "PG_VERSION"), []byte("15\n"), 0o600))
	start(t, Config{DataDir: dir, Ephemeral: true})
	require.NoDirExists(t, interrupted)
}

func TestEphemeralServerIsNewAfterACrash(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	server := start(t, Config{DataDir: dir, Ephemeral: true})
	require.Equal(t, "off", value(t, server.URL(), "SELECT current_setting('fsync')"))
	execute(t, server.URL(), "CREATE TABLE doubtful ()")
	require.NoError(t, server.process.os.Signal(syscall.SIGKILL))
	requireClosed(t, server.Done())
	again := start(t, Config{DataDir: dir, Ephemeral: true})
	require.Equal(t, "false", value(t, again.URL(), "SELECT (to_regclass('doubtful') IS NOT NULL)::text"))
	require.NoDirExists(t, filepath.Join(dir, clusterDir), "a durable cluster is never touched")
}

func TestServerInADirectoryWithALongName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(newDir(t), strings.Repeat("long", 30))
	server := start(t, Config{DataDir: dir})
	require.NotContains(t, server.socketDir, dir)
	running, err := RunningURL(dir)
	require.NoError(t, err)
	require.Equal(t, "1", value(t, running, "SELECT '1'"))
	require.NoError(t, server.Stop(t.Context()))
	require.NoDirExists(t, server.socketDir)
}

func TestSocketURLWithSpecialCharacters(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(newDir(t), `a b+c%d,e"f&g`)
	server := start(t, Config{DataDir: dir, Ephemeral: true})
	require.Equal(t, "docket", value(t, server.URL(), "SELECT current_database()::text"))
	parsed, err := url.Parse(server.URL())
	require.NoError(t, err)
	require.Equal(t, "docket", parsed.User.String())
	require.NotContains(t, server.URL(), "+", "libpq does not decode it to a space")
}

// startOwner starts another process, which starts a server in dir.
func startOwner(t *testing.T, dir string) (cmd *exec.Cmd, serverPid int) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd = exec.Command(exe)
	cmd.Env = append(os.Environ(), ownerDirEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most tests have already killed it
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	_, err = fmt.Sscanf(line, "ready %d", &serverPid)
	require.NoError(t, err, line)
	return cmd, serverPid
}

func TestServerDiesWithItsOwner(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Kill, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := newCluster(t, clusterDir)
			cmd, pid := startOwner(t, dir)
			running, err := RunningURL(dir)
			require.NoError(t, err)
			execute(t, running, "CREATE TABLE kept AS SELECT 'still here' AS word")
			require.NoError(t, cmd.Process.Signal(signal))
			_ = cmd.Wait()
			pgdata := filepath.Join(dir, clusterDir)
			require.Eventually(t, func() bool { return !isPostmaster(pid, pgdata) }, time.Minute, 5*time.Millisecond)
			server := start(t, Config{DataDir: dir})
			require.Equal(t, "still here", value(t, server.URL(), "SELECT word FROM kept"))
		})
	}
}

func TestServerThatWasLeftRunningIsStoppedFirst(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, clusterDir)
	acct, err := serverAccount(filepath.Join(dir, clusterDir))
	require.NoError(t, err)
	bin, err := FindBinaries()
	require.NoError(t, err)
	c := cluster{pgdata: filepath.Join(dir, clusterDir), bin: bin, acct: acct, log: zap.NewNop()}
	sockets, err := makeSocketDir(dir, acct)
	require.NoError(t, err)
	cmd := exec.Command(bin.program("postgres"), serverArgs(c, sockets)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", childEnv(), processAttributes(acct, syscall.SIGKILL)
	exited, err := startChild(cmd)
	require.NoError(t, err)
	leftover, err := RunningURL(dir)
	for err != nil { // it has not written its pid file yet
		require.ErrorIs(t, err, ErrNotRunning)
		leftover, err = RunningURL(dir)
	}
	execute(t, leftover, "CREATE TABLE kept AS SELECT 'still here' AS word")

	server := start(t, Config{DataDir: dir})
	require.NoError(t, <-exited, "an orderly shutdown")
	require.Equal(t, "still here", value(t, server.URL(), "SELECT word FROM kept"))
}

func TestStopIsForcedWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	server := start(t, Config{DataDir: newCluster(t, ephemeralDir), Ephemeral: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, server.Stop(ctx))
	requireClosed(t, server.Done())
	require.NoError(t, server.Err(), "stopped on purpose")
}

// The id of a session is a secret. Docket passes it as an argument, and the log must not quote arguments or the keys of rows.
func TestLogHasNoValues(t *testing.T) {
	t.Parallel()
	server := start(t, Config{DataDir: newCluster(t, ephemeralDir), Ephemeral: true})
	execute(t, server.URL(), "CREATE TABLE session (id uuid PRIMARY KEY)")
	conn, err := pgx.Connect(t.Context(), server.URL())
	require.NoError(t, err)
	defer conn.Close(context.Background())
	const insert, id = "INSERT INTO session VALUES ($1)", "0b6f7c1e-5a3d-4a53-9f0b-6f1f6f1c2d3e"
	_, err = conn.Exec(t.Context(), insert, id)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), insert, id)
	require.Error(t, err)
	log := readFile(t, server.logPath)
	require.Contains(t, log, "duplicate key value")
	require.NotContains(t, log, id)
}
