package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/db"
)

const (
	// silentFor is how long a task in process may go without an update.
	silentFor = time.Hour
	// afterLimit is the time that a run has, after its limit, to store its end.
	afterLimit = 5 * time.Minute
	// keepTasks is how long tasks are kept after their last update.
	keepTasks = 7 * 24 * time.Hour
)

// MarkNeverCompleted gives tasks in process that have not been updated for an hour the status never-completed: their process has
// died.
//
// A run of Docket updates its task only when it ends, and may take longer than an hour. Package jobs cancels it after the time
// limit of its job, so it is dead once that limit, and some minutes to store its end, are over. limits has the time limit of each
// job. For a job that is not in it, as one of another version of Docket, the longest limit counts.
func (s *Service) MarkNeverCompleted(ctx context.Context, limits map[string]time.Duration) (string, error) {
	params := db.TaskUpdateManyNeverCompletedParams{OlderSeconds: silentFor.Seconds()}
	for job, limit := range limits {
		seconds := (limit + afterLimit).Seconds()
		params.Jobs = append(params.Jobs, job)
		params.AllowedSeconds = append(params.AllowedSeconds, seconds)
		params.LongestSeconds = max(params.LongestSeconds, seconds)
	}
	ended, err := queries.TaskUpdateManyNeverCompleted(ctx, s.pool, params)
	if err != nil {
		return "", fmt.Errorf("mark tasks: %w", err)
	}
	return counted(ended, "task") + " never completed", nil
}

// CleanUpTasks deletes tasks that have not been updated for 7 days, with their links to URLs and their errors. Tasks that searches
// of robots are part of stay, because the suggestions of the searches would be deleted with them.
func (s *Service) CleanUpTasks(ctx context.Context, _ int32) (string, error) {
	next := ofIDs(func(after int32) ([]int32, error) {
		return queries.TaskListOld(ctx, s.pool, db.TaskListOldParams{After: after, OlderSeconds: keepTasks.Seconds(), Most: listTogether})
	})
	deleted, err := inParts(ctx, s, next, func(tx pgx.Tx, part []int32) (int64, error) {
		if err := queries.TaskLockMany(ctx, tx, part); err != nil {
			return 0, err
		}
		return queries.TaskDeleteManyOld(ctx, tx, db.TaskDeleteManyOldParams{TaskIDs: part, OlderSeconds: keepTasks.Seconds()})
	})
	if err != nil {
		return "", fmt.Errorf("delete tasks after %s: %w", counted(deleted, "task"), err)
	}
	return counted(deleted, "task") + " deleted", nil
}
