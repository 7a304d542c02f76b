// Package tasks owns the history of tasks: the tables tasks, task_runs, task_errors, link_tasks__urls and url_task_error. It does not
// know what the tasks do.
package tasks

import (
	"context"
	"fmt"

	"docket/internal/db"
)

var queries = db.New()

// Type is the type of a task, as clients see it.
type Type string

// The types of the tasks that Docket runs. The service before it has more of them.
const (
	AutoValidate          Type = "Auto Validate"
	AutoName              Type = "Auto Name"
	SuspendURLs           Type = "Suspend URLs"
	BacklogSnapshot       Type = "Populate Backlog Snapshot"
	MarkNeverCompleted    Type = "Mark Task Never Completed"
	Cleanup               Type = "Task Cleanup"
	DeleteOldLogs         Type = "Delete Old Logs"
	DeleteStaleScreenshot Type = "Delete Stale Screenshots"
	RefreshViews          Type = "Refresh Materialized Views"
	IntegrityMonitor      Type = "Integrity Monitor"
	SyncFollows           Type = "Sync User Follows Get"
)

// Begin stores that a run of a job begins, and returns the id of its task. jobID is that of River's job; nil without one.
func Begin(ctx context.Context, on db.DBTX, taskType Type, job string, jobID *int64) (taskID int32, err error) {
	taskID, err = queries.TaskInsert(ctx, on, db.TaskInsertParams{TaskType: db.TaskType(taskType), Job: job, JobID: jobID})
	if err != nil {
		return 0, fmt.Errorf("store the beginning of task %s: %w", taskType, err)
	}
	return taskID, nil
}

// Finish stores that a run has succeeded, with what it did, in words. It does nothing for a task that has ended before.
func Finish(ctx context.Context, on db.DBTX, taskID int32, result string) error {
	return finish(ctx, on, db.TaskFinishParams{TaskID: taskID, Result: &result})
}

// Extend stores what a run that has succeeded has done by now, since it did more. It returns false for a task that is unknown.
func Extend(ctx context.Context, on db.DBTX, taskID int32, result string) (bool, error) {
	extended, err := queries.TaskExtend(ctx, on, db.TaskExtendParams{TaskID: taskID, Result: result})
	if err != nil {
		return false, fmt.Errorf("extend task %d: %w", taskID, err)
	}
	return extended > 0, nil
}

// Fail stores that a run has failed, and why. It does nothing for a task that has ended before.
func Fail(ctx context.Context, on db.DBTX, taskID int32, reason string) error {
	return finish(ctx, on, db.TaskFinishParams{TaskID: taskID, Error: &reason})
}

func finish(ctx context.Context, on db.DBTX, end db.TaskFinishParams) error {
	if _, err := queries.TaskFinish(ctx, on, end); err != nil {
		return fmt.Errorf("store the end of task %d: %w", end.TaskID, err)
	}
	return nil
}

// LinkURLs stores that a run was about URLs.
func LinkURLs(ctx context.Context, on db.DBTX, taskID int32, urlIDs []int32) error {
	if err := queries.TaskURLInsertMany(ctx, on, db.TaskURLInsertManyParams{TaskID: taskID, URLIDs: urlIDs}); err != nil {
		return fmt.Errorf("link URLs to task %d: %w", taskID, err)
	}
	return nil
}

// URLError is why a run could do nothing about a URL.
type URLError struct {
	URLID int32
	Error string
}

// AddURLErrors stores errors about URLs, one for each URL at most, in place of those of earlier runs of the same type. A URL that does
// not exist is left out.
func AddURLErrors(ctx context.Context, on db.DBTX, taskID int32, errors []URLError) error {
	params := db.TaskURLErrorUpsertManyParams{TaskID: taskID}
	for _, e := range errors {
		params.URLIDs = append(params.URLIDs, e.URLID)
		params.Errors = append(params.Errors, e.Error)
	}
	if err := queries.TaskURLErrorUpsertMany(ctx, on, params); err != nil {
		return fmt.Errorf("store errors of task %d: %w", taskID, err)
	}
	return nil
}
