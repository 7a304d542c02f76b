package submissions_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// Pages of lists are read from indexes with every kind of plan. No statement reads a whole table, neither for the first page
// nor for a later one.
func TestPlans(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// A large batch, and many small ones.
	dbtest.Exec(t, b.pool, `INSERT INTO urls (url, source, description)
		SELECT n || '.org', 'manual', repeat('x', 1000) FROM generate_series(1, 20000) AS n;
		INSERT INTO batches (strategy, status) SELECT 'manual', CASE WHEN n % 9 = 0 THEN 'error' ELSE 'ready to label' END::batch_status
		FROM generate_series(1, 5000) AS n;
		INSERT INTO link_batches__urls (batch_id, url_id) SELECT CASE WHEN id <= 12000 THEN 1 ELSE id % 5000 + 1 END, id FROM urls;
		INSERT INTO flag_url_validated (url_id, type) SELECT id, 'data source' FROM urls WHERE id % 3 = 0 OR id > 19000;
		INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) SELECT id, id FROM urls WHERE id % 9 = 0;
		INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'HTML', 'error');
		INSERT INTO url_task_error (url_id, task_id, task_type, error) SELECT id, 1, 'HTML', 'x' FROM urls WHERE id % 2 = 0;
		INSERT INTO duplicates (batch_id, original_url_id) SELECT 2 + n % 2, n FROM generate_series(1, 20000) AS n;
		INSERT INTO url_skips (url_id, user_id, reason) SELECT id, n, CASE id % 4 WHEN 0 THEN 'language' ELSE 'other' END::skip_reason
			FROM urls, generate_series(1, 3) AS n WHERE id % 50 = 0;
		INSERT INTO flag_url_suspended (url_id) SELECT id FROM urls WHERE id % 13 = 0;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, 9, 'data source' FROM urls;
		INSERT INTO annotation__record_type__user (url_id, user_id, record_type) SELECT id, 9, 'Stops' FROM urls;
		INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT id, 9, 1 FROM urls;
		INSERT INTO annotation__location__user (url_id, user_id, location_id) SELECT id, 9, 1 FROM urls;
		INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-4000-8000-000000000001');
		INSERT INTO annotation__url_type__anon (url_id, session_id, url_type)
			SELECT urls.id, s.id, 'data source' FROM urls, anonymous_sessions s;
		INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
			SELECT urls.id, s.id, 'Stops' FROM urls, anonymous_sessions s;
		INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT urls.id, s.id, 1 FROM urls, anonymous_sessions s;
		INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT urls.id, s.id, 1 FROM urls, anonymous_sessions s;
		INSERT INTO anonymous_migrated_answers (session_id, url_id, url_types, record_types, agency_ids, location_ids, names)
			SELECT s.id, urls.id, '{data source}', '{}', '{}', '{}', '{}' FROM urls, anonymous_sessions s;
		INSERT INTO logs (batch_id, log) SELECT n % 5000 + 1, 'x' FROM generate_series(1, 20000) AS n;
		INSERT INTO url_screenshot (url_id, content, file_size) SELECT id, 'x', 1 FROM urls;
		INSERT INTO url_compressed_html (url_id, compressed_html) SELECT id, 'x' FROM urls WHERE id % 4 > 0;
		INSERT INTO url_web_metadata (url_id, accessed) SELECT id, true FROM urls WHERE id % 5 > 0;
		INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id) SELECT id, id FROM urls WHERE id % 11 = 0`)
	dbtest.Exec(t, b.pool, "VACUUM ANALYZE")
	// This statement always gets a custom plan: for a large batch a sequential scan is the right one. Its plan for small batches
	// needs statistics that know the large one, which a small sample may not.
	dbtest.Analyze(t, b.pool, 100)
	plan := dbtest.Explain(t, b.pool, "force_custom_plan", db.BatchURLCountMany, []int32{77, 78, 79})
	assert.Empty(t, plan.SeqScans(), "counting the URLs of small batches:\n%s", plan)
	type args []any
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, b.pool, target)
		for _, test := range []struct {
			name, query string
			arguments   []args
		}{
			{"URLs", db.URLListPage, []args{{false, nil, 0}, {false, nil, 19000}, {true, nil, 0}, {true, nil, 9000}, {false, "language", 0}, {true, "other", 0}}},
			{"screenshot", db.URLScreenshotGet, []args{{77}}},
			{"duplicate", db.URLGetDuplicate, []args{{"77.org"}}},
			{"batches", db.BatchListPage, []args{
				{nil, nil, 0}, {nil, nil, 4000}, {"manual", "Error", 0}, {nil, "No URLs", 0}, {nil, "Labeling Complete", 0},
				{nil, "Has Unlabeled URLs", 100},
			}},
			{"batch", db.BatchGet, []args{{77}}},
			{"URLs of a batch", db.BatchURLListPage, []args{{1, 0}, {1, 11000}, {77, 0}}},
			{"duplicates of a batch", db.BatchDuplicateListPage, []args{{2, 0}, {77, 0}}},
			{"log of a batch", db.BatchLogList, []args{{77}}},
		} {
			for _, mode := range dbtest.PlanModes {
				for _, arguments := range test.arguments {
					plan := dbtest.Explain(t, b.pool, mode, test.query, arguments...)
					scans := plan.SeqScans()
					if test.name == "URLs" && arguments[1] != nil { // how many skipped each URL is counted for all
						scans = slices.DeleteFunc(scans, func(table string) bool { return table == "url_skips" })
					}
					assert.Empty(t, scans, "%s %v, %s, statistics target %d:\n%s", test.name, arguments, mode, target, plan)
				}
			}
		}
	}
}
