package api

import (
	"encoding/json"
	"net/http"
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

// What the contract shows is what it asks for, and what it promises.
func TestExamplesFitTheContract(t *testing.T) {
	t.Parallel()
	doc, err := Contract()
	require.NoError(t, err)
	requests, answers := 0, 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody != nil {
				schema := op.RequestBody.Value.Content["application/json"].Schema
				var k checker
				value, faults, ok := decodeJSON([]byte(bodyExample(op)), []any{"body"})
				require.True(t, ok && len(faults) == 0, "%s %s has no example of its body", method, path)
				k.check([]any{"body"}, schema, value)
				require.Empty(t, k.faults, "%s %s", method, path)
				requests++
			}
			media := op.Responses.Status(http.StatusOK).Value.Content["application/json"]
			if media == nil || media.Example == nil {
				continue
			}
			require.NoError(t, media.Schema.Value.VisitJSON(media.Example), "%s %s", method, path)
			answers++
		}
	}
	require.Greater(t, requests, 5)
	require.Greater(t, answers, 5)
}
