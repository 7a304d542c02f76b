package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// TryLock takes the advisory lock of a key until the end of the transaction. It returns false, without waiting, if another
// transaction holds it. WithLock uses the same locks.
func TryLock(ctx context.Context, tx pgx.Tx, key string) (locked bool, err error) {
	err = tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", key).Scan(&locked)
	return locked, err
}
