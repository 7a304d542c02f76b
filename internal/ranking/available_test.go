package ranking_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
	"docket/internal/ranking"
)

func TestAvailableURLs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 9)
	const hour = 3600.
	w.exec(t, "UPDATE urls SET created_at = now() - make_interval(hours => 10 - id)")
	available := func(most int32) (int64, float64) {
		found, err := ranking.AvailableUpTo(t.Context(), w.pool, most)
		require.NoError(t, err)
		return found.URLs, found.Oldest.Seconds()
	}
	urls, oldest := available(100)
	require.EqualValues(t, 9, urls)
	require.InDelta(t, 9*hour, oldest, hour/2)

	w.exec(t, "UPDATE annotation_queue SET reserved = true WHERE url_id = 1")
	w.exec(t, "UPDATE annotation_queue SET eligible = false WHERE url_id = 2")
	urls, oldest = available(100)
	require.EqualValues(t, 7, urls, "neither the reserved one nor the one that is not eligible")
	require.InDelta(t, 7*hour, oldest, hour/2)

	w.exec(t, "UPDATE annotation_queue SET followed = true WHERE url_id IN (5, 6, 7)") // the first ones
	urls, oldest = available(3)
	require.EqualValues(t, 3, urls)
	require.InDelta(t, 5*hour, oldest, hour/2, "only the first ones are read")

	w.exec(t, "UPDATE urls SET created_at = now() + interval '1 hour'")
	_, oldest = available(100)
	require.Zero(t, oldest, "a clock that was set back")

	w.exec(t, "UPDATE annotation_queue SET eligible = false")
	found, err := ranking.AvailableURLs(t.Context(), w.pool)
	require.NoError(t, err)
	require.Equal(t, ranking.Available{Oldest: time.Duration(0)}, found)
}

// The statement reads no more rows than its limit, in the order of the index. Each takes at most one buffer of the table, until a
// VACUUM.
func TestAvailableURLsPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4000)
	w.exec(t, "VACUUM ANALYZE")
	for _, mode := range dbtest.PlanModes {
		plan := dbtest.Explain(t, w.tx(t), mode, db.QueueAvailableGet, int32(500))
		require.Empty(t, plan.SeqScans(), "%s\n%s", mode, plan)
		var scans []string
		for node := range plan.Nodes() {
			scans = append(scans, node.NodeType)
			require.LessOrEqual(t, node.Rows, 500., "%s\n%s", mode, plan)
		}
		require.True(t, slices.Contains(scans, "Index Only Scan"), "%s\n%s", mode, plan)
		require.Less(t, plan.Buffers(), 600, "%s\n%s", mode, plan)
	}
}
