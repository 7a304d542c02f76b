package tasks_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/convert"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/tasks"
	"docket/internal/unknown"
)

type bundle struct {
	pool    *postgres.Pool
	history *tasks.History
}

func setup(t *testing.T) bundle {
	t.Helper()
	pool := dbtest.New(t)
	return bundle{pool, tasks.NewHistory(pool)}
}

// begin stores a task that begins, and returns its id.
func (b bundle) begin(t *testing.T, taskType tasks.Type, job string) int32 {
	t.Helper()
	id, err := tasks.Begin(t.Context(), b.pool, taskType, job, new(int64(1)))
	require.NoError(t, err)
	return id
}

// get returns a task that exists.
func (b bundle) get(t *testing.T, id int32) tasks.Task {
	t.Helper()
	task, err := b.history.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, id, task.ID)
	return task
}

// A run is in process until it ends, and how it has ended first is what stays.
func TestRunIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	job := int64(1) << 40
	id, err := tasks.Begin(t.Context(), b.pool, tasks.AutoValidate, "auto_validate", &job)
	require.NoError(t, err)
	began := b.get(t, id)
	require.Equal(t, tasks.InProcess, began.Status)
	require.Equal(t, tasks.AutoValidate, began.Type)
	require.Equal(t, "auto_validate", began.Run.Job)
	require.Equal(t, job, *began.Run.JobID)
	require.Nil(t, began.Run.FinishedAt)

	require.NoError(t, tasks.Finish(t.Context(), b.pool, id, "2 URLs validated"))
	require.NoError(t, tasks.Fail(t.Context(), b.pool, id, "too late"))
	ended := b.get(t, id)
	require.Equal(t, tasks.Complete, ended.Status)
	require.Equal(t, "2 URLs validated", ended.Run.Result)
	require.NotNil(t, ended.Run.FinishedAt)
	require.Empty(t, ended.Error)

	failing := b.begin(t, tasks.AutoName, "auto_name")
	require.NoError(t, tasks.Fail(t.Context(), b.pool, failing, "the database has no space left"))
	require.NoError(t, tasks.Finish(t.Context(), b.pool, failing, "too late"))
	failed := b.get(t, failing)
	require.Equal(t, tasks.Failed, failed.Status)
	require.Equal(t, "the database has no space left", failed.Error)
	require.Empty(t, failed.Run.Result)
	require.NotNil(t, failed.Run.FinishedAt)
}

func TestUnknownTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.history.Get(t.Context(), 77)
	require.Equal(t, unknown.New(unknown.Task, int32(77)), err)
	urls, err := b.history.URLs(t.Context(), 77, 1)
	require.NoError(t, err)
	require.Empty(t, urls)
}

// Lists are by id, the newest first or last, in pages, of a type and a status. A task of another program has no run.
func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	empty, err := b.history.List(t.Context(), tasks.Filter{}, 1)
	require.NoError(t, err)
	require.Empty(t, empty)
	dbtest.Exec(t, b.pool, `INSERT INTO tasks (task_type, task_status)
		SELECT CASE WHEN n % 10 = 0 THEN 'HTML' ELSE 'Auto Validate' END::task_type,
			(ARRAY['complete', 'error', 'in-process', 'aborted', 'never-completed'])[n % 5 + 1]::task_status_enum
		FROM generate_series(1, 250) n`)
	ids := func(list []tasks.Task, err error) []int32 {
		require.NoError(t, err)
		return convert.Each(list, func(task tasks.Task) int32 { return task.ID })
	}
	list := func(filter tasks.Filter, page int32) []int32 { return ids(b.history.List(t.Context(), filter, page)) }
	newest := func(filter tasks.Filter, most int32) []int32 { return ids(b.history.Newest(t.Context(), filter, most)) }

	first := list(tasks.Filter{}, 1)
	require.Len(t, first, 100)
	require.Equal(t, []int32{1, 2}, first[:2])
	require.Equal(t, int32(201), list(tasks.Filter{}, 3)[0])
	require.Empty(t, list(tasks.Filter{}, 4))
	require.Equal(t, []int32{250, 249, 248}, newest(tasks.Filter{}, 3))
	require.Equal(t, []int32{10, 20}, list(tasks.Filter{Type: "HTML"}, 1)[:2])
	require.Equal(t, []int32{248, 243}, newest(tasks.Filter{Status: tasks.Aborted}, 2))
	require.Equal(t, []int32{250, 240}, newest(tasks.Filter{Type: "HTML", Status: tasks.Complete}, 2))
	require.Empty(t, list(tasks.Filter{Type: "HTML", Status: tasks.Failed}, 1))
	require.Nil(t, b.get(t, 250).Run)
}

func TestFilterNamesWhatIsUnknown(t *testing.T) {
	t.Parallel()
	require.NoError(t, tasks.Filter{}.Valid())
	require.NoError(t, tasks.Filter{Type: tasks.SyncFollows, Status: tasks.NeverCompleted}.Valid())
	require.EqualError(t, tasks.Filter{Type: "Tea"}.Valid(), `no task has the type "Tea"`)
	require.EqualError(t, tasks.Filter{Type: tasks.Idle}.Valid(), `no task has the type "Idle"`)
	require.EqualError(t, tasks.Filter{Status: "ready to label"}.Valid(), `"ready to label" is no status of a task; `+
		`one of these is: complete, in-process, error, aborted, never-completed`)
}

// Each task has its own URLs and errors. An error about a URL is stored until a later task of the type has one about it.
func TestURLsAndErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `INSERT INTO urls (url, source, collector_metadata)
		SELECT 'u' || n || '.org', 'manual', CASE n WHEN 1 THEN '{"a": 1}' WHEN 2 THEN '[1]' END::json FROM generate_series(1, 150) n;
		INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label');
		INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1)`)
	first, second := b.begin(t, tasks.AutoValidate, "auto_validate"), b.begin(t, tasks.AutoValidate, "auto_validate")
	other := b.begin(t, tasks.AutoName, "auto_name")
	all := make([]int32, 150)
	for i := range all {
		all[i] = int32(150 - i)
	}
	require.NoError(t, tasks.LinkURLs(t.Context(), b.pool, first, all))
	require.NoError(t, tasks.LinkURLs(t.Context(), b.pool, first, all[:2]), "again")
	require.NoError(t, tasks.LinkURLs(t.Context(), b.pool, second, []int32{7}))

	urls, err := b.history.URLs(t.Context(), first, 1)
	require.NoError(t, err)
	require.Len(t, urls, 100)
	require.Equal(t, tasks.URL{ID: 1, BatchID: new(int32(1)), URL: "u1.org", UpdatedAt: urls[0].UpdatedAt,
		CollectorMetadata: []byte(`{"a": 1}`)}, urls[0])
	require.Nil(t, urls[1].CollectorMetadata, "no object")
	require.Nil(t, urls[1].BatchID, "no batch")
	urls, err = b.history.URLs(t.Context(), first, 2)
	require.NoError(t, err)
	require.Len(t, urls, 50)
	require.Equal(t, int32(101), urls[0].ID)

	failed := func(taskID int32, text string, ids ...int32) {
		require.NoError(t, tasks.AddURLErrors(t.Context(), b.pool, taskID,
			convert.Each(ids, func(id int32) tasks.URLError { return tasks.URLError{URLID: id, Error: text} })))
	}
	errorsOf := func(taskID int32) (texts []string) {
		list, err := b.history.URLErrors(t.Context(), taskID, 1)
		require.NoError(t, err)
		for _, e := range list {
			require.False(t, e.At.IsZero())
			texts = append(texts, fmt.Sprint(e.URLID, " ", e.Error))
		}
		require.Equal(t, len(texts), int(b.get(t, taskID).URLErrors))
		return texts
	}
	failed(first, "another type", 9, 7)
	failed(other, "no title", 7)
	require.Equal(t, []string{"7 another type", "9 another type"}, errorsOf(first))
	failed(second, "still another type", 7)
	require.Equal(t, []string{"9 another type"}, errorsOf(first))
	require.Equal(t, []string{"7 still another type"}, errorsOf(second))
	require.Equal(t, []string{"7 no title"}, errorsOf(other), "errors of another type stay")

	list, err := b.history.List(t.Context(), tasks.Filter{}, 1)
	require.NoError(t, err)
	require.Equal(t, []int32{150, 1, 0}, convert.Each(list, func(task tasks.Task) int32 { return task.URLs }))
	require.Equal(t, []int32{1, 1, 1}, convert.Each(list, func(task tasks.Task) int32 { return task.URLErrors }))
}

// Of several tasks in process the one that began last counts.
func TestRunning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	running := func() tasks.Type {
		found, err := b.history.Running(t.Context())
		require.NoError(t, err)
		return found
	}
	require.Equal(t, tasks.Idle, running())
	first := b.begin(t, tasks.RefreshViews, "refresh_views")
	second := b.begin(t, tasks.Cleanup, "task_cleanup")
	require.Equal(t, tasks.Cleanup, running())
	require.NoError(t, tasks.Fail(t.Context(), b.pool, second, "x"))
	require.Equal(t, tasks.RefreshViews, running())
	require.NoError(t, tasks.Finish(t.Context(), b.pool, first, "x"))
	require.Equal(t, tasks.Idle, running())
}

func TestLastRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.begin(t, tasks.AutoValidate, "auto_validate")
	cleanup := b.begin(t, tasks.Cleanup, "task_cleanup")
	last := b.begin(t, tasks.AutoValidate, "auto_validate")
	_, err := tasks.Begin(t.Context(), b.pool, tasks.AutoValidate, "auto_validate", nil)
	require.NoError(t, err, "of no job")
	require.NoError(t, tasks.Finish(t.Context(), b.pool, cleanup, "12 tasks deleted"))
	dbtest.Exec(t, b.pool, "INSERT INTO tasks (task_type, task_status) VALUES ('HTML', 'complete')")
	runs, err := b.history.LastRuns(t.Context())
	require.NoError(t, err)
	require.Len(t, runs, 2)
	require.Equal(t, last, runs["auto_validate"].ID)
	require.Equal(t, "12 tasks deleted", runs["task_cleanup"].Run.Result)
}
