package benchmarks

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const readEvery = 10 * time.Millisecond

// readSteadily asks a hundred times a second, on a connection of its own, until stop is closed. It calls ready once it is
// about to, or has failed to.
func (r *run) readSteadily(ctx context.Context, ready func(), stop <-chan struct{}, ask func(context.Context, *pgx.Conn) error) (series, error) {
	config := r.pool.Config().ConnConfig
	config.RuntimeParams["statement_timeout"] = "0" // a reader may have to wait for a refresh
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		ready()
		return series{}, fmt.Errorf("connect reader: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for range warmUp {
		if err = ask(ctx, conn); err != nil {
			break
		}
	}
	ready()
	if err != nil {
		return series{}, err
	}
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	var found series
	for {
		begin := time.Now()
		if err := ask(ctx, conn); err != nil {
			return series{}, err
		}
		// Whoever would have come while this one waited would have waited as well, each a little less.
		for took := time.Since(begin); took > 0; took -= readEvery {
			found.times = append(found.times, took)
		}
		select {
		case <-stop:
			slices.Sort(found.times)
			return found, nil
		case <-tick.C:
		}
	}
}

// loaded is what a number of clients got done.
type loaded struct {
	series
	perSecond float64
}

// load lets each of n clients call again and again for a while, the first call unmeasured, and waits for all. The first
// error ends it.
func load(ctx context.Context, n int, lasting time.Duration, client func(i int) (call func(context.Context) error, end func(), err error)) (loaded, error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		all   loaded
		first error
		ready sync.WaitGroup
	)
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		group.Go(func() {
			var times []time.Duration
			call, end, err := client(i)
			if err == nil {
				defer end()
				err = call(ctx)
			}
			ready.Done()
			<-start
			for deadline := time.Now().Add(lasting); err == nil && time.Now().Before(deadline); {
				begin := time.Now()
				if err = call(ctx); err == nil {
					times = append(times, time.Since(begin))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.times = append(all.times, times...)
			if first == nil {
				first = err
			}
		})
	}
	ready.Wait()
	begin := time.Now()
	close(start)
	group.Wait()
	all.perSecond = float64(len(all.times)) / time.Since(begin).Seconds()
	slices.Sort(all.times)
	return all, first
}
