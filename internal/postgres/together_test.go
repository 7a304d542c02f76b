package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A run that has begun when a caller arrives is not for the caller, and all who arrive during it share the next one.
func TestTogether(t *testing.T) {
	t.Parallel()
	began, finish := make(chan int), make(chan struct{})
	runs := 0 // runs do not overlap
	shared := together[int]{run: func(context.Context) (int, error) {
		runs++
		began <- runs
		<-finish
		return runs, nil
	}}
	results := make(chan int)
	get := func() {
		result, err := shared.get(t.Context())
		if err == nil {
			results <- result
		}
	}
	go get()
	require.Equal(t, 1, <-began)
	joined := func() bool {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		return shared.next != nil
	}
	go get()
	require.Eventually(t, joined, 10*time.Second, time.Millisecond)
	late, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := shared.get(late)
	require.ErrorIs(t, err, context.Canceled)
	finish <- struct{}{}
	require.Equal(t, 1, <-results)
	require.Equal(t, 2, <-began)
	finish <- struct{}{}
	require.Equal(t, 2, <-results)
}

func TestEndOfLastRecord(t *testing.T) {
	t.Parallel()
	const page, segment = 8192, 16 << 20
	for name, c := range map[string]struct {
		lsn      int64
		inserted bool
		end      int64
	}{
		"within a page":              {page + 4096, true, page + 4096},
		"after the header of a page": {3*page + 24, true, 3 * page},
		"after 16 bytes of a record": {3*page + 40, true, 3*page + 40},
		"at the start of a segment":  {segment + 40, true, segment},
		"flushed, not inserted":      {3*page + 24, false, 3*page + 24},
	} {
		p := position{LSN: c.lsn, BlockSize: page, SegmentSize: segment, Inserted: c.inserted}
		require.Equal(t, c.end, p.end(), name)
	}
}
