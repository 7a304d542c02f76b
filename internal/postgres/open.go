package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"docket/internal/postgres/tcp"
)

const (
	// connsPerCore is the number at which throughput stops growing, four, and one for readers, which the gate keeps from writers.
	// Four to eight are equally fast. With more, statements wait inside PostgreSQL instead of in the pool.
	connsPerCore = 5

	// pingTimeout is for a connection that was idle for a second, before it is used. A server that is late is asked once more,
	// see contextEnd.
	pingTimeout = time.Second

	// idleInTransaction is how long the server lets a transaction wait for its next statement. It releases the locks of a
	// process that can no longer be reached.
	idleInTransaction = 10 * time.Second
)

// PoolConfig describes a connection pool. The settings in the URL (pool_max_conns, application_name, statement_timeout,
// connect_timeout, jit, and those of package tcp) apply unless a field here is set.
type PoolConfig struct {
	URL              string
	MaxConns         int32         // 0: five per core
	StatementTimeout time.Duration // 0: the server's setting; a statement over it fails with context.DeadlineExceeded

	LockTimeout time.Duration // 0: the server's setting; a statement that waits longer for one lock, also an advisory one, fails
	WaitTimeout time.Duration // 0: no limit; a wait for a connection that is longer fails with ErrBusy

	// Served is for a pool that serves requests: a connection over which the server no longer responds is found within
	// seconds, and a server ends the transactions of a client that no longer responds. See watch and limitLocks.
	Served bool
	// OnDeath is called for each such connection, concurrently. pgx does not pass on the reason of every error. May be nil.
	OnDeath func(error)
	// Traces makes each statement of a request or a job that is traced a span. nil: none does.
	Traces trace.TracerProvider
	// Health notes when the server lacks disk, memory or connections. May be nil.
	Health *Health

	// Primary refuses a server in recovery as if it could not be reached. A proxy leads to one for a moment when it is promoted.
	Primary bool

	limits watchLimits // of a test; defaultLimits when zero

	// GenericPlans plans each prepared statement once for each connection, for any arguments. It is for many small statements,
	// whose planning takes longer than their execution.
	GenericPlans bool
}

// Open returns a pool after it has connected to the database. Sessions are in UTC. The wait for a connection is the phase
// phase.Acquire. No error of Open contains the password. Open notices a pooler that is between, and how it works then is
// described at the type pooler.
func Open(ctx context.Context, cfg PoolConfig) (*Pool, error) {
	if err := checkExecMode(cfg.URL, false); err != nil {
		return nil, err
	}
	pool, err := openNow(ctx, cfg, false)
	if !errors.Is(err, errFoundPooler) {
		return pool, err
	}
	if err := checkExecMode(cfg.URL, true); err != nil {
		return nil, err
	}
	return openNow(ctx, cfg, true)
}

func openNow(ctx context.Context, cfg PoolConfig, pooled bool) (*Pool, error) {
	pool, err := openLater(ctx, cfg, pooled)
	if err != nil {
		return nil, err
	}
	if err := pool.connectFirst(ctx); err != nil {
		conn := pool.Config().ConnConfig
		pool.Close()
		return nil, fmt.Errorf("connect to database %q on %s as %q: %w", conn.Database, conn.Host, conn.User, err)
	}
	return pool, nil
}

// openLater is Open for a database that need not be reachable yet. The caller knows whether a pooler is between.
func openLater(ctx context.Context, cfg PoolConfig, pooled bool) (*Pool, error) {
	config, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	var between *pooler
	if pooled {
		if between, err = behindPooler(config); err != nil {
			return nil, err
		}
	}
	var created atomic.Pointer[Pool]
	if cfg.Served {
		w := &watch{config: config.ConnConfig.Copy(), pooled: pooled, limits: cmp.Or(cfg.limits, defaultLimits), onDeath: func(err error) {
			if cfg.OnDeath != nil {
				cfg.OnDeath(err)
			}
			if pool := created.Load(); pool != nil {
				pool.Reset() // what killed one connection has probably killed those that are idle
			}
		}}
		w.attach(&config.ConnConfig.Config)
	}
	pool, err := NewPool(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open connection pool: %w", err)
	}
	pool.wait, pool.pooler = cfg.WaitTimeout, between
	pool.tracer, _ = config.ConnConfig.Tracer.(*statementTracer)
	created.Store(pool)
	return pool, nil
}

// WithOneConn calls fn with a pool of one new connection, for work that must not wait for the connections of another pool.
func WithOneConn(ctx context.Context, url string, fn func(*Pool) error) error {
	pool, err := Open(ctx, PoolConfig{URL: url, MaxConns: 1})
	if err != nil {
		return err
	}
	// It would wait while a connection to a server that does not respond is closed.
	defer func() { go pool.Close() }()
	return fn(pool)
}

// errURL leaves out the parser's message: for a malformed URL it can contain a part of the password.
var errURL = errors.New("the database URL cannot be read: it should look like postgres://user:password@host:5432/database, " +
	"with every special character in the password percent-encoded")

func poolConfig(cfg PoolConfig) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, errURL
	}
	if err := tcp.Configure(&config.ConnConfig.Config); err != nil {
		return nil, err
	}
	if cfg.MaxConns > 0 {
		config.MaxConns = cfg.MaxConns
	} else if !strings.Contains(cfg.URL, "pool_max_conns") {
		config.MaxConns = int32(connsPerCore * runtime.GOMAXPROCS(0))
	}
	params := config.ConnConfig.RuntimeParams
	params["timezone"] = "UTC"
	if params["application_name"] == "" {
		params["application_name"] = "docket"
	}
	if params["jit"] == "" {
		// Statements are short, and compiling one takes longer than it saves. The planner often estimates more rows than it
		// finds, as in AgencySearchInLocation: 152 ms compiled, 5 ms not.
		params["jit"] = "off"
	}
	if cfg.GenericPlans {
		params["plan_cache_mode"] = "force_generic_plan"
	}
	if cfg.StatementTimeout > 0 {
		params["statement_timeout"] = milliseconds(max(time.Millisecond, cfg.StatementTimeout))
	}
	if cfg.LockTimeout > 0 {
		params["lock_timeout"] = milliseconds(max(time.Millisecond, cfg.LockTimeout))
	}
	if config.PingTimeout == 0 {
		config.PingTimeout = pingTimeout
	}
	if cfg.Served {
		limitLocks(config.ConnConfig)
	}
	if cfg.Primary && config.ConnConfig.ValidateConnect == nil { // a URL may have target_session_attrs
		config.ConnConfig.ValidateConnect = refuseRecovery
	}
	config.ConnConfig.OnPgError = onError(cfg.Health)
	config.ConnConfig.Tracer = tracerOf(cfg.Traces)
	return config, nil
}

var errRecovery = errors.New("the server is in recovery: it is a standby, or is being promoted")

// refuseRecovery asks only a server that is said to be in recovery when a connection begins: a pooler repeats what the server said
// before it was promoted.
func refuseRecovery(ctx context.Context, server *pgconn.PgConn) error {
	if !inRecovery(server) {
		return nil
	}
	results, err := server.Exec(ctx, "SELECT pg_is_in_recovery()").ReadAll()
	if err != nil {
		return err
	}
	if len(results) == 1 && len(results[0].Rows) == 1 && string(results[0].Rows[0][0]) == "f" {
		return nil
	}
	return errRecovery
}

// limitLocks makes the server release the locks of a process that it can no longer reach, as the client does with a dead
// server.
func limitLocks(config *pgx.ConnConfig) {
	params := map[string]string{
		"idle_in_transaction_session_timeout": milliseconds(idleInTransaction),
		"tcp_user_timeout":                    milliseconds(tcp.UserTimeout),
		"tcp_keepalives_idle":                 seconds(tcp.KeepaliveIdle),
		"tcp_keepalives_interval":             seconds(tcp.KeepaliveInterval),
		"tcp_keepalives_count":                strconv.Itoa(tcp.KeepaliveCount),
	}
	for name, value := range params {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
func seconds(d time.Duration) string      { return strconv.FormatInt(int64(d.Seconds()), 10) }

// onError returns what is done at each error of the server, true if the connection stays open.
func onError(health *Health) pgconn.PgErrorHandler {
	return func(_ *pgconn.PgConn, err *pgconn.PgError) bool {
		if health != nil {
			health.note(err)
		}
		// A session that began while the database was read-only can stay so for longer: its default does not change.
		return err.SeverityUnlocalized != "FATAL" && err.Severity != "FATAL" && err.Code != readOnlyTransaction
	}
}
