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

// pidFile is where PostgreSQL says which process serves a cluster, and where it listens.
const pidFile = "postmaster.pid"

// ErrNotRunning is returned by RunningURL when no server runs in the data directory.
var ErrNotRunning = errors.New("no embedded server is running")

// postmaster is what a pidFile tells.
type postmaster struct {
	pid       int
	port      string
	socketDir string
}

// errMalformed is for a pidFile that a crash or a full disk cut short.
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

// socketURL is understood by pgx, psql and everything else on libpq. It names the port, which is part of the
// socket's name, lest PGPORT change it.
func socketURL(socketDir, port, database string) string {
	// libpq reads %20 but takes + literally.
	query := strings.ReplaceAll(url.Values{"host": {socketDir}, "port": {port}}.Encode(), "+", "%20")
	return "postgres://" + roleName + "@/" + database + "?" + query
}

// runningTimeout bounds the wait for a server that is just starting.
const runningTimeout = 10 * time.Second

// RunningURL returns the connection string of the live embedded server of a data directory, for another process
// than the one that started it. The server has answered under that URL; one that is starting is waited for.
func RunningURL(dataDir string) (string, error) {
	dir, err := realPath(dataDir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	pgdata := filepath.Join(dir, clusterDir)
	ctx, cancel := context.WithTimeout(context.Background(), runningTimeout)
	defer cancel()
	var answer error
	for {
		pm, err := readPostmaster(pgdata)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && !isPostmaster(pm.pid, pgdata):
			return "", fmt.Errorf("%w in %s", ErrNotRunning, dir)
		case errors.Is(err, fs.ErrPermission):
			return "", fmt.Errorf("data directory %s belongs to another user: %w", dir, err)
		case err == nil:
			serverURL := socketURL(pm.socketDir, pm.port, databaseName)
			if answer = serves(ctx, serverURL, pgdata); answer == nil {
				return serverURL, nil
			}
		case !errors.Is(err, errMalformed): // a starting server writes the file line by line
			return "", fmt.Errorf("look for a running server: %w", err)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the server in %s does not answer: %w", dir, errors.Join(answer, err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// serves checks that the server behind the URL works on the cluster.
func serves(ctx context.Context, serverURL, pgdata string) error {
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

// How long an orderly shutdown may take before it is forced, and the forced one before it is given up. Forcing
// loses nothing: the next start replays the log.
const (
	fastStopTimeout   = 60 * time.Second
	forcedStopTimeout = 10 * time.Second
)

// clearLeftover prepares the cluster for a new server after one whose Docket is gone. The caller holds the data
// directory. A server still alive is stopped rather than adopted: it is nobody's child, so nobody would notice
// its end, and it may run with other settings.
func clearLeftover(ctx context.Context, pgdata string, log *zap.Logger) error {
	pm, err := readPostmaster(pgdata)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errMalformed):
		log.Warn("remove malformed pid file of an earlier server", zap.String("directory", pgdata))
		return os.Remove(filepath.Join(pgdata, pidFile))
	case err != nil:
		return fmt.Errorf("look for an earlier server: %w", err)
	}
	if isPostmaster(pm.pid, pgdata) {
		log.Warn("stop a server that an earlier Docket left running", zap.Int("pid", pm.pid), zap.String("directory", pgdata))
		alive := func() []int {
			if isPostmaster(pm.pid, pgdata) {
				return []int{pm.pid}
			}
			return nil
		}
		err := end(ctx, alive, syscall.SIGINT, fastStopTimeout)
		if errors.Is(err, errStillAlive) {
			err = end(ctx, alive, syscall.SIGQUIT, forcedStopTimeout)
		}
		if err != nil {
			return fmt.Errorf("stop earlier server in %s: %w", pgdata, err)
		}
	}
	// A server that was killed cannot end its backends; one busy with a statement may outlive it by hours.
	if err := end(ctx, func() []int { return backends(pgdata) }, syscall.SIGQUIT, forcedStopTimeout); err != nil {
		return fmt.Errorf("stop backends of an earlier server in %s: %w", pgdata, err)
	}
	return disown(pgdata)
}

var errStillAlive = errors.New("still alive")

// end signals the processes and returns when none is alive any more.
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

// disown writes Docket's own process id into a dead server's pid file. PostgreSQL would refuse to start if the
// id in the file were, by chance, that of a living process, but never minds its parent's. Removing the file
// would do as well, were it not also how PostgreSQL finds orphaned backends that still write to the cluster.
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
