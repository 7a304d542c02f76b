package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
	"docket/internal/ranking"
)

// keepLogs is how long logs of batches are kept.
const keepLogs = 7 * 24 * time.Hour

// DeleteOldLogs deletes logs of batches that are older than 7 days.
func (s *Service) DeleteOldLogs(ctx context.Context, _ int32) (string, error) {
	next := ofIDs(func(after int32) ([]int32, error) {
		return queries.LogListOld(ctx, s.pool, db.LogListOldParams{After: after, OlderSeconds: keepLogs.Seconds(), Most: listTogether})
	})
	deleted, err := inParts(ctx, s, next, func(tx pgx.Tx, part []int32) (int64, error) {
		return queries.LogDeleteMany(ctx, tx, part)
	})
	if err != nil {
		return "", fmt.Errorf("delete logs after %s: %w", counted(deleted, "log"), err)
	}
	return counted(deleted, "log") + " deleted", nil
}

// DeleteStaleScreenshots deletes the screenshots of validated URLs, which annotators are not shown any more. The status of a
// validated URL does not depend on its screenshot, so no status changes.
func (s *Service) DeleteStaleScreenshots(ctx context.Context, _ int32) (string, error) {
	next := ranking.OfURLs(ctx, s.pool, listTogether, func(after, upto int32) ([]int32, error) {
		return queries.StaleScreenshotList(ctx, s.pool, db.StaleScreenshotListParams{After: after, Upto: upto})
	})
	deleted, err := inParts(ctx, s, next, func(tx pgx.Tx, part []int32) (int64, error) {
		// The deletion of a URL deletes its screenshot: the order of locks that ranking.Recount describes.
		if err := queries.URLKeyLockMany(ctx, tx, part); err != nil {
			return 0, err
		}
		return queries.StaleScreenshotDeleteMany(ctx, tx, part)
	})
	if err != nil {
		return "", fmt.Errorf("delete screenshots after %s: %w", counted(deleted, "screenshot"), err)
	}
	return counted(deleted, "screenshot") + " deleted", nil
}
