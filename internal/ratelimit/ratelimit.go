// Package ratelimit counts requests by caller in token buckets, and reports how many more a caller may send. It owns the form of a
// quota in flags and headers. It knows neither HTTP nor what a caller is.
package ratelimit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// MaxCallers is how many callers a Limiter keeps a bucket for. A bucket takes about 300 bytes. Of more callers, those are forgotten
// who have sent no request for the longest time: their buckets are full again.
const MaxCallers = 100_000

// Quota is the size of a token bucket, and the time in which an empty one becomes full: so many requests at once, and in the long
// run so many in each window. The zero Quota is no limit. It is a value of a flag, such as 600/1m.
type Quota struct {
	Requests int
	Window   time.Duration // in whole seconds
}

const (
	mostRequests  = 1_000_000
	longestWindow = 24 * time.Hour
)

// Set parses a text such as 600/1m, or 0 for no limit.
func (q *Quota) Set(text string) error {
	if text == "0" {
		*q = Quota{}
		return nil
	}
	number, duration, _ := strings.Cut(text, "/")
	requests, noNumber := strconv.Atoi(number)
	window, noDuration := time.ParseDuration(duration)
	switch {
	case noNumber != nil || noDuration != nil:
		return fmt.Errorf("%q is neither 0 nor requests and a time, such as 600/1m", text)
	case requests < 1 || requests > mostRequests:
		return fmt.Errorf("%d is not from 1 to %d requests; 0 means no limit", requests, mostRequests)
	case window < time.Second || window > longestWindow || window%time.Second != 0:
		return fmt.Errorf("%s is not in whole seconds from 1s to %s", window, shortly(longestWindow))
	}
	*q = Quota{Requests: requests, Window: window}
	return nil
}

// String returns the text that Set parses.
func (q Quota) String() string {
	if q == (Quota{}) {
		return "0"
	}
	return fmt.Sprintf("%d/%s", q.Requests, shortly(q.Window))
}

// Type is what the help of a flag calls its value.
func (q Quota) Type() string { return "requests/time" }

// shortly returns a duration without the zero minutes and seconds at its end.
func shortly(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Limiter has a token bucket for each caller. Its methods are safe for concurrent use.
type Limiter[Caller comparable] struct {
	name    string
	quota   Quota
	clock   func() time.Time
	buckets *lru.Cache[Caller, *rate.Limiter]
}

// New returns a Limiter that reads the time from clock, nil for the zero Quota.
func New[Caller comparable](name string, quota Quota, clock func() time.Time) *Limiter[Caller] {
	if quota == (Quota{}) {
		return nil
	}
	buckets, err := lru.New[Caller, *rate.Limiter](MaxCallers)
	if err != nil { // only for a size below one
		panic(err)
	}
	return &Limiter[Caller]{name: name, quota: quota, clock: clock, buckets: buckets}
}

// State is what is left of a quota for a caller.
type State struct {
	Limit     string // the name of the Limiter
	Quota     Quota
	Allowed   bool          // whether the request got a token
	Remaining int           // requests that the caller may send at once now
	Full      time.Duration // until the whole quota is available again
	Next      time.Duration // until the next request is allowed; 0 if one is allowed now
}

// Take takes a token from the bucket of a caller, if there is one. A refused request takes none. When the clock goes back, buckets
// neither fill nor lose tokens. A nil Limiter allows everything, and reports false.
func (l *Limiter[Caller]) Take(caller Caller) (State, bool) {
	if l == nil {
		return State{Allowed: true}, false
	}
	bucket, now := l.bucket(caller), l.clock()
	state := State{Limit: l.name, Quota: l.quota, Allowed: bucket.AllowN(now, 1)}
	tokens := bucket.TokensAt(now)
	state.Remaining = max(int(tokens), 0)
	state.Full = l.timeFor(float64(l.quota.Requests) - tokens)
	state.Next = l.timeFor(1 - tokens)
	return state, true
}

func (l *Limiter[Caller]) bucket(caller Caller) *rate.Limiter {
	if bucket, ok := l.buckets.Get(caller); ok {
		return bucket
	}
	bucket := rate.NewLimiter(rate.Limit(float64(l.quota.Requests)/l.quota.Window.Seconds()), l.quota.Requests)
	if earlier, ok, _ := l.buckets.PeekOrAdd(caller, bucket); ok {
		return earlier // of a concurrent request
	}
	return bucket
}

// timeFor returns how long a bucket takes to get so many tokens.
func (l *Limiter[Caller]) timeFor(tokens float64) time.Duration {
	return time.Duration(max(tokens, 0) / float64(l.quota.Requests) * float64(l.quota.Window))
}

// Callers returns for how many callers there is a bucket.
func (l *Limiter[Caller]) Callers() int {
	if l == nil {
		return 0
	}
	return l.buckets.Len()
}
