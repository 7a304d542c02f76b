// Package jobs runs what Docket does by itself, on any number of instances: the schedule in task_schedule, the workers of River,
// and the history of package tasks around each run. It does not know how the work is done.
package jobs

import (
	"context"
	"time"

	"docket/internal/tasks"
)

// Job is one kind of periodic work.
type Job struct {
	Name     string        // River's kind, and the key of task_schedule, such as auto_validate
	Type     tasks.Type    // in the history
	Flag     string        // the environment variable that disables the job with 0, such as URL_AUTO_VALIDATE_TASK_FLAG
	Disabled bool          // this process does not schedule the job; it works what another process or an operator has inserted
	Interval time.Duration // from one start to the next
	Timeout  time.Duration // longest time of one run

	// Work does one run for a task that has begun, and returns what it did, in words. A run that was interrupted or failed is
	// repeated, so Work must be able to begin again after any of its transactions.
	Work func(ctx context.Context, taskID int32) (result string, err error)
}
