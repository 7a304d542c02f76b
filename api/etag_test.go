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

	for ifNoneMatch, has := range map[string]bool{
		tag: true, "W/" + tag: true, `"x", ` + tag: true, tag + `,"x"`: true, "*": true,
		`"x"`: false, tag[1 : len(tag)-1]: false, "": false,
	} {
		answer := b.send("GET", "/polled", "", "If-None-Match", ifNoneMatch)
		require.Equal(t, tag, answer.Header().Get("ETag"), ifNoneMatch)
		require.Contains(t, answer.Header().Values("Vary"), "Authorization", "another user's answer is another")
		if !has {
			require.Equal(t, http.StatusOK, answer.Code, ifNoneMatch)
			require.Equal(t, "first", answer.Body.String())
			continue
		}
		require.Equal(t, http.StatusNotModified, answer.Code, ifNoneMatch)
		require.Empty(t, answer.Body.String())
		require.Empty(t, answer.Header().Get("Content-Type"))
		require.NotEmpty(t, answer.Header().Get("Server-Timing"))
	}

	body = "second"
	answer := b.send("GET", "/polled", "", "If-None-Match", tag)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "second", answer.Body.String())
	require.NotEqual(t, tag, answer.Header().Get("ETag"))
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

// Only success has a tag, and only where the contract says so.
func TestNoETag(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *gin.Context, fail func(*gin.Context, error)) { fail(c, errors.New("crash")) })
	answer := b.send("GET", "/polled", "", "If-None-Match", "*")
	require.Equal(t, http.StatusInternalServerError, answer.Code)
	require.Empty(t, answer.Header().Get("ETag"))
	require.Equal(t, "no-store", answer.Header().Get("Cache-Control"))

	answer = setup(t, nil).send("POST", "/polled", "", "If-None-Match", "*")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Empty(t, answer.Header().Get("ETag"))
}

func TestWhatHasAnETag(t *testing.T) {
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
