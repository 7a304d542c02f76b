package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"docket/internal/convert"
	"docket/internal/db"
	"docket/internal/page"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// Status is the status of a task, as clients see it.
type Status string

// The statuses of a task.
const (
	InProcess      Status = "in-process" // it runs, or its process was killed
	Complete       Status = "complete"
	Failed         Status = "error"
	Aborted        Status = "aborted"         // Docket never sets it
	NeverCompleted Status = "never-completed" // it was in process for too long
)

// Idle is what Running returns while no task is in process. It is not a type of the database.
const Idle Type = "Idle"

// Task is a task as stored.
type Task struct {
	ID        int32
	Type      Type // a value of task_type, which the database may have more of than Docket knows
	Status    Status
	UpdatedAt time.Time
	Error     string // why it failed; empty unless it did
	Run       *Run   // nil if Docket did not run it
	URLs      int32  // it was about
	URLErrors int32  // about URLs, without those that a later task of the type has replaced
}

// Run is what Docket knows of a run of its own.
type Run struct {
	Job        string
	JobID      *int64 // River's
	StartedAt  time.Time
	FinishedAt *time.Time
	Result     string // what it did, in words; empty until it has succeeded
}

// Filter narrows a list of tasks. Both conditions must hold; an empty one is none.
type Filter struct {
	Type   Type
	Status Status
}

// Valid returns an error that names a type or a status that no task can have.
func (f Filter) Valid() error {
	if f.Type != "" && !db.TaskType(f.Type).Valid() {
		return fmt.Errorf("no task has the type %q", f.Type)
	}
	if f.Status != "" && !db.TaskStatusEnum(f.Status).Valid() {
		return fmt.Errorf("%q is no status of a task; one of these is: %s, %s, %s, %s, %s",
			f.Status, Complete, InProcess, Failed, Aborted, NeverCompleted)
	}
	return nil
}

func (f Filter) taskType() *db.TaskType {
	if f.Type == "" {
		return nil
	}
	return new(db.TaskType(f.Type))
}

func (f Filter) status() *db.TaskStatusEnum {
	if f.Status == "" {
		return nil
	}
	return new(db.TaskStatusEnum(f.Status))
}

// History reads what the tasks have left. It is safe for concurrent use.
type History struct {
	pool *postgres.Pool
}

// NewHistory returns the history in the database of pool, which must be migrated.
func NewHistory(pool *postgres.Pool) *History { return &History{pool: pool} }

// List returns a page of the tasks that meet a valid filter, by id, without their errors and runs. Pages are counted from 1.
func (h *History) List(ctx context.Context, filter Filter, number int32) ([]Task, error) {
	rows, err := queries.TaskListPage(ctx, h.pool, db.TaskListPageParams{
		TaskType: filter.taskType(), TaskStatus: filter.status(), Skip: page.Offset(number, page.Size),
	})
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	return h.counted(ctx, convert.Each(rows, func(row db.Task) Task {
		return Task{ID: row.ID, Type: Type(row.TaskType), Status: Status(row.TaskStatus), UpdatedAt: row.UpdatedAt}
	}))
}

// Newest returns the tasks that meet a valid filter, the last one first, at most so many.
func (h *History) Newest(ctx context.Context, filter Filter, most int32) ([]Task, error) {
	ids, err := queries.TaskListNewest(ctx, h.pool, db.TaskListNewestParams{
		TaskType: filter.taskType(), TaskStatus: filter.status(), Most: most,
	})
	if err != nil {
		return nil, fmt.Errorf("list the newest tasks: %w", err)
	}
	list, err := h.read(ctx, ids)
	if err != nil {
		return nil, err
	}
	slices.Reverse(list)
	return h.counted(ctx, list)
}

// Get returns a task, or an *unknown.Error.
func (h *History) Get(ctx context.Context, id int32) (Task, error) {
	task, err := h.readOne(ctx, id)
	if err != nil {
		return Task{}, err
	}
	found, err := h.counted(ctx, []Task{task})
	if err != nil {
		return Task{}, err
	}
	return found[0], nil
}

// readOne is Get without the numbers of URLs.
func (h *History) readOne(ctx context.Context, id int32) (Task, error) {
	found, err := h.read(ctx, []int32{id})
	if err != nil {
		return Task{}, err
	}
	if len(found) == 0 {
		return Task{}, unknown.New(unknown.Task, id)
	}
	return found[0], nil
}

// read returns the tasks that exist by id, without the numbers of their URLs.
func (h *History) read(ctx context.Context, ids []int32) ([]Task, error) {
	rows, err := queries.TaskGetMany(ctx, h.pool, ids)
	if err != nil {
		return nil, fmt.Errorf("read tasks: %w", err)
	}
	return convert.Each(rows, taskFromRow), nil
}

// counted returns the tasks with their URLs and errors counted.
func (h *History) counted(ctx context.Context, list []Task) ([]Task, error) {
	ids := convert.Each(list, func(task Task) int32 { return task.ID })
	rows, err := queries.TaskURLCountMany(ctx, postgres.WithOwnPlan(h.pool), ids)
	if err != nil {
		return nil, fmt.Errorf("count URLs of tasks: %w", err)
	}
	counts := make(map[int32]db.TaskURLCountManyRow, len(rows))
	for _, row := range rows {
		counts[row.TaskID] = row
	}
	return convert.Each(list, func(task Task) Task {
		task.URLs, task.URLErrors = counts[task.ID].Urls, counts[task.ID].Errors
		return task
	}), nil
}

func taskFromRow(row db.TaskGetManyRow) Task {
	task := Task{ID: row.ID, Type: Type(row.TaskType), Status: Status(row.TaskStatus), UpdatedAt: row.UpdatedAt}
	if row.Error != nil {
		task.Error = *row.Error
	}
	if row.Job != nil {
		task.Run = &Run{Job: *row.Job, JobID: row.JobID, StartedAt: *row.StartedAt, FinishedAt: row.FinishedAt}
		if row.Result != nil {
			task.Run.Result = *row.Result
		}
	}
	return task
}

// URL is a URL that a task was about.
type URL struct {
	ID                int32
	BatchID           *int32
	URL               string // in its id form
	UpdatedAt         *time.Time
	CollectorMetadata []byte // a JSON object, or nil
}

// URLs returns a page of the URLs that a task was about by id, none for an unknown task. Pages are counted from 1.
func (h *History) URLs(ctx context.Context, taskID, number int32) ([]URL, error) {
	rows, err := queries.TaskURLListPage(ctx, h.pool, db.TaskURLListPageParams{TaskID: taskID, Skip: page.Offset(number, page.Size)})
	if err != nil {
		return nil, fmt.Errorf("list URLs of task %d: %w", taskID, err)
	}
	return convert.Each(rows, func(row db.TaskURLListPageRow) URL { return URL(row) }), nil
}

// StoredURLError is the error of a task about a URL.
type StoredURLError struct {
	URLError
	At time.Time
}

// URLErrors returns a page of the errors of a task about URLs by URL id, none for an unknown task. An error is stored until a later
// task of the type has another one about the URL, or the URL is validated. Pages are counted from 1.
func (h *History) URLErrors(ctx context.Context, taskID, number int32) ([]StoredURLError, error) {
	rows, err := queries.TaskURLErrorListPage(ctx, h.pool, db.TaskURLErrorListPageParams{
		TaskID: taskID, Skip: page.Offset(number, page.Size),
	})
	if err != nil {
		return nil, fmt.Errorf("list errors of task %d: %w", taskID, err)
	}
	return convert.Each(rows, func(row db.TaskURLErrorListPageRow) StoredURLError {
		return StoredURLError{URLError{row.URLID, row.Error}, row.CreatedAt}
	}), nil
}

// Details is a task, without the numbers of its URLs, with a page of its URLs and one of its errors about URLs.
type Details struct {
	Task
	URLPage      []URL
	URLErrorPage []StoredURLError
}

// Details returns a task with pages of its URLs and errors, which are counted from 1, or an *unknown.Error.
func (h *History) Details(ctx context.Context, taskID, number int32) (Details, error) {
	task, err := h.readOne(ctx, taskID)
	if err != nil {
		return Details{}, err
	}
	details := Details{Task: task}
	if details.URLPage, err = h.URLs(ctx, taskID, number); err != nil {
		return Details{}, err
	}
	if details.URLErrorPage, err = h.URLErrors(ctx, taskID, number); err != nil {
		return Details{}, err
	}
	return details, nil
}

// Running returns the type of the task in process that began last, and Idle if none is in process.
func (h *History) Running(ctx context.Context) (Type, error) {
	running, err := queries.TaskGetRunning(ctx, h.pool)
	if errors.Is(err, pgx.ErrNoRows) {
		return Idle, nil
	}
	if err != nil {
		return "", fmt.Errorf("read the task in process: %w", err)
	}
	return Type(running), nil
}

// LastRuns returns the last task of each job that has run, by the name of the job, without the numbers of its URLs.
func (h *History) LastRuns(ctx context.Context) (map[string]Task, error) {
	rows, err := queries.TaskRunListLast(ctx, h.pool)
	if err != nil {
		return nil, fmt.Errorf("find the last runs: %w", err)
	}
	list, err := h.read(ctx, convert.Each(rows, func(row db.TaskRunListLastRow) int32 { return row.TaskID }))
	if err != nil {
		return nil, err
	}
	last := make(map[string]Task, len(list))
	for _, task := range list {
		last[task.Run.Job] = task
	}
	return last, nil
}
