package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

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

	// Restarts is how often in a row a start may fail after the server has ended unexpectedly. With 0 the server is not
	// started again.
	Restarts int

	// BeforeRestart, if not nil, is called before each of these starts, while no server runs. A crash makes what a process has
	// cached by transaction ids wrong.
	BeforeRestart func()

	Log *zap.Logger // nil logs nothing

	firstPause, longestPause time.Duration // of tests
}

// Server is a PostgreSQL server that runs no longer than this process.
type Server struct {
	cluster   cluster
	url       string
	socketDir string
	logPath   string
	log       *zap.Logger
	lock      *dataLock
	restarts  restarts
	before    func() // a restart

	stop context.CancelFunc // ends a restart
	done chan struct{}
	err  error // must not be read before done is closed

	mu       sync.Mutex
	stopping bool
	process  *process // the last one that was started
	down     error    // why the server accepts no connections; nil while it does
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
			err = errors.Join(err, lock.release())
		}
	}()
	for _, name := range []string{clusterDir, ephemeralDir} { // both use the same socket
		if err := clearLeftover(ctx, filepath.Join(dir, name), cfg.Log); err != nil {
			return nil, err
		}
	}
	if err := c.ensure(ctx); err != nil {
		return nil, err
	}
	sockets, err := makeSocketDir(dir, c.acct)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cluster: c, url: socketURL(sockets, port, databaseName), socketDir: sockets,
		logPath: filepath.Join(dir, logFile), log: cfg.Log, lock: lock,
		restarts: restarts{
			most: cfg.Restarts, first: cmp.Or(cfg.firstPause, firstPause), longest: cmp.Or(cfg.longestPause, longestPause),
		},
		before: cfg.BeforeRestart,
		done:   make(chan struct{}),
	}
	first, err := s.launch(ctx)
	if err != nil {
		return nil, err
	}
	cfg.Log.Info("started PostgreSQL", zap.String("directory", c.pgdata), zap.Int("major", c.bin.Major),
		zap.Int("pid", first.os.Pid), zap.Duration("took", first.ready.Sub(first.started)))
	// The context of the caller ends with the start; only Stop ends a restart.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.supervise(background, first)
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
		// A killed server leaves its shared memory to the next server of the cluster. An ephemeral cluster is removed instead, so
		// its shared memory is in its directory.
		args = append(args, "-c", "dynamic_shared_memory_type=mmap")
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
		// Details of errors quote values, such as the id of a session, which is a secret. So do the parameters of statements.
		"log_error_verbosity=terse",
		"log_parameter_max_length_on_error=0",
		"jit=off", // Docket's statements are short: compiling one takes longer than it saves
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// URL returns the connection string of the server's database, for pgx and for psql. It is the same after a restart.
func (s *Server) URL() string { return s.url }

// Done returns a channel that is closed when the server has exited and is not started again, for any reason.
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

// Down returns why the server accepts no connections at the moment: it has exited, or is starting again. It returns nil while the
// server runs.
func (s *Server) Down() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Stop shuts the server down and returns when it has exited. Running statements are aborted; committed work is on
// disk. When ctx ends, or the server takes too long, Stop forces the shutdown, and the next start recovers. Stop does
// nothing to a server that has exited.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	last := s.process
	s.mu.Unlock()
	s.stop()
	if err := last.end(ctx, s.log); err != nil {
		return fmt.Errorf("%w; see %s", err, s.logPath)
	}
	<-s.done
	return nil
}
