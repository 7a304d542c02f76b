package admission

import (
	"container/list"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// limit is a number of requests that may be processed at the same time.
type limit struct{ most, held int }

// lane are the requests of one class that read, or those that write. They have common limits and wait in one queue.
type lane struct {
	class   Class
	writes  bool
	limits  []*limit  // each request counts against all of them
	waiting list.List // of *waiter, in the order of arrival
	began   time.Time // when requests began to wait, without a pause since then
	emptied time.Time // when the last one ended to wait
	pace    pace      // its own, so that a flood of one class sends no client of another away for long

	waits   prometheus.Observer
	refused [reasons]prometheus.Counter
}

type waiter struct {
	since time.Time
	ready chan error // receives nil or a Refusal, one time
}

// newLanes divides the connections among the classes. Annotators may use all of them. The others together use half, so that the
// rest is free for annotators, and two at least if there are two: an export may hold one for half an hour. Searches and reports use
// a quarter each, one at least. Operations that write leave some of the writers' connections to the reservations of those that
// read.
func newLanes(conns, writers int, m *metrics) []*lane {
	var (
		all     = &limit{most: conns}
		writing = &limit{most: writers - writers/4}
		others  = &limit{most: min(conns, max(2, conns/2))}
		quarter = max(1, conns/4)
	)
	limitsOf := map[Class][]*limit{
		Annotate: {all},
		Search:   {all, others, {most: quarter}},
		Report:   {all, others, {most: quarter}},
		Export:   {all, others},
		Other:    {all, others},
	}
	var lanes []*lane
	for _, class := range Classes {
		limits, ok := limitsOf[class]
		if !ok {
			continue
		}
		lanes = append(lanes, newLane(class, false, limits, m), newLane(class, true, append([]*limit{writing}, limits...), m))
	}
	return lanes
}

func newLane(class Class, writes bool, limits []*limit, m *metrics) *lane {
	l := &lane{class: class, writes: writes, limits: limits, waits: m.waits.WithLabelValues(string(class))}
	for why := range reasons {
		l.refused[why] = m.refused.WithLabelValues(string(class), why.String())
	}
	return l
}

// take counts one more request, and reports whether the limits allow it.
func (l *lane) take() bool {
	for _, limit := range l.limits {
		if limit.held >= limit.most {
			return false
		}
	}
	for _, limit := range l.limits {
		limit.held++
	}
	return true
}

func (l *lane) giveBack() {
	for _, limit := range l.limits {
		limit.held--
	}
}

// most is how many requests of the lane can be processed at the same time.
func (l *lane) most() int {
	most := l.limits[0].most
	for _, limit := range l.limits[1:] {
		most = min(most, limit.most)
	}
	return most
}

// join adds a waiter. The queue begins to stand anew after it was empty for a pause: under a steady overload, it is empty at times.
func (l *lane) join(now time.Time, pause time.Duration) *list.Element {
	if l.waiting.Len() == 0 && now.Sub(l.emptied) >= pause {
		l.began = now
	}
	return l.waiting.PushBack(&waiter{since: now, ready: make(chan error, 1)})
}

func (l *lane) remove(w *list.Element, now time.Time) *waiter {
	if l.waiting.Len() == 1 {
		l.emptied = now
	}
	return l.waiting.Remove(w).(*waiter)
}

// stands reports whether requests have waited for so long without a pause.
func (l *lane) stands(now time.Time, long time.Duration) bool {
	return l.waiting.Len() > 0 && now.Sub(l.began) >= long
}
