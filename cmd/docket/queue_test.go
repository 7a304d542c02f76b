package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/dbtest"
)

// A queue that was never filled differs in every URL: verify prints the first differences, and then their number by kind.
func TestQueueSumsManyDifferencesByKind(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	s.succeed(t, "migrate", "apply")
	s.succeed(t, "seed", "--urls", "30")
	s.exec(t, "DELETE FROM annotation_queue")

	_, every, _ := s.run(t, "queue", "verify", "--all")
	lines := strings.Split(strings.TrimSpace(every), "\n")
	require.Greater(t, len(lines), shownDifferences+1)
	require.Contains(t, every, "URL 30: missing: ")
	_, objects, _ := s.run(t, "queue", "verify", "--json")
	require.Equal(t, len(lines)-1, strings.Count(objects, "\n"), "a line for each, and no sum")

	status, few, _ := s.run(t, "queue", "verify")
	require.Equal(t, exitFailure, status)
	require.Equal(t, lines[:shownDifferences], strings.Split(few, "\n")[:shownDifferences])
	require.NotContains(t, few, "URL 30: missing: ")
	require.Regexp(t, `\n… \(--all prints every one\)\n(?: +\d+ \w[\w ]+\n)*`+
		` +30 missing\n(?: +\d+ \w[\w ]+\n)*\d+ differences\n$`, few)

	repaired, _ := s.succeed(t, "queue", "reconcile", "--wait=false")
	require.Contains(t, repaired, " 30 missing\n")
	require.True(t, strings.HasSuffix(repaired, " repairs\n"), repaired)
	none, _ := s.succeed(t, "queue", "verify", "--all")
	require.Equal(t, "0 differences\n", none)
}

// TestQueueNamesFollowers checks how differences of what follows decide are printed.
func TestQueueNamesFollowers(t *testing.T) {
	t.Parallel()
	s := newSchemaTest(t, dbtest.Empty(t))
	s.succeed(t, "migrate", "apply")
	s.exec(t, "INSERT INTO followed_batches (user_id, batch_ids, changed_xid) VALUES (7, '{1,2}', 0)")
	status, text, _ := s.run(t, "queue", "verify")
	require.Equal(t, exitFailure, status)
	require.Equal(t, "annotator 7: surplus followed batches: has 1, 2, should have nothing\n1 differences\n", text)
	_, object, _ := s.run(t, "queue", "verify", "--json")
	require.JSONEq(t, `{"kind": "surplus followed batches", "annotator": "7", "have": "1, 2", "want": ""}`, object)
	s.succeed(t, "queue", "reconcile", "--wait=false")
	none, _ := s.succeed(t, "queue", "verify")
	require.Equal(t, "0 differences\n", none)
}

// Names are not in the queue, so a repair does not see that another program has changed one. All the same, no server shows the old
// one when the command has ended.
func TestReconcileEndsWhenServersShowWhatOthersWrote(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	server := serve(t, "--data-dir", dir)
	db := dbtest.Connect(t, strings.TrimSpace(succeed(t, "db", "url", "--data-dir", dir)))
	exec := func(sql string) {
		_, err := db.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec(`INSERT INTO urls (url, source) VALUES ('example.org', 'manual');
		INSERT INTO agencies (id, name, agency_type, jurisdiction_type) VALUES (1, 'Old Name', 'law enforcement', 'local');
		INSERT INTO annotation__agency__user (agency_id, url_id, user_id) VALUES (1, 1, 7)`)
	succeed(t, "queue", "reconcile", "--wait=false", "--data-dir", dir)
	shown := func(name string) {
		status, body := server.get(t, "/annotate/all", server.token)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, name)
	}
	shown("Old Name") // and cached
	exec("UPDATE agencies SET name = 'New Name'")
	began := time.Now()
	require.Equal(t, "0 repairs\n", succeed(t, "queue", "reconcile", "--data-dir", dir))
	require.GreaterOrEqual(t, time.Since(began), annotation.CachedFor)
	shown("New Name")
}
