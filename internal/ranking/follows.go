package ranking

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// ChangeFollows runs change, which writes follows or links of batches to locations, and then updates what these decide: whether
// URLs are followed, and the batches of each follower. It also recounts the URLs that change returns, as Recount does. A
// transaction calls it one time, instead of Recount, before it locks anything else: it waits here for other writers of follows.
// Readers do not wait.
//
// The result is exact with concurrent writers that keep these rules. After change, only batches whose URLs become followed, or
// stop being followed, matter:
//
//   - Their rows are locked FOR UPDATE, by id. A writer that puts a URL into such a batch holds the KEY SHARE lock of the foreign
//     key until it commits. If it was first, ChangeFollows waits, and then finds its URL. If it is later, it waits when
//     it stores the link, and its Recount reads the new follows.
//   - The rows of the queue of their URLs are locked by id, together with those of the URLs that change returned, and updated once
//     they are locked. A Recount of such a URL that was first has read the old follows, and its row is changed after it. One that
//     is later waits for the row, and reads the new follows.
//
// Answers wait for the rows that are locked so far. So everything else is done before, and rows are locked some thousand at a time.
//
// A URL of another program that has no row in the queue is left to Reconcile: a Recount that inserts its row meanwhile may have read
// the old follows.
//
// It does not deadlock with other writers, because all lock in the same order: follows, batches, URLs, rows of the queue,
// progress of batches. An answer locks its row of the queue and then the progress of the batch, and no batch: it could insert
// the progress, and lock the batch by its foreign key, only if another program had deleted it. PostgreSQL would detect that
// deadlock, and InTx repeats the transaction.
func ChangeFollows(ctx context.Context, tx pgx.Tx, change func() (urlIDs []int32, err error)) error {
	if err := queries.FollowLock(ctx, tx); err != nil {
		return fmt.Errorf("wait for other writers of follows: %w", err)
	}
	before, err := queries.FollowedBatchIDList(ctx, tx)
	if err != nil {
		return fmt.Errorf("read followed batches: %w", err)
	}
	urlIDs, err := change()
	if err != nil {
		return err
	}
	after, err := queries.FollowedBatchIDList(ctx, tx)
	if err != nil {
		return fmt.Errorf("read followed batches: %w", err)
	}
	if err := queries.FollowedBatchesRecount(ctx, tx); err != nil {
		return fmt.Errorf("recount batches of followers: %w", err)
	}
	return recountFollowed(ctx, tx, urlIDs, changedBatches(before, after))
}

// changedBatches returns the batches that are in one of two ascending lists only, by id.
func changedBatches(before, after []int32) (changed []int32) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0] < after[0]:
			changed, before = append(changed, before[0]), before[1:]
		case len(before) == 0 || after[0] < before[0]:
			changed, after = append(changed, after[0]), after[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
	return changed
}

// recountFollowed recounts URLs, and updates whether those of the changed batches are followed. Of the latter it recounts nothing
// else: 50,000 URLs take 0.7 s of a core, and a whole recount 5 s.
func recountFollowed(ctx context.Context, tx pgx.Tx, urlIDs, changed []int32) error {
	urlIDs = slices.Compact(slices.Sorted(slices.Values(urlIDs)))
	var inBatches []int32
	if len(changed) > 0 {
		if err := queries.BatchLockMany(ctx, tx, changed); err != nil {
			return fmt.Errorf("lock batches: %w", err)
		}
		var err error
		if inBatches, err = queries.BatchURLIDList(ctx, tx, changed); err != nil {
			return fmt.Errorf("read URLs of batches: %w", err)
		}
	}
	if err := addRows(ctx, tx, urlIDs); err != nil {
		return err
	}
	all := slices.Concat(urlIDs, inBatches)
	slices.Sort(all)
	for ids := range slices.Chunk(slices.Compact(all), chunk) {
		if err := queries.QueueLockMany(ctx, tx, ids); err != nil {
			return fmt.Errorf("lock queue: %w", err)
		}
		// Of the URLs that change returned and that are in no changed batch, this changes only what is recounted below.
		if err := queries.QueueRecountFollowed(ctx, tx, ids); err != nil {
			return fmt.Errorf("update followed URLs: %w", err)
		}
	}
	return recountLocked(ctx, tx, urlIDs)
}
