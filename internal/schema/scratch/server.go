// Package scratch creates databases for one comparison: files are loaded or migrations replayed, and the result is read.
//
// It owns every database that it created, and the server if it started one. It removes both, even when its caller is
// interrupted. On another server it changes only its own databases.
package scratch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/postgres/tcp"
)

// cleanupTimeout bounds each step of the cleanup, which continues when the caller was interrupted.
const cleanupTimeout = 30 * time.Second

// Server is the server of scratch databases. Its methods may be called from several goroutines.
type Server struct {
	Major int // of PostgreSQL, e.g. 15

	config *pgx.ConnConfig
	stop   func() error // stops a server that was started; nil for one of Open

	mu   sync.Mutex
	open map[*Database]struct{}
}

// Open uses the server of the URL, whose role must be allowed to create databases. It connects to the database of the URL and
// does not change it. It drops scratch databases that killed runs of the same role left more than an hour ago.
func Open(ctx context.Context, url string) (*Server, error) {
	if strings.HasPrefix(url, "docker://") || strings.HasPrefix(url, "docker+") {
		return nil, errors.New("a docker:// dev URL asks for a container, and no container is started here: name a server on which " +
			"databases may be created, postgres://user:password@host:5432/database, or none, and an installed server is started")
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The parser's error is not shown, because it can hold a part of the password.
		return nil, errors.New("the URL of the scratch server cannot be read: " +
			"it should look like postgres://user:password@host:5432/database")
	}
	if err := tcp.Configure(&config.Config); err != nil {
		return nil, err
	}
	Settle(config, "scratch")
	s := &Server{config: config, open: map[*Database]struct{}{}}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer disconnect(conn)
	var role string
	var allowed bool
	err = conn.QueryRow(ctx, `
SELECT current_setting('server_version_num')::int / 10000, rolname::text, rolcreatedb OR rolsuper
FROM pg_roles WHERE rolname = current_user`).Scan(&s.Major, &role, &allowed)
	if err != nil {
		return nil, fmt.Errorf("read the role on the scratch server at %s: %w", config.Host, err)
	}
	if !allowed {
		return nil, fmt.Errorf("role %s may not create databases on the scratch server at %s: "+
			"ALTER ROLE %s CREATEDB lets it, or name another server", role, config.Host, role)
	}
	if err := dropLeftovers(ctx, conn); err != nil {
		return nil, err
	}
	return s, nil
}

// StartFunc starts a PostgreSQL server with its data in a new directory below dir, preferably of the given major version
// (0: any). The data need not survive a crash. stop ends the server.
type StartFunc func(ctx context.Context, dir string, major int) (url string, stop func(context.Context) error, err error)

// Start starts a server in a temporary directory, preferably of the given major version (0: any).
func Start(ctx context.Context, start StartFunc, major int) (*Server, error) {
	base, err := os.MkdirTemp("", "schema-scratch-*")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the scratch server: %w", err)
	}
	remove := func() error { return os.RemoveAll(base) }
	// PostgreSQL does not run as root. The user that runs it instead must be able to reach its own directory inside.
	if err := os.Chmod(base, 0o711); err != nil {
		return nil, errors.Join(fmt.Errorf("open the directory of the scratch server: %w", err), remove())
	}
	url, stopServer, err := start(ctx, base, major)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a scratch server: %w", err), remove())
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		return errors.Join(stopServer(ctx), remove())
	}
	s, err := Open(ctx, url)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	s.stop = stop
	return s, nil
}

// CheckMajor refuses to compare with a database of another major version, which prints the same view differently.
func (s *Server) CheckMajor(target int) error {
	if s.Major == target {
		return nil
	}
	return fmt.Errorf("the scratch server at %s is PostgreSQL %d and the database is on %d, where definitions of views read "+
		"differently: name a server of version %d, on which databases may be created",
		s.config.Host, s.Major, target, target)
}

// Close drops the remaining databases and stops the server if Start started it.
func (s *Server) Close() error {
	s.mu.Lock()
	left := make([]*Database, 0, len(s.open))
	for d := range s.open {
		left = append(left, d)
	}
	s.mu.Unlock()
	var errs []error
	for _, d := range left {
		errs = append(errs, d.Drop())
	}
	if s.stop != nil {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

func (s *Server) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect to the scratch server: %w", err)
	}
	return conn, nil
}

func disconnect(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

// Settle overrides the settings of role, database and URL that affect how sessions print a schema: search_path decides which
// names definitions print in full, others how times are printed. Statements have no time limit.
func Settle(config *pgx.ConnConfig, application string) {
	for name, value := range map[string]string{
		"search_path":       "public",
		"statement_timeout": "0",
		"TimeZone":          "UTC",
		"DateStyle":         "ISO, MDY",
		"IntervalStyle":     "postgres",
		"application_name":  application,
	} {
		// Names of parameters are case-insensitive. Of two that differ only in case, either could win.
		maps.DeleteFunc(config.RuntimeParams, func(given, _ string) bool { return strings.EqualFold(given, name) })
		config.RuntimeParams[name] = value
	}
}
