package tasks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// The time of a request does not grow with the history: a page of tasks, a task and its URLs are read from indexes with every kind
// of plan, and only the links of the tasks on the page are counted. A rare type and the question what runs now read the table of
// tasks, and the last runs of all jobs that of runs: 10 buffers for each 1,000 rows.
func TestPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// 100,000 tasks of one URL each. One of them is large, and one, far from both ends, is of another type.
	dbtest.Exec(t, b.pool, `SET session_replication_role = replica;
		INSERT INTO urls (url, source) SELECT n || '.org', 'manual' FROM generate_series(1, 20000) n;
		INSERT INTO batches (strategy, status) VALUES ('manual', 'ready to label');
		INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1, id FROM urls WHERE id % 3 > 0;
		INSERT INTO tasks (task_type, task_status)
		SELECT CASE WHEN n = 40000 THEN 'HTML' ELSE 'Auto Validate' END::task_type, 'complete' FROM generate_series(1, 100000) n;
		INSERT INTO task_runs (task_id, job, job_id) SELECT id, 'auto_validate', id FROM tasks;
		INSERT INTO link_tasks__urls (task_id, url_id)
		SELECT id, id % 20000 + 1 FROM tasks WHERE id <> 50000 UNION ALL SELECT 50000, id FROM urls;
		INSERT INTO url_task_error (url_id, task_id, task_type, error)
		SELECT id, id % 5000 + 1, 'Auto Validate'::task_type, 'x' FROM urls WHERE id > 10000
		UNION ALL SELECT id, 50000, 'Auto Validate', 'x' FROM urls WHERE id <= 10000;
		INSERT INTO task_errors (task_id, error) SELECT id, 'x' FROM tasks WHERE id % 10 = 0;
		SET session_replication_role = origin`)
	dbtest.Exec(t, b.pool, "VACUUM ANALYZE")
	page := func(first int32) (ids []int32) {
		for id := first; id < first+100; id++ {
			ids = append(ids, id)
		}
		return ids
	}
	type args []any
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, b.pool, target)
		for _, test := range []struct {
			name, query string
			arguments   []args
			buffers     int
			modes       []string
		}{
			{"page", db.TaskListPage, []args{{nil, nil, 0}, {nil, nil, 900}}, 25, dbtest.PlanModes},
			{"newest", db.TaskListNewest, []args{{nil, nil, 20}, {"Auto Validate", "complete", 20}}, 25, dbtest.PlanModes},
			{"task", db.TaskGetMany, []args{{[]int32{77}}}, 15, dbtest.PlanModes},
			{"URLs counted", db.TaskURLCountMany, []args{{page(1000)}, {[]int32{77}}}, 1000, []string{"force_custom_plan"}},
			{"URLs of a task", db.TaskURLListPage, []args{{50000, 0}, {50000, 19000}, {77, 0}}, 1000, dbtest.PlanModes},
			{"success of a job", db.TaskRunHasSucceeded, []args{{77, time.Now()}}, 15, dbtest.PlanModes},
			{"earlier runs of a job", db.TaskRunAbandon, []args{{77}}, 15, dbtest.PlanModes},
			{"errors of a task", db.TaskURLErrorListPage, []args{{50000, 0}, {50000, 9000}, {77, 0}}, 1000, dbtest.PlanModes},
		} {
			for _, mode := range test.modes {
				for _, arguments := range test.arguments {
					plan := dbtest.Explain(t, b.pool, mode, test.query, arguments...)
					assert.Empty(t, plan.SeqScans(), "%s %v, %s, statistics target %d:\n%s", test.name, arguments, mode, target, plan)
					assert.LessOrEqual(t, plan.Buffers(), test.buffers, "%s %v, %s, statistics target %d:\n%s",
						test.name, arguments, mode, target, plan)
				}
			}
		}
	}
	// For a page with a large task a sequential scan may be the right one.
	plan := dbtest.Explain(t, b.pool, "force_custom_plan", db.TaskURLCountMany, page(49950))
	assert.LessOrEqual(t, plan.Buffers(), 1000, "%s", plan)
	for name, test := range map[string]struct {
		query, table string
		arguments    args
	}{
		"rare type": {db.TaskListPage, "tasks", args{"HTML", nil, 0}},
		"running":   {db.TaskGetRunning, "tasks", nil},
		"last runs": {db.TaskRunListLast, "task_runs", nil},
	} {
		for _, mode := range dbtest.PlanModes {
			plan := dbtest.Explain(t, b.pool, mode, test.query, test.arguments...)
			for node := range plan.Nodes() {
				assert.Contains(t, []string{"", test.table}, node.Relation, "%s, %s:\n%s", name, mode, plan)
			}
			assert.LessOrEqual(t, plan.Buffers(), 1000, "%s, %s:\n%s", name, mode, plan)
		}
	}
}
