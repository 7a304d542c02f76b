package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func limiter(change ...func(*Config)) *Limiter {
	cfg := Config{Conns: 10, Writers: 7}
	for _, f := range change {
		f(&cfg)
	}
	return New(cfg)
}

// enter begins and enters as many requests as can enter without a wait, and returns them.
func enter(t *testing.T, l *Limiter, class Class, writes bool, n int) (entered []Request) {
	t.Helper()
	for range n {
		r, err := l.Begin(class, writes)
		require.NoError(t, err)
		require.NoError(t, r.Enter(t.Context()))
		entered = append(entered, r)
	}
	return entered
}

// wait begins n requests that have to wait, in order, and returns where each sends what becomes of it.
func wait(t *testing.T, l *Limiter, class Class, writes bool, n int) (results []chan error) {
	t.Helper()
	for range n {
		before := l.Waiting()
		r, err := l.Begin(class, writes)
		require.NoError(t, err)
		result := make(chan error, 1)
		go func() { result <- r.Enter(t.Context()) }()
		synctest.Wait()
		require.Equal(t, before+1, l.Waiting())
		results = append(results, result)
	}
	return results
}

// refusal requires that an error is a refusal for this reason.
func refusal(t *testing.T, err error, reason string) {
	t.Helper()
	var refused *Refusal
	require.ErrorAs(t, err, &refused)
	require.Equal(t, reason, refused.Reason)
	require.GreaterOrEqual(t, refused.RetryAfter, 1)
	require.LessOrEqual(t, refused.RetryAfter, mostSpread)
}

// Each class may hold so many connections when no other holds any, and so many are left to annotators by all others.
func TestSharesOfClasses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		conns, writers                        int
		annotate, write, search, export, left int
	}{
		{1, 1, 1, 1, 1, 1, 0},
		{2, 1, 2, 1, 1, 2, 0},
		{3, 1, 3, 1, 1, 2, 1},
		{4, 2, 4, 2, 1, 2, 2},
		{5, 3, 5, 3, 1, 2, 3},
		{10, 7, 10, 6, 2, 5, 5},
		{80, 50, 80, 38, 20, 40, 40},
	} {
		count := func(class Class, writes bool) (n int) {
			l := limiter(func(c *Config) { c.Conns, c.Writers = test.conns, test.writers })
			for l.laneOf(class, writes).take() {
				n++
			}
			return n
		}
		require.Equal(t, test.annotate, count(Annotate, false), test)
		require.Equal(t, test.write, count(Annotate, true), test)
		require.Equal(t, test.search, count(Search, false), test)
		require.Equal(t, test.search, count(Report, false), test)
		require.Equal(t, test.export, count(Export, false), test)
		require.Equal(t, test.export, count(Other, false), test)

		l := limiter(func(c *Config) { c.Conns, c.Writers = test.conns, test.writers })
		for _, lane := range l.lanes {
			for lane.class != Annotate && lane.take() {
				continue
			}
		}
		left := 0
		for l.laneOf(Annotate, false).take() {
			left++
		}
		require.Equal(t, test.left, left, test)
	}
}

func TestRequestsWaitInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(func(c *Config) { c.Conns, c.Writers = 1, 1 })
		holder := enter(t, l, Annotate, false, 1)[0]
		for _, result := range wait(t, l, Annotate, false, 3) {
			holder.Leave()
			synctest.Wait()
			require.NoError(t, <-result)
		}
		require.Zero(t, l.Waiting())
	})
}

// Lanes take turns: a class that has many requests does not delay another one for long.
func TestLanesTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(func(c *Config) { c.Conns, c.Writers, c.MaxQueue = 4, 4, 100 })
		holders := enter(t, l, Annotate, false, 4)
		annotators := wait(t, l, Annotate, false, 20)
		search := wait(t, l, Search, false, 1)[0]
		for range 2 {
			holders[0].Leave()
		}
		synctest.Wait()
		require.NoError(t, <-annotators[0])
		require.NoError(t, <-search)
		time.Sleep(DefaultMaxWait)
	})
}

func TestWaitsAndQueuesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(func(c *Config) { c.MaxQueue, c.MaxRequests = 3, 15 })
		enter(t, l, Annotate, false, 10)
		begin := time.Now()
		results := wait(t, l, Annotate, false, 3)
		_, err := l.Begin(Annotate, false)
		refusal(t, err, "queue full")
		_, err = l.Begin(None, false)
		require.NoError(t, err, "what needs no connection is not limited")

		other, err := l.Begin(Other, true)
		require.NoError(t, err, "each kind of requests has a queue of its own")
		_, err = l.Begin(Other, true)
		require.NoError(t, err)
		_, err = l.Begin(Other, true)
		refusal(t, err, "too many requests")
		other.End()
		_, err = l.Begin(Other, true)
		require.NoError(t, err)

		for _, result := range results {
			refusal(t, <-result, "waited too long")
			require.Equal(t, DefaultMaxWait, time.Since(begin))
		}
		require.InDelta(t, 3, testutil.ToFloat64(l.metrics.refused.WithLabelValues("annotate", "waited too long")), 0)
		require.InDelta(t, 1, testutil.ToFloat64(l.metrics.refused.WithLabelValues("annotate", "queue full")), 0)
		require.InDelta(t, 1, testutil.ToFloat64(l.metrics.refused.WithLabelValues("other", "too many requests")), 0)
	})
}

// A queue that fills while a request is read refuses it when it would enter.
func TestQueueFillsWhileARequestIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(func(c *Config) { c.MaxQueue = 1 })
		enter(t, l, Annotate, false, 10)
		late, err := l.Begin(Annotate, false)
		require.NoError(t, err)
		wait(t, l, Annotate, false, 1)
		refusal(t, late.Enter(t.Context()), "queue full")
		time.Sleep(DefaultMaxWait)
	})
}

// A burst that is served within the longest wait is served whole. In a queue that stands, requests wait no longer than the target,
// few may wait, and the last one is never refused.
func TestStandingQueueIsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const each = 10 * time.Millisecond // a request of the only connection
		l := limiter(func(c *Config) { c.Conns, c.Writers, c.MaxQueue = 1, 1, 45 })
		holder := enter(t, l, Annotate, false, 1)[0]
		leave := func() { time.Sleep(each); holder.Leave(); synctest.Wait() }
		burst := wait(t, l, Annotate, false, 45)
		for _, result := range burst {
			leave()
			require.NoError(t, <-result)
		}

		// Requests keep coming, more than are served, and the queue never becomes empty for as long as the target.
		var longest time.Duration
		var mu sync.Mutex
		accepted, refused := 0, 0
		measured := false
		for range 200 {
			for range 3 {
				r, err := l.Begin(Annotate, false)
				if err != nil {
					refusal(t, err, "queue full")
					continue
				}
				begin := time.Now()
				go func() {
					err := r.Enter(t.Context())
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && measured:
						accepted++
						longest = max(longest, time.Since(begin))
					case err != nil:
						refused++
					}
				}()
				synctest.Wait()
			}
			leave()
			mu.Lock()
			measured = measured || refused > 0
			mu.Unlock()
		}
		require.Greater(t, accepted, 100, "the connection is never idle")
		require.LessOrEqual(t, longest, l.target+each)

		// It stands until it was empty for the target.
		for l.Waiting() > 0 {
			leave()
		}
		time.Sleep(l.target)
		wait(t, l, Annotate, false, 2)
		require.False(t, l.laneOf(Annotate, false).stands(time.Now(), l.maxWait))
		time.Sleep(2 * l.target)
		leave()
		require.Equal(t, 1, l.Waiting(), "the second one may wait longer now")
		time.Sleep(DefaultMaxWait)
	})
}

// A client that leaves gives its place in the queue to others, even when its turn comes at the same time.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(func(c *Config) { c.Conns, c.Writers = 1, 1 })
		holder := enter(t, l, Annotate, false, 1)[0]
		r, err := l.Begin(Annotate, false)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- r.Enter(ctx) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.ErrorIs(t, <-result, context.Canceled)
		require.Zero(t, l.Waiting())
		holder.Leave()
		holder = enter(t, l, Annotate, false, 1)[0]

		ctx, cancel = context.WithCancel(t.Context())
		go func() { result <- r.Enter(ctx) }()
		synctest.Wait()
		holder.Leave()
		cancel()
		synctest.Wait()
		if err := <-result; err == nil {
			r.Leave()
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
		enter(t, l, Annotate, false, 1)
	})
}

// Clients that are refused together come back in different seconds, later the more are refused for each that is admitted.
func TestRetryAfterSpreadsClients(t *testing.T) {
	t.Parallel()
	for refused, latest := range map[int]int{0: 2, 5: 2, 30: 5, 1000: 30} {
		t.Run(fmt.Sprint(refused), func(t *testing.T) {
			t.Parallel()
			var p pace
			now := time.Now()
			for range 10 {
				p.admit()
			}
			p.began = now
			for range refused {
				p.refuse(now)
			}
			now = now.Add(time.Second)
			var seen []int
			for range 1000 {
				seen = append(seen, p.refuse(now))
			}
			slices.Sort(seen)
			require.Len(t, slices.Compact(seen), latest)
			require.Equal(t, 1, seen[0])
		})
	}
}

// After any number of concurrent requests of all classes, the limits are as at the start, and were never exceeded.
func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	l := limiter(func(c *Config) { c.MaxQueue, c.MaxWait = 20, 5*time.Millisecond })
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			for n := range 50 {
				r, err := l.Begin(Classes[(i+n)%len(Classes)], i%2 == 0)
				if err != nil {
					continue
				}
				ctx, cancel := context.WithCancel(context.Background())
				if n%7 == 0 {
					cancel()
				}
				if err = r.Enter(ctx); err == nil {
					l.mu.Lock()
					for _, lane := range l.lanes {
						for _, limit := range lane.limits {
							if limit.held > limit.most {
								t.Error("a limit is exceeded")
							}
						}
					}
					l.mu.Unlock()
					r.Leave()
				} else if refused := new(Refusal); !errors.As(err, &refused) && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				r.End()
				cancel()
			}
		})
	}
	group.Wait()
	require.Zero(t, l.requests)
	require.Zero(t, l.waiting)
	for _, lane := range l.lanes {
		require.Zero(t, lane.waiting.Len())
		for _, limit := range lane.limits {
			require.Zero(t, limit.held)
		}
	}
}

func TestAdmissionAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun
	l := limiter()
	require.Zero(t, testing.AllocsPerRun(100, func() { admitOne(t, l) }))
}

func admitOne(t testing.TB, l *Limiter) {
	r, err := l.Begin(Annotate, true)
	if err == nil {
		err = r.Enter(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Leave()
	r.End()
}

func BenchmarkAdmission(b *testing.B) {
	l := limiter()
	b.ReportAllocs()
	for b.Loop() {
		admitOne(b, l)
	}
}
