package api_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/ranking"
)

// answered is how a request ended.
type answered struct {
	status int
	body   string
	err    error
}

// postAtOnce sends two bodies to one path and holds both back in the database until both are there.
func (c *conversation) postAtOnce(t *testing.T, path, bearer string, bodies [2]string) []answered {
	t.Helper()
	tx, err := c.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), "SELECT FROM urls WHERE id = 1 FOR UPDATE")
	require.NoError(t, err)

	ended := make(chan answered, len(bodies))
	for _, body := range bodies {
		go func() { ended <- c.post(t.Context(), path, bearer, body) }()
	}
	for waiting := 0; waiting < len(bodies); {
		require.NoError(t, c.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting))
		select {
		case early := <-ended:
			t.Fatalf("answered while the URL was locked: %+v", early)
		case <-time.After(5 * time.Millisecond):
		}
	}
	require.NoError(t, tx.Rollback(t.Context()))
	return []answered{<-ended, <-ended}
}

func (c *conversation) post(ctx context.Context, path, bearer, body string) (a answered) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		return answered{err: err}
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := c.server.Client().Do(req)
	if err != nil {
		return answered{err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answered{status: resp.StatusCode, body: string(data), err: err}
}

// generatedID is a column that annotationRows prints and a sequence filled, which a refused answer moves on as well.
var generatedID = regexp.MustCompile(`"id": \d+, |, "suggestion_id": \d+`)

// TestTwoAnswersAtOnce shows that of two answers of one annotator which the database handles at the same time, one is
// stored as a whole and the other one is refused.
func TestTwoAnswersAtOnce(t *testing.T) {
	t.Parallel()
	const setup = `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('NJ', 'New Jersey');
		INSERT INTO locations (type, state_id) VALUES ('State', 1), ('State', 2);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local');
		INSERT INTO urls (id, url, status, source) VALUES (1, 'one.org', 'ok', 'manual');
		INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0000-000000000001')`
	bodies := [2]string{
		`{"suggested_status": "data source", "record_type": "Stops", "agency_info": {"agency_ids": [1]}, "location_info": {"location_ids": [1]},
			"name_info": {"new_name": "First"}}`,
		`{"suggested_status": "individual record", "agency_info": {"agency_ids": [2]}, "location_info": {"location_ids": [2]},
			"name_info": {"new_name": "Second"}}`,
	}
	tests := map[string]struct {
		path, bearer string
		rows         [2]string // after the one or the other answer
	}{
		"of a user": {
			path:   "/annotate/all/1",
			bearer: tokenFor(t, 7),
			rows: [2]string{`
user_url_type_suggestions {"type": "data source", "url_id": 1, "user_id": 7}
user_record_type_suggestions {"url_id": 1, "user_id": 7, "record_type": "Stops"}
user_url_agency_suggestions {"is_new": null, "url_id": 1, "user_id": 7, "agency_id": 1}
user_location_suggestions {"url_id": 1, "user_id": 7, "location_id": 1}
url_name_suggestions {"source": "User", "url_id": 1, "suggestion": "First"}
link_user_name_suggestions {"user_id": 7}
`, `
user_url_type_suggestions {"type": "individual record", "url_id": 1, "user_id": 7}
user_url_agency_suggestions {"is_new": null, "url_id": 1, "user_id": 7, "agency_id": 2}
user_location_suggestions {"url_id": 1, "user_id": 7, "location_id": 2}
url_name_suggestions {"source": "User", "url_id": 1, "suggestion": "Second"}
link_user_name_suggestions {"user_id": 7}
`},
		},
		"of a session": {
			path: "/annotate/anonymous/1?session_id=00000000-0000-0000-0000-000000000001",
			rows: [2]string{`
anonymous_annotation_url_type {"url_id": 1, "url_type": "data source", "session_id": "{session}"}
anonymous_annotation_record_type {"url_id": 1, "session_id": "{session}", "record_type": "Stops"}
anonymous_annotation_agency {"url_id": 1, "agency_id": 1, "session_id": "{session}"}
anonymous_annotation_location {"url_id": 1, "session_id": "{session}", "location_id": 1}
`, `
anonymous_annotation_url_type {"url_id": 1, "url_type": "individual record", "session_id": "{session}"}
anonymous_annotation_agency {"url_id": 1, "agency_id": 2, "session_id": "{session}"}
anonymous_annotation_location {"url_id": 1, "session_id": "{session}", "location_id": 2}
`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConversation(t, ranking.NewQueue())
			_, err := c.pool.Exec(t.Context(), setup)
			require.NoError(t, err)
			c.settle(t)

			answers := c.postAtOnce(t, tt.path, tt.bearer, bodies)
			refused := 0
			if answers[0].status == http.StatusOK {
				refused = 1
			}
			require.NoError(t, answers[0].err)
			require.NoError(t, answers[1].err)
			require.Equal(t, http.StatusOK, answers[1-refused].status, answers[1-refused].body)
			require.Equal(t, http.StatusConflict, answers[refused].status, answers[refused].body)
			require.Contains(t, tt.rows, "\n"+generatedID.ReplaceAllString(annotationRows(t, c.pool), ""))
		})
	}
}
