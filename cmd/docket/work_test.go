package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestWork runs docket work as a role that may use River's tables but not create them, starts a job through a docket serve without
// jobs, and reads both from the admin address.
func TestWork(t *testing.T) {
	t.Setenv(secretKeyVariable, strings.Repeat("k", 32))
	s, owner, roles := ownedDatabase(t)
	served := schemaTest{url: as(t, s.url, roles[1]), db: s.db}
	_, section, _ := strings.Cut(operations(t), "\n## Roles\n")
	grants := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(section)
	require.NotNil(t, grants)
	s.exec(t, strings.NewReplacer("docket_owner", roles[0], "docket_serve", roles[1]).Replace(grants[1]))
	s.exec(t, "REVOKE DELETE ON river.river_job FROM "+roles[1])
	stderr := served.fail(t, exitFailure, "work", "--admin-addr", "127.0.0.1:0")
	require.Contains(t, stderr, ": GRANT DELETE ON river.river_job TO "+roles[1]+"; see docs/operations.md")
	s.exec(t, "GRANT DELETE ON river.river_job TO "+roles[1])

	admin := freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	var stdout, errs output
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"work", "--database-url", served.url, "--admin-addr", admin, "--log-level", "error"}, &stdout, &errs)
	}()
	said := succeed(t, "tasks", "run", "Populate Backlog Snapshot", "--wait", "--database-url", served.url)
	require.Contains(t, said, "backlog_snapshot: task ")
	metrics := read(t, "http://"+admin+"/internal/metrics")
	require.Regexp(t, `docket_job_runs_total\{job="backlog_snapshot",outcome="succeeded"\} [1-9]`, metrics)
	require.Contains(t, metrics, "docket_consensus_due_seconds 0\n")
	require.Contains(t, metrics, "docket_queue_differences_total 0\n")
	require.Contains(t, metrics, `docket_job_runs_total{job="reconcile_queue",outcome="failed"} 0`)
	require.Contains(t, read(t, "http://"+admin+"/admin/jobs/"), "<title>River</title>")
	stop()
	require.Zero(t, <-ended, errs.String())

	// A database without River's tables is served, without jobs.
	s.exec(t, "DROP SCHEMA river CASCADE")
	stderr = served.fail(t, exitFailure, "serve")
	require.Contains(t, stderr, "let the owner of the tables run docket migrate apply first")
	require.Contains(t, served.fail(t, exitFailure, "work", "--migrate=false"), "run docket migrate apply")
	running := serve(t, "--database-url", served.url)
	running.ready(t)
	running.stop()

	status, stdoutText, _ := docket(t, "migrate", "status", "--database-url", owner.url)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stdoutText, "pending   tables of River: 1 ")
	for _, step := range []struct{ command, says string }{
		{"migrate apply --dry-run", "-- tables of River, by its own migrations: 1 "},
		{"migrate apply", "applied tables of River: 1 "},
		{"migrate apply", "nothing to do"},
		{"migrate status", "state     ok"},
	} {
		said, _ := owner.succeed(t, strings.Fields(step.command)...)
		require.Contains(t, said, step.says, step.command)
	}
	difference, _ := s.succeed(t, "schema", "diff", "--exit-code")
	require.Contains(t, difference, "Left alone: schema river.")
	inspected, _ := s.succeed(t, "schema", "inspect")
	require.NotContains(t, inspected, "river_job")
}

func TestWorkRefuses(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--jobs-max-conns=4", "--shutdown-timeout=0s", "--views-interval=1s"} {
		status, _, stderr := docket(t, "work", flag, "--database-url", dbtest.URL(t))
		require.Equal(t, exitUsage, status, stderr)
		name, _, _ := strings.Cut(flag, "=")
		require.Contains(t, stderr, name)
	}
}

// freeAddress returns an address that no process listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// read requests a page until its server listens.
func read(t *testing.T, url string) string {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
		return string(body)
	}
}
