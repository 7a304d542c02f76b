package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestManual shows that each command that the help lists has a page, which does not depend on where and when it is written.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	succeed(t, "manual", filepath.Join(dir, "man"))
	for _, cmd := range allCommands(rootCommand()) {
		page, err := os.ReadFile(filepath.Join(dir, "man", strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if !cmd.IsAvailableCommand() && cmd.HasParent() {
			require.ErrorIs(t, err, os.ErrNotExist, cmd.CommandPath())
			continue
		}
		require.NoError(t, err)
		require.Contains(t, string(page), cmd.Short)
	}

	t.Chdir(t.TempDir())
	first, second := rootCommand(), rootCommand()
	second.PersistentFlags().Lookup("data-dir").DefValue = "/elsewhere"
	found := buildInfo{Version: "v1.2.3", Date: "2026-12-01T02:00:00Z"}
	require.NoError(t, writeManual(first, found, dir))
	page, err := os.ReadFile(filepath.Join(dir, "docket-serve.1"))
	require.NoError(t, err)
	require.Contains(t, string(page), `"Dec 2026" "Docket v1.2.3" "Docket Manual"`)
	require.NoError(t, writeManual(second, found, dir))
	again, err := os.ReadFile(filepath.Join(dir, "docket-serve.1"))
	require.NoError(t, err)
	require.Equal(t, string(page), string(again))
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		require.Contains(t, succeed(t, "completion", shell), "docket")
	}
	var completed strings.Builder
	require.Zero(t, run(t.Context(), []string{"__complete", "queue", ""}, &completed, io.Discard))
	require.Contains(t, completed.String(), "verify\t")
}
