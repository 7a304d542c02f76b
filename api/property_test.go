package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"docket/api"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
	"docket/internal/sample"
)

// A number that every run of the tests can afford; -rapid.checks raises it.
func init() { _ = flag.Set("rapid.checks", "50") }

// knownSession is an anonymous session in the database of the test.
const knownSession = "00000000-0000-4000-8000-000000000001"

// TestContractHolds sends random requests to every operation of the whole service, on a database with sample data. Most of
// the requests are valid. No operation fails, every response matches the contract, an invalid request is refused, a valid one
// is not refused as invalid, an answer or a transfer can be repeated, and ETag and Idempotency-Key work as documented. -rapid.seed
// repeats a run.
func TestContractHolds(t *testing.T) {
	t.Parallel()
	target := newTarget(t)
	for _, op := range target.operations(t) {
		t.Run(op.OperationID, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { target.probe(t, op, rapid.IntRange(0, 3).Draw(t, "break it") == 0) })
		})
	}
}

// TestInvalidRequestsWriteNothing sends only invalid requests to every operation.
func TestInvalidRequestsWriteNothing(t *testing.T) {
	t.Parallel()
	target := newTarget(t)
	before := target.rows(t)
	for _, op := range target.operations(t) {
		t.Run(op.OperationID, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { target.probe(t, op, true) })
		})
	}
	require.Equal(t, before, target.rows(t))
}

// target is the service under test.
type target struct {
	handler http.Handler
	pool    *postgres.Pool
	logs    *observer.ObservedLogs
	doc     *openapi3.T

	draws      generator
	entitled   []string // Authorization headers of users with all permissions
	unentitled string   // Authorization header of a user without any
}

// described is an operation of the contract with its method and path.
type described struct {
	*openapi3.Operation
	method, path string
	signedIn     bool // it needs a token
	restricted   bool // the token needs a permission
}

func newTarget(t *testing.T) *target {
	t.Helper()
	pool := dbtest.New(t)
	_, err := sample.Seed(t.Context(), pool, sample.Options{URLs: 60, Seed: 1})
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), "INSERT INTO anonymous_sessions (id) VALUES ($1)", knownSession)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), `INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposal_status)
		SELECT 'Agency ' || n, 'court', 'local', 'pending' FROM generate_series(1, 20) AS n`)
	require.NoError(t, err)
	core, logs := observer.New(zap.ErrorLevel)
	doc, err := api.Contract()
	require.NoError(t, err)
	made := &target{handler: newHandler(t, pool, ranking.NewQueue(), zap.New(core)), pool: pool, logs: logs, doc: doc}
	for user := range int32(40) {
		made.entitled = append(made.entitled, bearerOf(t, user+1, auth.Permissions()...))
	}
	made.unentitled = bearerOf(t, 1)
	made.draws.ids = map[string][]int64{}
	for name, table := range map[string]string{
		"url_id": "urls", "agency_id": "agencies", "location_id": "locations", "county_id": "counties", "batch_id": "batches",
		"proposal_id":      "proposal__agencies",
		"task_id":          "tasks",
		"existing_name_id": "annotation__name__suggestions",
	} {
		rows, err := pool.Query(t.Context(), "SELECT id FROM "+table+" ORDER BY id LIMIT 20")
		require.NoError(t, err)
		made.draws.ids[name], err = pgx.CollectRows(rows, pgx.RowTo[int64])
		require.NoError(t, err)
		require.NotEmpty(t, made.draws.ids[name])
	}
	return made
}

func bearerOf(t *testing.T, user int32, permissions ...auth.Permission) string {
	t.Helper()
	token, err := auth.Issue(testKey, user, permissions, time.Hour, time.Now())
	require.NoError(t, err)
	return "Bearer " + token
}

func (target *target) operations(t *testing.T) (list []described) {
	for _, path := range slices.Sorted(maps.Keys(target.doc.Paths.Map())) {
		item := target.doc.Paths.Value(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			op := item.GetOperation(method)
			needs := described{Operation: op, method: method, path: path}
			if op.Security != nil && len(*op.Security) > 0 {
				needs.signedIn, needs.restricted = true, len((*op.Security)[0]["bearerAuth"]) > 0
			}
			list = append(list, needs)
		}
	}
	require.Greater(t, len(list), 6)
	return list
}

// rows counts the rows of every table.
func (target *target) rows(t *testing.T) (counts string) {
	t.Helper()
	require.NoError(t, target.pool.QueryRow(t.Context(), `
		SELECT string_agg(format('%s %s', relname, (xpath('/row/n/text()',
			query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]), E'\n' ORDER BY relname)
		FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`).Scan(&counts))
	return counts
}

// request is a request that can be sent more than once.
type request struct {
	method, target, body string
	header               http.Header
}

func (r request) String() string {
	return fmt.Sprintf("%s %s %q %.2000s", r.method, r.target, r.header, r.body)
}

func (r request) with(name, value string) request {
	r.header = r.header.Clone()
	r.header.Set(name, value)
	return r
}

func (r request) without(name string) request {
	r.header = r.header.Clone()
	r.header.Del(name)
	return r
}

func (target *target) send(t *rapid.T, r request) *httptest.ResponseRecorder {
	req := httptest.NewRequest(r.method, "/", strings.NewReader(r.body))
	var err error
	if req.URL, err = url.ParseRequestURI(r.target); err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	req.Header = r.header
	response := httptest.NewRecorder()
	target.handler.ServeHTTP(response, req)
	if response.Code >= http.StatusInternalServerError {
		cause := "nothing"
		if all := target.logs.All(); len(all) > 0 {
			cause = fmt.Sprint(all[len(all)-1].ContextMap())
		}
		t.Fatalf("%s\ngot the response %d; the log has %s", r, response.Code, cause)
	}
	if err := api.Conforms(req, response); err != nil {
		t.Fatalf("%s\ngot the response %d %s, which does not match the contract: %v\n%.2000s",
			r, response.Code, response.Header().Get("Content-Type"), err, response.Body)
	}
	return response
}

// probe sends one request, and further ones that depend on its response.
func (target *target) probe(t *rapid.T, op described, breakIt bool) {
	r, refused := target.draw(t, op, breakIt)
	response := target.send(t, r)
	success := response.Code >= 200 && response.Code < 300
	problem := problemOf(response)
	switch {
	case slices.Contains(refused, http.StatusOK): // it could not be broken
	case len(refused) > 0 && !slices.Contains(refused, response.Code):
		t.Fatalf("%s\ngot the response %d, not %v: %.2000s", r, response.Code, refused, response.Body)
	case len(refused) == 0 && problem.invalid():
		t.Fatalf("%s\nis valid, but was refused as invalid: %.2000s", r, response.Body)
	}
	if op.method == http.MethodGet {
		head := r
		head.method = http.MethodHead
		if again := target.send(t, head); again.Code != response.Code && op.Tags[0] != "operations" {
			t.Fatalf("%s\ngot the response %d, but %d for HEAD", r, response.Code, again.Code)
		}
	}
	if tag := response.Header().Get("ETag"); tag != "" {
		if again := target.send(t, r.with("If-None-Match", tag)); again.Code != http.StatusNotModified {
			t.Fatalf("%s\ngot the response %d with its own ETag", r, again.Code)
		}
	}
	if op.Tags[0] == "annotate" && op.method == http.MethodPost && success {
		if again := target.send(t, r.without("Idempotency-Key")); again.Code != http.StatusOK {
			t.Fatalf("%s\nsent again without a key got the response %d %.2000s", r, again.Code, again.Body)
		}
	}
	if r.header.Get("Idempotency-Key") != "" && success {
		again := target.send(t, r)
		if again.Header().Get("Idempotency-Replayed") != "true" || again.Code != response.Code || again.Body.String() != response.Body.String() {
			t.Fatalf("%s\nsent again got the response %d %.2000s, not %d %.2000s", r, again.Code, again.Body, response.Code, response.Body)
		}
	}
}

// draw draws a request. For an invalid one, refused lists the statuses that its response may have; for a valid one it is empty.
func (target *target) draw(t *rapid.T, op described, breakIt bool) (r request, refused []int) {
	r = request{method: op.method, header: http.Header{}}
	broken := ""
	if breakIt {
		broken = rapid.SampledFrom(breakable(op)).Draw(t, "what is broken")
	}
	if broken == "token" {
		tokens := []string{"", "Bearer x", "Basic x"}
		if op.restricted {
			tokens = append(tokens, target.unentitled)
		}
		r.header.Set("Authorization", rapid.SampledFrom(tokens).Draw(t, "token"))
		refused = []int{http.StatusUnauthorized, http.StatusForbidden}
	} else {
		r.header.Set("Authorization", rapid.SampledFrom(target.entitled).Draw(t, "user"))
	}
	invalid := func() { refused = []int{http.StatusUnprocessableEntity} }

	path, query := op.path, url.Values{}
	for _, ref := range op.Parameters {
		p := ref.Value
		isBroken := broken == p.In+" "+p.Name
		var value any
		if isBroken {
			value, _ = brokenOf(t, p.Name, p.Schema)
			invalid()
		} else {
			value = target.draws.value(t, p.Name, p.Schema)
		}
		given := p.Required || isBroken || rapid.Bool().Draw(t, p.Name+" is given")
		switch {
		case p.In == "path":
			text := strings.ReplaceAll(fmt.Sprint(value), "/", "x") // it would be another path, as these would be:
			if text == "" || text == "." || text == ".." {
				text = "x"
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(text))
		case !given:
		case p.In == "query":
			query.Set(p.Name, fmt.Sprint(value))
		case p.In == "header":
			text := rapid.StringMatching(`[a-z0-9-]{8,40}`).Draw(t, "key")
			if isBroken {
				text = rapid.SampledFrom([]string{strings.Repeat("k", 256), "a\xff"}).Draw(t, "broken key")
			}
			r.header.Set(p.Name, text)
		}
	}
	if name, ok := strings.CutPrefix(broken, "no query "); ok {
		query.Del(name)
		invalid()
	}
	r.target = path
	if len(query) > 0 {
		r.target += "?" + query.Encode()
	}
	if op.RequestBody != nil {
		r.header.Set("Content-Type", "application/json")
		schema := op.RequestBody.Value.Content["application/json"].Schema
		body := target.draws.value(t, "body", schema)
		if broken == "body" {
			r.body = brokenBody(t, schema, body.(map[string]any))
			invalid()
		} else {
			r.body = encoded(body)
		}
	}
	if breakIt && len(refused) == 0 {
		refused = []int{http.StatusOK}
	}
	return r, refused
}

// breakable lists the parts of a request that can be made invalid; "nothing" when there is none.
func breakable(op described) []string {
	list := []string{}
	if op.signedIn {
		list = append(list, "token")
	}
	for _, ref := range op.Parameters {
		p := ref.Value
		if s, _ := resolved(p.Schema); !s.Type.IsEmpty() {
			list = append(list, p.In+" "+p.Name)
		}
		if p.Required && p.In == "query" {
			list = append(list, "no query "+p.Name)
		}
	}
	if op.RequestBody != nil {
		list = append(list, "body", "body", "body")
	}
	return append(list, "nothing")[:max(1, len(list))]
}

// brokenBody encodes a valid object with one error in it.
func brokenBody(t *rapid.T, schema *openapi3.SchemaRef, body map[string]any) string {
	s, _ := resolved(schema)
	bodies := []string{
		"", " ", "{", "null", "[]", "1", `"x"`, "\xff", `{"a":"` + "\xff" + `"}`, strings.Repeat(`{"a":`, 5000), "{}{}", "NaN",
		strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40),
	}
	if n := rapid.IntRange(0, 3*len(bodies)).Draw(t, "body"); n < len(bodies) {
		return bodies[n]
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(s.Properties))).Draw(t, "property")
	value, ok := brokenOf(t, name, s.Properties[name])
	required := slices.Contains(s.Required, name)
	closed := s.AdditionalProperties.Has != nil && !*s.AdditionalProperties.Has
	switch change := rapid.IntRange(0, 3).Draw(t, "change"); {
	case change == 0 && required:
		delete(body, name)
	case change == 1 && closed:
		body[rapid.SampledFrom([]string{"unknown", "", "__proto__", strings.Repeat("k", 1000)}).Draw(t, "key")] = 1
	case ok && rapid.Bool().Draw(t, "twice"):
		text := encoded(body)
		return strings.TrimSuffix(text, "}") + map[bool]string{true: "", false: ","}[text == "{}"] +
			encoded(name) + ":" + encoded(value) + "," + encoded(name) + ":" + encoded(value) + "}"
	case ok:
		body[name] = value
	default:
		return "[]"
	}
	return encoded(body)
}

func encoded(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// problem is the part of a problem that the test reads.
type problem struct {
	Type   string
	Errors []struct{ Type string }
}

func problemOf(response *httptest.ResponseRecorder) (p problem) {
	if response.Code >= http.StatusBadRequest {
		_ = json.Unmarshal(response.Body.Bytes(), &p)
	}
	return p
}

// invalid reports whether the contract's check refused the request, rather than a use case one of its values.
func (p problem) invalid() bool {
	return slices.ContainsFunc(p.Errors, func(fault struct{ Type string }) bool { return fault.Type != "value_error" })
}
