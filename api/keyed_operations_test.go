package api_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"docket/api"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// keyedOperation is an operation that takes an Idempotency-Key, with a request for each number from 1, and what all of them add.
type keyedOperation struct {
	permission auth.Permission // of the token; "none" means no token
	path, body string          // %d is the number
	effects    string          // counts the effects of all requests, each of which has one
	status     int             // of a success; 0 means 200
}

const noToken = auth.Permission("none")

// keyedOperations are all operations that take a key, by method and path in the contract, on the data of keyedData.
var keyedOperations = map[string]keyedOperation{
	"POST /annotate/all/{url_id}": {
		path: "/annotate/all/%d", body: `{"suggested_status": "meta url"}`,
		effects: "SELECT count(*) FROM annotation__url_type__user",
	},
	"POST /annotate/anonymous/{url_id}": {
		permission: noToken, path: "/annotate/anonymous/%d?session_id=00000000-0000-0000-0001-000000000000",
		body: `{"suggested_status": "meta url"}`, effects: "SELECT count(*) FROM annotation__url_type__anon WHERE url_type = 'meta url'",
	},
	"POST /annotate/all/{url_id}/skip": {
		path: "/annotate/all/%d/skip", body: `{"reason": "language"}`, effects: "SELECT count(*) FROM url_skips",
	},
	"POST /annotate/anonymous/{url_id}/skip": {
		permission: noToken, path: "/annotate/anonymous/%d/skip?session_id=00000000-0000-0000-0001-000000000000",
		body: `{"reason": "language"}`, effects: "SELECT count(*) FROM url_skips",
	},
	"POST /annotate/migrate": {
		path:    "/annotate/migrate?session_id=00000000-0000-0000-0000-%012d",
		effects: "SELECT count(*) FROM annotation__url_type__user",
	},
	"POST /agencies": {
		permission: auth.AccessSourceCollector, path: "/agencies",
		body:    `{"name": "New %d", "type": "law enforcement", "jurisdiction_type": "local", "location_ids": [1]}`,
		effects: "SELECT count(*) FROM agencies WHERE name LIKE 'New %'",
	},
	"POST /agencies/{agency_id}/locations/{location_id}": {
		permission: auth.AccessSourceCollector, path: "/agencies/%d/locations/1",
		effects: "SELECT count(*) FROM link_agencies__locations",
	},
	"POST /locations": {
		permission: auth.AccessSourceCollector, path: "/locations", body: `{"locality_name": "New %d", "county_id": 1}`,
		effects: "SELECT count(*) FROM locations WHERE type = 'Locality'",
	},
	"POST /submit/agency": {
		path:    "/submit/agency",
		body:    `{"name": "New %d", "agency_type": "law enforcement", "jurisdiction_type": "local", "location_ids": [1]}`,
		effects: "SELECT count(*) FROM proposal__agencies WHERE name LIKE 'New %'",
	},
	"POST /proposal/agencies/{proposal_id}/approve": {
		permission: auth.AccessSourceCollector, path: "/proposal/agencies/%d/approve",
		effects: "SELECT count(*) FROM agencies WHERE name LIKE 'Proposed %'",
	},
	"POST /proposal/agencies/{proposal_id}/reject": {
		permission: auth.AccessSourceCollector, path: "/proposal/agencies/%d/reject", body: `{"rejection_reason": "no"}`,
		effects: "SELECT count(*) FROM proposal__agencies WHERE proposal_status = 'rejected'",
	},
	"POST /proposal/agencies/{proposal_id}/locations/{location_id}": {
		permission: auth.AccessSourceCollector, path: "/proposal/agencies/%d/locations/1",
		effects: "SELECT count(*) FROM proposal__link__agencies__locations",
	},
	"POST /submit/url": {
		path: "/submit/url", body: `{"url": "https://new.org/%d"}`, effects: "SELECT count(*) FROM urls WHERE url LIKE 'new.org/%'",
	},
	"POST /submit/data-source": {
		permission: noToken, path: "/submit/data-source",
		body:    `{"source_url": "https://new.org/%d", "name": "New", "record_type": "Stops"}`,
		effects: "SELECT count(*) FROM anonymous_sessions WHERE id::text NOT LIKE '00000000%'",
	},
	"POST /url/{url_id}/reopen": {
		permission: auth.AccessSourceCollector, path: "/url/100%d/reopen", body: `{"reason": "wrong"}`,
		effects: "SELECT count(*) FROM url_history WHERE event = 'reopened'",
	},
	"POST /collector/manual": {
		permission: auth.AccessSourceCollector, path: "/collector/manual",
		body:    `{"name": "New", "entries": [{"url": "https://new.org/%d"}, {"url": "1.org"}]}`,
		effects: "SELECT count(*) FROM batches WHERE strategy = 'manual'",
	},
	"POST /batch/{batch_id}/abort": {
		permission: auth.AccessSourceCollector, path: "/batch/%d/abort",
		effects: "SELECT count(*) FROM batches WHERE status = 'aborted'",
	},
	"POST /suggestions": {
		permission: "robot", path: "/suggestions",
		body:    `{"suggestions": [{"url_id": %d, "attribute": "record_type", "value": "Stops"}, {"url_id": 0, "attribute": "name", "value": "n"}]}`,
		effects: "SELECT count(*) FROM annotation__record_type__auto",
	},
	"POST /task/{task_type}/run": {
		permission: auth.AccessSourceCollector, path: "/task/Auto%%20Name/run?number=%d",
		effects: "SELECT count(*) FROM tasks", status: http.StatusAccepted,
	},
	"PUT /follows": {
		permission: auth.AccessSourceCollector, path: "/follows", body: `{"follows": [{"user_id": %d, "location_id": 1}]}`,
		effects: "SELECT count(*) FROM link__locations__user_follows WHERE user_id = 1",
	},
}

// keyedData inserts n rows of everything that a request refers to by its number. Session n has one answer, about URL n. The URL
// with the number after the digits 100 is validated.
func keyedData(t *testing.T, pool *postgres.Pool, n int) {
	t.Helper()
	dbtest.Exec(t, pool, `INSERT INTO us_states (state_iso, state_name) VALUES ('OH', 'Ohio');
		INSERT INTO counties (fips, name, state_id) VALUES ('39049', 'Franklin', 1);
		INSERT INTO locations (type, state_id) VALUES ('State', 1);`+fmt.Sprintf(`
		INSERT INTO urls (url, source) SELECT i || '.org', 'manual' FROM generate_series(1, %[1]d) i;
		INSERT INTO urls (id, url, source) SELECT ('100' || i)::integer, i || '.fact.org', 'collector' FROM generate_series(1, %[1]d) i;
		INSERT INTO flag_url_validated (url_id, type) SELECT ('100' || i)::integer, 'not relevant' FROM generate_series(1, %[1]d) i;
		INSERT INTO agencies (id, name, jurisdiction_type) SELECT i, 'Old ' || i, 'local' FROM generate_series(1, %[1]d) i;
		SELECT setval(pg_get_serial_sequence('agencies', 'id'), %[1]d);
		INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposal_status, proposing_user_id)
		SELECT 'Proposed ' || i, 'law enforcement', 'local', 'pending', 9 FROM generate_series(1, %[1]d) i;
		INSERT INTO batches (strategy, status, parameters) SELECT 'example', 'in-process', '{}' FROM generate_series(1, %[1]d) i;
		INSERT INTO anonymous_sessions (id)
		SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, %[1]d) i;
		INSERT INTO annotation__url_type__anon (url_id, url_type, session_id)
		SELECT i, 'data source', ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, %[1]d) i;`, n))
	require.NoError(t, ranking.Reconcile(t.Context(), pool, func(ranking.Difference) {}))
}

// request returns the request with a number and its key.
func (o keyedOperation) request(t testing.TB, name string, number int) *http.Request {
	t.Helper()
	method, _, _ := strings.Cut(name, " ")
	fill := func(text string) string {
		if !strings.Contains(text, "%") {
			return text
		}
		return fmt.Sprintf(text, number)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, fill(o.path), strings.NewReader(fill(o.body)))
	if o.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Idempotency-Key", fmt.Sprintf("%s %d", name, number))
	switch o.permission {
	case noToken:
	case "":
		r.Header.Set("Authorization", "Bearer "+tokenFor(t, 7))
	default:
		r.Header.Set("Authorization", "Bearer "+tokenFor(t, 7, o.permission))
	}
	return r
}

// The contract and keyedOperations agree, and each operation stores its result under the key: a repetition has no effect and gets
// the same response.
func TestEveryKeyedOperationIsReplayed(t *testing.T) {
	t.Parallel()
	doc, err := api.Contract()
	require.NoError(t, err)
	var expected []string
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Parameters.GetByInAndName("header", "Idempotency-Key") != nil {
				expected = append(expected, method+" "+path)
			}
		}
	}
	var tested []string
	for name := range keyedOperations {
		tested = append(tested, name)
	}
	require.ElementsMatch(t, expected, tested)

	for name, operation := range keyedOperations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			keyedData(t, pool, 3)
			checkReplay(t, pool, name, operation)
			require.Equal(t, 1, dbtest.Count(t, pool, operation.effects))
		})
	}
}

// A success that stores nothing is a result too: the repetition gets it, even if the request would store something by now.
func TestSuccessWithoutEffectIsReplayed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		name   string
		change func(o *keyedOperation)
		then   string // makes the request effective
	}{
		"repeated answer": {"POST /annotate/all/{url_id}", func(*keyedOperation) {}, "DELETE FROM annotation__url_type__user"},
		"repeated answer of a session": {"POST /annotate/anonymous/{url_id}", func(*keyedOperation) {},
			"DELETE FROM annotation__url_type__anon"},
		"unknown session": {"POST /annotate/migrate", func(o *keyedOperation) {
			o.path = "/annotate/migrate?session_id=00000000-0000-0000-0002-000000000000"
		}, `INSERT INTO anonymous_sessions (id) VALUES ('00000000-0000-0000-0002-000000000000');
			INSERT INTO annotation__url_type__anon (url_id, url_type, session_id)
			VALUES (2, 'data source', '00000000-0000-0000-0002-000000000000')`},
		"known proposal": {"POST /submit/agency", func(*keyedOperation) {},
			"DELETE FROM proposal__link__agencies__locations; DELETE FROM proposal__agencies WHERE name LIKE 'New %'"},
		"unknown proposal": {"POST /proposal/agencies/{proposal_id}/approve", func(o *keyedOperation) {
			o.path = "/proposal/agencies/4/approve"
		}, `INSERT INTO proposal__agencies (id, name, agency_type, jurisdiction_type, proposal_status, proposing_user_id)
			VALUES (4, 'Proposed 4', 'law enforcement', 'local', 'pending', 9)`},
		"known URL": {"POST /submit/url", func(o *keyedOperation) { o.body = `{"url": "3.org"}` },
			"DELETE FROM annotation_queue WHERE url_id = 3; DELETE FROM annotation__url_type__anon; DELETE FROM urls WHERE id = 3"},
		"unknown URL of a robot": {"POST /suggestions", func(o *keyedOperation) {
			o.body = strings.Replace(o.body, "%d", "4", 1)
		}, "INSERT INTO urls (id, url, source) VALUES (4, '4.org', 'manual')"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			keyedData(t, pool, 3)
			operation := keyedOperations[test.name]
			first := operation.request(t, test.name, 1)
			first.Header.Set("Idempotency-Key", "another")
			newHandler(t, pool, ranking.NewQueue(), zap.NewNop()).ServeHTTP(httptest.NewRecorder(), first)
			test.change(&operation)
			checkReplay(t, pool, test.name, operation)
			dbtest.Exec(t, pool, test.then)
			before := dbtest.Count(t, pool, operation.effects)
			response := httptest.NewRecorder()
			newHandler(t, pool, ranking.NewQueue(), zap.NewNop()).ServeHTTP(response, operation.request(t, test.name, 1))
			require.Equal(t, "true", response.Header().Get("Idempotency-Replayed"))
			require.Equal(t, before, dbtest.Count(t, pool, operation.effects))
		})
	}
}

// checkReplay sends a request two times.
func checkReplay(t *testing.T, pool *postgres.Pool, name string, operation keyedOperation) {
	t.Helper()
	handler := newHandler(t, pool, ranking.NewQueue(), zap.NewNop())
	send := func() *httptest.ResponseRecorder {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, operation.request(t, name, 1))
		require.Equal(t, cmp.Or(operation.status, http.StatusOK), response.Code, response.Body.String())
		return response
	}
	before := dbtest.Count(t, pool, "SELECT count(*) FROM idempotency_keys")
	first := send()
	require.Empty(t, first.Header().Get("Idempotency-Replayed"))
	require.Equal(t, before+1, dbtest.Count(t, pool, "SELECT count(*) FROM idempotency_keys"))
	effects := dbtest.Count(t, pool, operation.effects)

	again := send()
	require.Equal(t, "true", again.Header().Get("Idempotency-Replayed"))
	require.Equal(t, withoutNext(t, first), withoutNext(t, again))
	require.Equal(t, effects, dbtest.Count(t, pool, operation.effects))
	require.Equal(t, before+1, dbtest.Count(t, pool, "SELECT count(*) FROM idempotency_keys"))
	stored := dbtest.List(t, pool, "SELECT caller || coalesce(outcome::text, '') FROM idempotency_keys")
	for _, text := range stored {
		require.NotContains(t, text, "00000000-0000", "a session id is a secret")
	}
}

// withoutNext returns a body without next_annotation, which a repetition chooses anew.
func withoutNext(t *testing.T, response *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal(response.Body.Bytes(), &body))
	delete(body, "next_annotation")
	return body
}
