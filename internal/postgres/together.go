package postgres

import (
	"context"
	"sync"
)

// together runs a function for all callers who wait for it, one run at a time. Each caller gets the result of a run that began
// after its call: unlike that of a run in progress, it is not older than the call.
type together[T any] struct {
	run func(context.Context) (T, error)

	mu      sync.Mutex
	next    *flight[T] // nil: no caller waits for the next run
	running bool
}

type flight[T any] struct {
	done   chan struct{}
	result T
	err    error
}

// get returns the result of a run, or the error of ctx when it ends first. The run continues for other callers.
func (t *together[T]) get(ctx context.Context) (T, error) {
	t.mu.Lock()
	if t.next == nil {
		t.next = &flight[T]{done: make(chan struct{})}
	}
	mine := t.next
	if !t.running {
		t.running = true
		go t.work()
	}
	t.mu.Unlock()
	select {
	case <-mine.done:
		return mine.result, mine.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (t *together[T]) work() {
	for {
		t.mu.Lock()
		now := t.next
		t.next, t.running = nil, now != nil
		t.mu.Unlock()
		if now == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), replayWait)
		now.result, now.err = t.run(ctx)
		cancel()
		close(now.done)
	}
}
