package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"docket/internal/auth"
)

var pathParameter = regexp.MustCompile(`\{\w+\}`)

// FuzzRequest sends arbitrary bytes to every operation, through the contract's check and the generated binder. Neither ever
// fails, and the binder accepts every request that passed the check.
func FuzzRequest(f *testing.F) {
	doc, err := Contract()
	require.NoError(f, err)
	cfg := testConfig(f)
	router, err := newRouter(cfg, doc, func(router gin.IRouter, s *server) {
		s.register(router, handlers{}, func(StrictHandlerFunc, string) StrictHandlerFunc {
			return func(c *gin.Context, _ any) (any, error) {
				c.Header("X-Bound", "yes")
				return nil, nil
			}
		})
	})
	require.NoError(f, err)
	everything := bearer(f, 7, auth.Permissions()...)

	type target struct{ method, path string }
	var targets []target
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths.Value(path).Operations())) {
			targets = append(targets, target{method, path})
			op := doc.Paths.Value(path).GetOperation(method)
			query := url.Values{}
			for _, p := range op.Parameters {
				if p.Value.In == "query" {
					query.Set(p.Value.Name, "1")
				}
			}
			n := uint8(len(targets) - 1)
			f.Add(n, "1", query.Encode(), []byte(bodyExample(op)), "application/json")
			f.Add(n, "99999999999", query.Encode()+"&page=0&page=x&%zz&a=\x00;", []byte(`{"a":[[[{"a":null}]]],"a":1e999}`), "application/json")
			f.Add(n, "-1.0e0/\xff%00", "session_id=%00&since=%ff&batch_id=1e9&"+query.Encode(), []byte("\xff[1,"), "text/plain")
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, segment, query string, body []byte, contentType string) {
		target := targets[int(n)%len(targets)]
		escaped := strings.ReplaceAll(url.PathEscape(segment), "$", "%24")
		req := httptest.NewRequest(target.method, pathParameter.ReplaceAllString(target.path, escaped), bytes.NewReader(body))
		req.URL.RawQuery = query
		req.Header.Set("Authorization", everything)
		req.Header["Content-Type"] = []string{contentType}
		response := httptest.NewRecorder()
		router.ServeHTTP(response, req)
		switch {
		case response.Code >= http.StatusInternalServerError:
			t.Fatalf("%s %s: %d %s", target.method, req.URL, response.Code, response.Body)
		case response.Header().Get("X-Bound") != "":
		case response.Code == http.StatusTemporaryRedirect:
		case !json.Valid(response.Body.Bytes()) || response.Code < http.StatusBadRequest:
			t.Fatalf("%s %s: %d %s", target.method, req.URL, response.Code, response.Body)
		}
	})
}
