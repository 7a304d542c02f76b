package submissions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/idempotency"
	"docket/internal/page"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// Batch is a set of URLs that were collected or entered together.
type Batch struct {
	ID            int32
	Strategy      string // a value of batch_strategy, which the database may have more of than Docket knows
	Status        string // a value of batch_status
	UserID        *int32
	Parameters    []byte   // a JSON object, or nil
	ComputeTime   *float64 // seconds
	DateGenerated time.Time
	URLs          BatchURLCounts
}

// BatchURLCounts counts the URLs of a batch.
type BatchURLCounts struct {
	Total       int32
	Pending     int32 // not validated
	NotRelevant int32 // validated as not relevant
	Submitted   int32 // to the outward application, as data sources
	Errored     int32 // a task failed on them
}

// BatchFilter narrows a list of batches. Both conditions must hold; nil means no condition.
type BatchFilter struct {
	Strategy  *string // a value of batch_strategy
	URLStatus *string // "Error", "No URLs", "Labeling Complete" or "Has Unlabeled URLs"
}

// Batches returns a page of the batches that meet a filter, by id. Pages are counted from 1.
func (s *Service) Batches(ctx context.Context, filter BatchFilter, number int32) ([]Batch, error) {
	rows, err := queries.BatchListPage(ctx, s.pool, db.BatchListPageParams{
		Strategy: (*db.BatchStrategy)(filter.Strategy), URLStatus: filter.URLStatus, Skip: page.Offset(number, page.Size),
	})
	if err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	return s.counted(ctx, convert.Each(rows, func(row db.BatchListPageRow) Batch { return batchFromRow(db.BatchGetRow(row)) }))
}

// Batch returns a batch, or an *unknown.Error.
func (s *Service) Batch(ctx context.Context, id int32) (Batch, error) {
	row, err := queries.BatchGet(ctx, s.pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Batch{}, unknown.New(unknown.Batch, id)
	}
	if err != nil {
		return Batch{}, fmt.Errorf("read batch %d: %w", id, err)
	}
	batches, err := s.counted(ctx, []Batch{batchFromRow(row)})
	if err != nil {
		return Batch{}, err
	}
	return batches[0], nil
}

// counted returns the batches with their URLs counted.
func (s *Service) counted(ctx context.Context, batches []Batch) ([]Batch, error) {
	ids := convert.Each(batches, func(batch Batch) int32 { return batch.ID })
	rows, err := queries.BatchURLCountMany(ctx, postgres.WithOwnPlan(s.pool), ids)
	if err != nil {
		return nil, fmt.Errorf("count URLs of batches: %w", err)
	}
	counts := make(map[int32]BatchURLCounts, len(rows))
	for _, row := range rows {
		counts[row.BatchID] = BatchURLCounts{
			Total: row.Total, Pending: row.Pending,
			NotRelevant: row.NotRelevant, Submitted: row.Submitted, Errored: row.Errored,
		}
	}
	return convert.Each(batches, func(batch Batch) Batch {
		batch.URLs = counts[batch.ID]
		return batch
	}), nil
}

func batchFromRow(row db.BatchGetRow) Batch {
	return Batch{
		ID:            row.ID,
		Strategy:      string(row.Strategy),
		Status:        string(row.Status),
		UserID:        row.UserID,
		Parameters:    row.Parameters,
		ComputeTime:   row.ComputeTime,
		DateGenerated: row.DateGenerated,
	}
}

// BatchURL is a URL of a batch, as it is stored.
type BatchURL struct {
	ID                int32
	URL               string // in its id form
	Status            string // as in url_status_view
	Source            string // a value of url_source
	Name              *string
	CollectorMetadata []byte // a JSON object, or nil
	CreatedAt         time.Time
	UpdatedAt         *time.Time
}

// BatchURLs returns a page of the URLs of a batch by id, none for an unknown batch. Pages are counted from 1.
func (s *Service) BatchURLs(ctx context.Context, batchID, number int32) ([]BatchURL, error) {
	rows, err := queries.BatchURLListPage(ctx, s.pool, db.BatchURLListPageParams{
		BatchID: batchID, Skip: page.Offset(number, page.Size),
	})
	if err != nil {
		return nil, fmt.Errorf("list URLs of batch %d: %w", batchID, err)
	}
	return convert.Each(rows, func(row db.BatchURLListPageRow) BatchURL {
		return BatchURL{
			ID: row.ID, URL: row.URL, Status: string(row.Status), Source: string(row.Source), Name: row.Name,
			CollectorMetadata: row.CollectorMetadata, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		}
	}), nil
}

// BatchDuplicate is a URL that the collector of a batch found and that was in a batch already.
type BatchDuplicate struct {
	OriginalURLID      int32
	URL                string // in its id form
	OriginalBatchID    int32
	Parameters         []byte // of the batch: a JSON object, or nil
	OriginalParameters []byte // of the other batch
}

// BatchDuplicates returns a page of the duplicates of a batch by URL id, each as often as it was found; none for an unknown
// batch. Pages are counted from 1.
func (s *Service) BatchDuplicates(ctx context.Context, batchID, number int32) ([]BatchDuplicate, error) {
	rows, err := queries.BatchDuplicateListPage(ctx, s.pool, db.BatchDuplicateListPageParams{
		BatchID: batchID, Skip: page.Offset(number, page.Size),
	})
	if err != nil {
		return nil, fmt.Errorf("list duplicates of batch %d: %w", batchID, err)
	}
	return convert.Each(rows, func(row db.BatchDuplicateListPageRow) BatchDuplicate {
		return BatchDuplicate{
			OriginalURLID: row.OriginalURLID, URL: row.SourceURL, OriginalBatchID: row.OriginalBatchID,
			Parameters: row.Parameters, OriginalParameters: row.OriginalParameters,
		}
	}), nil
}

// BatchLog is an entry that the collector of a batch logged.
type BatchLog struct {
	ID   int32
	Text string
	At   time.Time
}

// BatchLogs returns the log of the collector of a batch by time, empty for an unknown batch.
func (s *Service) BatchLogs(ctx context.Context, batchID int32) ([]BatchLog, error) {
	rows, err := queries.BatchLogList(ctx, s.pool, batchID)
	if err != nil {
		return nil, fmt.Errorf("list logs of batch %d: %w", batchID, err)
	}
	return convert.Each(rows, func(row db.BatchLogListRow) BatchLog {
		return BatchLog{ID: row.ID, Text: row.Log, At: row.CreatedAt}
	}), nil
}

// AbortBatch marks a batch that is in process as aborted. Errors: *unknown.Error and ErrNotInProcess.
func (s *Service) AbortBatch(ctx context.Context, id int32) error {
	err := idempotency.OnceDo(ctx, s.pool, func(tx pgx.Tx) error {
		aborted, err := queries.BatchAbort(ctx, tx, id)
		if err != nil || aborted > 0 {
			return err
		}
		_, err = queries.BatchGet(ctx, tx, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return unknown.New(unknown.Batch, id)
		case err == nil:
			return ErrNotInProcess
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("abort batch %d: %w", id, err)
	}
	return nil
}
