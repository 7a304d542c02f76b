package submissions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/changelog"
	"docket/internal/db"
	"docket/internal/history"
	"docket/internal/page"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/urlform"
)

// URL is a URL as stored, with the tasks that failed on it.
type URL struct {
	ID                int32
	BatchID           *int32
	URL               string // with its scheme and trailing slash, if known
	Status            string // as in url_status_view
	CollectorMetadata []byte // a JSON object, or nil
	CreatedAt         time.Time
	UpdatedAt         *time.Time
	Errors            []TaskError // by task type
}

// TaskError is the error of a task that failed on a URL.
type TaskError struct {
	Task string // a value of task_type
	Text string
	At   time.Time
}

// URLFilter narrows a list of URLs. All conditions must hold.
type URLFilter struct {
	WithErrors bool    // with a task error
	Skipped    *string // often skipped for this reason, a value of skip_reason, and still offered to annotators
}

// URLs returns a page of all URLs by id, or of those that match the filter. Pages are counted from 1.
func (s *Service) URLs(ctx context.Context, number int32, filter URLFilter) ([]URL, error) {
	rows, err := queries.URLListPage(ctx, s.pool, db.URLListPageParams{
		WithErrors: filter.WithErrors, Skipped: (*db.SkipReason)(filter.Skipped), Skip: page.Offset(number, page.Size),
	})
	if err != nil {
		return nil, fmt.Errorf("list URLs: %w", err)
	}
	urls := make([]URL, 0, page.Size)
	for _, row := range rows {
		if last := len(urls) - 1; last < 0 || urls[last].ID != row.ID {
			urls = append(urls, URL{
				ID:                row.ID,
				BatchID:           row.BatchID,
				URL:               urlform.Full(row.Scheme, row.URL, row.TrailingSlash),
				Status:            string(row.Status),
				CollectorMetadata: row.CollectorMetadata,
				CreatedAt:         row.CreatedAt,
				UpdatedAt:         row.UpdatedAt,
			})
		}
		if row.TaskType != nil {
			url := &urls[len(urls)-1]
			url.Errors = append(url.Errors, TaskError{Task: string(*row.TaskType), Text: *row.Error, At: *row.FailedAt})
		}
	}
	return urls, nil
}

// Screenshot returns the screenshot of a URL, a WebP image, or ErrNoScreenshot.
func (s *Service) Screenshot(ctx context.Context, urlID int32) ([]byte, error) {
	image, err := queries.URLScreenshotGet(ctx, s.pool, urlID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoScreenshot
	}
	if err != nil {
		return nil, fmt.Errorf("read screenshot of URL %d: %w", urlID, err)
	}
	return image, nil
}

// DeleteURL deletes a URL, if it exists, with everything that is stored about it. A URL that the outward application has is
// marked for deletion there as well. DeleteURL waits for concurrent answers about the URL and deletes them too; later ones fail
// because the URL does not exist.
func (s *Service) DeleteURL(ctx context.Context, id int32) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		// First, because an answer locks the queue row first as well.
		if err := ranking.Forget(ctx, tx, []int32{id}); err != nil {
			return err
		}
		if err := queries.URLOutwardDelete(ctx, tx, id); err != nil {
			return fmt.Errorf("request outward deletion: %w", err)
		}
		if err := s.unlinkURL(ctx, tx, id); err != nil {
			return err
		}
		row, err := queries.URLDelete(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := history.Delete(ctx, tx, id); err != nil {
			return err
		}
		return s.changes.Write(ctx, tx, changelog.New(db.OperationTypeDELETE, changelog.URLs).Add(id, row, nil))
	})
	if err != nil {
		return fmt.Errorf("delete URL %d: %w", id, err)
	}
	return nil
}

// unlinkURL deletes and logs the rows that foreign keys would change without a log entry.
func (s *Service) unlinkURL(ctx context.Context, tx pgx.Tx, id int32) error {
	link, err := queries.URLDataSourceUnlink(ctx, tx, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return fmt.Errorf("unlink the outward data source: %w", err)
	default:
		changes := changelog.New(db.OperationTypeUPDATE, changelog.DataSourceLinks).Add(link.ID, link.OldData, link.NewData)
		if err := s.changes.Write(ctx, tx, changes); err != nil {
			return err
		}
	}
	agencies, err := queries.URLAgencyDelete(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("delete its agencies: %w", err)
	}
	changes := changelog.New(db.OperationTypeDELETE, changelog.URLAgencies)
	for _, link := range agencies {
		changes.Add(link.ID, link.OldData, nil)
	}
	return s.changes.Write(ctx, tx, changes)
}
