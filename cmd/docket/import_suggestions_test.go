package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

func TestImportSuggestions(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	succeed(t, "migrate", "apply", "--database-url", url)
	write := func(name, text string) string {
		name = filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	urls := write("urls.csv", "url,url_type,record_type,name,description,agencies\nhttps://x.org/,,,,,\n")
	succeed(t, "import", "urls", urls, "--database-url", url)
	good := `{"url": "x.org", "attribute": "name", "value": "X"}` + "\n"

	some := write("some.JSONL", good+`{"url": "y.org", "attribute": "name", "value": "Y"}`+"\n")
	status, stdout, stderr := docket(t, "import", "suggestions", some, "--database-url", url)
	require.Equal(t, exitRejected, status)
	require.Regexp(t, `(?m)^ +1 +stored`, stdout)
	require.Contains(t, stdout, "rejected 1: does not exist")
	require.Equal(t, some+":2: url y.org does not exist\ndocket: "+some+": rejected: 1; the other rows are stored\n", stderr)

	var result suggestionsResult
	status, stdout, _ = docket(t, "import", "suggestions", some, "--json", "--database-url", url)
	require.Equal(t, exitRejected, status)
	require.NoError(t, json.Unmarshal([]byte(stdout), &result))
	require.Equal(t, []int64{2, 0, 1, 1}, []int64{result.Rows, result.Stored, result.Unchanged, result.Rejected})
	require.Equal(t, []problem{{Line: 2, Column: "url", Value: "y.org", Reason: "does not exist", Rows: 1}}, result.Rejections.First)

	csv := write("all.csv", "url,attribute,value,colour\nx.org,record_type,Stops,red\n")
	require.Contains(t, succeed(t, "import", "suggestions", csv, "--database-url", url), "colour")
	require.Equal(t, "0 differences\n", succeed(t, "queue", "verify", "--database-url", url))

	for _, args := range [][]string{
		{write("suggestions.txt", good)}, {"-"}, {some, "--format", "xml"}, {}, {some, some},
	} {
		status, _, _ = docket(t, append([]string{"import", "suggestions", "--database-url", url}, args...)...)
		require.Equal(t, exitUsage, status, "%v", args)
	}
	status, _, stderr = docket(t, "import", "suggestions", some, "--format", "csv", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "does not have the expected format")
	status, _, _ = docket(t, "import", "suggestions", filepath.Join(t.TempDir(), "none.csv"), "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.NotContains(t, strings.ToLower(stderr), "sqlstate")
}
