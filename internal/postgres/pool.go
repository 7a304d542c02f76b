package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pool is a connection pool that translates the errors of PostgreSQL by the rules of the use case that holds it. Its own
// methods do so, and InTx, InSnapshot, Pipeline, WithLock and WithOwnPlan. The methods that it has from pgxpool do not:
// a use case calls none of those that run statements.
//
// It tells writers from readers by the text of a statement, and lets writers hold only a part of the connections, so that those
// that wait for locks do not keep readers waiting. A transaction is a writer, unless it is read-only.
type Pool struct {
	*pgxpool.Pool
	gate  *gate
	wait  time.Duration // the longest wait for a connection; 0 means no limit
	rules rules
	kept  *kept // nil, unless Keep has returned the Pool

	standby *HotStandby      // nil, unless WithStandby has returned the Pool
	pooler  *pooler          // nil: none is between
	tracer  *statementTracer // for statements that pgx does not trace itself; nil without traces
}

// NewPool returns a Pool without rules and without a limit of the wait for a connection. Open is NewPool with Docket's own
// configuration.
func NewPool(ctx context.Context, config *pgxpool.Config) (*Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Pool{Pool: pool, gate: newGate(pool.Config().MaxConns)}, nil
}

// WithRules returns a Pool with the same connections and these rules.
func (p *Pool) WithRules(rules ...Rule) *Pool {
	with := *p
	with.rules = rules
	return &with
}

// MaxWriters returns how many connections writers may hold at the same time.
func (p *Pool) MaxWriters() int { return cap(p.gate.slots) }

// Exec runs a statement that returns no rows.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	conn, err := p.acquire(ctx, writes(sql))
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer conn.Release()
	return conn.Exec(ctx, sql, args...)
}

// Query runs a statement that returns rows. They hold a connection until they are closed or read to their end.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := p.acquire(ctx, writes(sql))
	if err != nil {
		return nil, err
	}
	result, err := conn.query(ctx, sql, args...)
	if err != nil {
		conn.Release()
		return nil, p.rules.translate(err)
	}
	return &rows{result, p.rules, conn}, nil
}

// QueryRow runs a statement that returns one row. As everywhere in pgx, Scan reports every failure and must be called.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	conn, err := p.acquire(ctx, writes(sql))
	if err != nil {
		return failedRow{err}
	}
	return &row{conn.queryRow(ctx, sql, args...), p.rules, conn}
}

// SendBatch sends statements in one round trip. Their results hold a connection until they are closed. It does not translate
// errors.
func (p *Pool) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	conn, err := p.acquire(ctx, batchWrites(batch))
	if err != nil {
		return pgx.FailedBatchResults(batch, err)
	}
	return &batchOfPool{conn.sendBatch(ctx, batch), conn}
}

// Acquire returns a connection for statements that only read. The caller must release it.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) { return p.acquire(ctx, false) }

// AcquireWriter returns a connection for any statements. The caller must release it.
func (p *Pool) AcquireWriter(ctx context.Context) (*Conn, error) { return p.acquire(ctx, true) }

func (p *Pool) acquire(ctx context.Context, writer bool) (*Conn, error) {
	if p.kept != nil {
		return p.acquireKept(ctx)
	}
	return p.acquireNew(ctx, writer)
}

// acquireNew returns ErrBusy when no connection becomes free in time, even if that is because the deadline of ctx comes first:
// no statement was slow. Another failure is errNoConn, unless ctx was cancelled.
func (p *Pool) acquireNew(ctx context.Context, writer bool) (*Conn, error) {
	bounded := ctx
	if p.wait > 0 {
		var cancel func()
		bounded, cancel = context.WithTimeout(ctx, p.wait)
		defer cancel()
	}
	conn := &Conn{pool: p}
	err := func() (err error) {
		if writer {
			if err := p.gate.enter(bounded); err != nil {
				return err
			}
			conn.gate = p.gate
		}
		conn.poolConn, err = p.Pool.Acquire(bounded)
		return err
	}()
	if err != nil {
		conn.Release()
		if errors.Is(bounded.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %v", ErrBusy, err) //nolint:errorlint // not a deadline of the request
		} else if ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", errNoConn, err)
		}
		return nil, err
	}
	return conn, nil
}

// Conn is a connection of a Pool. It translates errors as the Pool does.
type Conn struct {
	*poolConn
	pool *Pool
	gate *gate // nil: for reading
	kept bool  // its Pool keeps it
}

// poolConn gives the embedded field another name than pgxpool.Conn's method Conn.
type poolConn = pgxpool.Conn

// Release returns the connection to its pool. A second call does nothing.
func (c *Conn) Release() {
	if c.kept {
		c.kept, c.gate, c.poolConn = false, nil, nil
		c.pool.giveBack()
		return
	}
	if c.poolConn != nil {
		c.poolConn.Release()
	}
	if c.gate != nil {
		c.gate.leave()
		c.gate = nil
	}
}

// Exec runs a statement that returns no rows.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if c.refuses(sql) {
		return pgconn.CommandTag{}, errReadConn
	}
	tag, err := c.exec(ctx, sql, args...)
	return tag, c.pool.rules.translate(err)
}

// Query runs a statement that returns rows.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if c.refuses(sql) {
		return nil, errReadConn
	}
	result, err := c.query(ctx, sql, args...)
	return &rows{result, c.pool.rules, nil}, c.pool.rules.translate(err)
}

// QueryRow runs a statement that returns one row.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if c.refuses(sql) {
		return failedRow{errReadConn}
	}
	return &row{c.queryRow(ctx, sql, args...), c.pool.rules, nil}
}

// SendBatch sends statements in one round trip. It does not translate errors.
func (c *Conn) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	if c.gate == nil && batchWrites(batch) {
		return pgx.FailedBatchResults(batch, errReadConn)
	}
	return c.sendBatch(ctx, batch)
}

// IsReadOnly reports whether the server has said that transactions of the connection are read-only, or that it is in recovery. The
// servers of PostgreSQL say so by themselves, poolers between may not.
func (c *Conn) IsReadOnly() bool {
	server := c.Conn().PgConn()
	return server.ParameterStatus("default_transaction_read_only") == "on" || c.pool.pooler == nil && inRecovery(server)
}

func inRecovery(server *pgconn.PgConn) bool { return server.ParameterStatus("in_hot_standby") == "on" }

// refuses reports whether the statement is one of a writer and the connection is for reading.
func (c *Conn) refuses(sql string) bool { return c.gate == nil && writes(sql) }
