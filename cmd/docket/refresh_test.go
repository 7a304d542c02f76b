package main

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// migrated returns the URL of a migrated database, and a function that executes statements on it.
func migrated(t *testing.T) (url string, exec func(string)) {
	t.Helper()
	url = dbtest.Empty(t)
	succeed(t, "migrate", "apply", "--database-url", url)
	conn := dbtest.Connect(t, url)
	return url, func(statement string) {
		t.Helper()
		dbtest.Exec(t, conn, statement)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	url, exec := migrated(t)
	exec("INSERT INTO urls (url, source) VALUES ('one.org', 'manual'), ('two.org', 'manual')")

	text := succeed(t, "refresh", "url_annotation_flags", "--database-url", url)
	require.Regexp(t, `^VIEW +OUTCOME +ROWS +SECONDS +AGE\nurl_annotation_flags +refreshed +2 +\d+\.\d{3} +\d+s\n$`, text)

	status, stdout, stderr := docket(t, "refresh", "urls", "--database-url", url)
	require.Equal(t, exitUsage, status)
	require.Empty(t, stdout)
	require.Contains(t, stderr, `unknown materialized view "urls"; there are batch_url_status_mat_view, `+
		`mat_view__html_duplicate_url, url_annotation_count_view, url_annotation_flags, url_status_mat_view`)

	exec("CREATE MATERIALIZED VIEW a_poisoned AS SELECT id, 1 / (id - 7) AS n FROM urls; CREATE UNIQUE INDEX ON a_poisoned (id)")
	exec("INSERT INTO urls (id, url, source) VALUES (7, 'poison.org', 'manual')")
	status, stdout, stderr = docket(t, "refresh", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Regexp(t, `(?m)^a_poisoned +failed +- +- +never refreshed$`, stdout)
	require.Regexp(t, `(?m)^url_status_mat_view +refreshed +3 `, stdout)
	require.Contains(t, stderr, "view a_poisoned: refresh: ERROR: division by zero")

	status, stdout, _ = docket(t, "refresh", "--json", "--database-url", url)
	require.Equal(t, exitFailure, status)
	var results []refreshResult
	require.NoError(t, json.Unmarshal([]byte(stdout), &results))
	require.Len(t, results, 6)
	require.Equal(t, "a_poisoned", results[0].View)
	require.Contains(t, results[0].Error, "division by zero")
	require.Nil(t, results[0].Rows)
	require.Equal(t, "url_status_mat_view", results[5].View)
	require.Equal(t, "refreshed", results[5].Outcome)
	require.EqualValues(t, 3, *results[5].Rows)
	require.Positive(t, *results[5].Seconds)
	require.GreaterOrEqual(t, *results[5].AgeSeconds, *results[5].Seconds)
}

// TestServeByMatview serves from views that were never refreshed or are not populated.
func TestServeByMatview(t *testing.T) {
	t.Setenv("DS_APP_SECRET_KEY", "0123456789abcdef0123456789abcdef")
	url, exec := migrated(t)
	exec(`
		INSERT INTO urls (url, source) VALUES ('one.org', 'manual'), ('two.org', 'manual');
		INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (2, 7, 'data source');
		REFRESH MATERIALIZED VIEW url_annotation_count_view WITH NO DATA`)

	running := serve(t, "--database-url", url, "--ranking", "matview")
	status, body := running.get(t, "/annotate/all", running.token)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"url_id":2`)
	body = running.ready(t)
	require.Contains(t, body, `{"age_seconds":null,"name":"url_status_mat_view","refreshed_at":null}`)
	require.Regexp(t, `\{"age_seconds":[\d.e-]+,"name":"url_annotation_count_view","refreshed_at":"20[^"]+Z"\}`, body)
	running.stop()

	bounded := serve(t, "--database-url", url, "--views-max-age", "1h")
	status, body = bounded.get(t, "/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Regexp(t, `"Not ready: (migrations, )?views"`, body, "on a busy machine the other check may miss its deadline")
	bounded.stop()
	succeed(t, "refresh", "--database-url", url)
	bounded = serve(t, "--database-url", url, "--views-max-age", "1h")
	bounded.ready(t)
	bounded.stop()
	exec("UPDATE materialized_view_refreshes SET refreshed_at = refreshed_at - interval '2 hours'")
	bounded = serve(t, "--database-url", url, "--views-max-age", "1h")
	status, _ = bounded.get(t, "/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, status)

	require.Equal(t, exitUsage, run(t.Context(), []string{"serve", "--views-max-age", "-1s"}, io.Discard, io.Discard))
	require.Equal(t, exitUsage, run(t.Context(), []string{"serve", "--ranking", "none"}, io.Discard, io.Discard))
}
