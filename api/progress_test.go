package api_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/auth"
	"docket/internal/ranking"
)

// A client that polls a count gets it again after it has changed, and not before.
func TestPolledCounts(t *testing.T) {
	t.Parallel()
	polled := map[string]string{ // a statement that changes the response
		"/contributions/leaderboard":        "INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (1, 31, 'meta url')",
		"/contributions/user":               "INSERT INTO annotation__url_type__user (url_id, user_id, type) VALUES (2, 7, 'meta url')",
		"/metrics/batches/aggregated":       "INSERT INTO batches (strategy, status) VALUES ('ckan', 'error')",
		"/metrics/batches/breakdown":        "INSERT INTO batches (strategy, status) VALUES ('ckan', 'error')",
		"/metrics/batches/breakdown?page=1": "INSERT INTO link_batches__urls (batch_id, url_id) VALUES (1, 1)",
		"/metrics/urls/aggregate":           "INSERT INTO flag_url_validated (url_id, type) VALUES (1, 'broken page')",
		"/metrics/urls/aggregate/pending":   "INSERT INTO annotation__agency__user (url_id, user_id, is_new) VALUES (2, 8, true)",
		"/metrics/urls/breakdown/submitted": "INSERT INTO ds_app_link_data_source (ds_data_source_id) VALUES (1)",
		"/metrics/urls/breakdown/pending":   "INSERT INTO urls (url, source) VALUES ('three.org', 'manual')",
		"/metrics/agreement":                "INSERT INTO annotation__record_type__user (url_id, user_id, record_type) VALUES (1, 9, 'Stops')",
		"/metrics/backlog":                  "INSERT INTO backlog_snapshot (count_pending_total) VALUES (2)",
	}
	c := newConversation(t, ranking.NewQueue())
	_, err := c.pool.Exec(t.Context(), `
		INSERT INTO urls (id, url, source) VALUES (1, 'one.org', 'manual'), (2, 'two.org', 'manual');
		SELECT setval('urls_id_seq', 2);
		INSERT INTO batches (id, strategy, status) VALUES (1, 'manual', 'ready to label'); SELECT setval('batches_id_seq', 1)`)
	require.NoError(t, err)
	token := "Bearer " + tokenFor(t, 7, auth.AccessSourceCollector)
	request := func(method, path, tag string) (int, string, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, c.server.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", token)
		if tag != "" {
			req.Header.Set("If-None-Match", tag)
		}
		resp, err := c.server.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header.Get("ETag"), string(body)
	}
	for path, change := range polled {
		status, tag, first := request("GET", path, "")
		require.Equal(t, http.StatusOK, status, "%s: %s", path, first)
		require.NotEmpty(t, tag, path)
		status, again, body := request("GET", path, tag)
		require.Equal(t, [3]any{http.StatusNotModified, tag, ""}, [3]any{status, again, body}, path)

		_, err := c.pool.Exec(t.Context(), change)
		require.NoError(t, err, path)
		status, changed, body := request("GET", path, tag)
		require.Equal(t, http.StatusOK, status, path)
		require.NotEqual(t, tag, changed, path)
		require.NotEqual(t, first, body, path)
		status, _, body = request("HEAD", path, "")
		require.Equal(t, [2]any{http.StatusOK, ""}, [2]any{status, body}, path)
	}
}
