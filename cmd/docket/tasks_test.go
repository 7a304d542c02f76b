package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/convert"
	"docket/internal/dbtest"
	"docket/internal/tasks"
)

func TestTasksAreListed(t *testing.T) {
	t.Parallel()
	url, exec := migrated(t)
	require.Equal(t, "no tasks\n", succeed(t, "tasks", "--database-url", url))
	exec(`INSERT INTO urls (url, source) SELECT 'u' || n || '.org', 'manual' FROM generate_series(1, 101) n;
		INSERT INTO tasks (task_type, task_status, updated_at) VALUES ('HTML', 'complete', '2026-11-30 12:00:00'),
			('Auto Validate', 'complete', '2026-12-01 08:00:01.2'), ('Integrity Monitor', 'error', '2026-12-01 08:00:03');
		INSERT INTO task_runs (task_id, job, job_id, started_at, finished_at, result) VALUES
			(2, 'auto_validate', 7, '2026-12-01 08:00:00', '2026-12-01 08:00:01.2', '101 URLs validated'),
			(3, 'reconcile_queue', 8, '2026-12-01 08:00:02', '2026-12-01 08:00:03', NULL);
		INSERT INTO task_errors (task_id, error) VALUES (3, E'no space left\non the device');
		INSERT INTO link_tasks__urls (task_id, url_id) SELECT 2, id FROM urls;
		INSERT INTO url_task_error (url_id, task_id, task_type, error) VALUES (5, 2, 'Auto Validate', 'another record type')`)
	require.Equal(t, strings.TrimLeft(`
ID  TYPE               JOB              STATUS    STARTED              TOOK  URLS  ERRORS  RESULT
3   Integrity Monitor  reconcile_queue  error     2026-12-01 08:00:02  1s    0     0       no space left on the device
2   Auto Validate      auto_validate    complete  2026-12-01 08:00:00  1.2s  101   1       101 URLs validated
1   HTML               -                complete  -                    -     0     0       -
`, "\n"), succeed(t, "tasks", "--database-url", url))

	ids := func(args ...string) (ids []int32) {
		for line := range strings.Lines(succeed(t, append(args, "--json", "--database-url", url)...)) {
			var task shownTask
			require.NoError(t, json.Unmarshal([]byte(line), &task))
			ids = append(ids, task.ID)
		}
		return ids
	}
	require.Equal(t, []int32{3, 2}, ids("tasks", "--limit", "2"))
	require.Equal(t, []int32{2}, ids("tasks", "--type", "Auto Validate", "--status", "complete"))
	for flag, text := range map[string]string{
		"--type=Tea":    `no task has the type "Tea"`,
		"--status=late": `"late" is no status of a task; one of these is: complete, in-process, error, aborted, never-completed`,
	} {
		status, _, stderr := docket(t, "tasks", flag, "--database-url", url)
		require.Equal(t, exitFailure, status)
		require.Contains(t, stderr, text)
	}

	shown := succeed(t, "tasks", "show", "2", "--database-url", url)
	require.True(t, strings.HasPrefix(shown, strings.TrimLeft(`
task               2
type               Auto Validate
status             complete
job                auto_validate
started            2026-12-01 08:00:00
took               1.2s
URLs               101
errors about URLs  1
result:
  101 URLs validated
URLs:
         1  u1.org
`, "\n")), shown)
	require.True(t, strings.HasSuffix(shown, strings.TrimLeft(`
       100  u100.org
errors about URLs:
         5  another record type
page 1 of 2; --page 2 shows the next
`, "\n")), shown)
	require.Contains(t, succeed(t, "tasks", "show", "2", "--page", "2", "--database-url", url), "URLs:\n       101  u101.org\n")
	require.Contains(t, succeed(t, "tasks", "show", "3", "--database-url", url), "error:\n  no space left\n  on the device\n")
	var details shownDetails
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "tasks", "show", "2", "--json", "--database-url", url)), &details))
	require.Len(t, details.URLPage, 100)
	require.Equal(t, "another record type", details.URLErrorPage[0].Error)
	status, _, stderr := docket(t, "tasks", "show", "4", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "task not found: 4")
}

func TestTasksSchedule(t *testing.T) {
	url, exec := migrated(t)
	t.Setenv("URL_AUTO_NAME_TASK_FLAG", "0")
	t.Setenv("DOCKET_VIEWS_INTERVAL", "90m")
	exec(`INSERT INTO task_schedule (job, next_run_at) VALUES
			('auto_name', '2026-12-01 09:00:00'), ('refresh_views', '2026-12-01 10:00:00');
		INSERT INTO tasks (task_type, task_status) VALUES ('Auto Name', 'error');
		INSERT INTO task_runs (task_id, job, job_id, started_at) VALUES (1, 'auto_name', 1, '2026-12-01 08:00:02')`)
	table := succeed(t, "tasks", "schedule", "--database-url", url)
	require.Regexp(t, `(?m)^JOB +TYPE +EVERY +ENABLED +LAST RUN +STATUS +NEXT RUN\n`, table)
	require.Regexp(t, `(?m)^auto_name +Auto Name +1h +no +2026-12-01 08:00:02 +error +-$`, table)
	require.Regexp(t, `(?m)^refresh_views +Refresh Materialized Views +1h30m +yes +never +- +2026-12-01 10:00:00$`, table)
	require.True(t, strings.HasSuffix(table, "\nauto_name is not enabled: URL_AUTO_NAME_TASK_FLAG is 0\n"+
		"sync_follows is not enabled: --data-sources-app-url, or DOCKET_DATA_SOURCES_APP_URL, is not set\n"), table)
	require.Regexp(t, `(?m)^task_cleanup +Task Cleanup +24h +yes +never +- +-$`, table)

	list := strings.Split(strings.TrimSpace(succeed(t, "tasks", "schedule", "--json", "--database-url", url)), "\n")
	jobs := map[string]shownJob{}
	for _, line := range list {
		var job shownJob
		require.NoError(t, json.Unmarshal([]byte(line), &job))
		jobs[job.Job] = job
	}
	require.Equal(t, int32(1), jobs["auto_name"].LastTask.ID)
	require.False(t, jobs["auto_name"].Enabled)
	require.Equal(t, 5400.0, jobs["refresh_views"].IntervalSeconds)

	t.Setenv("RUN_URL_TASKS_TASK_FLAG", "false")
	require.Contains(t, succeed(t, "tasks", "schedule", "--database-url", url),
		"\nauto_validate is not enabled: RUN_URL_TASKS_TASK_FLAG is false\n")
	t.Setenv("SCHEDULED_TASKS_FLAG", "0")
	table = succeed(t, "tasks", "schedule", "--database-url", url)
	require.NotContains(t, table, " yes ")
	require.Contains(t, table, "\nrefresh_views is not enabled: SCHEDULED_TASKS_FLAG is 0\n")
}

func TestTasksRunRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	url, _ := migrated(t)
	status, _, stderr := docket(t, "tasks", "run", "HTML", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, `no job has the type "HTML"; the types with jobs are Auto Name, Auto Validate, `)
	status, _, stderr = docket(t, "tasks", "run", "reconcile_queue", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, `reconcile_queue is a job of type "Integrity Monitor": docket tasks run "Integrity Monitor"`)
}

// endedJobs are two jobs of a type whose runs have ended when they are started: the first one has failed.
type endedJobs struct{}

func (endedJobs) Types() []tasks.Type { return []tasks.Type{tasks.Cleanup} }

func (endedJobs) RunNow(ctx context.Context, tx pgx.Tx, taskType tasks.Type) (started []tasks.Start, err error) {
	failed, succeeded := int64(7), int64(8)
	first, err := tasks.Begin(ctx, tx, taskType, "failing", &failed)
	if err != nil {
		return nil, err
	}
	second, err := tasks.Begin(ctx, tx, taskType, "succeeding", &succeeded)
	if err != nil {
		return nil, err
	}
	return []tasks.Start{
		{Job: "failing", State: tasks.AlreadyRunning, JobID: failed}, {Job: "succeeding", State: tasks.Started, JobID: succeeded},
	}, errors.Join(tasks.Fail(ctx, tx, first, "no luck"), tasks.Finish(ctx, tx, second, "done"))
}

// A failed run does not keep the command from waiting for the others, and makes it fail.
func TestTasksRunWaits(t *testing.T) {
	t.Parallel()
	control := tasks.NewControl(dbtest.New(t), endedJobs{})
	printed := func(asJSON, wait bool) (string, error) {
		started, err := control.RunNow(t.Context(), tasks.Cleanup)
		require.NoError(t, err)
		var out strings.Builder
		err = startOutput{out: &out, errs: io.Discard, json: asJSON}.print(t.Context(), control, started, wait)
		return durations.ReplaceAllString(out.String(), "…"), err
	}
	text, err := printed(false, false)
	require.NoError(t, err)
	require.Equal(t, "failing: runs already; no other run was started\nsucceeding: started\n", text)
	text, err = printed(false, true)
	require.EqualError(t, err, "failing: task 3 has failed, and is repeated later: no luck")
	require.Equal(t, "failing: runs already; no other run was started\nsucceeding: started\n"+
		"failing: task 3 has begun\nsucceeding: task 4 has begun\nsucceeding: task 4 took …: done\n", text)
	text, err = printed(true, true)
	require.Error(t, err)
	lines := strings.Split(text, "\n")
	require.Len(t, lines, 3)
	var shown shownStart
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &shown))
	require.Equal(t, "no luck", shown.Task.Error)
	require.Equal(t, tasks.AlreadyRunning, shown.State)
}

func TestShownDuration(t *testing.T) {
	t.Parallel()
	durations := []time.Duration{
		0, 300 * time.Microsecond, 1499 * time.Microsecond, 12345 * time.Microsecond, 1234 * time.Millisecond, 59 * time.Second,
		60 * time.Second, 125 * time.Second, time.Hour, 25*time.Hour + 30*time.Minute, 3601 * time.Second,
	}
	require.Equal(t, []string{"0s", "0s", "1ms", "12ms", "1.2s", "59s", "1m", "2m5s", "1h", "25h30m", "1h0m1s"},
		convert.Each(durations, shownDuration))
}

// A task that runs shows how long it has run; one whose process was killed does not.
func TestTook(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	task := tasks.Task{Status: tasks.InProcess, Run: &tasks.Run{StartedAt: began}}
	require.Equal(t, "1m5s…", took(task, began.Add(65*time.Second)))
	require.Equal(t, "0s…", took(task, began.Add(-time.Second)), "the clock of the database is ahead")
	task.Status = tasks.NeverCompleted
	require.Equal(t, "-", took(task, began.Add(65*time.Second)))
}

func TestShortened(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a b", shortened(" a\n\tb "))
	require.Equal(t, strings.Repeat("ä", longestShown-1)+"…", shortened(strings.Repeat("ä", 1000)))
	require.Equal(t, strings.Repeat("ä", longestShown), shortened(strings.Repeat("ä", longestShown)))
}
