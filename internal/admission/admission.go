// Package admission decides which requests are processed now, which wait for their turn, and which are refused because the
// server is overloaded. It refuses early and says when to come back: a request that waits long is often repeated by its client,
// and its result no longer read.
//
// As many requests are processed at a time as the pool has database connections. Each class of operations has limits, so that
// none takes the connections that annotators need. A queue is kept short in time, not in number, after CoDel by Nichols and
// Jacobson: a burst may wait, a standing queue may not. docs/decisions/overload.md has the reasons.
//
// The package knows neither HTTP nor the database.
package admission

import (
	"cmp"
	"container/list"
	"context"
	"sync"
	"time"

	"docket/internal/phase"
)

// Class is a class of operations with common limits.
type Class string

// The classes of operations.
const (
	Annotate Class = "annotate" // the work of annotators; may use all connections
	Search   Class = "search"   // searches and typeahead
	Report   Class = "report"   // reads many rows: metrics, explanations
	Export   Class = "export"   // holds a connection for long; package export limits how many run
	Other    Class = "other"    // everything else
	None     Class = "none"     // needs no connection of the pool: is neither delayed nor refused
)

// Classes are all classes.
var Classes = []Class{Annotate, Search, Report, Export, Other, None}

// Config are the limits of a Limiter.
type Config struct {
	Conns   int // connections of the pool; at least 1
	Writers int // how many of them writers may hold at the same time; from 1 to Conns

	MaxWait     time.Duration // the longest wait of a request; 0: DefaultMaxWait
	MaxQueue    int           // how many requests of a class that read, and as many that write, may wait; 0: DefaultQueue per connection
	MaxRequests int           // how many requests may be in progress, including those whose body is being read; 0: DefaultMaxRequests
}

// DefaultQueue is how many requests of a kind may wait for each connection: a burst of so many is served within DefaultMaxWait.
const DefaultQueue = 8

// Limits of a request unless the configuration sets others.
const (
	DefaultMaxWait     = 500 * time.Millisecond
	DefaultMaxRequests = 1000
)

const (
	// targets is how many times MaxWait is longer than the wait in a standing queue. CoDel's target is a twentieth to a tenth of the
	// time after which a queue stands.
	targets = 10
	// standing is how many requests may wait in a standing queue for each that is processed. The target alone would bound their
	// wait, but those that are refused at once cost less.
	standing = 2
)

// Limiter admits requests. It is safe for concurrent use.
type Limiter struct {
	maxWait     time.Duration
	target      time.Duration
	maxQueue    int
	maxRequests int
	metrics     *metrics

	mu       sync.Mutex
	requests int // begun and not ended
	waiting  int // in all lanes
	lanes    []*lane
	turn     int // index of the lane that is served first
}

// New returns a Limiter.
func New(cfg Config) *Limiter {
	l := &Limiter{
		maxWait:     cmp.Or(cfg.MaxWait, DefaultMaxWait),
		maxQueue:    cmp.Or(cfg.MaxQueue, DefaultQueue*cfg.Conns),
		maxRequests: cmp.Or(cfg.MaxRequests, DefaultMaxRequests),
	}
	l.target = l.maxWait / targets
	l.metrics = newMetrics(l.Waiting)
	l.lanes = newLanes(cfg.Conns, cfg.Writers, l.metrics)
	return l
}

// Request is one request. The zero value is a request that is not limited.
type Request struct {
	limiter *Limiter
	lane    *lane
}

// Begin begins a request, before its body is read. It returns a Refusal when the request would be refused later: a refusal is
// worth most before anything was done. After success, the caller must call End.
func (l *Limiter) Begin(class Class, writes bool) (Request, error) {
	lane := l.laneOf(class, writes)
	if lane == nil {
		return Request{}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.requests >= l.maxRequests:
		return Request{}, l.refuse(lane, tooManyRequests)
	case lane.waiting.Len() > 0 && l.isFull(lane, time.Now()):
		return Request{}, l.refuse(lane, queueFull)
	}
	l.requests++
	return Request{l, lane}, nil
}

// End ends a request that Begin has begun.
func (r Request) End() {
	if r.limiter == nil {
		return
	}
	r.limiter.mu.Lock()
	defer r.limiter.mu.Unlock()
	r.limiter.requests--
}

// Enter waits for the turn of a request, first come, first served within its class. It returns a Refusal when the queue is full or
// the wait too long, and the error of ctx when that ends first. After success, the caller must call Leave.
func (r Request) Enter(ctx context.Context) error {
	if r.limiter == nil {
		return nil
	}
	l, lane := r.limiter, r.lane
	l.mu.Lock()
	if lane.waiting.Len() == 0 && lane.take() {
		lane.pace.admit()
		l.mu.Unlock()
		return nil
	}
	now := time.Now()
	if l.isFull(lane, now) {
		defer l.mu.Unlock()
		return l.refuse(lane, queueFull)
	}
	w := lane.join(now, l.target)
	l.waiting++
	l.mu.Unlock()
	return l.await(ctx, lane, w)
}

// await returns what becomes of a waiter.
func (l *Limiter) await(ctx context.Context, lane *lane, w *list.Element) error {
	_, end := phase.Start(ctx, phase.Acquire)
	defer end()
	ready := w.Value.(*waiter).ready
	timer := time.NewTimer(l.maxWait)
	defer timer.Stop()
	var expired bool
	select {
	case err := <-ready:
		return err
	case <-timer.C:
		expired = true
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case err := <-ready: // decided meanwhile
		return err
	default:
	}
	l.drop(lane, w, time.Now())
	if expired {
		return l.refuse(lane, waitedTooLong)
	}
	return ctx.Err()
}

// Leave ends the turn of a request that has entered, and lets others enter.
func (r Request) Leave() {
	if r.limiter == nil {
		return
	}
	l := r.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	r.lane.giveBack()
	if l.waiting > 0 {
		l.serve(time.Now())
	}
}

// serve lets waiters enter while the limits allow it, one of each lane in turn.
func (l *Limiter) serve(now time.Time) {
	for idle := 0; idle < len(l.lanes) && l.waiting > 0; {
		lane := l.lanes[l.turn]
		l.turn = (l.turn + 1) % len(l.lanes)
		idle++
		if lane.waiting.Len() == 0 || !lane.take() {
			continue
		}
		idle = 0
		first := l.first(lane, now)
		w := l.drop(lane, first, now)
		lane.pace.admit()
		lane.waits.Observe(now.Sub(w.since).Seconds())
		w.ready <- nil
	}
}

// first returns the waiter whose turn it is. In a standing queue it refuses those that have waited longer than the target, except
// the last one: a connection must not be idle while a request waits.
func (l *Limiter) first(lane *lane, now time.Time) *list.Element {
	first := lane.waiting.Front()
	for lane.stands(now, l.maxWait) && lane.waiting.Len() > 1 && now.Sub(first.Value.(*waiter).since) > l.target {
		l.drop(lane, first, now).ready <- l.refuse(lane, waitedTooLong)
		first = lane.waiting.Front()
	}
	return first
}

// isFull reports whether a request would be refused rather than wait. In a standing queue few may wait.
func (l *Limiter) isFull(lane *lane, now time.Time) bool {
	waiting := lane.waiting.Len()
	return waiting >= l.maxQueue || waiting >= standing*lane.most() && lane.stands(now, l.maxWait)
}

func (l *Limiter) drop(lane *lane, w *list.Element, now time.Time) *waiter {
	l.waiting--
	return lane.remove(w, now)
}

func (l *Limiter) refuse(lane *lane, why reason) *Refusal {
	lane.refused[why].Inc()
	return &Refusal{Class: lane.class, Reason: why.String(), RetryAfter: lane.pace.refuse(time.Now())}
}

// Waiting returns how many requests wait for their turn.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// laneOf returns nil for a class without limits.
func (l *Limiter) laneOf(class Class, writes bool) *lane {
	for _, lane := range l.lanes {
		if lane.class == class && lane.writes == writes {
			return lane
		}
	}
	return nil
}
