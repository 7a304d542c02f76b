package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

var (
	readmeCurl = regexp.MustCompile(`(?s)\$ curl -H "Authorization: Bearer \$\(bin/docket token ([^)]*)\)"(.*?)http://127\.0\.0\.1:8080(/\S+)`)
	readmeBody = regexp.MustCompile(`(?s)-H 'Content-Type: ([^']+)'.* -d '([^']+)'`)
	readmeJSON = regexp.MustCompile("(?s)```json\n(.*?)```")
)

// TestReadme sends the requests of the README, and those that docket serve prints, to a database as ./scripts/run makes it, and
// compares the responses that the README shows.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	lines := readmeCurl.FindAllStringSubmatch(string(text), -1)
	require.Len(t, lines, 5, "one curl line asks, one answers, two agree, one shows the fact")
	shown := readmeJSON.FindAllSubmatch(text, -1)
	require.Len(t, shown, 2)

	dir := dataDir(t)
	succeed(t, "seed", "--urls", "1000", "--data-dir", dir)
	docket := serve(t, "--data-dir", dir, "--jobs=true")
	send := func(line []string) (body string) {
		token := succeed(t, append([]string{"token", "--data-dir", dir}, strings.Fields(line[1])...)...)
		if sent := readmeBody.FindStringSubmatch(line[2]); sent != nil {
			status, body := docket.post(t, line[3], strings.TrimSpace(token), sent[2])
			require.Equal(t, http.StatusOK, status, body)
			return body
		}
		status, body := docket.get(t, line[3], strings.TrimSpace(token))
		require.Equal(t, http.StatusOK, status, body)
		return body
	}
	first := send(lines[0])
	require.Equal(t, compactJSON(t, shown[0][1]), strings.TrimSpace(first), "the README shows the whole answer")
	second := send(lines[1])
	require.Contains(t, second, `"url_id"`, "another URL comes with it")
	require.NotEqual(t, first, second)

	send(lines[2])
	send(lines[3])
	ask := lines[4]
	type explanation struct {
		Status string
		Fact   json.RawMessage
	}
	explain := func(path string) (e explanation) {
		for deadline := time.Now().Add(time.Minute); e.Status != "validated"; time.Sleep(10 * time.Millisecond) {
			body := send([]string{"", ask[1], "", path})
			require.True(t, time.Now().Before(deadline), body)
			require.NoError(t, json.Unmarshal([]byte(body), &e))
		}
		return e
	}
	fact := readmeTime.ReplaceAllString(string(explain(ask[3]).Fact), "TIME")
	require.Equal(t, readmeTime.ReplaceAllString(compactJSON(t, shown[1][1]), "TIME"), fact)
	explain("/url/720/consensus")

	hints := hintedCurl.FindAllStringSubmatch(docket.printed(), -1)
	require.Len(t, hints, 4, docket.printed())
	for _, hint := range hints {
		require.Equal(t, docket.address, hint[3])
		status, body := 0, ""
		if hint[2] != "" {
			status, body = docket.post(t, hint[4], hint[1], hint[2])
		} else {
			status, body = docket.get(t, hint[4], hint[1])
		}
		require.Equal(t, http.StatusOK, status, body)
	}
	require.Equal(t, ask[3], hints[3][4], "the README shows what docket serve prints")
}

var (
	hintedCurl = regexp.MustCompile(`curl -H 'Authorization: Bearer (\S+)'(?: -H 'Content-Type: application/json' \\\n +-d '([^']+)')?` +
		` http://([^/\s]+)(/\S+)`)
	readmeTime = regexp.MustCompile(`"created_at": ?"[0-9T:.-]+"`)
)

func compactJSON(t *testing.T, text []byte) string {
	t.Helper()
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, text))
	return compact.String()
}

// TestHintsWithoutSampleData shows that docket serve hints at nothing that its database does not have.
func TestHintsWithoutSampleData(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, "INSERT INTO urls (id, url, source) VALUES (262, 'another.org', 'manual')")
	var out strings.Builder
	require.NoError(t, printHints(t.Context(), &out, pool, []byte(strings.Repeat("k", 32)), "http://host:1"))
	require.Len(t, hintedCurl.FindAllString(out.String(), -1), 1)
	require.NotContains(t, out.String(), "262")
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
