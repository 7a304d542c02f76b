package upkeep

import (
	"context"
	"fmt"

	"docket/internal/dsapp"
	"docket/internal/follows"
	"docket/internal/idempotency"
	"docket/internal/ranking"
	"docket/internal/views"
)

// RefreshViews refreshes the materialized views. A view that another process is refreshing is skipped, which is no failure.
func (s *Service) RefreshViews(ctx context.Context, _ int32) (string, error) {
	refreshed, err := views.Refresh(ctx, s.pool)
	if err != nil {
		return "", err
	}
	outcomes := map[views.Outcome]int{}
	for _, view := range refreshed {
		outcomes[view.Outcome]++
	}
	result := counted(outcomes[views.Done], "view") + " refreshed"
	if busy := outcomes[views.Busy]; busy > 0 {
		result += fmt.Sprintf(", %d refreshed by another process", busy)
	}
	return result, nil
}

// ReconcileQueue repairs the differences of the queue that writers outside Docket have left.
func (s *Service) ReconcileQueue(ctx context.Context, _ int32) (string, error) {
	kinds, total := map[string]int{}, 0
	err := ranking.Reconcile(ctx, s.pool, func(d ranking.Difference) {
		kinds[d.Kind]++
		total++
		s.differences.Add(1)
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("reconcile after %s: %w", counted(total, "repair"), err)
	case total == 0:
		return "no differences", nil
	}
	return counted(total, "difference") + " repaired: " + byKind(kinds), nil
}

// ExpireIdempotencyKeys deletes the expired keys of requests that may be sent again.
func (s *Service) ExpireIdempotencyKeys(ctx context.Context, _ int32) (string, error) {
	deleted, err := idempotency.DeleteExpired(ctx, s.pool)
	if err != nil {
		return "", fmt.Errorf("after %s: %w", counted(deleted, "key"), err)
	}
	return counted(deleted, "key") + " deleted", nil
}

// SyncFollows makes the follows equal to those of the data-sources application.
func (s *Service) SyncFollows(ctx context.Context, from *dsapp.Client) (string, error) {
	result, err := follows.New(s.pool).Sync(ctx, from)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s added, %d removed, %d unchanged", counted(result.Added, "follow"), result.Removed, result.Unchanged), nil
}
