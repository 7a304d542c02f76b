package consensus

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"docket/internal/db"
)

// againAfter is when a URL is decided about again after a transaction that deleted votes. No answer runs that long.
const againAfter = 30 // seconds

// AddDue has processes decide about URLs once the transaction is committed. A transaction that changes votes other than by storing an
// answer calls it with all URLs concerned. An answer does the same itself, in sql/queries/submit.sql. A new URL about which a single
// annotator says something needs no decision.
func AddDue(ctx context.Context, on db.DBTX, urlIDs []int32) error {
	err := queries.ConsensusDueInsertMany(ctx, on, db.ConsensusDueInsertManyParams{URLIDs: urlIDs, AgainSeconds: againAfter})
	if err != nil {
		return fmt.Errorf("have URLs decided about: %w", err)
	}
	return nil
}

// RequirementsJSON is what Requirements returns for each type that a consensus can validate, as a JSON object of arrays: the parameter
// of the statements that store answers.
var RequirementsJSON = sync.OnceValue(func() []byte {
	document, err := json.Marshal(requirements)
	if err != nil { // strings only
		panic(err)
	}
	return document
})
