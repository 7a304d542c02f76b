package consensus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPosition does not overlook a row that is committed, or due, shortly after rows with greater ids were taken.
func TestPosition(t *testing.T) {
	t.Parallel()
	var p position
	start := time.Now()
	for _, step := range []struct {
		seconds    int
		want, seen int64
	}{
		{0, 0, 5}, {9, 0, 6}, {10, 0, 6}, {11, 0, 9}, {20, 0, 9}, {21, 6, 12}, {29, 6, 12}, {30, 0, 12}, {31, 9, 12},
	} {
		require.Equal(t, step.want, p.begin(start.Add(time.Duration(step.seconds)*time.Second)), "after %d seconds", step.seconds)
		p.seen = step.seen
	}
}
