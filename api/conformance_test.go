package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
)

func init() { openapi3filter.RegisterBodyDecoder("image/webp", openapi3filter.FileBodyDecoder) }

// Conforming returns a handler that fails the test when an answer does not fit the contract.
func Conforming(t testing.TB, handler http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if err := Conforms(r, answer); err != nil {
			t.Errorf("%s %s is answered %d %s, which does not fit the contract: %v\n%.2000s",
				r.Method, r.URL, answer.Code, answer.Header().Get("Content-Type"), err, answer.Body.String())
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// Conforms returns an error when the answer to a request does not fit the contract.
func Conforms(r *http.Request, answer *httptest.ResponseRecorder) error {
	expected, err := strictContract()
	if err != nil {
		return err
	}
	return expected.check(r, answer)
}

// expectation is the contract with nothing left open: an object has no keys but those described, and an operation answers
// with no status that is not listed, apart from those of HTTP itself.
type expectation struct {
	doc    *openapi3.T
	router routers.Router
}

// strictContract is made once: it is the same for every test, and only read.
var strictContract = sync.OnceValues(func() (*expectation, error) {
	doc, err := Contract()
	if err != nil {
		return nil, err
	}
	for _, schema := range doc.Components.Schemas {
		closeObjects(schema, nil)
	}
	router, err := legacy.NewRouter(doc)
	return &expectation{doc, router}, err
})

func closeObjects(ref *openapi3.SchemaRef, above []*openapi3.Schema) {
	if ref == nil || slices.Contains(above, ref.Value) {
		return
	}
	s := ref.Value
	above = append(above, s)
	if more := s.AdditionalProperties; len(s.Properties) > 0 && more.Has == nil && more.Schema == nil {
		s.AdditionalProperties.Has = new(bool)
	}
	for _, property := range s.Properties {
		closeObjects(property, above)
	}
	closeObjects(s.Items, above)
}

// unlisted are statuses that any operation may answer with, by its contract's default.
var unlisted = []int{
	http.StatusBadRequest, // a body that breaks off
	http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	statusClientClosed,
}

func (e *expectation) check(r *http.Request, answer *httptest.ResponseRecorder) error {
	get := r.Clone(r.Context())
	if get.Method == http.MethodHead {
		get.Method = http.MethodGet
	}
	route, params, err := e.router.FindRoute(get)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") { // the library sees no difference; Docket redirects
		return e.checkUnrouted(get, answer)
	}
	listed := route.Operation.Responses.Status(answer.Code) != nil
	switch {
	case !listed && !slices.Contains(unlisted, answer.Code):
		return errors.New("the status is not listed")
	case answer.Code == http.StatusNotModified && answer.Body.Len() > 0:
		return errors.New("304 has a body")
	case answer.Code == statusClientClosed:
		return nil
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: get, PathParams: params, Route: route},
		Status:                 answer.Code,
		Header:                 answer.Header(),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	input.SetBodyBytes(answer.Body.Bytes())
	media, _, err := mime.ParseMediaType(answer.Header().Get("Content-Type"))
	if listed && err == nil && media == "application/x-ndjson" {
		input.Options.ExcludeResponseBody = true
		described := route.Operation.Responses.Status(answer.Code).Value.Content[media]
		if described == nil {
			return errors.New("the media type is not described")
		}
		if err := checkLines(described.Schema, answer.Body.Bytes()); err != nil {
			return err
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), input)
}

// checkUnrouted checks the answer to what the contract does not know, or knows by another method.
func (e *expectation) checkUnrouted(r *http.Request, answer *httptest.ResponseRecorder) error {
	if answer.Code < http.StatusBadRequest {
		known := slices.Contains(documentation, r.URL.Path) || answer.Code == http.StatusTemporaryRedirect ||
			r.Method == http.MethodOptions
		if !known {
			return errors.New("the contract does not know this request")
		}
		return nil
	}
	var problem any
	if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil {
		return err
	}
	return e.doc.Components.Schemas["Problem"].Value.VisitJSON(problem)
}

func checkLines(schema *openapi3.SchemaRef, body []byte) error {
	if len(body) > 0 && !bytes.HasSuffix(body, []byte("\n")) {
		return errors.New("the last line has no end")
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for n := 1; lines.Scan(); n++ {
		var value any
		if err := json.Unmarshal(lines.Bytes(), &value); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := schema.Value.VisitJSON(value); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// The check finds what it is for.
func TestConformance(t *testing.T) {
	t.Parallel()
	e, err := strictContract()
	require.NoError(t, err)
	const (
		problem = `{"type":"t","title":"t","status":409,"detail":"d","instance":"/","request_id":"x"}`
		line    = `{"url_id":1,"url":"u","user":"7","attribute":"url_type","value":"v","created_at":null,"validated":true}`
	)
	for name, test := range map[string]struct {
		method, target string
		status         int
		media, body    string
		want           string // "" when it fits
	}{
		"fits":                  {"GET", "/annotate/all", 200, "application/json", `{"next_annotation":null}`, ""},
		"problem":               {"POST", "/annotate/all/1", 409, "application/problem+json", problem, ""},
		"missing":               {"GET", "/annotate/all", 200, "application/json", `{}`, "next_annotation"},
		"too much":              {"GET", "/annotate/all", 200, "application/json", `{"next_annotation":null,"x":1}`, `"x" is unsupported`},
		"wrong type, deep down": {"GET", "/contributions/leaderboard", 200, "application/json", `{"leaderboard":[{"user_id":"7","count":1}]}`, "integer"},
		"too much, deep down":   {"GET", "/contributions/leaderboard", 200, "application/json", `{"leaderboard":[{"user_id":7,"count":1,"x":1}]}`, `"x" is unsupported`},
		"enum":                  {"POST", "/submit/url", 200, "application/json", `{"url_original":"u","url_cleaned":null,"status":"odd","url_id":null}`, "status"},
		"media type":            {"GET", "/annotate/all", 200, "text/plain", `{"next_annotation":null}`, "text/plain"},
		"no JSON":               {"GET", "/annotate/all", 200, "application/json", `{`, "EOF"},
		"status not listed":     {"GET", "/annotate/all", 404, "application/problem+json", problem, "not listed"},
		"a problem as success":  {"GET", "/annotate/all", 200, "application/problem+json", problem, "Content-Type"},
		"lines":                 {"GET", "/export/annotations", 200, "application/x-ndjson", line + "\n" + line + "\n", ""},
		"no lines":              {"GET", "/export/annotations", 200, "application/x-ndjson", "", ""},
		"a bad line":            {"GET", "/export/annotations", 200, "application/x-ndjson", line + "\n{}\n", "line 2"},
		"half a line":           {"GET", "/export/annotations", 200, "application/x-ndjson", line, "no end"},
		"csv":                   {"GET", "/export/annotations", 200, "text/csv", "a,b\n1,2\n", ""},
		"image":                 {"GET", "/url/1/screenshot", 200, "image/webp", "RIFF\x00\xff", ""},
		"no image":              {"GET", "/url/1/screenshot", 200, "image/png", "x", "image/png"},
		"head":                  {"HEAD", "/annotate/all", 404, "application/problem+json", problem, "not listed"},
		"not modified":          {"GET", "/contributions/leaderboard", 304, "", "", ""},
		"modified after all":    {"GET", "/contributions/leaderboard", 304, "", "x", "has a body"},
		"unknown route":         {"GET", "/nowhere", 404, "application/problem+json", problem, ""},
		"served beside":         {"GET", "/nowhere", 200, "application/json", `{}`, "does not know"},
		"text for a problem":    {"GET", "/nowhere", 404, "text/plain", "404 page not found", "invalid character"},
		"documentation":         {"GET", "/docs", 200, "text/html", "<p>", ""},
	} {
		answer := httptest.NewRecorder()
		answer.Code = test.status
		answer.Header().Set("Content-Type", test.media)
		answer.Body.WriteString(test.body)
		err := e.check(httptest.NewRequest(test.method, test.target, nil), answer)
		if test.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Error(t, err, name)
		require.True(t, strings.Contains(err.Error(), test.want), "%s: %v", name, err)
	}
}
