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

// outcome is the response to a request, or the error of sending it.
type outcome struct {
	status int
	header http.Header
	body   string
	err    error
}

// postConcurrently sends two bodies to one path. A row lock makes both wait in the database until both have arrived.
func (c *conversation) postConcurrently(t *testing.T, path, bearer string, bodies [2]string) []outcome {
	t.Helper()
	tx, err := c.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), "SELECT FROM urls WHERE id = 1 FOR UPDATE")
	require.NoError(t, err)

	ended := make(chan outcome, len(bodies))
	for _, body := range bodies {
		go func() { ended <- c.post(t.Context(), path, bearer, body) }()
	}
	for waiting := 0; waiting < len(bodies); {
		require.NoError(t, c.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting))
		select {
		case early := <-ended:
			t.Fatalf("the request ended while the URL was locked: %+v", early)
		case <-time.After(5 * time.Millisecond):
		}
	}
	require.NoError(t, tx.Rollback(t.Context()))
	return []outcome{<-ended, <-ended}
}

func (c *conversation) post(ctx context.Context, path, bearer, body string) outcome {
	return c.request(ctx, http.MethodPost, path, bearer, body)
}

func (c *conversation) request(ctx context.Context, method, path, bearer, body string) outcome {
	req, err := http.NewRequestWithContext(ctx, method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		return outcome{err: err}
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := c.server.Client().Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return outcome{status: resp.StatusCode, header: resp.Header, body: string(data), err: err}
}

// generatedID matches the columns of annotationRows that come from a sequence, which a refused answer advances too.
var generatedID = regexp.MustCompile(`"id": \d+, |, "suggestion_id": \d+`)

// Of two concurrent answers of one annotator for one URL, one is stored as a whole. The other one is refused if it differs. If it
// is the same, as after a double click, it succeeds as well.
func TestConcurrentAnswers(t *testing.T) {
	t.Parallel()
	const setup = `
		INSERT INTO us_states (state_iso, state_name) VALUES ('PA', 'Pennsylvania'), ('NJ', 'New Jersey');
		INSERT INTO locations (type, state_id) VALUES ('State', 1), ('State', 2);
		INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local'), (2, 'B', 'local');
		INSERT INTO urls (id, url, source) VALUES (1, 'one.org', 'manual')`
	bodies := [2]string{
		`{"suggested_status": "data source", "record_type": "Stops", "agency_info": {"agency_ids": [1]}, "location_info": {"location_ids": [1]},
			"name_info": {"new_name": "First"}}`,
		`{"suggested_status": "individual record", "agency_info": {"agency_ids": [2]}, "location_info": {"location_ids": [2]},
			"name_info": {"new_name": "Second"}}`,
	}
	tests := map[string]struct {
		path, bearer string
		rows         [2]string // after the first or the second answer
	}{
		"of a user": {
			path:   "/annotate/all/1",
			bearer: tokenFor(t, 7),
			rows: [2]string{`
annotation__url_type__user {"type": "data source", "url_id": 1, "user_id": 7}
annotation__record_type__user {"url_id": 1, "user_id": 7, "record_type": "Stops"}
annotation__agency__user {"is_new": null, "url_id": 1, "user_id": 7, "agency_id": 1}
annotation__location__user {"url_id": 1, "user_id": 7, "location_id": 1}
annotation__name__suggestions {"source": "User", "url_id": 1, "suggestion": "First"}
annotation__name__user__endorsements {"user_id": 7}
`, `
annotation__url_type__user {"type": "individual record", "url_id": 1, "user_id": 7}
annotation__agency__user {"is_new": null, "url_id": 1, "user_id": 7, "agency_id": 2}
annotation__location__user {"url_id": 1, "user_id": 7, "location_id": 2}
annotation__name__suggestions {"source": "User", "url_id": 1, "suggestion": "Second"}
annotation__name__user__endorsements {"user_id": 7}
`},
		},
		"of a session": {
			path: "/annotate/anonymous/1?session_id=00000000-0000-0000-0000-000000000001",
			rows: [2]string{`
annotation__name__suggestions {"source": "User", "url_id": 1, "suggestion": "First"}
annotation__url_type__anon {"url_id": 1, "url_type": "data source", "session_id": "{session}"}
annotation__record_type__anon {"url_id": 1, "session_id": "{session}", "record_type": "Stops"}
annotation__agency__anon {"url_id": 1, "agency_id": 1, "session_id": "{session}"}
annotation__location__anon {"url_id": 1, "session_id": "{session}", "location_id": 1}
annotation__name__anon__endorsements {"session_id": "{session}"}
`, `
annotation__name__suggestions {"source": "User", "url_id": 1, "suggestion": "Second"}
annotation__url_type__anon {"url_id": 1, "url_type": "individual record", "session_id": "{session}"}
annotation__agency__anon {"url_id": 1, "agency_id": 2, "session_id": "{session}"}
annotation__location__anon {"url_id": 1, "session_id": "{session}", "location_id": 2}
annotation__name__anon__endorsements {"session_id": "{session}"}
`},
		},
	}
	for name, tt := range tests {
		setUp := func(t *testing.T) *conversation {
			t.Parallel()
			c := newConversation(t, ranking.NewQueue())
			_, err := c.pool.Exec(t.Context(), setup)
			require.NoError(t, err)
			c.settle(t)
			return c
		}
		t.Run(name+", the same", func(t *testing.T) {
			c := setUp(t)
			for _, outcome := range c.postConcurrently(t, tt.path, tt.bearer, [2]string{bodies[0], bodies[0]}) {
				require.NoError(t, outcome.err)
				require.Equal(t, http.StatusOK, outcome.status, outcome.body)
			}
			require.Equal(t, tt.rows[0], "\n"+generatedID.ReplaceAllString(annotationRows(t, c.pool), ""))
		})
		t.Run(name+", different", func(t *testing.T) {
			c := setUp(t)
			outcomes := c.postConcurrently(t, tt.path, tt.bearer, bodies)
			refused := 0
			if outcomes[0].status == http.StatusOK {
				refused = 1
			}
			require.NoError(t, outcomes[0].err)
			require.NoError(t, outcomes[1].err)
			require.Equal(t, http.StatusOK, outcomes[1-refused].status, outcomes[1-refused].body)
			require.Equal(t, http.StatusConflict, outcomes[refused].status, outcomes[refused].body)
			require.Contains(t, tt.rows, "\n"+generatedID.ReplaceAllString(annotationRows(t, c.pool), ""))
		})
	}
}
