package upkeep_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// TestPlans limits the buffers of the statements with every kind of plan: those of a part must not grow with the number of URLs,
// tasks or logs. The backlog and the search for dead tasks read a table, once in each run.
func TestPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dbtest.Exec(t, b.pool, `
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(6, 20000) AS n;
		INSERT INTO url_html_content (url_id, content_type, content)
			SELECT id, kind, kind || ' ' || id FROM urls, unnest('{Title,Description,H1,H2}'::url_html_content_type[]) AS kind;
		INSERT INTO annotation__name__suggestions (url_id, suggestion, source)
			SELECT id, 'Title ' || id, CASE WHEN id % 3 = 0 THEN 'User' ELSE 'HTML Metadata Title' END::suggestion_source_enum
			FROM urls WHERE id % 5 > 0;
		INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls WHERE id % 2 = 0 AND id > 5;
		INSERT INTO url_screenshot (url_id, content, file_size) SELECT id, 'x', 1 FROM urls;
		INSERT INTO tasks (id, task_type, task_status, updated_at)
			SELECT n, 'Agency Identification', 'complete', now() - interval '8 days' * (n % 2) FROM generate_series(1, 20000) AS n;
		INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
			SELECT id, id, 'batch_link', false FROM urls WHERE id % 3 = 0;
		INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found)
			SELECT id, id, 'batch_link', false FROM urls WHERE id % 7 = 0;
		INSERT INTO link_tasks__urls (task_id, url_id) SELECT id, id FROM urls;
		INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label');
		INSERT INTO logs (id, batch_id, log, created_at) SELECT n, 1, 'x', now() - interval '8 days' * (n % 2) FROM generate_series(1, 20000) AS n`)
	dbtest.Exec(t, b.pool, "VACUUM")
	var ids []int32 // every third of a range
	for id := int32(10000); id < 10300; id += 3 {
		ids = append(ids, id)
	}
	const week = 604800.0
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, b.pool, target)
		for _, test := range []struct {
			name, query string
			buffers     int // at most
			args        []any
		}{
			{"names of 300 URLs", db.TitleNameList, 60, []any{10000, 10300}},
			{"tasks from the first", db.TaskListOld, 60, []any{0, week, 100}},
			{"tasks from the middle", db.TaskListOld, 60, []any{10000, week, 100}},
			{"lock tasks", db.TaskLockMany, 500, []any{ids}},
			{"delete tasks", db.TaskDeleteManyOld, 1200, []any{ids, week}},
			{"logs from the first", db.LogListOld, 20, []any{0, week, 100}},
			{"logs from the middle", db.LogListOld, 20, []any{10000, week, 100}},
			{"delete logs", db.LogDeleteMany, 500, []any{ids}},
			{"screenshots of 300 URLs", db.StaleScreenshotList, 40, []any{10000, 10300}},
			{"lock URLs", db.URLKeyLockMany, 500, []any{ids}},
			{"delete screenshots", db.StaleScreenshotDeleteMany, 800, []any{ids}},
			{"backlog", db.BacklogSnapshotInsert, 500, nil},
			{"dead tasks", db.TaskUpdateManyNeverCompleted, 300, []any{3600.0, []string{"a"}, []float64{3600}, 3600.0}},
		} {
			for _, mode := range dbtest.PlanModes {
				plan := dbtest.Explain(t, b.pool, mode, test.query, test.args...)
				assert.LessOrEqual(t, plan.Buffers(), test.buffers, "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				if test.name != "backlog" && test.name != "dead tasks" {
					assert.Empty(t, plan.SeqScans(), "%s, %s, statistics target %d:\n%s", test.name, mode, target, plan)
				}
			}
		}
	}
}
