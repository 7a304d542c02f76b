package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// The command line and REST export the same, including the pseudonyms, because both use the same key.
func TestExportIsThatOfREST(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	succeed(t, "seed", "--urls", "50", "--data-dir", dir)
	docket := serve(t, "--data-dir", dir)
	admin := strings.TrimSpace(succeed(t, "token", "--user", "1", "--admin", "--data-dir", dir))
	of := func(what string, args ...string) string {
		return succeed(t, append([]string{"export", what, "--data-dir", dir}, args...)...)
	}
	export := func(args ...string) string { return of("annotations", args...) }
	for query, args := range map[string][]string{
		"":                                 nil,
		"?format=csv&pseudonymous=true":    {"--format", "csv", "--pseudonymous"},
		"?since=2025-01-05&format=jsonl":   {"--since", "2025-01-05", "--format", "jsonl", "-o", "-"},
		"?since=2125-01-05T00:00:00&x=csv": {"--since", "2125-01-05T00:00:00"},
	} {
		status, body := docket.get(t, "/export/annotations"+query, admin)
		require.Equal(t, http.StatusOK, status, body)
		require.Equal(t, body, export(args...), query)
	}
	require.Contains(t, export("--format", "csv", "--pseudonymous"), ",user-")
	annotator := strings.TrimSpace(succeed(t, "token", "--user", "1", "--data-dir", dir))
	for query, args := range map[string][]string{
		"":                               nil,
		"?format=csv&type=data%20source": {"--format", "csv", "--type", "data source"},
		"?since=2025-01-05&format=jsonl&type=meta+url": {"--since", "2025-01-05", "--format", "jsonl", "--type", "meta url"},
	} {
		status, body := docket.get(t, "/export/facts"+query, annotator)
		require.Equal(t, http.StatusOK, status, body)
		require.NotEmpty(t, body, query)
		require.Equal(t, body, of("facts", args...), query)
	}

	file := filepath.Join(t.TempDir(), "annotations.csv")
	said := export("--format", "csv", "--output", file)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, export("--format", "csv"), string(written))
	records, err := csv.NewReader(bytes.NewReader(written)).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(records), 50)
	require.Regexp(t, `^\d+ lines in \d+\.\d seconds: `+file+"\n$", said)
}

func TestExportUsage(t *testing.T) {
	t.Setenv(secretKeyVariable, "")
	nowhere := "postgres://nobody@127.0.0.1:1/nothing"
	for _, test := range []struct {
		what string
		args []string
		want string
	}{
		{"annotations", []string{"--format", "xml"}, `--format: "xml" is neither csv nor jsonl`},
		{"annotations", []string{"--since", "yesterday"}, `--since: "yesterday" should be a date`},
		{"annotations", []string{"--pseudonymous"}, "DS_APP_SECRET_KEY is not set"},
		{"annotations", []string{"--output", t.TempDir()}, "is a directory"},
		{"annotations", []string{"more"}, "unknown command"},
		{"facts", []string{"--format", "xml"}, `--format: "xml" is neither csv nor jsonl`},
		{"facts", []string{"--since", "yesterday"}, `--since: "yesterday" should be a date`},
		{"facts", []string{"--type", "url"}, `--type: "url" is not a type of URL, such as "data source"`},
		{"facts", []string{"--output", t.TempDir()}, "is a directory"},
	} {
		status, stdout, stderr := docket(t, append([]string{"export", test.what, "--database-url", nowhere}, test.args...)...)
		require.Equal(t, exitUsage, status, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, test.want)
	}
}

// Until an export is complete, its file keeps its earlier content or does not exist.
func TestExportThatFails(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	succeed(t, "seed", "--urls", "50", "--data-dir", dir)
	server := serve(t, "--data-dir", dir) // whose database the test breaks
	conn := dbtest.Connect(t, strings.TrimSpace(succeed(t, "db", "url", "--data-dir", dir)))
	dbtest.Exec(t, conn, "ALTER TABLE annotation__location__anon RENAME TO elsewhere")

	files := t.TempDir()
	there, other := filepath.Join(files, "there"), filepath.Join(files, "link")
	require.NoError(t, os.WriteFile(there, []byte("before"), 0o600))
	require.NoError(t, os.Symlink("there", other))
	for _, file := range []string{there, other, filepath.Join(files, "new")} {
		status, stdout, stderr := docket(t, "export", "annotations", "--data-dir", dir, "--output", file)
		require.Equal(t, exitFailure, status, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "export answers")
	}
	kept, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, "before", string(kept))
	entries, err := os.ReadDir(files)
	require.NoError(t, err)
	require.Len(t, entries, 2, "no temporary file is left")

	status, _, stderr := docket(t, "export", "annotations", "--data-dir", dir, "--output", filepath.Join(files, "no", "where"))
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr, "no such file or directory")
	status, stderr = server.stop()
	require.Zero(t, status, stderr)
}

// A reader may close standard output before the end, as head does: the command reports it and stops the database.
func TestExportToAClosedPipe(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	succeed(t, "seed", "--urls", "50", "--data-dir", dir)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	defer writer.Close()
	var stderr bytes.Buffer
	status := run(t.Context(), []string{"export", "annotations", "--data-dir", dir, "--log-level", "error"}, writer, &stderr)
	require.Equal(t, exitFailure, status)
	require.Contains(t, stderr.String(), "closed it before the end")
	status, _, _ = docket(t, "db", "url", "--data-dir", dir)
	require.Equal(t, exitFailure, status, "the server is stopped")
}

// An interrupted export leaves no file.
func TestExportInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	dir, files := dataDir(t), t.TempDir()
	var stderr bytes.Buffer
	args := []string{"export", "annotations", "--data-dir", dir, "-o", filepath.Join(files, "a"), "--log-level", "error"}
	status := run(ctx, args, io.Discard, &stderr)
	require.Equal(t, exitFailure, status)
	entries, err := os.ReadDir(files)
	require.NoError(t, err)
	require.Empty(t, entries)
}
