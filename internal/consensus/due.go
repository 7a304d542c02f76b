package consensus

import (
	"context"
	"fmt"

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
