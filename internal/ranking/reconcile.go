package ranking

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
)

// Difference is one place where the queue is not what a recount of the base tables says.
type Difference struct {
	// Kind is one of: missing, surplus (in the queue or not, where it should be otherwise), wrong count, wrong batch,
	// wrong status, wrong agency votes, missing done row, surplus done row, wrong batch progress.
	Kind      string
	URLID     int32  // 0 for the progress of a batch
	BatchID   int32  // only for the progress of a batch
	Annotator string // only for a done row: the user's id or the session
	Have      string
	Want      string
}

// Verify reports every difference, URLs in the order of their ids, then batches, and changes nothing. Each part of some
// thousand URLs is seen in one snapshot, so that no answer given meanwhile looks like a difference; memory does not grow
// with the number of URLs.
func Verify(ctx context.Context, pool *postgres.Pool, report func(Difference)) error {
	return compare(ctx, pool, func(found []Difference) error {
		for _, difference := range found {
			report(difference)
		}
		return nil
	})
}

// Reconcile repairs every difference and reports it. Readers go on; answers about a URL wait while it is repaired, some
// hundred URLs at a time, and none is lost. What writers outside Docket change while it runs may take another run.
func Reconcile(ctx context.Context, pool *postgres.Pool, report func(Difference)) error {
	return compare(ctx, pool, func(found []Difference) error {
		var urls, batches []int32
		for _, difference := range found {
			if difference.URLID != 0 {
				urls = append(urls, difference.URLID)
			} else {
				batches = append(batches, difference.BatchID)
			}
		}
		for len(urls) > 0 {
			part := urls[:min(len(urls), repairTogether)]
			urls = urls[len(part):]
			if err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error { return Recount(ctx, tx, part) }); err != nil {
				return fmt.Errorf("repair queue: %w", err)
			}
		}
		for _, batch := range batches {
			err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
				if err := queries.BatchProgressLock(ctx, tx, batch); err != nil {
					return err
				}
				return queries.BatchProgressRecount(ctx, tx, batch)
			})
			if err != nil {
				return fmt.Errorf("repair progress of batch %d: %w", batch, err)
			}
		}
		for _, difference := range found {
			report(difference)
		}
		return nil
	})
}

const (
	// compareTogether is how many URLs one statement compares.
	compareTogether = 5000
	// repairTogether is how many differences one transaction repairs: answers about their URLs wait as long.
	repairTogether = 500
)

// compare hands the differences of one part after the other to handle, the batches last.
func compare(ctx context.Context, pool *postgres.Pool, handle func([]Difference) error) error {
	for after := int32(0); ; {
		upto, err := queries.URLRangeGet(ctx, pool, db.URLRangeGetParams{After: after, Most: compareTogether})
		if err != nil {
			return fmt.Errorf("read URL ids: %w", err)
		}
		if upto == 0 {
			break
		}
		rows, err := queries.QueueDifferenceList(ctx, pool, db.QueueDifferenceListParams{After: after, Upto: upto})
		if err != nil {
			return fmt.Errorf("compare queue: %w", err)
		}
		found := make([]Difference, len(rows))
		for i, row := range rows {
			found[i] = Difference{Kind: row.Kind, URLID: row.URLID, Annotator: row.Annotator, Have: row.Have, Want: row.Want}
		}
		if err := handle(found); err != nil {
			return err
		}
		after = upto
	}
	rows, err := queries.BatchProgressDifferenceList(ctx, pool)
	if err != nil {
		return fmt.Errorf("compare progress of batches: %w", err)
	}
	found := make([]Difference, len(rows))
	for i, row := range rows {
		found[i] = Difference{
			Kind: "wrong batch progress", BatchID: row.BatchID,
			Have: progressText(row.HaveTotal, row.HaveAnnotated), Want: progressText(row.WantTotal, row.WantAnnotated),
		}
	}
	return handle(found)
}

func progressText(total, annotated int32) string {
	if total < 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", annotated, total)
}
