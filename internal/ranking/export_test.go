package ranking

import (
	"context"

	"docket/internal/db"
	"docket/internal/postgres"
)

// Tests go to both sides of these limits.
const (
	ReadAtMost   = readAtMost
	WarmFrom     = warmFrom
	RecountAfter = recountAfter
	WindowSize   = windowSize
)

// AvailableUpTo is AvailableURLs with another limit.
func AvailableUpTo(ctx context.Context, on db.DBTX, most int32) (Available, error) {
	return availableURLs(ctx, on, most)
}

// NewWarmQueue returns a Queue that keeps a cursor for each annotator, even for one who has done nothing.
func NewWarmQueue() *Queue { return newQueue(0) }

// VerifyAtOnce is Verify without the wait for the sweep.
func VerifyAtOnce(ctx context.Context, pool *postgres.Pool, report func(Difference)) error {
	return verify(ctx, pool, 0, report)
}

// ReconcileAtOnce is Reconcile without the wait for the sweep.
func ReconcileAtOnce(ctx context.Context, pool *postgres.Pool, report func(Difference)) error {
	return reconcile(ctx, pool, 0, report)
}
