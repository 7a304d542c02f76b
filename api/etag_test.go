package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestETag(t *testing.T) {
	t.Parallel()
	body := "first"
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) { c.String(http.StatusOK, body) })
	first := b.send("GET", "/polled", "")
	tag := first.Header().Get("ETag")
	require.Regexp(t, `^"[\w-]{22}"$`, tag)
	require.Equal(t, "private, no-cache", first.Header().Get("Cache-Control"))
	require.Equal(t, "first", first.Body.String())

	for ifNoneMatch, current := range map[string]bool{
		tag: true, "W/" + tag: true, `"x", ` + tag: true, tag + `,"x"`: true, "*": true,
		`"x"`: false, tag[1 : len(tag)-1]: false, "": false,
	} {
		response := b.send("GET", "/polled", "", "If-None-Match", ifNoneMatch)
		require.Equal(t, tag, response.Header().Get("ETag"), ifNoneMatch)
		require.Contains(t, response.Header().Values("Vary"), "Authorization", "another user gets another response")
		if !current {
			require.Equal(t, http.StatusOK, response.Code, ifNoneMatch)
			require.Equal(t, "first", response.Body.String())
			continue
		}
		require.Equal(t, http.StatusNotModified, response.Code, ifNoneMatch)
		require.Empty(t, response.Body.String())
		require.Empty(t, response.Header().Get("Content-Type"))
		require.NotEmpty(t, response.Header().Get("Server-Timing"))
	}

	body = "second"
	response := b.send("GET", "/polled", "", "If-None-Match", tag)
	require.Equal(t, http.StatusOK, response.Code)
	require.Equal(t, "second", response.Body.String())
	require.NotEqual(t, tag, response.Header().Get("ETag"))
}

func TestETagOfHead(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, _ func(*gin.Context, error)) { c.String(http.StatusOK, "polled") })
	server := httptest.NewServer(b.handler)
	defer server.Close()
	head := func(ifNoneMatch string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"/polled", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", b.bearer)
		req.Header.Set("If-None-Match", ifNoneMatch)
		resp, err := server.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	resp := head(`"x"`)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.EqualValues(t, len("polled"), resp.ContentLength)
	require.Equal(t, http.StatusNotModified, head(resp.Header.Get("ETag")).StatusCode)
	require.Equal(t, b.send("GET", "/polled", "").Header().Get("ETag"), resp.Header.Get("ETag"))
}

// Only a success has an ETag, and only where the contract says so.
func TestNoETag(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, errors.New("crash")) })
	response := b.send("GET", "/polled", "", "If-None-Match", "*")
	require.Equal(t, http.StatusInternalServerError, response.Code)
	require.Empty(t, response.Header().Get("ETag"))
	require.Equal(t, "no-store", response.Header().Get("Cache-Control"))

	response = setup(t, nil).send("POST", "/polled", "", "If-None-Match", "*")
	require.Equal(t, http.StatusOK, response.Code)
	require.Empty(t, response.Header().Get("ETag"))
}

func TestOperationsWithETag(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	compiled, err := compileOperations(doc)
	require.NoError(t, err)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + ginPath(path)
			hasETag := compiled[name].hasETag
			require.Equal(t, op.Responses.Status(http.StatusNotModified) != nil, hasETag, name)
			require.False(t, hasETag && method != http.MethodGet, name)
			if op.Tags[0] == "progress" {
				require.True(t, hasETag, "%s is polled", name)
			}
		}
	}
}
