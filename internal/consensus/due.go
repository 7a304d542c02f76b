package consensus

import (
	"context"
	"fmt"
	"time"

	"docket/internal/db"
)

// AddDue has processes decide about URLs once the transaction is committed. A transaction that changes votes other than by
// storing an answer calls it with all URLs concerned. An answer does the same itself, in sql/queries/submit.sql. A submission
// need not: it is all that is said about a new URL, and names no type, or no name that counts.
func AddDue(ctx context.Context, on db.DBTX, urlIDs []int32) error {
	if err := queries.ConsensusDueInsertMany(ctx, on, urlIDs); err != nil {
		return fmt.Errorf("have URLs decided about: %w", err)
	}
	return nil
}

// DueAge returns how long the URL that has been due for the longest time has waited; 0 without one.
func DueAge(ctx context.Context, on db.DBTX) (time.Duration, error) {
	seconds, err := queries.ConsensusDueAge(ctx, on)
	if err != nil {
		return 0, fmt.Errorf("read the age of due URLs: %w", err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
