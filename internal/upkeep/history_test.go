package upkeep_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestMarkNeverCompleted shows which tasks in process are taken for dead: those of another program after an hour, those of Docket
// after the limit of their job.
func TestMarkNeverCompleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO tasks (id, task_type, task_status, updated_at) VALUES
			(1, 'HTML', 'in-process', now() - interval '59 minutes'),
			(2, 'HTML', 'in-process', now() - interval '61 minutes'),
			(3, 'HTML', 'complete', now() - interval '2 hours'),
			(4, 'HTML', 'error', now() - interval '2 hours'),
			(11, 'Auto Name', 'in-process', now() - interval '2 hours'),
			(12, 'Auto Name', 'in-process', now() - interval '4 hours'),
			(13, 'Delete Old Logs', 'in-process', now() - interval '30 minutes'),
			(14, 'Delete Old Logs', 'in-process', now() - interval '61 minutes'),
			(15, 'Screenshot', 'in-process', now() - interval '2 hours'),
			(16, 'Screenshot', 'in-process', now() - interval '4 hours'),
			(17, 'Auto Name', 'complete', now() - interval '4 hours');
		INSERT INTO task_runs (task_id, job, started_at)
			SELECT id, CASE task_type WHEN 'Auto Name' THEN 'long' WHEN 'Delete Old Logs' THEN 'short' ELSE 'unknown' END, updated_at
			FROM tasks WHERE id > 10;
		UPDATE task_runs SET finished_at = now(), result = 'done' WHERE task_id = 17`)
	limits := map[string]time.Duration{"short": 10 * time.Minute, "long": 3 * time.Hour}
	result, err := b.works.MarkNeverCompleted(t.Context(), limits)
	require.NoError(t, err)
	require.Equal(t, "4 tasks never completed", result)
	require.Equal(t, []string{"2", "12", "14", "16"}, dbtest.List(t, b.pool,
		"SELECT id::text FROM tasks WHERE task_status = 'never-completed' AND updated_at > now() - interval '1 minute' ORDER BY tasks.id"))

	result, err = b.works.MarkNeverCompleted(t.Context(), limits)
	require.NoError(t, err)
	require.Equal(t, "0 tasks never completed", result)
}

// TestCleanUpTasks shows what is deleted with old tasks, and that suggestions of robots are not.
func TestCleanUpTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania');
		INSERT INTO locations (type, state_id) VALUES ('State', 1);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local');
		INSERT INTO tasks (id, task_type, task_status, updated_at) VALUES
			(1, 'HTML', 'complete', now() - interval '6 days 23 hours'),
			(2, 'HTML', 'complete', now() - interval '7 days 1 hour'),
			(3, 'Agency Identification', 'complete', now() - interval '70 days'),
			(4, 'Location ID', 'complete', now() - interval '70 days'),
			(5, 'Auto Validate', 'error', now() - interval '8 days'),
			(6, 'Auto Validate', 'never-completed', now() - interval '8 days'),
			(7, 'Auto Name', 'complete', now());
		INSERT INTO task_runs (task_id, job) VALUES (5, 'auto_validate'), (6, 'auto_validate'), (7, 'auto_name');
		INSERT INTO task_errors (task_id, error) VALUES (5, 'broken');
		INSERT INTO tasks__log (task_id, log) VALUES (2, 'old');
		INSERT INTO link_tasks__urls (task_id, url_id) SELECT tasks.id, urls.id FROM tasks, urls WHERE urls.id <= 2;
		INSERT INTO url_task_error (url_id, task_id, task_type, error) VALUES (1, 2, 'HTML', 'old'), (2, 1, 'HTML', 'new');
		INSERT INTO annotation__agency__auto__subtasks (id, task_id, url_id, type, agencies_found) VALUES (1, 3, 1, 'batch_link', true);
		INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) VALUES (1, 1, 50);
		INSERT INTO annotation__location__auto__subtasks (id, task_id, url_id, type, locations_found) VALUES (1, 4, 1, 'batch_link', true);
		INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence) VALUES (1, 1, 50)`)
	result, err := b.works.CleanUpTasks(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "3 tasks deleted", result)
	for query, want := range map[string][]string{
		"SELECT id::text FROM tasks ORDER BY tasks.id":                                   {"1", "3", "4", "7"},
		"SELECT task_id::text FROM task_runs":                                            {"7"},
		"SELECT task_id::text FROM task_errors":                                          {},
		"SELECT task_id::text FROM tasks__log":                                           {},
		"SELECT task_id || ' ' || url_id FROM link_tasks__urls ORDER BY task_id, url_id": {"1 1", "1 2", "3 1", "3 2", "4 1", "4 2", "7 1", "7 2"},
		"SELECT error FROM url_task_error":                                               {"new"},
		"SELECT agency_id::text FROM annotation__agency__auto__suggestions":              {"1"},
		"SELECT location_id::text FROM annotation__location__auto__suggestions":          {"1"},
	} {
		require.Equal(t, want, dbtest.List(t, b.pool, query), query)
	}
}

// TestCleanUpTasksWaitsForRobots shows that a search that a robot adds to an old task at the last moment is not deleted.
func TestCleanUpTasksWaitsForRobots(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, "INSERT INTO tasks (id, task_type, task_status, updated_at) "+
		"SELECT n, 'Agency Identification', 'complete', now() - interval '8 days' FROM generate_series(1, 2) AS n")
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	dbtest.Exec(t, tx, `
		INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found) VALUES (1, 1, 'batch_link', false)`)
	var result string
	require.NoError(t, dbtest.Together(2, func(i int) (err error) {
		if i == 0 {
			result, err = b.works.CleanUpTasks(t.Context(), 0)
			return err
		}
		dbtest.WaitForLocks(t, b.pool, 1)
		return tx.Commit(t.Context())
	}))
	require.Equal(t, "1 task deleted", result)
	require.Equal(t, []string{"1"}, dbtest.List(t, b.pool, "SELECT task_id::text FROM annotation__agency__auto__subtasks"))
	require.Equal(t, []string{"1"}, dbtest.List(t, b.pool, "SELECT id::text FROM tasks"))
}

// TestCleanUpManyTasks shows that every page of old tasks is read.
func TestCleanUpManyTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO tasks (id, task_type, task_status, updated_at)
		SELECT n, 'HTML', 'complete', now() - interval '8 days' * (n % 2) FROM generate_series(1, 10401) AS n;
		INSERT INTO link_tasks__urls (task_id, url_id) SELECT id, 1 FROM tasks`)
	result, err := b.works.CleanUpTasks(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, "5201 tasks deleted", result)
	require.Equal(t, 5200, dbtest.Count(t, b.pool, "SELECT count(*) FROM tasks WHERE id % 2 = 0"))
}
