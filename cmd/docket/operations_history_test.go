package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/tasks"
)

var (
	timestamps = regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b`)
	blanks     = regexp.MustCompile(` {2,}`)
)

// TestOperationsHistory starts jobs as the page says, on a running Docket with sample data that schedules none itself, and compares
// the output of the commands with that on the page. Only times may differ, and with them the widths of columns.
func TestOperationsHistory(t *testing.T) {
	t.Setenv("SCHEDULED_TASKS_FLAG", "0")
	_, section, found := strings.Cut(operations(t), "\n## History\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	session := fenced.FindStringSubmatch(section)[2]

	dir := dataDir(t)
	succeed(t, "seed", "--urls", "200", "--data-dir", dir)
	serve(t, "--jobs", "--data-dir", dir)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var printed strings.Builder
	for line := range strings.Lines(session) {
		typed, isCommand := strings.CutPrefix(line, "$ bin/docket ")
		if !isCommand {
			continue
		}
		printed.WriteString(line)
		var words []string
		for i, part := range strings.Split(strings.TrimSpace(typed), `"`) {
			if i%2 == 1 {
				words = append(words, part) // quoted
				continue
			}
			words = append(words, strings.Fields(part)...)
		}
		status := run(ctx, append(words, "--data-dir", dir, "--log-level", "error"), &printed, &printed)
		require.Zero(t, status, printed.String())
	}
	neutral := func(text string) string {
		for varying, constant := range map[*regexp.Regexp]string{durations: "…", timestamps: "…"} {
			text = varying.ReplaceAllString(text, constant)
		}
		return blanks.ReplaceAllString(text, "  ")
	}
	require.Equal(t, neutral(session), neutral(printed.String()))
}

// TestOperationsNamesStatuses shows that the page explains each status of a task, and that the help of docket tasks does.
func TestOperationsNamesStatuses(t *testing.T) {
	t.Parallel()
	_, section, found := strings.Cut(operations(t), "\n## History\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	help := succeed(t, "tasks", "--help")
	for _, status := range []tasks.Status{tasks.Complete, tasks.InProcess, tasks.Failed, tasks.Aborted, tasks.NeverCompleted} {
		require.NoError(t, tasks.Filter{Status: status}.Valid())
		require.Contains(t, section, "\n| `"+string(status)+"` | ")
		require.Regexp(t, `(?m)^  `+string(status)+` `, help)
	}
}
