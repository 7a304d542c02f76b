package views_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/db"
)

// trueOf is a query for the columns of a view that are true, or not 0, one line for each URL.
func trueOf(view string) string {
	return fmt.Sprintf(`
		SELECT v.url_id || ':' || coalesce(string_agg(
			' ' || c.key || CASE c.value WHEN 'true' THEN '' ELSE '=' || c.value END, '' ORDER BY c.key
		), '')
		FROM %s v LEFT JOIN LATERAL jsonb_each_text(to_jsonb(v) - 'url_id') AS c ON c.value NOT IN ('0', 'false')
		GROUP BY v.url_id ORDER BY v.url_id`, view)
}

// Annotations and outcomes, each of URL ID.
const (
	subtaskAgency = `WITH s AS (INSERT INTO annotation__agency__auto__subtasks (task_id, url_id, type, agencies_found)
		VALUES (1, ID, 'homepage_match', true) RETURNING id)
		INSERT INTO annotation__agency__auto__suggestions (subtask_id, agency_id, confidence) SELECT s.id, a, 50
		FROM s, generate_series(1, 3) AS a`
	subtaskLocation = `WITH s AS (INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found)
		VALUES (1, ID, 'batch_link', true) RETURNING id)
		INSERT INTO annotation__location__auto__suggestions (subtask_id, location_id, confidence) SELECT s.id, l, 50
		FROM s, generate_series(1, 3) AS l`
	subtaskNothing = `INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found)
		VALUES (1, ID, 'nlp_location_frequency', false)`
	robotRecordType = `INSERT INTO annotation__record_type__auto (url_id, record_type) VALUES (ID, 'Stops')`
	robotRelevance  = `INSERT INTO annotation__url_type__auto (url_id, relevant) VALUES (ID, false)`
	threeAgencies   = `INSERT INTO annotation__agency__user (url_id, user_id, agency_id) SELECT ID, 7, a
		FROM generate_series(1, 3) AS a`
	twoLocations   = `INSERT INTO annotation__location__user (url_id, user_id, location_id) VALUES (ID, 7, 1), (ID, 7, 2)`
	userRecordType = `INSERT INTO annotation__record_type__user (url_id, user_id, record_type) VALUES (ID, 7, 'Stops')`
	userURLType    = `INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (ID, 7, 'data source')`
	names          = `WITH n AS (INSERT INTO annotation__name__suggestions (url_id, suggestion) VALUES (ID, 'Name') RETURNING id)
		INSERT INTO annotation__name__user__endorsements (user_id, suggestion_id) SELECT 7, id FROM n`
	notFound = `WITH a AS (INSERT INTO link_user_suggestion_agency_not_found (user_id, url_id) VALUES (7, ID))
		INSERT INTO link_user_suggestion_location_not_found (user_id, url_id) VALUES (7, ID)`
	// A session with one URL type, two record types, one agency, one location and an endorsement.
	anonymous = `WITH s AS (INSERT INTO anonymous_sessions DEFAULT VALUES RETURNING id),
		n AS (INSERT INTO annotation__name__suggestions (url_id, suggestion) SELECT ID, 'Name of ' || id FROM s RETURNING id),
		e AS (INSERT INTO annotation__name__anon__endorsements (session_id, suggestion_id) SELECT s.id, n.id FROM s, n),
		a AS (INSERT INTO annotation__url_type__anon (url_id, session_id, url_type) SELECT ID, id, 'data source' FROM s),
		b AS (INSERT INTO annotation__agency__anon (url_id, session_id, agency_id) SELECT ID, id, 1 FROM s),
		c AS (INSERT INTO annotation__location__anon (url_id, session_id, location_id) SELECT ID, id, 1 FROM s)
		INSERT INTO annotation__record_type__anon (url_id, session_id, record_type)
			SELECT ID, s.id, said.type FROM s, unnest('{Stops,Surveys}'::record_type[]) AS said (type)`

	html       = `INSERT INTO url_compressed_html (url_id, compressed_html) VALUES (ID, 'page ID')`
	metadata   = `INSERT INTO url_web_metadata (url_id, accessed) VALUES (ID, true)`
	screenshot = `INSERT INTO url_screenshot (url_id, content, file_size) VALUES (ID, 'picture', 7)`

	dataSourceLink = `INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) VALUES (ID, ID)`
	metaURLLink    = `INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id) VALUES (ID, ID)`
)

func validated(as string) string {
	return fmt.Sprintf(`INSERT INTO flag_url_validated (url_id, type) VALUES (ID, '%s')`, as)
}

func taskError(task string) string {
	return fmt.Sprintf(`INSERT INTO url_task_error (url_id, task_id, task_type, error) VALUES (ID, 1, '%s', 'no answer')`, task)
}

// TestCountView has a row for each URL with that URL's own counts, even though URLs have annotations of users and of sessions of
// the same kinds: the view of the reference multiplies these.
func TestCountView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	w.about(t, 1, subtaskAgency, subtaskAgency)
	w.about(t, 2, subtaskLocation, subtaskNothing)
	w.about(t, 3, robotRecordType)
	w.about(t, 4, robotRelevance)
	w.about(t, 5, threeAgencies)
	w.about(t, 6, twoLocations)
	w.about(t, 7, userRecordType)
	w.about(t, 8, userURLType)
	w.about(t, 9, names, notFound, anonymous, anonymous)
	w.about(t, 10, subtaskAgency, subtaskLocation, robotRecordType, robotRelevance, threeAgencies, twoLocations, userRecordType,
		userURLType, names, notFound, anonymous, validated("data source"), `INSERT INTO flag_url_suspended (url_id) VALUES (ID)`)
	w.about(t, 11, userURLType, anonymous)
	w.refresh(t, "url_annotation_count_view")
	require.Equal(t, []string{
		"1: auto_agency_count=2 total_anno_count=2",
		"2: auto_location_count=2 total_anno_count=2",
		"3: auto_record_type_count=1 total_anno_count=1",
		"4: auto_url_type_count=1 total_anno_count=1",
		"5: total_anno_count=3 user_agency_count=3",
		"6: total_anno_count=2 user_location_count=2",
		"7: total_anno_count=1 user_record_type_count=1",
		"8: total_anno_count=1 user_url_type_count=1",
		"9: anon_agency_count=2 anon_location_count=2 anon_record_type_count=4 anon_url_type_count=2 total_anno_count=10",
		"10: anon_agency_count=1 anon_location_count=1 anon_record_type_count=2 anon_url_type_count=1 auto_agency_count=1" +
			" auto_location_count=1 auto_record_type_count=1 auto_url_type_count=1 total_anno_count=16" +
			" user_agency_count=3 user_location_count=2 user_record_type_count=1 user_url_type_count=1",
		"11: anon_agency_count=1 anon_location_count=1 anon_record_type_count=2 anon_url_type_count=1 total_anno_count=6" +
			" user_url_type_count=1",
		"12:",
	}, w.lines(t, trueOf("url_annotation_count_view")))
	require.Equal(t, []string{
		"url_id integer", "auto_agency_count bigint", "auto_location_count bigint", "auto_record_type_count bigint",
		"auto_url_type_count bigint", "user_agency_count bigint", "user_location_count bigint", "user_record_type_count bigint",
		"user_url_type_count bigint", "anon_agency_count bigint", "anon_location_count bigint", "anon_record_type_count bigint",
		"anon_url_type_count bigint", "total_anno_count bigint",
	}, w.lines(t, `SELECT attname || ' ' || atttypid::regtype FROM pg_attribute
		WHERE attrelid = 'url_annotation_count_view'::regclass AND attnum > 0 ORDER BY attnum`))
}

func TestFlagsView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	w.about(t, 1, robotRecordType)
	w.about(t, 2, robotRelevance)
	w.about(t, 3, subtaskAgency, subtaskAgency)
	w.about(t, 4, subtaskNothing)
	w.about(t, 5, userRecordType)
	w.about(t, 6, userURLType)
	w.about(t, 7, threeAgencies)
	w.about(t, 8, twoLocations)
	w.about(t, 9, `INSERT INTO link_agencies__urls (url_id, agency_id) VALUES (ID, 1), (ID, 2)`)
	w.about(t, 10, `INSERT INTO reviewing_user_url (url_id, user_id) VALUES (ID, 7)`)
	w.about(t, 11, names, notFound, anonymous, validated("data source"))
	w.refresh(t, "url_annotation_flags")
	require.Equal(t, []string{
		"1: has_auto_record_type_suggestion",
		"2: has_auto_relevant_suggestion",
		"3: has_auto_agency_suggestion",
		"4: has_auto_location_suggestion",
		"5: has_user_record_type_suggestion",
		"6: has_user_relevant_suggestion",
		"7: has_user_agency_suggestion",
		"8: has_user_location_suggestion",
		"9: has_confirmed_agency",
		"10: was_reviewed",
		"11:",
		"12:",
	}, w.lines(t, trueOf("url_annotation_flags")))
}

func TestURLStatusView(t *testing.T) {
	t.Parallel()
	labeling := []string{html, metadata, screenshot}
	failures := []string{taskError("Screenshot"), taskError("HTML"), taskError("URL Probe")}
	tests := []struct {
		name string
		is   []string
		want string
	}{
		{"not relevant", []string{validated("not relevant")}, "Accepted 300"},
		{"individual record", []string{validated("individual record")}, "Accepted 300"},
		{"not found", []string{validated("not found")}, "Accepted 300"},
		{"broken page", []string{validated("broken page")}, "Accepted 300"},
		{"broken page with everything else",
			slices.Concat([]string{validated("broken page"), dataSourceLink, metaURLLink}, labeling, failures), "Accepted 300"},
		{"data source", []string{validated("data source")}, "Awaiting Submission 380"},
		{"data source that failed before", slices.Concat([]string{validated("data source")}, failures), "Awaiting Submission 380"},
		{"data source linked as meta URL", []string{validated("data source"), metaURLLink}, "Awaiting Submission 380"},
		{"data source linked", slices.Concat([]string{validated("data source"), dataSourceLink}, labeling), "Submitted 390"},
		{"meta URL", slices.Concat([]string{validated("meta url")}, labeling), "Awaiting Submission 380"},
		{"meta URL linked as data source", []string{validated("meta url"), dataSourceLink}, "Awaiting Submission 380"},
		{"meta URL linked", []string{validated("meta url"), metaURLLink}, "Submitted 390"},
		{"to label", labeling, "Community Labeling 200"},
		{"to label after failures", slices.Concat(labeling, failures), "Community Labeling 200"},
		{"linked without validation", append([]string{dataSourceLink}, labeling...), "Community Labeling 200"},
		{"no HTML", []string{metadata, screenshot}, "Intake 100"},
		{"no metadata", []string{html, screenshot}, "Intake 100"},
		{"no screenshot", []string{html, metadata}, "Intake 100"},
		{"screenshot failed", []string{html, metadata, failures[0]}, "Error 110"},
		{"HTML failed", failures[1:2], "Error 110"},
		{"probe failed", failures[2:3], "Error 110"},
		{"all three failed", failures, "Error 110"},
		{"two failed and another task", append([]string{taskError("Relevancy")}, failures[:2]...), "Error 110"},
		{"another task failed", []string{taskError("Relevancy"), taskError("Record Type")}, "Intake 100"},
		{"nothing", nil, "Intake 100"},
		{"suspended", []string{`INSERT INTO flag_url_suspended (url_id) VALUES (ID)`}, "Intake 100"},
		{"broken before", []string{`INSERT INTO url_former_status (url_id, status) VALUES (ID, 'broken')`}, "Intake 100"},
	}
	w := newWorld(t, len(tests))
	var want []string
	for i, test := range tests {
		w.about(t, i+1, test.is...)
		want = append(want, test.name+": "+test.want)
	}
	w.refresh(t, "url_status_mat_view")
	var got []string
	for i, line := range w.lines(t, "SELECT status || ' ' || code FROM url_status_mat_view ORDER BY url_id") {
		require.Less(t, i, len(tests), "one row per URL")
		got = append(got, tests[i].name+": "+line)
	}
	require.Equal(t, want, got)
}

func TestBatchStatusView(t *testing.T) {
	t.Parallel()
	const (
		open = `WITH u AS (INSERT INTO urls (url, source) VALUES ('batch.org/ID/open', 'manual') RETURNING id)
			INSERT INTO link_batches__urls (batch_id, url_id) SELECT ID, id FROM u`
		suspended = `WITH u AS (INSERT INTO urls (url, source) VALUES ('batch.org/ID/suspended', 'manual')
			RETURNING id),
			f AS (INSERT INTO flag_url_suspended (url_id) SELECT id FROM u)
			INSERT INTO link_batches__urls (batch_id, url_id) SELECT ID, id FROM u`
		done = `WITH u AS (INSERT INTO urls (url, source)
				VALUES ('batch.org/ID/done', 'manual'), ('batch.org/ID/also done', 'manual') RETURNING id),
			f AS (INSERT INTO flag_url_validated (url_id, type) SELECT id, 'broken page' FROM u)
			INSERT INTO link_batches__urls (batch_id, url_id) SELECT ID, id FROM u`
	)
	tests := []struct {
		status string
		urls   []string
		want   string
	}{
		{"ready to label", nil, "No URLs"},
		{"in-process", nil, "No URLs"},
		{"aborted", nil, "No URLs"},
		{"error", nil, "Error"},
		{"error", []string{done}, "Error"},
		{"error", []string{done, open}, "Error"},
		{"ready to label", []string{done}, "Labeling Complete"},
		{"aborted", []string{done}, "Labeling Complete"},
		{"in-process", []string{done}, "Labeling Complete"},
		{"ready to label", []string{open}, "Has Unlabeled URLs"},
		{"ready to label", []string{done, open}, "Has Unlabeled URLs"},
		{"aborted", []string{done, open}, "Has Unlabeled URLs"},
		{"ready to label", []string{done, suspended}, "Has Unlabeled URLs"},
	}
	w := newWorld(t, 0)
	w.exec(t, "DELETE FROM batches")
	var want []string
	for i, test := range tests {
		w.about(t, i+1, fmt.Sprintf(`INSERT INTO batches (id, strategy, status) VALUES (ID, 'manual', '%s')`, test.status))
		w.about(t, i+1, test.urls...)
		want = append(want, fmt.Sprintf("%d %s", i+1, test.want))
	}
	w.refresh(t, "batch_url_status_mat_view")
	require.Equal(t, want, w.lines(t, "SELECT batch_id || ' ' || batch_url_status FROM batch_url_status_mat_view ORDER BY batch_id"))

	// The list of batches has the same rule, in a form that reads no more batches than a page needs.
	var listed []string
	for _, status := range []string{"Error", "No URLs", "Has Unlabeled URLs", "Labeling Complete"} {
		page, err := db.New().BatchListPage(t.Context(), w.pool, db.BatchListPageParams{URLStatus: &status})
		require.NoError(t, err)
		for _, batch := range page {
			listed = append(listed, fmt.Sprintf("%d %s", batch.ID, status))
		}
	}
	require.ElementsMatch(t, want, listed)
}

func TestHTMLDuplicateView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 7)
	for id, page := range map[int]string{1: "same", 2: "alone", 3: "same", 4: "pair", 5: "same", 6: "pair"} {
		w.about(t, id, fmt.Sprintf(`INSERT INTO url_compressed_html (url_id, compressed_html) VALUES (ID, '%s')`, page))
	}
	w.refresh(t, "mat_view__html_duplicate_url")
	require.Equal(t, []string{"1", "3", "4", "5", "6"},
		w.lines(t, "SELECT url_id::text FROM mat_view__html_duplicate_url ORDER BY url_id"))
}

// TestOnlyRefreshChangesViews reads each view before and after a refresh: only a refresh changes it, and a refresh removes
// the rows of what was deleted.
func TestOnlyRefreshChangesViews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	names := []string{"url_annotation_count_view", "url_annotation_flags", "url_status_mat_view", "batch_url_status_mat_view",
		"mat_view__html_duplicate_url"}
	sizes := func() (sizes []int) {
		for _, view := range names {
			sizes = append(sizes, scan[int](t, w.pool, "SELECT count(*) FROM "+view))
		}
		return sizes
	}
	w.about(t, 1, `INSERT INTO url_compressed_html (url_id, compressed_html) VALUES (1, 'same'), (2, 'same')`)
	require.Equal(t, []int{0, 0, 0, 0, 0}, sizes())
	w.refresh(t)
	require.Equal(t, []int{2, 2, 2, 3, 2}, sizes())
	w.exec(t, "DELETE FROM urls WHERE id = 1")
	w.exec(t, "DELETE FROM batches WHERE id = 3")
	require.Equal(t, []int{2, 2, 2, 3, 2}, sizes())
	w.refresh(t)
	require.Equal(t, []int{1, 1, 1, 2, 0}, sizes())
}
