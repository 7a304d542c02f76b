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

// port is only part of the socket's name: the server listens to no network.
const port = "5432"

// startTimeout is how long a server may stay mute. One that answers that it is recovering may take its time.
const startTimeout = time.Minute

// ServerConfig says where an embedded server keeps its data, and for whom.
type ServerConfig struct {
	DataDir string

	// Ephemeral trades durability for speed: for tests. The data is apart from that of a durable server in the
	// same directory, and what an earlier ephemeral server left there may or may not be found again.
	Ephemeral bool

	// Major is the version wanted for a new cluster, when programs of more than one are installed; 0 wants none.
	Major int

	// Owner names the command that holds the directory, such as "docket serve".
	Owner string

	Log *zap.Logger // nil logs nothing
}

// Server is a PostgreSQL server that lives no longer than this process.
type Server struct {
	url       string
	logPath   string
	log       *zap.Logger
	process   *os.Process
	socketDir string
	dataLock  *flock.Flock

	stopping atomic.Bool
	done     chan struct{}
	err      error // settled when done is closed
}

// StartServer runs PostgreSQL on the data directory, which it creates and initialises if need be, and returns
// when the server answers. As root it runs the server as an unprivileged user. It returns ErrInUse while
// another process does the same with the directory; a server left behind by a killed process it stops first.
func StartServer(ctx context.Context, cfg ServerConfig) (_ *Server, err error) {
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
		return nil, fmt.Errorf("the PostgreSQL programs in %s are of no use to %s, as whom they would run: %s is closed to it; set PG_BINDIR",
			c.bin.Dir, c.acct.name, blocked)
	}
	if err := prepareDataDir(dir, c.acct); err != nil {
		return nil, err
	}
	lock, err := holdDataDir(dir, cfg.Owner)
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

// launch starts the server process and waits until it answers. Once the process runs, everything the server
// holds, the lock included, is released at its end.
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
			err = fmt.Errorf("%w; its log %s ends:\n%s", err, logPath, tail(logPath, logStart))
		}
		return nil, errors.Join(fmt.Errorf("start PostgreSQL in %s: %w", c.pgdata, err), s.Stop(context.WithoutCancel(ctx)))
	}
	c.log.Info("started PostgreSQL", zap.String("directory", c.pgdata), zap.Int("major", c.bin.Major),
		zap.Int("pid", s.process.Pid), zap.Duration("took", time.Since(start)))
	return s, nil
}

// serverArgs are the settings Docket depends on. They go on the command line, where no file overrides them;
// everything else is the operator's, in postgresql.conf.
func serverArgs(c cluster, sockets string) []string {
	args := []string{"-D", c.pgdata}
	durable := "on"
	if c.ephemeral {
		durable = "off"
		// Its log is of no use, and there may be one such server for each process that tests.
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
		"jit=off", // our statements are short: compiling one costs more than it saves
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// startChild starts the command and returns where its end will be told.
func startChild(cmd *exec.Cmd) (<-chan error, error) {
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		// The kernel takes the end of the thread that forked the child for the end of its parent, so that thread
		// must last as long as the child.
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

// watch settles how the server ended, and frees what it held.
func (s *Server) watch(exited <-chan error, logStart int64) {
	err := <-exited
	if !s.stopping.Load() {
		s.err = fmt.Errorf("embedded PostgreSQL (pid %d) ended by itself: %w; its log %s ends:\n%s",
			s.process.Pid, endOf(err), s.logPath, tail(s.logPath, logStart))
		s.log.Error("embedded PostgreSQL ended by itself", zap.Int("pid", s.process.Pid), zap.NamedError("reason", endOf(err)),
			zap.String("log", s.logPath))
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

func endOf(err error) error {
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
			return fmt.Errorf("no answer in %v: %w", startTimeout, err)
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

// URL is the connection string of the server's database, for pgx and for psql.
func (s *Server) URL() string { return s.url }

// Done is closed when the server process has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err tells, once Done is closed, why the server ended without having been told to; nil otherwise.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop shuts the server down and returns when it is gone: running statements are aborted, committed work is on
// disk. When ctx ends, or the server takes too long, the shutdown is forced, and the next start recovers.
// Stopping again, or a server that is gone already, does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	for _, step := range []struct {
		signal  syscall.Signal
		timeout time.Duration
	}{{syscall.SIGINT, fastStopTimeout}, {syscall.SIGQUIT, forcedStopTimeout}, {syscall.SIGKILL, forcedStopTimeout}} {
		if err := s.process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL (pid %d): %w", s.process.Pid, err)
		}
		patience := ctx.Done()
		if step.signal != syscall.SIGINT {
			patience = nil
		}
		select {
		case <-s.done:
			return nil
		case <-patience:
		case <-time.After(step.timeout):
		}
		s.log.Warn("PostgreSQL is slow to stop", zap.Int("pid", s.process.Pid), zap.Stringer("after", step.signal))
	}
	return fmt.Errorf("stop PostgreSQL (pid %d): it does not end; see %s", s.process.Pid, s.logPath)
}
