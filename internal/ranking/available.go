package ranking

import (
	"context"
	"fmt"
	"time"

	"docket/internal/db"
)

// MostCounted is the largest number that AvailableURLs counts to.
const MostCounted = 100_000

// Available is what the queue offers to annotators.
type Available struct {
	URLs   int64         // eligible, and not reserved by as many annotators as they need answers
	Oldest time.Duration // since the oldest of them was added; 0 without any
}

// AvailableURLs returns what the queue offers. It reads the first MostCounted URLs in the order of the queue, from its index, so
// that its time is bounded: with more, these alone are described.
func AvailableURLs(ctx context.Context, on db.DBTX) (Available, error) {
	return availableURLs(ctx, on, MostCounted)
}

func availableURLs(ctx context.Context, on db.DBTX, most int32) (Available, error) {
	row, err := queries.QueueAvailableGet(ctx, on, most)
	if err != nil {
		return Available{}, fmt.Errorf("count available URLs: %w", err)
	}
	return Available{row.Urls, time.Duration(row.OldestSeconds * float64(time.Second))}, nil
}
