package api

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// bodyExample returns the document's example of a body, "" where it has none.
func bodyExample(op *openapi3.Operation) string {
	if op.RequestBody == nil {
		return ""
	}
	media := op.RequestBody.Value.Content["application/json"]
	example := media.Example
	for _, named := range media.Examples {
		example = named.Value.Value
	}
	data, err := json.Marshal(example)
	if err != nil {
		panic(err) // it was JSON or YAML in the document
	}
	return string(data)
}

// Every JSON body in the contract has an example, and each example fits its schema.
func TestExamplesFitTheContract(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	compiled, err := compileOperations(doc)
	require.NoError(t, err)
	requests, responses := 0, 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			require.NotEmpty(t, op.Summary, "%s %s", method, path)
			if op.RequestBody != nil {
				checked, err := compiled[method+" "+ginPath(path)].CheckBody([]byte(bodyExample(op)))
				require.NoError(t, err, "%s %s", method, path)
				require.NotEmpty(t, checked, "%s %s has no example of its body", method, path)
				requests++
			}
			for status, response := range op.Responses.Map() {
				for kind, media := range response.Value.Content {
					if !strings.HasSuffix(kind, "json") || status == "default" || path == "/readyz" && status != "200" {
						continue
					}
					for _, example := range examplesOf(media) {
						require.NoError(t, media.Schema.Value.VisitJSON(example), "%s %s, %s", method, path, status)
						responses++
					}
					require.NotEmpty(t, examplesOf(media), "%s %s has no example of %s", method, path, status)
				}
			}
		}
	}
	require.Greater(t, requests, 5)
	require.Greater(t, responses, 100)
}

func examplesOf(media *openapi3.MediaType) (list []any) {
	if media.Example != nil {
		list = append(list, media.Example)
	}
	for _, named := range media.Examples {
		list = append(list, named.Value.Value)
	}
	return list
}

// The contract documents every type of a problem, for programs that read it.
func TestContractNamesProblems(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	table := doc.Components.Schemas["Problem"].Value.Properties["type"].Value.Description
	var documented []string
	for _, found := range regexp.MustCompile("`urn:docket:problem:([a-z-]+)`").FindAllStringSubmatch(table, -1) {
		documented = append(documented, found[1])
	}
	sent := []string{"invalid-request"} // of faults, which errorResponses does not list
	for _, row := range errorResponses {
		if row.slug == "" {
			continue
		}
		sent = append(sent, row.slug)
		require.Regexp(t, "`urn:docket:problem:"+row.slug+"`[^|\n]*\\| "+strconv.Itoa(row.status)+" \\|", table)
	}
	slices.Sort(sent)
	require.ElementsMatch(t, slices.Compact(sent), documented)
}
