package measure

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Throughput is the result of a load.
type Throughput struct {
	Series
	PerSecond float64 // calls of all clients
}

// Client is a connection that makes one call after another.
type Client struct {
	Call  func(context.Context) error
	Close func()
}

// Same returns a connect function for Load whose clients all make the same call.
func Same(call func(context.Context) error) func(int) (Client, error) {
	return func(int) (Client, error) { return Client{Call: call, Close: func() {}}, nil }
}

// Load connects n clients that repeat their call for a time, all at once, and waits for them. The first call of each is not
// measured. A client ends at its first error; one of these errors is returned.
func Load(ctx context.Context, n int, lasting time.Duration, connect func(i int) (Client, error)) (Throughput, error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		all   Throughput
		first error
		ready sync.WaitGroup
	)
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		group.Go(func() {
			var times []time.Duration
			client, err := connect(i)
			if err == nil {
				defer client.Close()
				err = client.Call(ctx)
			}
			ready.Done()
			<-start
			for deadline := time.Now().Add(lasting); err == nil && time.Now().Before(deadline); {
				begin := time.Now()
				if err = client.Call(ctx); err == nil {
					times = append(times, time.Since(begin))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.Times = append(all.Times, times...)
			if first == nil {
				first = err
			}
		})
	}
	ready.Wait()
	begin := time.Now()
	close(start)
	group.Wait()
	all.PerSecond = float64(len(all.Times)) / time.Since(begin).Seconds()
	slices.Sort(all.Times)
	return all, first
}
