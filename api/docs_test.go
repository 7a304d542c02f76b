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
	response := b.send("GET", "/openapi.json", "")
	require.Equal(t, http.StatusOK, response.Code)
	require.Equal(t, "application/json", response.Header().Get("Content-Type"))
	doc, err := openapi3.NewLoader().LoadFromData(response.Body.Bytes())
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
		response := b.send("GET", target, "")
		require.Equal(t, http.StatusTemporaryRedirect, response.Code, target)
		require.Equal(t, location, response.Header().Get("Location"), target)
	}
}

var loaded = regexp.MustCompile(`(?:src|href)="([^"]+)"`)

// Everything that the page loads is served by Docket, and the page's policy allows it.
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
		response := b.send("GET", "/"+link[1], "", "Accept-Encoding", "")
		require.Equal(t, http.StatusOK, response.Code, link[1])
		require.NotContains(t, response.Header().Get("Content-Type"), "text/html")
		require.Empty(t, response.Header().Get("Content-Encoding"))
	}
	require.NotRegexp(t, `<script>|<script [^s]|<style| on\w+=|style=`, page.Body.String(), "the policy forbids inline code")
	require.Contains(t, b.send("GET", "/docs/init.js", "").Body.String(), `url: "openapi.json"`)
	for _, path := range documentation {
		response := b.send("GET", path, "")
		if response.Code == http.StatusOK && path != "/openapi.json" {
			policy := response.Header().Get("Content-Security-Policy")
			require.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self';", path)
			require.NotContains(t, policy, "unsafe")
			require.Equal(t, "nosniff", response.Header().Get("X-Content-Type-Options"))
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
		response := b.send("GET", "/docs/swagger-ui.css", "", "Accept-Encoding", acceptEncoding)
		require.Contains(t, response.Header().Values("Vary"), "Accept-Encoding")
		if !compressed {
			require.Empty(t, response.Header().Get("Content-Encoding"), acceptEncoding)
			require.Equal(t, plain.Body.Bytes(), response.Body.Bytes())
			continue
		}
		require.Equal(t, "gzip", response.Header().Get("Content-Encoding"), acceptEncoding)
		require.NotEqual(t, plain.Header().Get("ETag"), response.Header().Get("ETag"))
		reader, err := gzip.NewReader(response.Body)
		require.NoError(t, err)
		unpacked, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, plain.Body.Bytes(), unpacked)
	}
}

// With --open-catalog these operations need no token, and the served contract says so. No other operation changes.
func TestOpenCatalog(t *testing.T) {
	t.Parallel()
	withoutToken := []string{
		"POST /agencies", "PUT /agencies/{agency_id}", "DELETE /agencies/{agency_id}",
		"POST /agencies/{agency_id}/locations/{location_id}", "DELETE /agencies/{agency_id}/locations/{location_id}",
		"POST /locations", "DELETE /url/{url_id}",
	}
	require.Len(t, opened, len(withoutToken))
	closed, open := setupDocs(t), setupDocs(t, func(cfg *Config) { cfg.OpenCatalog = true })
	before, after := closed.described(t), open.described(t)
	for path, item := range before.Paths.Map() {
		for method, was := range item.Operations() {
			name, is := method+" "+path, after.Paths.Value(path).GetOperation(method)
			target := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x")
			if path == "/locations" || path == "/agencies" {
				target = path // the request is invalid because it has no body
			}
			if !slices.Contains(withoutToken, name) {
				require.Equal(t, was.Security, is.Security, name)
				require.Equal(t, was.Responses.Len(), is.Responses.Len(), name)
				continue
			}
			require.NotNil(t, was.Security, name)
			require.Empty(t, *is.Security, name)
			require.Nil(t, is.Responses.Status(http.StatusUnauthorized), name)
			require.Equal(t, http.StatusUnauthorized, closed.send(method, target, "", "Authorization", "").Code, name)
			require.Equal(t, http.StatusUnprocessableEntity, open.send(method, target, "", "Authorization", "").Code, name)
			withoutToken = slices.DeleteFunc(withoutToken, func(o string) bool { return o == name })
		}
	}
	require.Empty(t, strings.Join(withoutToken, ", "), "these are not in the contract")
}

// A renamed operation must not be left closed, or opened under its old name later.
func TestOpenCatalogNamesOperations(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	doc.Paths.Find("/url/{url_id}").Delete.OperationID = "renamed"
	require.EqualError(t, openCatalog(doc), "open the catalog: the contract has 6 of 7 operations")
}
