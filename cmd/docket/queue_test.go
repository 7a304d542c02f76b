package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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

	repaired, _ := s.succeed(t, "queue", "reconcile")
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
	s.succeed(t, "queue", "reconcile")
	none, _ := s.succeed(t, "queue", "verify")
	require.Equal(t, "0 differences\n", none)
}
