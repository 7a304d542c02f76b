package ranking

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/postgres"
)

// Difference is one difference of the queue from a recount of the other tables.
type Difference struct {
	// Kind is one of: missing (not in the queue, or not eligible there), surplus (eligible in the queue only), wrong follow,
	// wrong source, wrong count of user, anonymous or automatic URL types, wrong batch, wrong count of user agencies, missing
	// done row, surplus done row, reserved without reservations, missing, surplus or wrong followed batches, wrong batch progress.
	Kind      string
	URLID     int32  // 0 for the batches of a follower and for the progress of a batch
	BatchID   int32  // only for the progress of a batch
	Annotator string // only for a done row and the batches of a follower: the id of the user, or the first digits of the session
	Have      string
	Want      string
}

// Verify reports every difference, first of URLs by id, then of reserved URLs by id, then of followers by id, then of batches by
// id, and changes nothing. Each part of some thousand URLs is compared in one snapshot, so a concurrent answer is not reported as a
// difference. The memory used does not grow with the number of URLs. It takes some seconds longer if a URL is reserved although no
// annotator works on it. On a standby, reservations cannot be read, and are not compared.
func Verify(ctx context.Context, pool *postgres.Pool, report func(Difference)) error {
	return verify(ctx, pool, sweptAfter, report)
}

func verify(ctx context.Context, pool *postgres.Pool, grace time.Duration, report func(Difference)) error {
	return compare(ctx, pool, grace, func(found []Difference) error {
		for _, difference := range found {
			report(difference)
		}
		return nil
	})
}

// Reconcile repairs every difference and reports it. Readers are not blocked. Answers about a URL wait while it is repaired,
// with some hundred URLs in one transaction, and none is lost. Changes of follows wait for the same time: they would miss the
// rows that a repair inserts. Changes that writers outside Docket make while it runs may need another run.
func Reconcile(ctx context.Context, pool *postgres.Pool, report func(Difference)) error {
	return reconcile(ctx, pool, sweptAfter, report)
}

func reconcile(ctx context.Context, pool *postgres.Pool, grace time.Duration, report func(Difference)) error {
	return compare(ctx, pool, grace, func(found []Difference) error {
		var urls, batches []int32
		followers := false
		for _, difference := range found {
			switch {
			case difference.URLID != 0:
				urls = append(urls, difference.URLID)
			case difference.BatchID != 0:
				batches = append(batches, difference.BatchID)
			default:
				followers = true
			}
		}
		for len(urls) > 0 {
			part := urls[:min(len(urls), repairTogether)]
			urls = urls[len(part):]
			err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
				if err := queries.FollowLock(ctx, tx); err != nil {
					return err
				}
				return Recount(ctx, tx, part)
			})
			if err != nil {
				return fmt.Errorf("repair queue: %w", err)
			}
		}
		if followers {
			err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
				if err := queries.FollowLock(ctx, tx); err != nil {
					return err
				}
				return queries.FollowedBatchesRecount(ctx, tx)
			})
			if err != nil {
				return fmt.Errorf("repair batches of followers: %w", err)
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
	// repairTogether is how many differences one transaction repairs. Answers about their URLs wait until it commits.
	repairTogether = 500
	// sweptAfter is how long a URL may be reserved after the last annotator has stopped to work on it. The sweep of docket serve
	// clears such a URL within ten seconds.
	sweptAfter = 15 * time.Second
)

// compare calls handle with the differences of each part of the URLs, then with the reserved URLs on which no annotator has worked
// for the grace period, then with the differences of the followers, and at the end with those of the batches.
func compare(ctx context.Context, pool *postgres.Pool, grace time.Duration, handle func([]Difference) error) error {
	err := eachRange(ctx, pool, compareTogether, func(after, upto int32) error {
		rows, err := queries.QueueDifferenceList(ctx, pool, db.QueueDifferenceListParams{After: after, Upto: upto})
		if err != nil {
			return fmt.Errorf("compare queue: %w", err)
		}
		found := make([]Difference, len(rows))
		for i, row := range rows {
			found[i] = Difference{Kind: row.Kind, URLID: row.URLID, Annotator: withoutSecret(row.Annotator), Have: row.Have, Want: row.Want}
		}
		return handle(found)
	})
	if err != nil {
		return err
	}
	found, err := unusedReserved(ctx, pool, grace)
	if err != nil {
		return fmt.Errorf("compare reserved URLs: %w", err)
	}
	if err := handle(found); err != nil {
		return err
	}
	followers, err := queries.FollowedBatchesDifferenceList(ctx, pool)
	if err != nil {
		return fmt.Errorf("compare batches of followers: %w", err)
	}
	found = make([]Difference, len(followers))
	for i, row := range followers {
		found[i] = Difference{Kind: row.Kind, Annotator: strconv.Itoa(int(row.UserID)), Have: row.Have, Want: row.Want}
	}
	if err := handle(found); err != nil {
		return err
	}
	rows, err := queries.BatchProgressDifferenceList(ctx, pool)
	if err != nil {
		return fmt.Errorf("compare progress of batches: %w", err)
	}
	found = make([]Difference, len(rows))
	for i, row := range rows {
		found[i] = Difference{
			Kind: "wrong batch progress", BatchID: row.BatchID,
			Have: progressText(row.HaveTotal, row.HaveAnnotated), Want: progressText(row.WantTotal, row.WantAnnotated),
		}
	}
	return handle(found)
}

// unusedReserved returns the URLs that are reserved, without a live reservation, and unchanged for the grace period.
func unusedReserved(ctx context.Context, pool *postgres.Pool, grace time.Duration) ([]Difference, error) {
	if readable, err := queries.ReservationsReadable(ctx, pool); err != nil || !readable {
		return nil, err
	}
	before, err := queries.ReservedDifferenceList(ctx, pool)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(grace):
	}
	after, err := queries.ReservedDifferenceList(ctx, pool)
	if err != nil {
		return nil, err
	}
	var found []Difference
	for _, row := range after {
		if _, unchanged := slices.BinarySearchFunc(before, row, compareReserved); unchanged {
			found = append(found, Difference{Kind: "reserved without reservations", URLID: row.URLID, Have: "reserved"})
		}
	}
	return found, nil
}

func compareReserved(a, b db.ReservedDifferenceListRow) int {
	return cmp.Or(cmp.Compare(a.URLID, b.URLID), cmp.Compare(a.ChangedXid, b.ChangedXid))
}

// sessionDigits is how many digits of the id of a session are shown. They identify it for an operator. The whole id
// is a secret: its holder can answer as the session.
const sessionDigits = 8

// withoutSecret returns the id of a user as it is, and the beginning of the id of a session.
func withoutSecret(annotator string) string {
	if _, err := uuid.Parse(annotator); err != nil {
		return annotator
	}
	return annotator[:sessionDigits] + "…"
}

func progressText(total, annotated int32) string {
	if total < 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", annotated, total)
}
