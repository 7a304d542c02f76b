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

// What the contract shows is what it asks for, and what it promises; it shows every body but those that are no JSON.
func TestExamplesFitTheContract(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	requests, answers := 0, 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			require.NotEmpty(t, op.Summary, "%s %s", method, path)
			if op.RequestBody != nil {
				schema := op.RequestBody.Value.Content["application/json"].Schema
				var k checker
				value, faults, ok := decodeJSON([]byte(bodyExample(op)), []any{"body"})
				require.True(t, ok && len(faults) == 0, "%s %s has no example of its body", method, path)
				k.check([]any{"body"}, schema, value)
				require.Empty(t, k.faults, "%s %s", method, path)
				requests++
			}
			for status, response := range op.Responses.Map() {
				for kind, media := range response.Value.Content {
					if !strings.HasSuffix(kind, "json") || status == "default" || path == "/readyz" && status != "200" {
						continue
					}
					for _, example := range examplesOf(media) {
						require.NoError(t, media.Schema.Value.VisitJSON(example), "%s %s, %s", method, path, status)
						answers++
					}
					require.NotEmpty(t, examplesOf(media), "%s %s has no example of %s", method, path, status)
				}
			}
		}
	}
	require.Greater(t, requests, 5)
	require.Greater(t, answers, 100)
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

// A program that goes by the type of a problem finds in the contract every type that there is.
func TestContractNamesProblems(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	table := doc.Components.Schemas["Problem"].Value.Properties["type"].Value.Description
	var told []string
	for _, found := range regexp.MustCompile("`urn:docket:problem:([a-z-]+)`").FindAllStringSubmatch(table, -1) {
		told = append(told, found[1])
	}
	there := []string{"invalid-request"} // of faults, which have no line in the table of answers
	for _, answer := range answers {
		there = append(there, answer.slug)
		require.Regexp(t, "`urn:docket:problem:"+answer.slug+"`[^|\n]*\\| "+strconv.Itoa(answer.status)+" \\|", table)
	}
	slices.Sort(there)
	require.ElementsMatch(t, slices.Compact(there), told)
}
