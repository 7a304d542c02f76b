package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Locked runs single statements one at a time among all holders of the same key. It satisfies the DBTX
// interface that sqlc generates.
type Locked struct {
	pool *pgxpool.Pool
	key  string
}

// WithLock returns a Locked for the key. Each statement waits for the key's advisory lock and holds it to the
// end of its implicit transaction; both travel in one batch, so the lock costs no round trip. The statement
// takes its snapshot when it holds the lock, and so sees everything its predecessors committed: this is what a
// lock taken inside the statement could not do. (That is read committed, PostgreSQL's default.)
func WithLock(pool *pgxpool.Pool, key string) Locked {
	return Locked{pool: pool, key: key}
}

// send returns the batch's results with that of the lock already read.
func (l Locked) send(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	var batch pgx.Batch
	batch.Queue("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", l.key)
	batch.Queue(sql, args...)
	results := l.pool.SendBatch(ctx, &batch)
	if _, err := results.Exec(); err != nil {
		_ = results.Close() // repeats err
		return nil, err
	}
	return results, nil
}

// Exec runs a statement that returns no rows.
func (l Locked) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	results, err := l.send(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := results.Exec()
	// The commit comes with Close, and can fail on its own: a deferred constraint is checked there.
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return tag, err
}

// Query runs a statement that returns rows. The lock is held until the rows are closed or read to their end.
func (l Locked) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	results, err := l.send(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close() // repeats err
		return nil, err
	}
	return &lockedRows{Rows: rows, results: results}, nil
}

// QueryRow runs a statement that returns one row. As everywhere in pgx, Scan reports every failure and must be
// called.
func (l Locked) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := l.Query(ctx, sql, args...)
	return lockedRow{rows, err}
}

// lockedRows ends the batch, and with it the transaction, together with the rows.
type lockedRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error // of the commit
}

func (r *lockedRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *lockedRows) Close() {
	r.Rows.Close()
	if r.results != nil {
		r.err = r.results.Close()
		r.results = nil
	}
}

func (r *lockedRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

type lockedRow struct {
	rows pgx.Rows
	err  error
}

func (r lockedRow) Scan(dest ...any) error {
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
