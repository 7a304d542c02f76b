package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Preceded runs single statements, each after another one in its transaction; both travel in one batch, so the other one
// costs no round trip. It satisfies the DBTX interface that sqlc generates.
type Preceded struct {
	pool  *pgxpool.Pool
	first string
	args  []any
}

// WithLock runs statements one at a time among all holders of the same key: each waits for the key's advisory lock and holds
// it to the end of its implicit transaction. The statement takes its snapshot when it holds the lock, and so sees everything
// its predecessors committed: this is what a lock taken inside the statement could not do. (That is read committed,
// PostgreSQL's default.)
func WithLock(pool *pgxpool.Pool, key string) Preceded {
	return Preceded{pool, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", []any{key}}
}

// WithOwnPlan runs statements that are planned for their arguments each time, whatever the pool does: those whose arguments
// make the difference between a few rows and most of a table.
func WithOwnPlan(pool *pgxpool.Pool) Preceded {
	return Preceded{pool, "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)", nil}
}

// send returns the batch's results with that of the first statement already read.
func (p Preceded) send(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	var batch pgx.Batch
	batch.Queue(p.first, p.args...)
	batch.Queue(sql, args...)
	results := p.pool.SendBatch(ctx, &batch)
	if _, err := results.Exec(); err != nil {
		_ = results.Close() // repeats err
		return nil, err
	}
	return results, nil
}

// Exec runs a statement that returns no rows.
func (p Preceded) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	results, err := p.send(ctx, sql, args)
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

// Query runs a statement that returns rows. The transaction ends when the rows are closed or read to their end.
func (p Preceded) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	results, err := p.send(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close() // repeats err
		return nil, err
	}
	return &precededRows{Rows: rows, results: results}, nil
}

// QueryRow runs a statement that returns one row. As everywhere in pgx, Scan reports every failure and must be
// called.
func (p Preceded) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := p.Query(ctx, sql, args...)
	return precededRow{rows, err}
}

// precededRows ends the batch, and with it the transaction, together with the rows.
type precededRows struct {
	pgx.Rows
	results pgx.BatchResults
	err     error // of the commit
}

func (r *precededRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *precededRows) Close() {
	r.Rows.Close()
	if r.results != nil {
		r.err = r.results.Close()
		r.results = nil
	}
}

func (r *precededRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

type precededRow struct {
	rows pgx.Rows
	err  error
}

func (r precededRow) Scan(dest ...any) error {
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
