package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pool is a connection pool that translates the errors of PostgreSQL by the rules of the use case that holds it. Its own
// methods do so, and InTx, InSnapshot, Pipeline, WithLock and WithOwnPlan. The methods that it has from pgxpool do not:
// a use case calls none of those that run statements.
type Pool struct {
	*pgxpool.Pool
	rules rules
}

// NewPool returns a Pool without rules. Open is NewPool with Docket's own configuration.
func NewPool(ctx context.Context, config *pgxpool.Config) (*Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Pool{Pool: pool}, nil
}

// WithRules returns a Pool with the same connections and these rules.
func (p *Pool) WithRules(rules ...Rule) *Pool { return &Pool{p.Pool, rules} }

// Exec runs a statement that returns no rows.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := p.Pool.Exec(ctx, sql, args...)
	return tag, p.rules.translate(err)
}

// Query runs a statement that returns rows. They hold a connection until they are closed or read to their end.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	result, err := p.Pool.Query(ctx, sql, args...)
	return &rows{result, p.rules}, p.rules.translate(err)
}

// QueryRow runs a statement that returns one row. As everywhere in pgx, Scan reports every failure and must be called.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return &row{p.Pool.QueryRow(ctx, sql, args...), p.rules}
}

// Acquire returns a connection, which the caller must release.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
	conn, err := p.Pool.Acquire(ctx)
	if err != nil {
		return nil, p.rules.translate(err)
	}
	return &Conn{conn, p.rules}, nil
}

// Conn is a connection of a Pool. It translates errors as the Pool does.
type Conn struct {
	*poolConn
	rules rules
}

// poolConn gives the embedded field another name than pgxpool.Conn's method Conn.
type poolConn = pgxpool.Conn

// Exec runs a statement that returns no rows.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := c.poolConn.Exec(ctx, sql, args...)
	return tag, c.rules.translate(err)
}

// Query runs a statement that returns rows.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	result, err := c.poolConn.Query(ctx, sql, args...)
	return &rows{result, c.rules}, c.rules.translate(err)
}

// QueryRow runs a statement that returns one row.
func (c *Conn) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return &row{c.poolConn.QueryRow(ctx, sql, args...), c.rules}
}

// rows translates the error with which a result ends.
type rows struct {
	pgx.Rows
	rules rules
}

func (r *rows) Err() error { return r.rules.translate(r.Rows.Err()) }

type row struct {
	pgx.Row
	rules rules
}

func (r *row) Scan(dest ...any) error { return r.rules.translate(r.Row.Scan(dest...)) }
