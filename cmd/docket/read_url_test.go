package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres/embedded"
)

// makeStandby runs the commands of the page that make a standby. It returns the URL of the standby, and a function that kills it.
// The standby has a socket in its directory instead of an address, so that tests can run at the same time.
func makeStandby(t *testing.T, primary string) (url string, kill func()) {
	t.Helper()
	found, err := embedded.FindBinaries()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "docket-read-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var as []string // PostgreSQL does not run as root
	if os.Geteuid() == 0 {
		account, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, err := strconv.Atoi(account.Uid)
		require.NoError(t, err)
		require.NoError(t, os.Chown(dir, uid, -1))
		as = []string{"setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"}
	}
	shell := func(ctx context.Context, command string) error {
		words := append(as, "sh", "-c", command)
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+found.Dir+":"+os.Getenv("PATH"), "DATABASE_URL="+primary,
			"STANDBY="+filepath.Join(dir, "data"))
		output, err := os.CreateTemp(t.TempDir(), "output") // a pipe would stay open as long as the server that pg_ctl starts
		require.NoError(t, err)
		defer output.Close()
		cmd.Stdout, cmd.Stderr = output, output
		return cmd.Run()
	}
	kill = func() {
		_ = shell(context.WithoutCancel(t.Context()), `pg_ctl -D "$STANDBY" -m immediate stop`)
	}
	t.Cleanup(kill)
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	section := pageSection(t, string(page), "A standby for reads")
	commands := regexp.MustCompile(`(?m)^\$ (pg_basebackup|printf|pg_ctl) .*$`).FindAllString(section, -1)
	require.Len(t, commands, 3)
	for _, command := range commands {
		command = strings.TrimPrefix(command, "$ ")
		command = strings.Replace(command, "-w start",
			`-w -o "-c listen_addresses= -c unix_socket_directories=`+dir+` -c fsync=off" start`, 1)
		require.NoError(t, shell(t.Context(), command), command)
	}
	return "postgres://docket@/docket?port=5433&host=" + dir, kill
}

// pageSection returns the section of a page with a title.
func pageSection(t *testing.T, page, title string) string {
	t.Helper()
	_, section, found := strings.Cut(page, "\n## "+title+"\n")
	require.True(t, found, title)
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// TestServeReadsFromAStandby serves with a standby that was made by the commands of the page.
func TestServeReadsFromAStandby(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	primary := dbtest.NewServer(t).URL()
	readURL, kill := makeStandby(t, primary)
	admin := freeAddress(t)
	s := serve(t, "--database-url", primary, "--read-url", readURL, "--admin-addr", admin)
	metric := func(name string) (value float64) {
		_, text := serving{address: admin}.get(t, "/internal/metrics", "")
		found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
		if found == nil {
			return 0
		}
		value, err := strconv.ParseFloat(found[1], 64)
		require.NoError(t, err)
		return value
	}
	_, admins, _ := docket(t, "token", "--user", "1", "--admin")
	s.token = strings.TrimSpace(admins)
	onStandby := func() float64 { return metric(`docket_reads_total{reason="",server="standby"}`) }
	lagging := []string{
		"/contributions/leaderboard", "/contributions/user", "/metrics/batches/aggregated", "/metrics/batches/breakdown",
		"/metrics/urls/aggregate", "/metrics/urls/aggregate/pending", "/metrics/urls/breakdown/submitted",
		"/metrics/urls/breakdown/pending", "/metrics/urls/skipped", "/metrics/backlog", "/metrics/agreement",
		"/search/url?url=example.com", "/search/agency?query=a", "/typeahead/agencies?query=abc", "/typeahead/locations?query=abc",
		"/export/annotations", "/export/facts",
	}
	for _, path := range lagging {
		require.Eventually(t, func() bool { // a busy machine may be late
			before := onStandby()
			status, body := s.get(t, path, s.token)
			require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
			return onStandby() == before+1
		}, time.Minute, 100*time.Millisecond, path)
	}
	require.Eventually(t, func() bool { // other work of the process uses the pool now and then
		before := metric("docket_pool_acquires_total")
		status, _ := s.get(t, "/export/annotations", s.token)
		require.Equal(t, http.StatusOK, status)
		return metric("docket_pool_acquires_total") == before
	}, time.Minute, 10*time.Millisecond, "an export takes no connection of the primary's pool")

	before := onStandby()
	status, body := s.get(t, "/annotate/all", s.token)
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, before, onStandby(), "annotating does not use the standby")

	refused, _, stderr := docket(t, "serve", "--database-url", dbtest.Empty(t), "--read-url", readURL, "--addr", "127.0.0.1:0",
		"--jobs=false")
	require.Equal(t, exitUsage, refused, stderr)
	require.Contains(t, stderr, "--read-url: ")
	require.Contains(t, stderr, "is not a standby of the primary")

	kill()
	for range 2 {
		for _, path := range []string{"/contributions/leaderboard", "/export/facts"} {
			status, body := s.get(t, path, s.token)
			require.Equal(t, http.StatusOK, status, body)
		}
	}
	s.ready(t)
	require.Positive(t, metric(`docket_reads_total{reason="unreachable",server="primary"}`))
	require.Zero(t, metric("docket_standby_used"))
}
