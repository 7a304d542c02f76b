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

// Enough for every run of the tests; -rapid.checks makes it more.
func init() { _ = flag.Set("rapid.checks", "50") }

// knownSession is an anonymous session of the tester's database.
const knownSession = "00000000-0000-4000-8000-000000000001"

// TestContractHolds sends every operation requests drawn from the contract, most of them valid, to the whole service on a
// database with sample data. Whatever comes, in whatever order: no operation fails, every answer fits the contract, what
// does not fit is refused, what fits is not refused for not fitting, and a polled or repeated request gets what it is
// promised. -rapid.seed repeats a run.
func TestContractHolds(t *testing.T) {
	t.Parallel()
	target := newTarget(t)
	for _, op := range target.operations(t) {
		t.Run(op.OperationID, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { target.probe(t, op, rapid.IntRange(0, 3).Draw(t, "break it") == 0) })
		})
	}
}

// TestBrokenRequestsWriteNothing sends every operation nothing but requests that do not fit.
func TestBrokenRequestsWriteNothing(t *testing.T) {
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
	entitled   []string // Authorization headers of users who may do everything
	unentitled string   // and of one who may do nothing
}

// described is an operation of the contract and where it is.
type described struct {
	*openapi3.Operation
	method, path string
	signedIn     bool
}

func newTarget(t *testing.T) *target {
	t.Helper()
	pool := dbtest.New(t)
	_, err := sample.Seed(t.Context(), pool, sample.Options{URLs: 60, Seed: 1})
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), "INSERT INTO anonymous_sessions (id) VALUES ($1)", knownSession)
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
		"existing_name_id": "url_name_suggestions",
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
			list = append(list, described{op, method, path, op.Security != nil && len(*op.Security) > 0})
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

// request is what will be sent; it is sent more than once.
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

func (target *target) send(t *rapid.T, r request) *httptest.ResponseRecorder {
	req := httptest.NewRequest(r.method, "/", strings.NewReader(r.body))
	var err error
	if req.URL, err = url.ParseRequestURI(r.target); err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	req.Header = r.header
	answer := httptest.NewRecorder()
	target.handler.ServeHTTP(answer, req)
	if answer.Code >= http.StatusInternalServerError {
		cause := "nothing"
		if all := target.logs.All(); len(all) > 0 {
			cause = fmt.Sprint(all[len(all)-1].ContextMap())
		}
		t.Fatalf("%s\nis answered %d; logged is %s", r, answer.Code, cause)
	}
	if err := api.Conforms(req, answer); err != nil {
		t.Fatalf("%s\nis answered %d %s, which does not fit the contract: %v\n%.2000s",
			r, answer.Code, answer.Header().Get("Content-Type"), err, answer.Body)
	}
	return answer
}

// probe sends one request, and more that depend on its answer.
func (target *target) probe(t *rapid.T, op described, breakIt bool) {
	r, refused := target.draw(t, op, breakIt)
	answer := target.send(t, r)
	success := answer.Code >= 200 && answer.Code < 300
	problem := problemOf(answer)
	switch {
	case slices.Contains(refused, http.StatusOK): // it could not be broken
	case len(refused) > 0 && !slices.Contains(refused, answer.Code):
		t.Fatalf("%s\nis answered %d, not %v: %.2000s", r, answer.Code, refused, answer.Body)
	case len(refused) == 0 && problem.unfit():
		t.Fatalf("%s\nfits, and is told otherwise: %.2000s", r, answer.Body)
	}
	if op.method == http.MethodGet {
		head := r
		head.method = http.MethodHead
		if again := target.send(t, head); again.Code != answer.Code && op.Tags[0] != "operations" {
			t.Fatalf("%s\nis answered %d, and HEAD %d", r, answer.Code, again.Code)
		}
	}
	if tag := answer.Header().Get("ETag"); tag != "" {
		if again := target.send(t, r.with("If-None-Match", tag)); again.Code != http.StatusNotModified {
			t.Fatalf("%s\nis answered %d to who has the answer", r, again.Code)
		}
	}
	if r.header.Get("Idempotency-Key") != "" && success {
		again := target.send(t, r)
		if again.Header().Get("Idempotency-Replayed") != "true" || again.Code != answer.Code || again.Body.String() != answer.Body.String() {
			t.Fatalf("%s\nsent again is answered %d %.2000s, not %d %.2000s", r, again.Code, again.Body, answer.Code, answer.Body)
		}
	}
}

// draw draws a request; refused is what a broken one may be answered with, none for one that fits.
func (target *target) draw(t *rapid.T, op described, breakIt bool) (r request, refused []int) {
	r = request{method: op.method, header: http.Header{}}
	broken := ""
	if breakIt {
		broken = rapid.SampledFrom(breakable(op)).Draw(t, "what is broken")
	}
	if broken == "token" {
		r.header.Set("Authorization", rapid.SampledFrom([]string{"", "Bearer x", "Basic x", target.unentitled}).Draw(t, "token"))
		refused = []int{http.StatusUnauthorized, http.StatusForbidden}
	} else {
		r.header.Set("Authorization", rapid.SampledFrom(target.entitled).Draw(t, "user"))
	}
	unfit := func() { refused = []int{http.StatusUnprocessableEntity} }

	path, query := op.path, url.Values{}
	for _, ref := range op.Parameters {
		p := ref.Value
		isBroken := broken == p.In+" "+p.Name
		var value any
		if isBroken {
			value, _ = brokenOf(t, p.Name, p.Schema)
			unfit()
		} else {
			value = target.draws.value(t, p.Name, p.Schema)
		}
		given := p.Required || isBroken || rapid.Bool().Draw(t, p.Name+" is given")
		switch {
		case p.In == "path":
			text := fmt.Sprint(value)
			if text == "" || text == "." || text == ".." {
				text = "x" // it would be another path
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
		unfit()
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
			unfit()
		} else {
			r.body = encoded(body)
		}
	}
	if breakIt && len(refused) == 0 {
		refused = []int{http.StatusOK}
	}
	return r, refused
}

// breakable lists what can be wrong with a request; there is always something, be it nothing.
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

// brokenBody encodes an object that fits, with one thing wrong.
func brokenBody(t *rapid.T, schema *openapi3.SchemaRef, body map[string]any) string {
	s, _ := resolved(schema)
	ways := []string{
		"", " ", "{", "null", "[]", "1", `"x"`, "\xff", `{"a":"` + "\xff" + `"}`, strings.Repeat(`{"a":`, 5000), "{}{}", "NaN",
		strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40),
	}
	if way := rapid.IntRange(0, 3*len(ways)).Draw(t, "way"); way < len(ways) {
		return ways[way]
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(s.Properties))).Draw(t, "property")
	value, ok := brokenOf(t, name, s.Properties[name])
	required := slices.Contains(s.Required, name)
	closed := s.AdditionalProperties.Has != nil && !*s.AdditionalProperties.Has
	switch way := rapid.IntRange(0, 3).Draw(t, "how"); {
	case way == 0 && required:
		delete(body, name)
	case way == 1 && closed:
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

// problem is what is read of one.
type problem struct {
	Type   string
	Errors []struct{ Type string }
}

func problemOf(answer *httptest.ResponseRecorder) (p problem) {
	if answer.Code >= http.StatusBadRequest {
		_ = json.Unmarshal(answer.Body.Bytes(), &p)
	}
	return p
}

// unfit tells whether the contract refused the request, rather than a use case some value in it.
func (p problem) unfit() bool {
	return slices.ContainsFunc(p.Errors, func(fault struct{ Type string }) bool { return fault.Type != "value_error" })
}
