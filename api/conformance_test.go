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

// Conforming returns a handler that fails the test when a response does not match the contract.
func Conforming(t testing.TB, handler http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, r)
		if err := errors.Join(Conforms(r, response), protected(response)); err != nil {
			t.Errorf("%s %s got the response %d %s, which does not match the contract: %v\n%.2000s",
				r.Method, r.URL, response.Code, response.Header().Get("Content-Type"), err, response.Body.String())
		}
		for name, values := range response.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(response.Code)
		_, _ = w.Write(response.Body.Bytes())
	})
}

// protected returns an error when a response lacks one of the headers that every response has.
func protected(response *httptest.ResponseRecorder) error {
	header := response.Header()
	if header.Get("X-Content-Type-Options") != "nosniff" {
		return errors.New("the content may be sniffed")
	}
	for name, value := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
		if got := header.Values(name); !slices.Equal(got, []string{value}) {
			return fmt.Errorf("%s is %q, not %q", name, got, value)
		}
	}
	if policy := header.Values("Content-Security-Policy"); len(policy) != 1 || !strings.HasPrefix(policy[0], "default-src 'none'; ") ||
		!strings.HasSuffix(policy[0], "; frame-ancestors 'none'") || strings.Contains(policy[0], "unsafe") {
		return fmt.Errorf("Content-Security-Policy is %q", policy)
	}
	if got := header.Values("Cross-Origin-Resource-Policy"); len(got) != 1 {
		return fmt.Errorf("Cross-Origin-Resource-Policy is %q", got)
	}
	if header.Get("Strict-Transport-Security") != "" {
		return errors.New("a response without TLS requires TLS")
	}
	want := "no-store"
	if header.Get("ETag") != "" {
		want = "private, no-cache"
	}
	if got := header.Values("Cache-Control"); !slices.Equal(got, []string{want}) {
		return fmt.Errorf("Cache-Control is %q, not %q", got, want)
	}
	return nil
}

// Conforms returns an error when the response to a request does not match the contract.
func Conforms(r *http.Request, response *httptest.ResponseRecorder) error {
	expected, err := strictContract()
	if err != nil {
		return err
	}
	return expected.check(r, response)
}

// expectation is the contract in its strictest form: an object has only the described keys, and an operation returns only
// the listed statuses and those in unlisted.
type expectation struct {
	doc    *openapi3.T
	router routers.Router
}

// strictContract returns one expectation for all tests, which only read it.
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

// unlisted are the statuses that any operation may return under "default".
var unlisted = []int{
	http.StatusBadRequest, // a body that ends too early
	http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	statusClientClosed,
}

func (e *expectation) check(r *http.Request, response *httptest.ResponseRecorder) error {
	get := withoutPrefix(r.Clone(r.Context()))
	if get.Method == http.MethodHead {
		get.Method = http.MethodGet
	}
	route, params, err := e.router.FindRoute(get)
	if err != nil || strings.HasSuffix(get.URL.Path, "/") { // the library ignores a final slash; Docket redirects
		return e.checkUnrouted(get, response)
	}
	listed := route.Operation.Responses.Status(response.Code) != nil
	switch {
	case !listed && !slices.Contains(unlisted, response.Code):
		return errors.New("the status is not listed")
	case response.Code == http.StatusNotModified && response.Body.Len() > 0:
		return errors.New("304 has a body")
	case response.Code == statusClientClosed:
		return nil
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: get, PathParams: params, Route: route},
		Status:                 response.Code,
		Header:                 response.Header(),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	input.SetBodyBytes(response.Body.Bytes())
	media, _, err := mime.ParseMediaType(response.Header().Get("Content-Type"))
	if listed && err == nil && media == "application/x-ndjson" {
		input.Options.ExcludeResponseBody = true
		described := route.Operation.Responses.Status(response.Code).Value.Content[media]
		if described == nil {
			return errors.New("the media type is not described")
		}
		if err := checkLines(described.Schema, response.Body.Bytes()); err != nil {
			return err
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), input)
}

// checkUnrouted checks the response to a path or method that is not in the contract.
func (e *expectation) checkUnrouted(r *http.Request, response *httptest.ResponseRecorder) error {
	if response.Code < http.StatusBadRequest {
		known := slices.Contains(documentation, r.URL.Path) || response.Code == http.StatusTemporaryRedirect ||
			r.Method == http.MethodOptions
		if !known {
			return errors.New("the request is not in the contract")
		}
		return nil
	}
	var problem any
	if err := json.Unmarshal(response.Body.Bytes(), &problem); err != nil {
		return err
	}
	return e.doc.Components.Schemas["Problem"].Value.VisitJSON(problem)
}

func checkLines(schema *openapi3.SchemaRef, body []byte) error {
	if len(body) > 0 && !bytes.HasSuffix(body, []byte("\n")) {
		return errors.New("the last line has no newline")
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

// The check detects each kind of violation.
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
		want           string // "" when it is valid
	}{
		"valid":                    {"GET", "/annotate/all", 200, "application/json", `{"next_annotation":null}`, ""},
		"problem":                  {"POST", "/annotate/all/1", 409, "application/problem+json", problem, ""},
		"missing":                  {"GET", "/annotate/all", 200, "application/json", `{}`, "next_annotation"},
		"extra key":                {"GET", "/annotate/all", 200, "application/json", `{"next_annotation":null,"x":1}`, `"x" is unsupported`},
		"nested wrong type":        {"GET", "/contributions/leaderboard", 200, "application/json", `{"leaderboard":[{"user_id":"7","count":1}]}`, "integer"},
		"nested extra key":         {"GET", "/contributions/leaderboard", 200, "application/json", `{"leaderboard":[{"user_id":7,"count":1,"x":1}]}`, `"x" is unsupported`},
		"enum":                     {"POST", "/submit/url", 200, "application/json", `{"url_original":"u","url_cleaned":null,"status":"odd","url_id":null}`, "status"},
		"media type":               {"GET", "/annotate/all", 200, "text/plain", `{"next_annotation":null}`, "text/plain"},
		"no JSON":                  {"GET", "/annotate/all", 200, "application/json", `{`, "EOF"},
		"status not listed":        {"GET", "/annotate/all", 404, "application/problem+json", problem, "not listed"},
		"a problem as success":     {"GET", "/annotate/all", 200, "application/problem+json", problem, "Content-Type"},
		"lines":                    {"GET", "/export/annotations", 200, "application/x-ndjson", line + "\n" + line + "\n", ""},
		"facts without a line":     {"GET", "/export/facts", 200, "application/x-ndjson", "", ""},
		"a line of another export": {"GET", "/export/facts", 200, "application/x-ndjson", line + "\n", "line 1"},
		"no lines":                 {"GET", "/export/annotations", 200, "application/x-ndjson", "", ""},
		"a bad line":               {"GET", "/export/annotations", 200, "application/x-ndjson", line + "\n{}\n", "line 2"},
		"unended line":             {"GET", "/export/annotations", 200, "application/x-ndjson", line, "no newline"},
		"csv":                      {"GET", "/export/annotations", 200, "text/csv", "a,b\n1,2\n", ""},
		"image":                    {"GET", "/url/1/screenshot", 200, "image/webp", "RIFF\x00\xff", ""},
		"no image":                 {"GET", "/url/1/screenshot", 200, "image/png", "x", "image/png"},
		"head":                     {"HEAD", "/annotate/all", 404, "application/problem+json", problem, "not listed"},
		"not modified":             {"GET", "/contributions/leaderboard", 304, "", "", ""},
		"not modified, body":       {"GET", "/contributions/leaderboard", 304, "", "x", "has a body"},
		"unknown route":            {"GET", "/nowhere", 404, "application/problem+json", problem, ""},
		"served but not described": {"GET", "/nowhere", 200, "application/json", `{}`, "not in the contract"},
		"text for a problem":       {"GET", "/nowhere", 404, "text/plain", "404 page not found", "invalid character"},
		"documentation":            {"GET", "/docs", 200, "text/html", "<p>", ""},
	} {
		response := httptest.NewRecorder()
		response.Code = test.status
		response.Header().Set("Content-Type", test.media)
		response.Body.WriteString(test.body)
		err := e.check(httptest.NewRequest(test.method, test.target, nil), response)
		if test.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Error(t, err, name)
		require.True(t, strings.Contains(err.Error(), test.want), "%s: %v", name, err)
	}
}
