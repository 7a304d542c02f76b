package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Querier runs single statements. It has the methods of the interface DBTX that sqlc generates.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Batcher sends several statements in one round trip: a Pool, one of its connections, or a transaction.
type Batcher interface {
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

// rulesOf returns the rules by which conn translates errors. A transaction has none: InTx translates.
func rulesOf(conn Batcher) rules {
	switch conn := conn.(type) {
	case *Pool:
		return conn.rules
	case *Conn:
		return conn.pool.rules
	default:
		return nil
	}
}

// WithLock runs each statement while it holds the advisory lock of the key, so that statements with the same key run one
// after the other. The lock is released at the end of the statement's implicit transaction. The statement takes its snapshot
// after the lock, and so sees everything that the statements before it committed. A lock taken inside the statement would
// come after the snapshot. (This holds for read committed, PostgreSQL's default.)
//
// Within a transaction the lock is held until its end.
func WithLock(conn Batcher, key string) Querier {
	return setup{conn, rulesOf(conn), "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", []any{key}}
}

// WithOwnPlan plans each statement for its arguments, even on a pool with PoolConfig.GenericPlans. It is for statements that
// read a few rows or most of a table, depending on their arguments.
func WithOwnPlan(conn Batcher) Querier {
	return setup{conn, rulesOf(conn), "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)", nil}
}

// setup runs each statement after another one in the same transaction. Both travel in one batch, so the first one adds no
// round trip.
type setup struct {
	conn  Batcher
	rules rules
	first string
	args  []any
}

// send returns the results of the batch. That of the first statement has been read.
func (s setup) send(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	var batch pgx.Batch
	batch.Queue(s.first, s.args...)
	batch.Queue(sql, args...)
	results := s.conn.SendBatch(ctx, &batch)
	if _, err := results.Exec(); err != nil {
		_ = results.Close() // repeats err
		return nil, err
	}
	return results, nil
}

// Exec runs a statement that returns no rows.
func (s setup) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	results, err := s.send(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, s.rules.translate(err)
	}
	tag, err := results.Exec()
	// The commit comes with Close, and can fail when the statement did not: a deferred constraint is checked there.
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return tag, s.rules.translate(err)
}

// Query runs a statement that returns rows. The transaction ends when the rows are closed or read to their end.
func (s setup) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	results, err := s.send(ctx, sql, args)
	if err != nil {
		return nil, s.rules.translate(err)
	}
	result, err := results.Query()
	if err != nil {
		_ = results.Close() // repeats err
		return nil, s.rules.translate(err)
	}
	return &rows{&batchRows{Rows: result, results: results}, s.rules, nil}, nil
}

// QueryRow runs a statement that returns one row. As everywhere in pgx, Scan reports every failure and must be called.
func (s setup) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	result, err := s.Query(ctx, sql, args...)
	return batchRow{result, err}
}

// batchRows ends the batch, and with it the transaction, together with the rows.
type batchRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error // of the commit
}

func (r *batchRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *batchRows) Close() {
	r.Rows.Close()
	if r.results != nil {
		r.err = r.results.Close()
		r.results = nil
	}
}

func (r *batchRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

type batchRow struct {
	rows pgx.Rows
	err  error
}

func (r batchRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
