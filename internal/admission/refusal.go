package admission

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Refusal is why a request is refused. Nothing was done for it.
type Refusal struct {
	Class      Class
	Reason     string
	RetryAfter int // seconds, from 1 to 30, drawn at random: clients must not come back together
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the server is overloaded; send the request again in %d s", r.RetryAfter)
}

// reason is a reason of refusals.
type reason int

const (
	queueFull reason = iota
	waitedTooLong
	tooManyRequests

	reasons // how many there are
)

func (r reason) String() string {
	return [reasons]string{"queue full", "waited too long", "too many requests"}[r]
}

const (
	leastSpread = 2 // seconds: with one, all clients would come back within the same second
	mostSpread  = 30
)

// pace compares how many requests are refused and admitted within a second. The more are refused for each that is admitted, the
// longer clients are sent away, so that their repetitions leave the processor to what is admitted.
type pace struct {
	began             time.Time // of the current second
	admitted, refused int       // since then
	spread            int       // seconds, of the second before; 0 before the first refusal
}

func (p *pace) admit() { p.admitted++ }

// refuse counts a refusal, and returns after how many seconds its client should come back.
func (p *pace) refuse(now time.Time) int {
	if now.Sub(p.began) >= time.Second {
		p.spread = min(mostSpread, leastSpread+p.refused/max(1, p.admitted))
		p.began, p.admitted, p.refused = now, 0, 0
	}
	p.refused++
	return 1 + rand.IntN(max(leastSpread, p.spread)) //nolint:gosec // not a secret
}
