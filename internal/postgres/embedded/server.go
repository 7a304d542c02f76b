package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
)

// port is only part of the socket's file name: the server listens on no TCP port.
const port = "5432"

// startTimeout is how long a starting server may fail to respond. Each response that it is still recovering starts
// the time again.
const startTimeout = time.Minute

// Config describes an embedded server.
type Config struct {
	DataDir string

	// Ephemeral trades durability for speed, for tests. The server has a cluster of its own, apart from that of a
	// durable server in the same directory. The data of an earlier ephemeral server may or may not be there again.
	Ephemeral bool

	// Major is the preferred version of a new cluster when programs of several versions are installed; 0 prefers none.
	Major int

	// Owner names the command that starts the server, such as "docket serve", in the error of the next command
	// that finds the directory in use.
	Owner string

	Log *zap.Logger // nil logs nothing
}

// Server is a PostgreSQL server that runs no longer than this process.
type Server struct {
	url       string
	logPath   string
	log       *zap.Logger
	process   *os.Process
	socketDir string
	dataLock  *flock.Flock

	stopping atomic.Bool
	done     chan struct{}
	err      error // must not be read before done is closed
}

// Start runs PostgreSQL on the data directory, which it creates and initialises if necessary, and returns when the
// server accepts connections. As root it runs the server as an unprivileged user. It returns ErrInUse when another
// process has a server in the directory. It first stops a server that a killed process left running.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Owner == "" {
		cfg.Owner = "docket"
	}
	dir, err := realPath(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	c := cluster{pgdata: filepath.Join(dir, clusterDir), ephemeral: cfg.Ephemeral, log: cfg.Log}
	if cfg.Ephemeral {
		c.pgdata = filepath.Join(dir, ephemeralDir)
	}
	if c.acct, err = serverAccount(c.pgdata, dir); err != nil {
		return nil, err
	}
	major, _ := clusterMajor(c.pgdata) // 0 when there is none; ensure reports the rest
	if c.bin, err = systemFinder().find(cmp.Or(major, cfg.Major)); err != nil {
		return nil, err
	}
	if blocked := c.acct.blockedAt(c.bin.program("postgres")); blocked != "" {
		return nil, fmt.Errorf("the PostgreSQL programs in %s would run as %s, but that user may not search the directory %s: "+
			"set PG_BINDIR to programs that the user can run", c.bin.Dir, c.acct.name, blocked)
	}
	if err := prepareDataDir(dir, c.acct); err != nil {
		return nil, err
	}
	lock, err := lockDataDir(dir, cfg.Owner)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Unlock())
		}
	}()
	if err := clearLeftover(ctx, c.pgdata, cfg.Log); err != nil {
		return nil, err
	}
	if err := c.ensure(ctx); err != nil {
		return nil, err
	}
	sockets, err := makeSocketDir(dir, c.acct)
	if err != nil {
		return nil, err
	}
	return launch(ctx, c, lock, sockets, filepath.Join(dir, logFile))
}

// launch starts the server process and waits until it accepts connections. Once the process runs, watch releases
// everything the server holds, including the lock, when the process exits.
func launch(ctx context.Context, c cluster, lock *flock.Flock, sockets, logPath string) (*Server, error) {
	out, err := openLog(logPath)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	logStart, err := out.Seek(0, 2)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	cmd := exec.Command(c.bin.program("postgres"), serverArgs(c, sockets)...)
	cmd.Dir, cmd.Env = "/", childEnv()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = processAttributes(c.acct, syscall.SIGINT)
	start := time.Now()
	exited, err := startChild(cmd)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s := &Server{
		url:     socketURL(sockets, port, databaseName),
		logPath: logPath, log: c.log, process: cmd.Process, socketDir: sockets, dataLock: lock,
		done: make(chan struct{}),
	}
	go s.watch(exited, logStart)
	if err := s.awaitReady(ctx); err != nil {
		if !errors.Is(err, s.Err()) {
			err = fmt.Errorf("%w; the last lines of its log %s:\n%s", err, logPath, tail(logPath, logStart))
		}
		return nil, errors.Join(fmt.Errorf("start PostgreSQL in %s: %w", c.pgdata, err), s.Stop(context.WithoutCancel(ctx)))
	}
	c.log.Info("started PostgreSQL", zap.String("directory", c.pgdata), zap.Int("major", c.bin.Major),
		zap.Int("pid", s.process.Pid), zap.Duration("took", time.Since(start)))
	return s, nil
}

// serverArgs are the settings Docket depends on. They are on the command line because no file overrides that. The
// operator sets everything else in postgresql.conf.
func serverArgs(c cluster, sockets string) []string {
	args := []string{"-D", c.pgdata}
	durable := "on"
	if c.ephemeral {
		durable = "off"
		// Nothing ever replays the WAL of an ephemeral server, and each test process may have such a server.
		args = append(args, "-c", "min_wal_size=32MB", "-c", "max_wal_size=128MB")
	}
	for _, setting := range []string{
		"listen_addresses=",
		`unix_socket_directories="` + strings.ReplaceAll(sockets, `"`, `""`) + `"`,
		"unix_socket_permissions=0700",
		"port=" + port,
		"fsync=" + durable,
		"synchronous_commit=" + durable,
		"full_page_writes=" + durable,
		"timezone=UTC",
		"log_timezone=UTC",
		"log_destination=stderr",
		"logging_collector=off",
		"log_line_prefix=%m [%p] ",
		"jit=off", // Docket's statements are short: compiling one takes longer than it saves
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// startChild starts the command and returns a channel that receives the result of waiting for it.
func startChild(cmd *exec.Cmd) (<-chan error, error) {
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that forked the child ends, not when the parent process ends.
		// So that thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	return exited, <-started
}

// watch records why the server exited, and releases what it held.
func (s *Server) watch(exited <-chan error, logStart int64) {
	err := <-exited
	if !s.stopping.Load() {
		s.err = fmt.Errorf("embedded PostgreSQL (pid %d) exited unexpectedly: %w; the last lines of its log %s:\n%s",
			s.process.Pid, exitReason(err), s.logPath, tail(s.logPath, logStart))
		s.log.Error("embedded PostgreSQL exited unexpectedly", zap.Int("pid", s.process.Pid),
			zap.NamedError("reason", exitReason(err)), zap.String("log", s.logPath))
	}
	if err := os.Remove(s.socketDir); err != nil {
		// A killed server leaves its socket; the next start reuses the directory.
		s.log.Debug("remove socket directory", zap.Error(err))
	}
	if err := s.dataLock.Unlock(); err != nil {
		s.log.Warn("release data directory", zap.Error(err))
	}
	close(s.done)
}

// exitReason names the exit of a process, given the error of waiting for it.
func exitReason(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// awaitReady returns when the server accepts connections and has its database.
func (s *Server) awaitReady(ctx context.Context) error {
	maintenance := socketURL(s.socketDir, port, "postgres")
	deadline := time.Now().Add(startTimeout)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		conn, err := pgx.Connect(ctx, maintenance)
		if err == nil {
			defer conn.Close(context.WithoutCancel(ctx))
			return ensureDatabase(ctx, conn)
		}
		const cannotConnectNow = "57P03"
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) && refusal.Code == cannotConnectNow {
			deadline = time.Now().Add(startTimeout)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no response within %v: %w", startTimeout, err)
		}
		select {
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func ensureDatabase(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", databaseName).Scan(&exists)
	if err == nil && !exists {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+databaseName)
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", databaseName, err)
	}
	return nil
}

// URL returns the connection string of the server's database, for pgx and for psql.
func (s *Server) URL() string { return s.url }

// Done returns a channel that is closed when the server process has exited, for any reason.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns why the server exited without a call of Stop. It returns nil before Done is closed and after a Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop shuts the server down and returns when it has exited. Running statements are aborted; committed work is on
// disk. When ctx ends, or the server takes too long, Stop forces the shutdown, and the next start recovers. Stop does
// nothing to a server that has exited.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	for _, step := range []struct {
		signal  syscall.Signal
		timeout time.Duration
	}{{syscall.SIGINT, fastStopTimeout}, {syscall.SIGQUIT, forcedStopTimeout}, {syscall.SIGKILL, forcedStopTimeout}} {
		if err := s.process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL (pid %d): %w", s.process.Pid, err)
		}
		canceled := ctx.Done()
		if step.signal != syscall.SIGINT {
			canceled = nil // a forced shutdown does not depend on ctx
		}
		select {
		case <-s.done:
			return nil
		case <-canceled:
		case <-time.After(step.timeout):
		}
		s.log.Warn("PostgreSQL is slow to stop", zap.Int("pid", s.process.Pid), zap.Stringer("after", step.signal))
	}
	return fmt.Errorf("stop PostgreSQL (pid %d): it does not exit; see %s", s.process.Pid, s.logPath)
}
