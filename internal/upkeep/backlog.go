package upkeep

import (
	"context"
	"fmt"
)

// BacklogSnapshot stores how many URLs are not validated, for GET /metrics/backlog, which shows the last snapshot of each month. A
// repeated run stores another one.
func (s *Service) BacklogSnapshot(ctx context.Context, _ int32) (string, error) {
	pending, err := queries.BacklogSnapshotInsert(ctx, s.pool)
	if err != nil {
		return "", fmt.Errorf("store backlog: %w", err)
	}
	return counted(pending, "URL") + " not validated", nil
}
