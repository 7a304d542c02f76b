package progress

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

// URLCounts counts the URLs of batches. Pending ones are those not validated, whatever their status.
type URLCounts struct {
	Total, Pending, Validated int32
	Rejected                  int32 // validated as not relevant
	Submitted                 int32 // with an outward data-source link
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

// BatchesByStrategy returns every strategy once, also those that no batch has.
func (s *Service) BatchesByStrategy(ctx context.Context) ([]StrategyCounts, error) {
	rows, err := counted(ctx, s, "count batches by strategy", queries.BatchCountByStrategy)
	return converted(rows, func(row db.BatchCountByStrategyRow) StrategyCounts {
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

// batchPage is how many batches a page has.
const batchPage = 100

// Batches returns a page, from 1, of all batches: the oldest first, then by id.
func (s *Service) Batches(ctx context.Context, page int32) ([]Batch, error) {
	rows, err := counted(ctx, s, "count URLs by batch", func(ctx context.Context, conn db.DBTX) ([]db.BatchBreakdownListRow, error) {
		return queries.BatchBreakdownList(ctx, conn, db.BatchBreakdownListParams{
			PageSize: batchPage, Skip: int64(page-1) * batchPage,
		})
	})
	return converted(rows, func(row db.BatchBreakdownListRow) Batch {
		return Batch{
			ID: row.ID, Strategy: string(row.Strategy), Status: string(row.Status), CreatedAt: row.DateGenerated,
			URLs: urlCounts(row.Urls, row.Validated, row.Rejected, row.Submitted, row.Errors),
		}
	}), err
}

// URLSummary counts all URLs. The maps hold only what occurs.
type URLSummary struct {
	Total         int32
	ByStatus      map[string]int32 // where they are on their way from Intake to Submitted
	ByType        map[string]int32 // the validated ones
	ByRecordType  map[string]int32 // those whose record type was agreed on
	OldestPending *PendingURL      // nil when every URL is validated
}

// PendingURL is a URL that is not validated.
type PendingURL struct {
	ID        int32
	CreatedAt time.Time
}

// URLs counts all URLs. Statuses and types are of one moment, the two other parts each of another.
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

// PendingCounts counts URLs that can be annotated and are not validated, suspended ones included, by what users said of them.
type PendingCounts struct {
	All, URLType, RecordType, Agency int32
	ByKinds                          [4]int32 // by how many of these three things were said
}

// What users said of a URL, as PendingURLCountByMonth adds it up.
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

// PendingMonth is what came in in one month, which begins at Month.
type PendingMonth struct {
	Month time.Time
	PendingCounts
}

// PendingByMonth returns the months in which URLs came in that are pending now, the oldest first.
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

// SubmittedByMonth returns the months in which URLs were submitted outward as data sources, the oldest first. URLs deleted since
// then count too.
func (s *Service) SubmittedByMonth(ctx context.Context) ([]MonthCount, error) {
	rows, err := counted(ctx, s, "count submitted URLs", queries.SubmittedURLCountByMonth)
	return converted(rows, func(row db.SubmittedURLCountByMonthRow) MonthCount {
		return MonthCount{row.Month, row.Urls}
	}), err
}

// Backlog returns how many URLs waited at the last snapshot of each month that has one, the oldest month first.
func (s *Service) Backlog(ctx context.Context) ([]MonthCount, error) {
	rows, err := counted(ctx, s, "read the backlog", queries.BacklogListByMonth)
	return converted(rows, func(row db.BacklogListByMonthRow) MonthCount {
		return MonthCount{row.Month, row.CountPendingTotal}
	}), err
}
