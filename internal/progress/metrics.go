package progress

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/page"
)

// URLCounts counts the URLs of batches. A URL that is not validated is pending.
type URLCounts struct {
	Total, Pending, Validated int32
	Rejected                  int32 // validated as not relevant
	Submitted                 int32 // linked to an outward data source
	Errors                    int32 // with a task error
}

func urlCounts(total, validated, rejected, submitted, errors int32) URLCounts {
	return URLCounts{
		Total: total, Pending: total - validated, Validated: validated, Rejected: rejected, Submitted: submitted, Errors: errors,
	}
}

// StrategyCounts counts the batches of one strategy.
type StrategyCounts struct {
	Strategy   string
	Batches    int32 // with any status
	Successful int32 // ready to label
	Failed     int32 // with an error
	URLs       URLCounts
}

// BatchesByStrategy returns every strategy once, including those without batches.
func (s *Service) BatchesByStrategy(ctx context.Context) ([]StrategyCounts, error) {
	rows, err := counted(ctx, s, "count batches by strategy", queries.BatchCountByStrategy)
	return convert.Each(rows, func(row db.BatchCountByStrategyRow) StrategyCounts {
		return StrategyCounts{
			Strategy: string(row.Strategy), Batches: row.Batches, Successful: row.Successful, Failed: row.Failed,
			URLs: urlCounts(row.Urls, row.Validated, row.Rejected, row.Submitted, row.Errors),
		}
	}), err
}

// Batch is a batch with its URLs counted.
type Batch struct {
	ID        int32
	Strategy  string
	Status    string
	CreatedAt time.Time
	URLs      URLCounts
}

// Batches returns a page of all batches, the oldest first, then by id. The first page is 1.
func (s *Service) Batches(ctx context.Context, number int32) ([]Batch, error) {
	rows, err := counted(ctx, s, "count URLs by batch", func(ctx context.Context, conn db.DBTX) ([]db.BatchBreakdownListRow, error) {
		return queries.BatchBreakdownList(ctx, conn, db.BatchBreakdownListParams{
			PageSize: page.Size, Skip: page.Offset(number, page.Size),
		})
	})
	return convert.Each(rows, func(row db.BatchBreakdownListRow) Batch {
		return Batch{
			ID: row.ID, Strategy: string(row.Strategy), Status: string(row.Status), CreatedAt: row.DateGenerated,
			URLs: urlCounts(row.Urls, row.Validated, row.Rejected, row.Submitted, row.Errors),
		}
	}), err
}

// URLSummary counts all URLs. The maps have no zeros.
type URLSummary struct {
	Total         int32
	ByStatus      map[string]int32 // from Intake to Submitted
	ByType        map[string]int32 // the validated ones
	ByRecordType  map[string]int32 // those with a confirmed record type
	OldestPending *PendingURL      // nil when every URL is validated
}

// PendingURL is a URL that is not validated.
type PendingURL struct {
	ID        int32
	CreatedAt time.Time
}

// URLs counts all URLs. It runs three statements, each with its own snapshot: statuses and types, record types, and the oldest
// pending URL.
func (s *Service) URLs(ctx context.Context) (URLSummary, error) {
	return counted(ctx, s, "count URLs", func(ctx context.Context, conn db.DBTX) (URLSummary, error) {
		summary := URLSummary{ByStatus: map[string]int32{}, ByType: map[string]int32{}, ByRecordType: map[string]int32{}}
		statuses, err := queries.URLCountByStatus(ctx, conn)
		if err != nil {
			return summary, err
		}
		for _, row := range statuses {
			summary.Total += row.Urls
			summary.ByStatus[row.Status] += row.Urls
			if row.Type != nil {
				summary.ByType[string(*row.Type)] += row.Urls
			}
		}
		recordTypes, err := queries.URLCountByRecordType(ctx, conn)
		if err != nil {
			return summary, err
		}
		for _, row := range recordTypes {
			summary.ByRecordType[string(row.RecordType)] = row.Urls
		}
		oldest, err := queries.URLGetOldestPending(ctx, conn)
		if errors.Is(err, pgx.ErrNoRows) {
			return summary, nil
		}
		summary.OldestPending = &PendingURL{oldest.ID, oldest.CreatedAt}
		return summary, err
	})
}

// PendingCounts counts URLs that are not validated, including suspended ones, by the kinds of votes they have.
type PendingCounts struct {
	All, URLType, RecordType, Agency int32
	ByKinds                          [4]int32 // by the number of these three kinds
}

// The kinds of votes on a URL, as bits in the column said of PendingURLCountByMonth.
const (
	saidURLType = 1 << iota
	saidRecordType
	saidAgency
)

func (c *PendingCounts) add(said, urls int32) {
	kinds := 0
	for _, kind := range []struct {
		bit   int32
		count *int32
	}{{saidURLType, &c.URLType}, {saidRecordType, &c.RecordType}, {saidAgency, &c.Agency}} {
		if said&kind.bit != 0 {
			*kind.count += urls
			kinds++
		}
	}
	c.All += urls
	c.ByKinds[kinds] += urls
}

// PendingMonth counts the pending URLs that were created in the month that begins at Month.
type PendingMonth struct {
	Month time.Time
	PendingCounts
}

// PendingByMonth counts the pending URLs by the month of their creation, the oldest month first. Months without any are left out.
func (s *Service) PendingByMonth(ctx context.Context) ([]PendingMonth, error) {
	rows, err := counted(ctx, s, "count pending URLs", queries.PendingURLCountByMonth)
	var months []PendingMonth
	for _, row := range rows {
		if len(months) == 0 || !months[len(months)-1].Month.Equal(row.Month) {
			months = append(months, PendingMonth{Month: row.Month})
		}
		months[len(months)-1].add(row.Said, row.Urls)
	}
	return months, err
}

// Pending counts the pending URLs of all months.
func (s *Service) Pending(ctx context.Context) (PendingCounts, error) {
	rows, err := counted(ctx, s, "count pending URLs", queries.PendingURLCountByMonth)
	var all PendingCounts
	for _, row := range rows {
		all.add(row.Said, row.Urls)
	}
	return all, err
}

// MonthCount is a number for the month that begins at Month.
type MonthCount struct {
	Month time.Time
	Count int32
}

// SubmittedByMonth counts the URLs that were submitted to the outward application as data sources by month, the oldest month
// first. It includes URLs that were deleted later.
func (s *Service) SubmittedByMonth(ctx context.Context) ([]MonthCount, error) {
	rows, err := counted(ctx, s, "count submitted URLs", queries.SubmittedURLCountByMonth)
	return convert.Each(rows, func(row db.SubmittedURLCountByMonthRow) MonthCount {
		return MonthCount{row.Month, row.Urls}
	}), err
}

// Backlog returns the number of pending URLs at the last snapshot of each month that has one, the oldest month first.
func (s *Service) Backlog(ctx context.Context) ([]MonthCount, error) {
	rows, err := counted(ctx, s, "read the backlog", queries.BacklogListByMonth)
	return convert.Each(rows, func(row db.BacklogListByMonthRow) MonthCount {
		return MonthCount{row.Month, row.CountPendingTotal}
	}), err
}

// SkipCounts counts the skips for one reason.
type SkipCounts struct {
	Reason string
	Skips  int32 // of any URL, ended ones included
	URLs   int32 // on the list of administrators: still offered, and skipped by several people for this reason
}

// SkipsByReason returns every reason once, including those without skips.
func (s *Service) SkipsByReason(ctx context.Context) ([]SkipCounts, error) {
	rows, err := counted(ctx, s, "count skips by reason", queries.SkipCountByReason)
	return convert.Each(rows, func(row db.SkipCountByReasonRow) SkipCounts {
		return SkipCounts{Reason: string(row.Reason), Skips: row.Skips, URLs: row.Urls}
	}), err
}
