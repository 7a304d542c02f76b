package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"
)

// rows translates the error with which a result ends, and releases the connection that was acquired for it.
type rows struct {
	pgx.Rows
	rules rules
	conn  *Conn // nil: the caller's
}

func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *rows) Close() {
	r.Rows.Close()
	if r.conn != nil {
		r.conn.Release()
		r.conn = nil
	}
}

func (r *rows) Err() error { return r.rules.translate(r.Rows.Err()) }

// row is rows for a result of one row.
type row struct {
	pgx.Row
	rules rules
	conn  *Conn
}

func (r *row) Scan(dest ...any) error {
	if r.conn != nil {
		defer r.conn.Release()
	}
	return r.rules.translate(r.Row.Scan(dest...))
}

// failedRow is the result of a statement that was not sent.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// batchOfPool releases the connection that was acquired for a batch.
type batchOfPool struct {
	pgx.BatchResults
	conn *Conn
}

func (b *batchOfPool) Close() error {
	defer b.conn.Release()
	return b.BatchResults.Close()
}

func batchWrites(batch *pgx.Batch) bool {
	return slices.ContainsFunc(batch.QueuedQueries, func(q *pgx.QueuedQuery) bool { return writes(q.SQL) })
}
