package ranking

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

// chunk is how many URLs one statement of the upkeep handles.
const chunk = 5000

// Recount updates the queue for URLs, in the transaction that changed something about them: their flags or batch, their
// annotations other than by a single answer, or any suggestion that annotators are shown. A transaction calls it one time,
// after everything else, with all URLs that it changed. A transaction that changes follows calls ChangeFollows instead.
//
// It locks the URLs by id, their rows of the queue by id, then the progress of the batches by id. Writers that keep this order
// do not deadlock. So a transaction that changes or deletes what is stored about URLs must first lock the URLs FOR KEY SHARE, by
// id: the deletion of a URL deletes all of that. One that puts URLs into several batches must first lock the batches FOR KEY
// SHARE, by id, because ChangeFollows locks them in this order.
func Recount(ctx context.Context, tx pgx.Tx, urlIDs []int32) error {
	urlIDs = slices.Compact(slices.Sorted(slices.Values(urlIDs)))
	if err := Lock(ctx, tx, urlIDs); err != nil {
		return err
	}
	return recountLocked(ctx, tx, urlIDs)
}

// Lock blocks answers about URLs until the end of the transaction, as the first steps of Recount do. What a later statement reads
// about the URLs includes all answers before. The ids are ascending.
func Lock(ctx context.Context, tx pgx.Tx, urlIDs []int32) error {
	if err := addRows(ctx, tx, urlIDs); err != nil {
		return err
	}
	for ids := range slices.Chunk(urlIDs, chunk) {
		if err := queries.QueueLockMany(ctx, tx, ids); err != nil {
			return fmt.Errorf("lock queue: %w", err)
		}
	}
	return nil
}

// addRows adds the missing rows of URLs to the queue. The ids are ascending.
func addRows(ctx context.Context, tx pgx.Tx, urlIDs []int32) error {
	for ids := range slices.Chunk(urlIDs, chunk) {
		if err := queries.QueueInsertMany(ctx, tx, ids); err != nil {
			return fmt.Errorf("add to queue: %w", err)
		}
	}
	return nil
}

// recountLocked is Recount once the rows are locked.
func recountLocked(ctx context.Context, tx pgx.Tx, urlIDs []int32) error {
	var changes []db.QueueRecountManyRow
	for ids := range slices.Chunk(urlIDs, chunk) {
		changed, err := queries.QueueRecountMany(ctx, tx, ids)
		if err != nil {
			return fmt.Errorf("recount queue: %w", err)
		}
		changes = append(changes, changed...)
		if err := recountDone(ctx, tx, ids); err != nil {
			return err
		}
	}
	return addProgress(ctx, tx, changes)
}

func recountDone(ctx context.Context, tx pgx.Tx, ids []int32) error {
	for _, step := range []func(context.Context, db.DBTX, []int32) error{
		queries.UserDoneDeleteMany, queries.UserDoneInsertMany,
		queries.AnonymousDoneDeleteMany, queries.AnonymousDoneInsertMany,
	} {
		if err := step(ctx, tx, ids); err != nil {
			return fmt.Errorf("recount done URLs: %w", err)
		}
	}
	return nil
}

// Forget removes URLs from the queue, in the transaction that then deletes them by the same ids. A URL that another transaction
// adds afterwards is not removed, so the ids must be of URLs that existed before.
func Forget(ctx context.Context, tx pgx.Tx, urlIDs []int32) error {
	urlIDs = slices.Compact(slices.Sorted(slices.Values(urlIDs)))
	for ids := range slices.Chunk(urlIDs, chunk) {
		if err := queries.URLLockMany(ctx, tx, ids); err != nil {
			return fmt.Errorf("lock URLs: %w", err)
		}
		if err := queries.QueueLockMany(ctx, tx, ids); err != nil {
			return fmt.Errorf("lock queue: %w", err)
		}
	}
	var changes []db.QueueRecountManyRow
	for ids := range slices.Chunk(urlIDs, chunk) {
		forgotten, err := queries.QueueForgetMany(ctx, tx, ids)
		if err != nil {
			return fmt.Errorf("remove from queue: %w", err)
		}
		for _, row := range forgotten {
			changes = append(changes, db.QueueRecountManyRow(row))
		}
	}
	return addProgress(ctx, tx, changes)
}

// addProgress adds the changes to the progress of batches. It sums them first, so that each row is written once.
func addProgress(ctx context.Context, tx pgx.Tx, changes []db.QueueRecountManyRow) error {
	changes = slices.SortedFunc(slices.Values(changes), func(a, b db.QueueRecountManyRow) int {
		return cmp.Compare(a.BatchID, b.BatchID)
	})
	var sums db.BatchProgressAddManyParams
	for _, change := range changes {
		if last := len(sums.BatchIDs) - 1; last >= 0 && sums.BatchIDs[last] == change.BatchID {
			sums.Totals[last] += change.Total
			sums.Annotated[last] += change.Annotated
			continue
		}
		sums.BatchIDs = append(sums.BatchIDs, change.BatchID)
		sums.Totals = append(sums.Totals, change.Total)
		sums.Annotated = append(sums.Annotated, change.Annotated)
	}
	if len(sums.BatchIDs) == 0 {
		return nil
	}
	if err := queries.BatchProgressAddMany(ctx, tx, sums); err != nil {
		return fmt.Errorf("add to progress of batches: %w", err)
	}
	return nil
}
