package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

var (
	readmeCurl = regexp.MustCompile(`(?s)\$ curl -H "Authorization: Bearer \$\(bin/docket token ([^)]*)\)"(.*?)http://127\.0\.0\.1:8080(/\S+)`)
	readmeBody = regexp.MustCompile(`(?s)-H 'Content-Type: ([^']+)'.* -d '([^']+)'`)
	readmeJSON = regexp.MustCompile("(?s)```json\n(.*?)```")
)

// TestReadme sends the requests of the README to a database as ./scripts/run makes it, and compares the response that the
// README shows.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	lines := readmeCurl.FindAllStringSubmatch(string(text), -1)
	require.Len(t, lines, 2, "one curl line asks, one answers")
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

	url := "http://" + docket.address + answer[3]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(sent[2]))
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

// TestReadmeListsFlags shows that the README lists each flag of all commands and of serve, with its variable and default.
func TestReadmeListsFlags(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	readme := string(data)
	// The default of the one is 0; that of the other depends on the folder in which the test runs.
	described := map[string]string{"max-conns": "five per core", "data-dir": "`.docket`"}
	root := rootCommand()
	serve, _, err := root.Find([]string{"serve"})
	require.NoError(t, err)
	listed := func(flag *pflag.Flag) {
		value := described[flag.Name]
		switch {
		case value != "":
		case slices.Contains([]string{"", "[]"}, flag.DefValue):
			value = "none"
		default:
			value = "`" + strings.Trim(tidyDuration(flag), "[]") + "`"
		}
		row := "| `--" + flag.Name + "` | `" + variable(flag.Name) + "` | " + value + " | "
		require.True(t, strings.Contains(readme, "\n"+row), "the README has no row %s", row)
	}
	root.PersistentFlags().VisitAll(listed)
	serve.LocalNonPersistentFlags().VisitAll(listed)
}

var (
	docketCommand   = regexp.MustCompile("(?:^|[\\s(`\"])(?:bin/)?docket ([a-z-](?:[^`#|;&)>\"\n]|\"\\$[^\"\n]*\")*)")
	flagInSpan      = regexp.MustCompile("`--([a-z-]+)[^`]*`")
	docketVariables = regexp.MustCompile(`\bDOCKET_[A-Z_]+\b`)
)

// TestPagesCommands shows that each docket command, flag and variable that a page of documentation names exists.
func TestPagesCommands(t *testing.T) {
	t.Parallel()
	flags := map[string]bool{}
	for _, cmd := range allCommands(rootCommand()) {
		cmd.InitDefaultHelpFlag()
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { flags[flag.Name] = true })
		cmd.PersistentFlags().VisitAll(func(flag *pflag.Flag) { flags[flag.Name] = true })
	}
	variables := map[string]bool{ // of tests
		"DOCKET_TEST_DATABASE_URL": true, "DOCKET_TEST_DATA": true, "DOCKET_TEST_CASES": true, "DOCKET_BENCH_URLS": true,
		dataSourcesTokenVariable: true,
	}
	for flag := range flags {
		variables[variable(flag)] = true
	}
	commands := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "benchmarks/*.md"} {
		files, err := filepath.Glob(filepath.Join("..", "..", pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, found := range docketCommand.FindAllStringSubmatch(string(text), -1) {
				commands++
				requireCommand(t, file, strings.Fields(strings.ReplaceAll(found[1], " ID", " 1")))
			}
			for _, found := range flagInSpan.FindAllStringSubmatch(string(text), -1) {
				require.True(t, flags[found[1]], "%s: no command has --%s", file, found[1])
			}
			for _, name := range docketVariables.FindAllString(string(text), -1) {
				require.True(t, variables[name], "%s: %s", file, name)
			}
		}
	}
	require.Greater(t, commands, 50, "the expression that finds commands has missed most of them")
}

func allCommands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, allCommands(sub)...)
	}
	return all
}

// requireCommand fails unless the words are a command with flags of its own.
func requireCommand(t *testing.T, file string, words []string) {
	t.Helper()
	root := rootCommand()
	cmd, rest, err := root.Find(words)
	require.NoError(t, err, "%s: docket %v", file, words)
	cmd.InitDefaultHelpFlag()
	require.NoError(t, cmd.ParseFlags(rest), "%s: docket %v", file, words)
	if cmd.HasSubCommands() {
		require.Empty(t, cmd.Flags().Args(), "%s: docket %v is no command", file, words)
	}
}

// tidyDuration returns a flag's default, with 2m for 2m0s.
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
