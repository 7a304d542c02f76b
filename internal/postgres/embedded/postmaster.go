package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// pidFile is the file in which PostgreSQL records the process that serves a cluster, and its socket.
const pidFile = "postmaster.pid"

// The errors of RunningURL.
var (
	// ErrNotRunning means that no server runs in the data directory.
	ErrNotRunning = errors.New("no embedded server is running")
	// ErrRestarting means that the server has ended, and the process that owns it starts it again.
	ErrRestarting = errors.New("PostgreSQL is being restarted")
)

// postmaster is the content of a pidFile.
type postmaster struct {
	pid       int
	port      string
	socketDir string
}

// errMalformed is the error for a pidFile that is incomplete: after a crash, on a full disk, or still being written.
var errMalformed = errors.New("malformed " + pidFile)

func readPostmaster(pgdata string) (postmaster, error) {
	text, err := os.ReadFile(filepath.Join(pgdata, pidFile))
	if err != nil {
		return postmaster{}, err
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 || len(lines) < 5 {
		return postmaster{}, errMalformed
	}
	return postmaster{pid: pid, port: lines[3], socketDir: lines[4]}, nil
}

// socketURL returns a connection string for pgx, psql and everything else that uses libpq. It names the port, which
// is part of the socket's file name, because PGPORT would replace a missing one.
func socketURL(socketDir, port, database string) string {
	// libpq decodes %20 to a space, but not +.
	query := strings.ReplaceAll(url.Values{"host": {socketDir}, "port": {port}}.Encode(), "+", "%20")
	return "postgres://" + roleName + "@/" + database + "?" + query
}

// runningTimeout limits the wait of RunningURL for a server that is starting or restarting.
const runningTimeout = 10 * time.Second

// RunningURL returns the connection string of the server that runs in a data directory, for other processes than the
// one that started it. RunningURL has connected with that URL; it waits for a server that is starting or restarting.
func RunningURL(dataDir string) (string, error) {
	dir, err := realPath(dataDir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	pgdata := filepath.Join(dir, clusterDir)
	ctx, cancel := context.WithTimeout(context.Background(), runningTimeout)
	defer cancel()
	var connectErr error
	for {
		pm, err := readPostmaster(pgdata)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && !isPostmaster(pm.pid, pgdata):
			holder := restartHolder(dir)
			if holder == "" {
				return "", fmt.Errorf("%w in %s", ErrNotRunning, dir)
			}
			connectErr, err = fmt.Errorf("%w by %s in %s; try again in some seconds", ErrRestarting, holder, dir), nil
		case errors.Is(err, fs.ErrPermission):
			return "", fmt.Errorf("data directory %s belongs to another user: %w", dir, err)
		case err == nil:
			serverURL := socketURL(pm.socketDir, pm.port, databaseName)
			if connectErr = checkServes(ctx, serverURL, pgdata); connectErr == nil {
				return serverURL, nil
			}
		case !errors.Is(err, errMalformed): // a starting server writes the file line by line
			return "", fmt.Errorf("find the running server: %w", err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(connectErr, ErrRestarting) {
				return "", connectErr
			}
			return "", fmt.Errorf("the server in %s does not respond: %w", dir, errors.Join(connectErr, err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// checkServes returns an error unless the server at the URL serves the cluster.
func checkServes(ctx context.Context, serverURL, pgdata string) error {
	conn, err := pgx.Connect(ctx, serverURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var dir string
	if err := conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&dir); err != nil {
		return err
	}
	if dir != pgdata {
		return fmt.Errorf("%s belongs to the server of %s", serverURL, dir)
	}
	return nil
}

// How long a fast shutdown may take before Docket forces one, and how long each forced one may take. A forced
// shutdown loses nothing: the next start replays the WAL.
const (
	fastStopTimeout   = 60 * time.Second
	forcedStopTimeout = 10 * time.Second
)

// clearLeftover prepares the cluster for a new server when an earlier server or Docket process died. The caller must hold the
// lock of the data directory. A server that still runs is stopped, not adopted: it is not a child of this process, which would not
// notice its exit, and it may run with other settings.
func clearLeftover(ctx context.Context, pgdata string, log *zap.Logger) error {
	pm, err := readPostmaster(pgdata)
	malformed := errors.Is(err, errMalformed)
	if err != nil && !malformed && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("find an earlier server: %w", err)
	}
	if err == nil && isPostmaster(pm.pid, pgdata) {
		log.Warn("stop a server that an earlier Docket process left running", zap.Int("pid", pm.pid), zap.String("directory", pgdata))
		alive := func() []int {
			if isPostmaster(pm.pid, pgdata) {
				return []int{pm.pid}
			}
			return nil
		}
		if err := end(ctx, alive, syscall.SIGINT, fastStopTimeout); err != nil && !errors.Is(err, errStillAlive) {
			return fmt.Errorf("stop earlier server in %s: %w", pgdata, err)
		}
	}
	// A killed server cannot end its backends, and a backend that executes a statement may outlive it by hours. PostgreSQL finds
	// them through the pid file only, and would let a new server write concurrently with them if the file is missing.
	if err := endBackends(ctx, pgdata); err != nil {
		return fmt.Errorf("stop backends of an earlier server in %s: %w", pgdata, err)
	}
	if malformed {
		log.Warn("remove malformed pid file of an earlier server", zap.String("directory", pgdata))
		return os.Remove(filepath.Join(pgdata, pidFile))
	}
	return disown(pgdata)
}

// endBackends ends the processes of a cluster whose server is dead or does not stop. One that does not react, such as a stopped
// one, is killed: it has no server any more that a kill could confuse.
func endBackends(ctx context.Context, pgdata string) error {
	alive := func() []int { return backends(pgdata) }
	err := end(ctx, alive, syscall.SIGQUIT, forcedStopTimeout)
	if errors.Is(err, errStillAlive) {
		err = end(ctx, alive, syscall.SIGKILL, forcedStopTimeout)
	}
	return err
}

var errStillAlive = errors.New("still alive")

// end sends the signal to the processes and returns when all have exited.
func end(ctx context.Context, alive func() []int, signal syscall.Signal, timeout time.Duration) error {
	for _, pid := range alive() {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	for deadline := time.Now().Add(timeout); ; {
		pids := alive()
		switch {
		case len(pids) == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("processes %v are %w after %v", pids, errStillAlive, timeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// disown writes this process's id into the pid file of a dead server. PostgreSQL refuses to start if the id in the
// file is that of a live process, which may have got the dead server's id by chance. It ignores the id of its parent,
// which is this process. The file is not removed, because through it PostgreSQL finds backends of the dead server
// that may still write to the cluster.
func disown(pgdata string) error {
	path := filepath.Join(pgdata, pidFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read pid file of an earlier server: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n%s", os.Getpid(), rest), 0o600); err != nil {
		return fmt.Errorf("rewrite pid file of an earlier server: %w", err)
	}
	return nil
}
