package ratelimit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/ratelimit"
)

func TestQuota(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ratelimit.Quota{
		"0":          {},
		"1/1s":       {Requests: 1, Window: time.Second},
		"600/1m":     {Requests: 600, Window: time.Minute},
		"90/1m30s":   {Requests: 90, Window: 90 * time.Second},
		"10000/24h":  {Requests: 10_000, Window: 24 * time.Hour},
		"5/1h10m":    {Requests: 5, Window: 70 * time.Minute},
		"1000000/1s": {Requests: 1_000_000, Window: time.Second},
	} {
		var quota ratelimit.Quota
		require.NoError(t, quota.Set(text))
		require.Equal(t, want, quota)
		require.Equal(t, text, quota.String())
	}
	for _, text := range []string{"", "600", "/1m", "600/", "0/1m", "-1/1m", "1000001/1m", "600/0s", "600/1.5s", "600/25h", "600/1", "1e3/1m", "600/1m/2"} {
		quota := ratelimit.Quota{Requests: 7, Window: time.Second}
		require.Error(t, quota.Set(text), text)
		require.Equal(t, ratelimit.Quota{Requests: 7, Window: time.Second}, quota)
	}
}

// clock is one that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newLimiter(requests int, window time.Duration) (*ratelimit.Limiter[int], *clock) {
	c := &clock{}
	c.advance(24 * time.Hour)
	return ratelimit.New[int]("test", ratelimit.Quota{Requests: requests, Window: window}, c.now), c
}

func TestBucket(t *testing.T) {
	t.Parallel()
	l, clock := newLimiter(3, 30*time.Second)
	for left := 2; left >= 0; left-- {
		state, limited := l.Take(1)
		require.True(t, limited && state.Allowed)
		require.Equal(t, left, state.Remaining)
		require.Equal(t, time.Duration(3-left)*10*time.Second, state.Full)
	}
	for range 5 { // refused requests take nothing
		state, _ := l.Take(1)
		require.False(t, state.Allowed)
		require.Zero(t, state.Remaining)
		require.Equal(t, 10*time.Second, state.Next)
	}
	other, _ := l.Take(2)
	require.True(t, other.Allowed, "of another caller")

	clock.advance(10*time.Second - time.Millisecond)
	state, _ := l.Take(1)
	require.False(t, state.Allowed)
	clock.advance(time.Millisecond)
	state, _ = l.Take(1)
	require.True(t, state.Allowed)
	clock.advance(time.Hour)
	state, _ = l.Take(1)
	require.Equal(t, 2, state.Remaining, "a bucket holds no more than the quota")
}

func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	l, clock := newLimiter(2, 20*time.Second)
	l.Take(1)
	clock.advance(-time.Hour)
	state, _ := l.Take(1)
	require.True(t, state.Allowed, "nothing is lost")
	state, _ = l.Take(1)
	require.False(t, state.Allowed, "nothing is gained")
	require.LessOrEqual(t, state.Next, 10*time.Second)
	clock.advance(10 * time.Second)
	state, _ = l.Take(1)
	require.True(t, state.Allowed, "buckets fill by the new time")
}

// Of concurrent requests, also the first ones of a caller, exactly the quota passes.
func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	const quota = 100
	for range 20 {
		l, _ := newLimiter(quota, time.Hour)
		var passed atomic.Int32
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range quota {
					if state, _ := l.Take(1); state.Allowed {
						passed.Add(1)
					}
				}
			})
		}
		all.Wait()
		require.EqualValues(t, quota, passed.Load())
	}
}

// Any number of callers takes bounded memory, and the one who keeps sending is not forgotten.
func TestCallersAreBounded(t *testing.T) {
	t.Parallel()
	l, _ := newLimiter(2, time.Hour)
	for caller := range 2 * ratelimit.MaxCallers {
		l.Take(caller)
		if caller%1000 == 0 {
			l.Take(-1)
		}
	}
	require.Equal(t, ratelimit.MaxCallers, l.Callers())
	state, _ := l.Take(-1)
	require.False(t, state.Allowed)
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[int]("none", ratelimit.Quota{}, time.Now)
	require.Nil(t, l)
	state, limited := l.Take(1)
	require.True(t, state.Allowed)
	require.False(t, limited)
	require.Zero(t, l.Callers())
}
