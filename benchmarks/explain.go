package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"docket/internal/postgres"
)

// explained is one connection on which PostgreSQL's module auto_explain reports the pages that each statement sent touches:
// EXPLAIN (ANALYZE, BUFFERS) without a copy of the statement.
type explained struct {
	pool  *postgres.Pool
	pages int64
}

// openExplained returns nil when the server lacks auto_explain, a contrib module: then there are times, but no buffers.
func openExplained(ctx context.Context, url string) (*explained, error) {
	config, err := servedConfig(ctx, url)
	if err != nil {
		return nil, err
	}
	e := &explained{}
	config.ConnConfig.RuntimeParams["statement_timeout"] = "60s"
	config.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { e.count(n.Message) }
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `
			LOAD 'auto_explain';
			SET auto_explain.log_min_duration = 0;
			SET auto_explain.log_analyze = on;
			SET auto_explain.log_buffers = on;
			SET auto_explain.log_timing = off;
			SET auto_explain.log_format = json;
			SET auto_explain.log_level = notice`)
		return err
	}
	if e.pool, err = postgres.NewPool(ctx, config); err != nil {
		return nil, fmt.Errorf("open connection for plans: %w", err)
	}
	if err := e.pool.Ping(ctx); err != nil {
		e.pool.Close()
		if strings.Contains(err.Error(), "auto_explain") {
			return nil, nil
		}
		return nil, fmt.Errorf("open connection for plans: %w", err)
	}
	return e, nil
}

func (e *explained) count(message string) {
	_, plan, ok := strings.Cut(message, "plan:\n")
	if !ok {
		return
	}
	var logged struct {
		Plan struct {
			Hit  int64 `json:"Shared Hit Blocks"`
			Read int64 `json:"Shared Read Blocks"`
		}
	}
	if json.Unmarshal([]byte(plan), &logged) == nil {
		e.pages += logged.Plan.Hit + logged.Plan.Read
	}
}

// buffers returns how many pages the statements of call touch with a generic plan and with a custom one: the fewer of the
// second and the third call with each. The first may set a cursor, and one of the others may count done URLs.
func (e *explained) buffers(ctx context.Context, call func(context.Context) error) (Buffers, error) {
	var found Buffers
	for _, mode := range []struct {
		setting string
		into    *int64
	}{{"force_generic_plan", &found.Generic}, {"force_custom_plan", &found.Custom}} {
		if _, err := e.pool.Exec(ctx, "SET plan_cache_mode = "+mode.setting); err != nil {
			return Buffers{}, fmt.Errorf("choose kind of plan: %w", err)
		}
		for n := range 3 {
			e.pages = 0
			if err := call(ctx); err != nil {
				return Buffers{}, fmt.Errorf("explain: %w", err)
			}
			if n == 1 || n == 2 && e.pages < *mode.into {
				*mode.into = e.pages
			}
		}
	}
	return found, nil
}

// roundTrips counts how often a connection waits for a response.
type roundTrips struct{ n atomic.Int64 }

func (r *roundTrips) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn, trips: r}, nil
}

type countedConn struct {
	net.Conn
	trips *roundTrips
	asked atomic.Bool
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(b)
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.asked.Swap(false) {
		c.trips.n.Add(1)
	}
	return n, err
}
