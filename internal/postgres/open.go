package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/phase"
)

const (
	// connsPerCore is the number at which throughput stops growing. Four to eight are equally fast. With more, statements wait
	// inside PostgreSQL instead of in the pool.
	connsPerCore = 4

	connectTimeout = 10 * time.Second
)

// PoolConfig describes a connection pool. The settings in the URL (pool_max_conns, application_name, statement_timeout,
// connect_timeout, jit) apply unless a field here is set.
type PoolConfig struct {
	URL              string
	MaxConns         int32         // 0: four per core
	StatementTimeout time.Duration // 0: the server's setting; a statement over it fails with context.DeadlineExceeded

	// GenericPlans plans each prepared statement once for each connection, for any arguments. It is for many small statements,
	// whose planning takes longer than their execution.
	GenericPlans bool
}

// Open returns a pool after it has connected to the database. Sessions are in UTC. The wait for a connection is the phase
// phase.Acquire. No error of Open contains the password.
func Open(ctx context.Context, cfg PoolConfig) (*Pool, error) {
	config, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	pool, err := NewPool(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open connection pool: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		conn := config.ConnConfig
		return nil, fmt.Errorf("connect to database %q on %s as %q: %w", conn.Database, conn.Host, conn.User, err)
	}
	return pool, nil
}

func poolConfig(cfg PoolConfig) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// The parser's message is left out: for a malformed URL it can contain a part of the password.
		return nil, errors.New("the database URL cannot be read: it should look like postgres://user:password@host:5432/database, " +
			"with every special character in the password percent-encoded")
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
		params["statement_timeout"] = strconv.FormatInt(max(1, cfg.StatementTimeout.Milliseconds()), 10)
	}
	if !strings.Contains(cfg.URL, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	config.ConnConfig.Tracer = acquireTracer{}
	return config, nil
}

// acquireTracer times the wait for a connection. pgxpool calls it only if it is also the query tracer.
type acquireTracer struct{}

type acquireKey struct{}

func (acquireTracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if phase.FromContext(ctx) == nil {
		return ctx // without a recorder, nothing is allocated
	}
	return context.WithValue(ctx, acquireKey{}, phase.Start(ctx, phase.Acquire))
}

func (acquireTracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	if stop, ok := ctx.Value(acquireKey{}).(func()); ok {
		stop()
	}
}

func (acquireTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (acquireTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
