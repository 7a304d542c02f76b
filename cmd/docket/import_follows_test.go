package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

func TestImportFollows(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	succeed(t, "migrate", "apply", "--database-url", url)
	write := func(name, text string) string {
		name = filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	agencies := write("agencies.csv", "agency,jurisdiction_type,state,county_fips,county,locality\nA,state,OH,,,\n")
	succeed(t, "import", "agencies", agencies, "--database-url", url)
	urls := write("urls.csv", "url,url_type,record_type,name,description,agencies\nhttps://x.org/,,,,,\n")

	some := write("follows.csv", "user_id,location_id\n7,1\n8,1\n7,2\nx,1\n7,1\n")
	status, text, stderr := docket(t, "import", "follows", some, "--database-url", url)
	require.Equal(t, exitRejected, status)
	require.Contains(t, stderr, some+": rejected: 2; the other rows are stored")
	require.Regexp(t, `(?m)^ +5 +rows\n +2 +created\n +1 +duplicate\n +2 +rejected\n +0 +removed\n`, text)
	require.Contains(t, text, `line 4, location_id: the location does not exist: "2"`)
	require.Contains(t, text, `line 5, user_id: not the id of a user: a whole number up to 2147483647: "x"`)

	// The batch of the URLs is linked to the location.
	text = succeed(t, "import", "urls", urls, "--batch", "b", "--batch-location", "1", "--batch-location", "1", "--database-url", url)
	require.Contains(t, text, "1  links of the batch to locations")
	require.Equal(t, "0 differences\n", succeed(t, "queue", "verify", "--database-url", url))
	status, _, stderr = docket(t, "import", "urls", urls, "--batch", "b", "--batch-location", "1,99", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "location not found: 99")

	var result importResult
	one := write("one.csv", "user_id,location_id\n9,1\n")
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "import", "follows", one, "--add", "--json", "--database-url", url)), &result))
	require.Equal(t, []int64{1, 1, 0, 0, 0}, []int64{result.Rows, result.Created, result.Duplicate, result.Rejected, *result.Removed})
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "import", "follows", one, "--json", "--database-url", url)), &result))
	require.Equal(t, []int64{1, 0, 1, 0, 2}, []int64{result.Rows, result.Created, result.Duplicate, result.Rejected, *result.Removed})
	require.Contains(t, succeed(t, "import", "follows", one, "--database-url", url), "nothing new: the database is unchanged")

	// A file without follows deletes all only if that is meant.
	for name, empty := range map[string]string{"empty.csv": "user_id,location_id\n", "wrong.csv": "user_id,location_id\n9,99\n"} {
		file := write(name, empty)
		status, stdout, stderr := docket(t, "import", "follows", file, "--database-url", url)
		require.Equal(t, exitFailure, status)
		require.Contains(t, stderr, "no row can be stored, and all follows would be deleted; --allow-empty allows that")
		require.Equal(t, name == "wrong.csv", len(stdout) > 0, "rejected rows are printed: %s", stdout)
		status, stdout, _ = docket(t, "import", "follows", file, "--add", "--database-url", url)
		require.Equal(t, map[bool]int{true: exitRejected}[name == "wrong.csv"], status)
		require.Contains(t, stdout, "nothing new")
	}
	status, stdout, _ := docket(t, "import", "follows", some, "--strict", "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stdout, "line 4")
	require.Regexp(t, `(?m)^ +1 +removed`, succeed(t, "import", "follows", write("none.csv", "user_id,location_id\n"), "--allow-empty", "--database-url", url))

	for _, args := range [][]string{
		{"follows"}, {"follows", one, one}, {"urls", urls, "--batch-location", "1"}, {"urls", urls, "--batch", "b", "--batch-location", "x"},
	} {
		status, _, _ = docket(t, append([]string{"import", "--database-url", url}, args...)...)
		require.Equal(t, exitUsage, status, "%v", args)
	}
	status, _, stderr = docket(t, "import", "follows", urls, "--database-url", url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, `the column "user_id" is missing`)
}
