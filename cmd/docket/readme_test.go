package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

var (
	readmeCurl = regexp.MustCompile(`(?s)\$ curl -H "Authorization: Bearer \$\(bin/docket token ([^)]*)\)"(.*?)http://127\.0\.0\.1:8080(/\S+)`)
	readmeBody = regexp.MustCompile(`(?s)-H 'Content-Type: ([^']+)'.* -d '([^']+)'`)
	readmeJSON = regexp.MustCompile("(?s)```json\n(.*?)```")
)

// TestReadme types what the README says after ./scripts/run, and compares the answer that it shows.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	lines := readmeCurl.FindAllStringSubmatch(string(text), -1)
	require.Len(t, lines, 2, "one curl line to ask, one to answer")
	ask, answer := lines[0], lines[1]
	sent := readmeBody.FindStringSubmatch(answer[2])
	require.NotNil(t, sent, "the answer has a body")
	shown := readmeJSON.FindSubmatch(text)
	require.NotNil(t, shown)

	dir := dataDir(t)
	succeed(t, "seed", "--urls", "1000", "--data-dir", dir)
	docket := serve(t, "--data-dir", dir)
	token := func(flags string) string {
		return strings.TrimSpace(succeed(t, append([]string{"token", "--data-dir", dir}, strings.Fields(flags)...)...))
	}

	status, body := docket.get(t, ask[3], token(ask[1]))
	require.Equal(t, http.StatusOK, status, body)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, shown[1]))
	require.Equal(t, compact.String(), strings.TrimSpace(body), "the README shows the whole answer")

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+docket.address+answer[3], strings.NewReader(sent[2]))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token(answer[1]))
	req.Header.Set("Content-Type", sent[1])
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	next, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(next))
	require.Contains(t, string(next), `"url_id"`, "another URL comes with it")
	require.NotEqual(t, body, string(next))
}

// The README has every flag that all commands or serve take, with its variable and its default, and every package.
func TestReadmeListsAll(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	readme := string(data)
	// What the value does not say, or says for the directory that the test runs in.
	said := map[string]string{"max-conns": "four per core", "data-dir": "`.docket`"}
	root := rootCommand()
	serve, _, err := root.Find([]string{"serve"})
	require.NoError(t, err)
	listed := func(flag *pflag.Flag) {
		value := said[flag.Name]
		switch {
		case value != "":
		case flag.DefValue == "":
			value = "none"
		default:
			value = "`" + strings.Trim(tidyDuration(flag), "[]") + "`"
		}
		require.Contains(t, readme, "\n| `--"+flag.Name+"` | `"+variable(flag.Name)+"` | "+value+" | ")
	}
	root.PersistentFlags().VisitAll(listed)
	serve.LocalNonPersistentFlags().VisitAll(listed)

	for _, pattern := range []string{"../../internal/*", "../../cmd/*"} {
		dirs, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, dirs)
		for _, dir := range dirs {
			require.Contains(t, readme, "`"+strings.TrimPrefix(filepath.ToSlash(dir), "../../")+"/`")
		}
	}
}

// tidyDuration writes 2m0s as people do, 2m.
func tidyDuration(flag *pflag.Flag) string {
	text := flag.DefValue
	if flag.Value.Type() != "duration" {
		return text
	}
	if text == "0s" {
		return "0"
	}
	return regexp.MustCompile(`([hm])0[ms](0s)?$`).ReplaceAllString(text, "$1")
}
