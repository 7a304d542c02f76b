package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/auth"
	"docket/internal/ranking"
)

// TestPages reads all pages of every list: each row is returned once, in the order of ids, and no page has more rows than the
// page size. A page below the first is refused.
func TestPages(t *testing.T) {
	t.Parallel()
	c := newConversation(t, ranking.NewQueue())
	_, err := c.pool.Exec(t.Context(), `
		INSERT INTO us_states (state_iso, state_name) VALUES ('OH', 'Ohio');
		INSERT INTO locations (type, state_id) VALUES ('State', 1);
		INSERT INTO agencies (id, name, jurisdiction_type) SELECT n, 'Police', 'local' FROM generate_series(250, 1, -1) AS n;
		INSERT INTO link_agencies__locations (agency_id, location_id) SELECT n, 1 FROM generate_series(250, 1, -1) AS n;
		INSERT INTO batches (id, strategy, status, date_generated)
			SELECT n, 'ckan', 'ready to label', '2026-01-01' FROM generate_series(250, 1, -1) AS n;
		INSERT INTO urls (id, url, source) SELECT n, n || '.org', 'manual' FROM generate_series(250, 1, -1) AS n;
		INSERT INTO link_batches__urls (batch_id, url_id) SELECT 5, n FROM generate_series(250, 1, -1) AS n;
		INSERT INTO duplicates (batch_id, original_url_id) SELECT 6, n FROM generate_series(250, 1, -1) AS n;
		INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'HTML', 'error');
		INSERT INTO url_task_error (url_id, task_id, task_type, error) SELECT n, 1, type::task_type, 'x'
			FROM generate_series(250, 1, -1) AS n, (VALUES ('HTML'), ('Screenshot')) AS types (type);
		INSERT INTO tasks (id, task_type, task_status) SELECT n, 'HTML', 'complete' FROM generate_series(250, 2, -1) AS n;
		INSERT INTO tasks (id, task_type, task_status) SELECT n, 'Auto Name', 'complete' FROM generate_series(501, 251, -1) AS n;
		INSERT INTO link_tasks__urls (task_id, url_id) SELECT 500, n FROM generate_series(250, 1, -1) AS n;
		INSERT INTO url_task_error (url_id, task_id, task_type, error) SELECT n, 501, 'Auto Name', 'x'
			FROM generate_series(250, 1, -1) AS n`)
	require.NoError(t, err)

	for list, test := range map[string]struct {
		rows, id string
		size     int
	}{
		"/url":                         {"urls", "id", 100},
		"/url?errors=true":             {"urls", "id", 100},
		"/batch":                       {"results", "id", 100},
		"/batch/5/urls":                {"urls", "id", 100},
		"/batch/6/duplicates":          {"duplicates", "original_url_id", 100},
		"/metrics/batches/breakdown":   {"batches", "batch_id", 100},
		"/agencies":                    {"", "id", 100},
		"/task?task_type=HTML":         {"tasks", "task_id", 100},
		"/task/500":                    {"urls", "id", 100},
		"/task/501":                    {"url_errors", "url_id", 100},
		"/search/agency?query=police":  {"", "agency_id", 10},
		"/search/agency?location_id=1": {"", "agency_id", 10},
	} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			for page, first := 1, 1; ; page, first = page+1, first+test.size {
				status, body := c.page(t, list, fmt.Sprint(page))
				require.Equal(t, http.StatusOK, status, body)
				var want []int
				for id := first; id <= min(first+test.size-1, 250); id++ {
					want = append(want, id)
				}
				require.Equal(t, want, idsIn(t, body, test.rows, test.id), "page %d", page)
				if want == nil {
					break
				}
			}
			for _, page := range []string{"0", "-1", "2147483648", "1.5", "", "x"} {
				status, body := c.page(t, list, page)
				require.Equal(t, http.StatusUnprocessableEntity, status, "page %q: %s", page, body)
			}
		})
	}
}

// page requests a page of a list as user 7, an administrator.
func (c *conversation) page(t *testing.T, list, page string) (status int, body string) {
	separator := "?"
	if strings.Contains(list, "?") {
		separator = "&"
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.server.URL+list+separator+"page="+page, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+tokenFor(t, 7, auth.AccessSourceCollector))
	resp, err := c.server.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

// idsIn returns the ids of the rows in a response body. The rows are the value of the key, or the whole body when it is empty.
func idsIn(t *testing.T, body, key, id string) (ids []int) {
	data := json.RawMessage(body)
	if key != "" {
		var keys map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &keys))
		data = keys[key]
	}
	var rows []map[string]any
	require.NoError(t, json.Unmarshal(data, &rows))
	for _, row := range rows {
		ids = append(ids, int(row[id].(float64)))
	}
	return ids
}
