package api

import (
	"context"

	"docket/internal/convert"
	"docket/internal/tasks"
)

// taskHandlers serve the history of tasks, and start jobs.
type taskHandlers struct {
	history *tasks.History
	control *tasks.Control
}

func (h taskHandlers) TaskList(ctx context.Context, req TaskListRequestObject) (TaskListResponseObject, error) {
	filter := tasks.Filter{Type: tasks.Type(orZero(req.Params.TaskType)), Status: tasks.Status(orZero(req.Params.TaskStatus))}
	page, err := h.history.List(ctx, filter, pageFrom(req.Params.Page))
	if err != nil {
		return nil, err
	}
	return TaskList200JSONResponse{Tasks: convert.Each(page, func(task tasks.Task) TaskSummary {
		return TaskSummary{
			TaskID:        task.ID,
			Type:          TaskType(task.Type),
			Status:        TaskStatus(task.Status),
			URLCount:      task.URLs,
			URLErrorCount: task.URLErrors,
			UpdatedAt:     timestampFrom(task.UpdatedAt),
		}
	})}, nil
}

func (h taskHandlers) TaskRunning(ctx context.Context, _ TaskRunningRequestObject) (TaskRunningResponseObject, error) {
	running, err := h.history.Running(ctx)
	if err != nil {
		return nil, err
	}
	return TaskRunning200JSONResponse{Status: string(running)}, nil
}

func (h taskHandlers) TaskGet(ctx context.Context, req TaskGetRequestObject) (TaskGetResponseObject, error) {
	details, err := h.history.Details(ctx, req.TaskID, pageFrom(req.Params.Page))
	if err != nil {
		return nil, err
	}
	response := TaskGet200JSONResponse{
		TaskType:   TaskType(details.Type),
		TaskStatus: TaskStatus(details.Status),
		UpdatedAt:  timestampFrom(details.UpdatedAt),
		Urls: convert.Each(details.URLPage, func(u tasks.URL) TaskURL {
			return TaskURL{
				ID:                u.ID,
				BatchID:           u.BatchID,
				URL:               u.URL,
				CollectorMetadata: metadataFrom(u.CollectorMetadata),
				UpdatedAt:         timestampOrNull(u.UpdatedAt),
			}
		}),
		URLErrors: convert.Each(details.URLErrorPage, func(e tasks.StoredURLError) TaskURLError {
			return TaskURLError{TaskID: req.TaskID, URLID: e.URLID, Error: e.Error, UpdatedAt: timestampFrom(e.At)}
		}),
	}
	if details.Error != "" {
		response.ErrorInfo = &details.Error
	}
	return response, nil
}

func (h taskHandlers) TaskRun(ctx context.Context, req TaskRunRequestObject) (TaskRunResponseObject, error) {
	started, err := h.control.RunNow(ctx, tasks.Type(req.TaskType))
	if err != nil {
		return nil, err
	}
	return TaskRun202JSONResponse{TaskType: TaskType(req.TaskType), Jobs: convert.Each(started, func(s tasks.Start) StartedJob {
		return StartedJob{Job: s.Job, State: StartedJobState(s.State)}
	})}, nil
}
