package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"docket/api"
	"docket/internal/auth"
	"docket/internal/dbtest"
	"docket/internal/postgres"
	"docket/internal/ranking"
)

// exportKind is an export too large for the buffers between Docket and a client that does not read.
type exportKind struct {
	name   string
	data   string
	lines  int
	most   int    // concurrent exports of this kind
	failed string // what a failure begins with
}

var exportKinds = []exportKind{
	{"annotations", `
		INSERT INTO urls (id, url, scheme, source)
			SELECT n, 'example.org/' || n || repeat('/a-long-path', 40), 'https', 'manual' FROM generate_series(1, 5000) AS n;
		INSERT INTO annotation__url_type__user (url_id, user_id, type) SELECT id, n, 'meta url' FROM urls, generate_series(1, 8) AS n`,
		40_000, 2, "export answers: "},
	{"facts", `
		INSERT INTO urls (id, url, scheme, source)
			SELECT n, 'example.org/' || n || repeat('/a-long-path', 150), 'https', 'manual' FROM generate_series(1, 12000) AS n;
		INSERT INTO flag_url_validated (url_id, type) SELECT id, 'meta url' FROM urls`,
		12_000, 1, "export facts: "},
}

// forEachExport runs a test with each kind of export.
func forEachExport(t *testing.T, test func(*testing.T, exportKind)) {
	for _, kind := range exportKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// exporting is a Docket with the data of an export.
type exporting struct {
	exportKind
	pool   *postgres.Pool
	server *httptest.Server
	logs   *observer.ObservedLogs
}

func newExporting(t *testing.T, kind exportKind, change ...func(*api.Config)) exporting {
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, kind.data)
	core, logs := observer.New(zap.InfoLevel)
	server := httptest.NewServer(newHandler(t, pool, ranking.NewQueue(), zap.New(core), change...))
	t.Cleanup(server.Close)
	return exporting{kind, pool, server, logs}
}

func (e exporting) request(ctx context.Context, t *testing.T, method, query string) *http.Response {
	req, err := http.NewRequestWithContext(ctx, method, e.server.URL+"/export/"+e.name+query, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+tokenFor(t, 7, auth.AccessSourceCollector))
	resp, err := e.server.Client().Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// begin requests an export and reads the first line.
func (e exporting) begin(ctx context.Context, t *testing.T) (*http.Response, *bufio.Reader) {
	resp := e.request(ctx, t, http.MethodGet, "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	lines := bufio.NewReader(resp.Body)
	first, err := lines.ReadBytes('\n')
	require.NoError(t, err)
	var line struct {
		URLID int `json:"url_id"`
	}
	require.NoError(t, json.Unmarshal(first, &line))
	require.Equal(t, 1, line.URLID)
	return resp, lines
}

// entry waits for the end of the request and returns its log line.
func (e exporting) entry(t *testing.T) observer.LoggedEntry {
	require.Eventually(t, func() bool { return e.logs.Len() > 0 }, time.Minute, time.Millisecond, "the request ends")
	require.Eventually(t, func() bool { return e.pool.Stat().AcquiredConns() == 0 }, time.Minute, time.Millisecond,
		"the database connection is free again")
	return e.logs.TakeAll()[0]
}

// An export is sent while it is read, and may take longer than other requests.
func TestExportStreams(t *testing.T) {
	t.Parallel()
	forEachExport(t, func(t *testing.T, kind exportKind) {
		e := newExporting(t, kind, func(cfg *api.Config) { cfg.RequestTimeout = time.Nanosecond })
		resp, lines := e.begin(t.Context(), t)
		require.Equal(t, `attachment; filename="`+kind.name+`.jsonl"`, resp.Header.Get("Content-Disposition"))
		require.EqualValues(t, 1, e.pool.Stat().AcquiredConns(), "the export is still running")
		require.Zero(t, e.logs.Len())

		rest, err := io.ReadAll(lines)
		require.NoError(t, err)
		require.Equal(t, kind.lines, 1+bytes.Count(rest, []byte("\n")))
		entry := e.entry(t)
		require.Equal(t, zap.InfoLevel, entry.Level, entry.ContextMap())
		require.Greater(t, entry.ContextMap()["bytes"], int64(len(rest)))
	})
}

// A failure after the first line does not look like the end of a whole export.
func TestExportBreaksOff(t *testing.T) {
	t.Parallel()
	forEachExport(t, func(t *testing.T, kind exportKind) {
		e := newExporting(t, kind)
		_, lines := e.begin(t.Context(), t)
		terminated := 0
		require.NoError(t, e.pool.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()`).Scan(&terminated))
		require.Equal(t, 1, terminated)
		rest, err := io.ReadAll(lines)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Less(t, bytes.Count(rest, []byte("\n")), kind.lines)
		entry := e.entry(t)
		require.Equal(t, zap.ErrorLevel, entry.Level)
		require.Contains(t, entry.ContextMap()["error"], kind.failed)
	})
}

// An export has its own time limit. A failure before the first line is an ordinary problem.
func TestExportTakesTooLong(t *testing.T) {
	t.Parallel()
	forEachExport(t, func(t *testing.T, kind exportKind) {
		e := newExporting(t, kind, func(cfg *api.Config) { cfg.ExportTimeout = time.Nanosecond })
		resp := e.request(t.Context(), t, http.MethodGet, "?format=csv")
		require.Equal(t, http.StatusGatewayTimeout, resp.StatusCode)
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
		require.Equal(t, zap.ErrorLevel, e.entry(t).Level)
	})
}

// When a client leaves, its export ends, and no error is logged.
func TestExportToClientThatLeaves(t *testing.T) {
	t.Parallel()
	forEachExport(t, func(t *testing.T, kind exportKind) {
		e := newExporting(t, kind)
		ctx, leave := context.WithCancel(t.Context())
		e.begin(ctx, t)
		require.EqualValues(t, 1, e.pool.Stat().AcquiredConns())
		leave()
		entry := e.entry(t)
		require.Equal(t, zap.InfoLevel, entry.Level)
		require.Contains(t, entry.ContextMap()["error"], "Client closed the request")
	})
}

// Concurrent exports leave most connections free. One above the limit is refused.
func TestConcurrentExports(t *testing.T) {
	t.Parallel()
	forEachExport(t, func(t *testing.T, kind exportKind) {
		e := newExporting(t, kind)
		for range kind.most {
			e.begin(t.Context(), t)
		}
		resp := e.request(t.Context(), t, http.MethodGet, "?format=csv")
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Equal(t, "1", resp.Header.Get("Retry-After"))
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
		require.Empty(t, resp.Header.Get("Content-Disposition"))
		var problem api.Problem
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&problem))
		require.Equal(t, "urn:docket:problem:too-many-exports", problem.Type)

		// HEAD reads nothing, so it is not refused.
		resp = e.request(t.Context(), t, http.MethodHead, "?format=csv")
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, `attachment; filename="`+kind.name+`.csv"`, resp.Header.Get("Content-Disposition"))
	})
}
