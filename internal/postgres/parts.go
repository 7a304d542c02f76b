package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// partTime is how long a transaction of Parts should take: other writers of the same rows wait that long. The time of a commit
	// and of the statements that every part repeats is a few percent of it.
	partTime = 150 * time.Millisecond

	// firstPart is the number of items of the first part, before anything is known about their time; most of any part.
	firstPart, mostOfPart = 100, 5000

	// partLockTimeout is how long a part waits for a lock of another transaction. Others may wait for the locks that the part holds
	// meanwhile. It is shorter than PostgreSQL's deadlock_timeout, so that the part ends a deadlock, not the request.
	partLockTimeout = "500ms"

	// partPause is the time between two attempts, in which others get the locks that the part waits for or held.
	partPause = 200 * time.Millisecond

	// partAttempts is how often a part that waits for the lock of another transaction is tried: for about two minutes.
	partAttempts = 170
)

// Parts stores a sequence of any length in parts, each in a transaction of its own. It is for large work next to requests, which
// wait for no more than one part. After an error the parts before it remain.
type Parts[T any] struct {
	// Next returns the next item, or io.EOF after the last one.
	Next func() (T, error)

	// Store stores items within a transaction. The function that it returns is called after the commit, and keeps what the caller
	// needs to know of the part. After a rollback it is not called, and the same items are stored again, or the first of them.
	Store func(tx pgx.Tx, part []T) (stored func() error, err error)

	// Size is the number of items of a part. With 0, parts are sized so that each takes about 150 ms.
	Size int

	pause time.Duration // for tests; 0 is partPause
}

// InTxFunc runs a function in a transaction, like the function InTx.
type InTxFunc func(context.Context, func(pgx.Tx) error) error

// Run stores all items. A part that waits half a second for a lock is rolled back and repeated, so that no other writer waits for its
// own locks meanwhile. After two minutes without success the error is that of the last attempt.
func (p Parts[T]) Run(ctx context.Context, inTx InTxFunc) error {
	var (
		pending  []T
		ended    bool
		attempts int // of the part
		size     = cmp.Or(p.Size, firstPart)
	)
	for {
		for !ended && len(pending) < size {
			item, err := p.Next()
			switch {
			case errors.Is(err, io.EOF):
				ended = true
			case err != nil:
				return err
			default:
				pending = append(pending, item)
			}
		}
		if len(pending) == 0 {
			return nil
		}
		part := pending[:min(size, len(pending))]
		begin := time.Now()
		stored, err := p.store(ctx, inTx, part)
		if attempts++; err != nil {
			if !IsLockTimeout(err) && !isConflict(err) || attempts == partAttempts {
				return err
			}
			if p.Size == 0 {
				size = max(1, len(part)/4)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(cmp.Or(p.pause, partPause)):
			}
			continue
		}
		if p.Size == 0 {
			size = nextSize(len(part), time.Since(begin))
		}
		if err := stored(); err != nil {
			return err
		}
		pending, attempts = slices.Delete(pending, 0, len(part)), 0
	}
}

func (p Parts[T]) store(ctx context.Context, inTx InTxFunc, part []T) (stored func() error, err error) {
	err = inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+partLockTimeout+"'"); err != nil {
			return fmt.Errorf("set lock timeout: %w", err)
		}
		stored, err = p.Store(tx, part)
		return err
	})
	return stored, err
}

// nextSize returns how many items will take partTime, if so many took so long. It changes by a factor of two at most, because the
// next items may be of another kind.
func nextSize(items int, took time.Duration) int {
	fitting := int(float64(items) * float64(partTime) / float64(max(took, time.Millisecond)))
	return min(max(fitting, items/2, 1), items*2, mostOfPart)
}

// IsReadOnly reports whether a statement failed because the database is read-only, or because it is in recovery, where unlogged
// tables cannot be read.
func IsReadOnly(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == readOnlyTransaction || pgErr.Code == featureNotSupported)
}

// IsLockTimeout reports whether a statement waited longer than lock_timeout.
func IsLockTimeout(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == lockNotAvailable
}
