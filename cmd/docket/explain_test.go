package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
	"docket/internal/consensus"
)

func TestExplainedNext(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, time.November, 30, 12, 0, 0, 0, time.UTC)
	require.Equal(t, `URL 4: https://4.org
reason: shared
  Others work on all URLs that are left; this one has the fewest annotators.
state: reserved
  As many others work on it as it needs answers.
skipped: language, 2026-11-30 12:00:00; it comes back when nothing else is left
place: 3
  The annotator follows Pennsylvania, to which batch 1 is linked.
  A user follows a location of its batch.
  Its source is not manual.
  It has URL types by 1 user, 0 sessions and 2 robots.
  Its id is 4.
reserved: by the annotator until 2026-11-30 12:00:00
reserved: by user 8 until 2026-11-30 12:00:00
reserved: by a session until 2026-11-30 12:00:00
needed: 1 answer at best
  no agreement yet on URL type, agency

36 URLs, each counted under the first cause that applies:
         1  stored by another program, not ranked yet (docket queue reconcile)
         2  not in the batch
         3  validated
         4  suspended
         5  annotated by the annotator
         6  skipped by the annotator; they come last
         7  reserved by others, as many as they need answers
         8  in the order of the annotator
`, explainedNext(annotation.Explanation{
		Reason: annotation.Shared,
		URL: &annotation.ExplainedURL{
			ID: 4, URL: "https://4.org", Cause: annotation.FullyReserved, Place: 3, BatchID: new(int32(1)), OwnFollow: true,
			OwnLocations: []string{"Pennsylvania"}, Followed: true, URLTypes: annotation.Given{Users: 1, Robots: 2},
			Skip: &annotation.ActiveSkip{Reason: "language", At: until},
			Reservations: []annotation.HeldReservation{
				{Own: true, UserID: new(int32(7)), ExpiresAt: until}, {UserID: new(int32(8)), ExpiresAt: until}, {ExpiresAt: until},
			},
			Needed: 1, Open: []consensus.Attribute{consensus.URLType, consensus.Agency},
		},
		Counts: annotation.Causes{
			All: 36, NotQueued: 1, FilteredOut: 2, Validated: 3, Suspended: 4, Done: 5, Skipped: 6, Reserved: 7, Offered: 8,
		},
	}))
	require.Contains(t, explainedNext(annotation.Explanation{Reason: annotation.NothingImported}),
		"no URL: nothing-imported\n  No URL is stored.\n\n0 URLs")
}

// Each reason and cause has words.
func TestExplainedInWords(t *testing.T) {
	t.Parallel()
	for _, reason := range []annotation.Reason{
		annotation.NextInOrder, annotation.ReservedByYou, annotation.Requested, annotation.Shared, annotation.SkippedByYou,
		annotation.NoneLeft, annotation.AllReserved, annotation.AllDoneByYou, annotation.FilteredOut, annotation.NothingImported,
	} {
		require.NotEmpty(t, reason.Words(), reason)
	}
	for _, cause := range []annotation.Cause{
		annotation.NotQueued, annotation.OutsideBatch, annotation.IsValidated, annotation.IsSuspended, annotation.DoneByYou,
		annotation.PutOff, annotation.FullyReserved, annotation.Offered,
	} {
		require.NotEmpty(t, cause.Words(), cause)
	}
}
