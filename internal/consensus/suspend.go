package consensus

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/tasks"
)

// suspendFrom is how many users must not find the agency of a URL, or must not find its location.
const suspendFrom = 2

// Suspend suspends the URLs whose agency, or whose location, at least two users did not find, unless they are validated, and
// links them to the task. Annotators are not offered them any more. It works in parts and in bounded memory, as ValidateAll does.
func Suspend(ctx context.Context, pool *postgres.Pool, taskID int32) (result string, err error) {
	suspended := 0
	err = inParts(ctx, pool, func(after, upto int32) ([]int32, error) {
		return queries.SuspensionCandidateList(ctx, pool, db.SuspensionCandidateListParams{After: after, Upto: upto, Users: suspendFrom})
	}, func(tx pgx.Tx, urlIDs []int32) (func(), error) {
		if err := ranking.Lock(ctx, tx, urlIDs); err != nil {
			return nil, err
		}
		stored, err := queries.SuspensionInsertMany(ctx, tx, db.SuspensionInsertManyParams{URLIDs: urlIDs, Users: suspendFrom})
		if err != nil {
			return nil, fmt.Errorf("store suspensions: %w", err)
		}
		if len(stored) == 0 {
			return func() {}, nil
		}
		if err := tasks.LinkURLs(ctx, tx, taskID, stored); err != nil {
			return nil, err
		}
		if err := history.Append(ctx, tx, convert.Each(stored, suspension)); err != nil {
			return nil, err
		}
		return func() { suspended += len(stored) }, ranking.Recount(ctx, tx, stored)
	})
	if err != nil {
		return "", fmt.Errorf("suspend URLs: %w", err)
	}
	return urls(suspended) + " suspended", nil
}

func suspension(urlID int32) history.Event {
	return history.Event{URLID: urlID, Kind: history.Suspended, Detail: history.Suspension{
		Reason: fmt.Sprintf("at least %d users did not find its agency, or did not find its location", suspendFrom),
	}}
}
