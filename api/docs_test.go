package api

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

func setupDocs(t *testing.T, change ...func(*Config)) bundle {
	t.Helper()
	cfg := testConfig(t)
	for _, f := range change {
		f(&cfg)
	}
	handler, err := New(cfg)
	require.NoError(t, err)
	return bundle{handler: Conforming(t, handler)}
}

// described returns the contract as it is served.
func (b bundle) described(t *testing.T) *openapi3.T {
	t.Helper()
	answer := b.send("GET", "/openapi.json", "")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	doc, err := openapi3.NewLoader().LoadFromData(answer.Body.Bytes())
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	return doc
}

func TestServedContract(t *testing.T) {
	t.Parallel()
	b := setupDocs(t)
	want, err := Contract()
	require.NoError(t, err)
	got := b.described(t)
	require.ElementsMatch(t, want.Paths.Keys(), got.Paths.Keys())
	require.Equal(t, want.Components.Schemas["Answer"].Value.Required, got.Components.Schemas["Answer"].Value.Required)
	require.Equal(t, "annotateNext", got.Paths.Find("/annotate/all").Get.OperationID, "as written, not as generated")

	tag := b.send("GET", "/openapi.json", "").Header().Get("ETag")
	require.NotEmpty(t, tag)
	require.Equal(t, http.StatusNotModified, b.send("GET", "/openapi.json", "", "If-None-Match", tag).Code)
}

func TestRedirectsToDocs(t *testing.T) {
	t.Parallel()
	b := setupDocs(t)
	for target, location := range map[string]string{"/": "docs", "/api": "docs", "/docs/": "/docs"} {
		answer := b.send("GET", target, "")
		require.Equal(t, http.StatusTemporaryRedirect, answer.Code, target)
		require.Equal(t, location, answer.Header().Get("Location"), target)
	}
}

var loaded = regexp.MustCompile(`(?:src|href)="([^"]+)"`)

// Everything that the page loads comes from here, and is let through by the page's policy.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	b := setupDocs(t)
	page := b.send("GET", "/docs", "")
	require.Equal(t, http.StatusOK, page.Code)
	require.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
	links := loaded.FindAllStringSubmatch(page.Body.String(), -1)
	require.Len(t, links, 5)
	for _, link := range links {
		require.NotContains(t, link[1], "//")
		answer := b.send("GET", "/"+link[1], "", "Accept-Encoding", "")
		require.Equal(t, http.StatusOK, answer.Code, link[1])
		require.NotContains(t, answer.Header().Get("Content-Type"), "text/html")
		require.Empty(t, answer.Header().Get("Content-Encoding"))
	}
	require.NotRegexp(t, `<script>|<script [^s]|<style| on\w+=|style=`, page.Body.String(), "the policy forbids what is inline")
	require.Contains(t, b.send("GET", "/docs/init.js", "").Body.String(), `url: "openapi.json"`)
	for _, path := range documentation {
		answer := b.send("GET", path, "")
		if answer.Code == http.StatusOK && path != "/openapi.json" {
			policy := answer.Header().Get("Content-Security-Policy")
			require.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self';", path)
			require.NotContains(t, policy, "unsafe")
			require.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"))
		}
	}
}

func TestAssetsAreCompressed(t *testing.T) {
	t.Parallel()
	b := setupDocs(t)
	plain := b.send("GET", "/docs/swagger-ui.css", "")
	require.Contains(t, plain.Body.String(), ".swagger-ui")
	for acceptEncoding, compressed := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "deflate , gzip": true,
		"": false, "br": false, "gzip;q=0": false, "gzip; q=0.0": false, "xgzip": false,
	} {
		answer := b.send("GET", "/docs/swagger-ui.css", "", "Accept-Encoding", acceptEncoding)
		require.Contains(t, answer.Header().Values("Vary"), "Accept-Encoding")
		if !compressed {
			require.Empty(t, answer.Header().Get("Content-Encoding"), acceptEncoding)
			require.Equal(t, plain.Body.Bytes(), answer.Body.Bytes())
			continue
		}
		require.Equal(t, "gzip", answer.Header().Get("Content-Encoding"), acceptEncoding)
		require.NotEqual(t, plain.Header().Get("ETag"), answer.Header().Get("ETag"))
		reader, err := gzip.NewReader(answer.Body)
		require.NoError(t, err)
		unpacked, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, plain.Body.Bytes(), unpacked)
	}
}

// With --open-catalog these operations need no token, and the served contract says so; no other changes.
func TestOpenCatalog(t *testing.T) {
	t.Parallel()
	opened := []string{
		"POST /agencies", "PUT /agencies/{agency_id}", "DELETE /agencies/{agency_id}",
		"POST /agencies/{agency_id}/locations/{location_id}", "DELETE /agencies/{agency_id}/locations/{location_id}",
		"POST /locations", "DELETE /url/{url_id}",
	}
	closed, open := setupDocs(t), setupDocs(t, func(cfg *Config) { cfg.OpenCatalog = true })
	before, after := closed.described(t), open.described(t)
	for path, item := range before.Paths.Map() {
		for method, was := range item.Operations() {
			name, is := method+" "+path, after.Paths.Value(path).GetOperation(method)
			target := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x")
			if path == "/locations" || path == "/agencies" {
				target = path // the body, which is missing, is what does not fit
			}
			if !slices.Contains(opened, name) {
				require.Equal(t, was.Security, is.Security, name)
				require.Equal(t, was.Responses.Len(), is.Responses.Len(), name)
				continue
			}
			require.NotNil(t, was.Security, name)
			require.Empty(t, *is.Security, name)
			require.Nil(t, is.Responses.Status(http.StatusUnauthorized), name)
			require.Equal(t, http.StatusUnauthorized, closed.send(method, target, "", "Authorization", "").Code, name)
			require.Equal(t, http.StatusUnprocessableEntity, open.send(method, target, "", "Authorization", "").Code, name)
			opened = slices.DeleteFunc(opened, func(o string) bool { return o == name })
		}
	}
	require.Empty(t, strings.Join(opened, ", "), "these are not in the contract")
}
