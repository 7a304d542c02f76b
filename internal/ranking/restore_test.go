package ranking_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/ranking"
)

// TestRestoreIntoAnotherCluster shows why docs/backup.md sets changed_xid after a restore. Transaction ids above all new ones
// look like changes, and then each request of a new process runs the cold statement.
func TestRestoreIntoAnotherCluster(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/backup.md")
	require.NoError(t, err)
	statement := regexp.MustCompile(`-c '(UPDATE annotation_queue [^']+)'`).FindSubmatch(page)
	require.NotNil(t, statement)

	w := newWorld(t, ranking.WarmFrom+2*ranking.ReadAtMost)
	w.change(t, span(1, ranking.WarmFrom), says(7))
	ask := func() (statements []string) {
		conn, queue := &spy{DBTX: w.pool}, ranking.NewWarmQueue()
		for range 3 {
			choice, err := queue.NextForUser(t.Context(), conn, 7, ranking.Filter{})
			require.NoError(t, err)
			require.EqualValues(t, ranking.WarmFrom+1, choice.URLID)
		}
		return conn.names
	}
	const cold, warm = "QueueNextGetCold", "QueueNextGetWarm"

	w.exec(t, "UPDATE annotation_queue SET changed_xid = changed_xid + (1::bigint << 40)")
	require.Equal(t, []string{cold, warm, cold, warm, cold}, ask())

	w.exec(t, string(statement[1]))
	require.Equal(t, []string{cold, warm, warm}, ask())
}
