// Package measure times calls: single calls in turns, and calls of many clients together. It knows nothing of Docket.
package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Probe is a call whose time is measured.
type Probe struct {
	Name   string
	Before func() // runs before each call and is not timed; may be nil
	Call   func(ctx context.Context) error
}

// Series holds the times of a probe's calls.
type Series struct {
	Times    []time.Duration // ascending
	TimedOut bool            // a call took longer than the statement timeout
}

// Quantile returns the time that the share q of the calls did not exceed, 0 when there were none.
func (s Series) Quantile(q float64) time.Duration {
	if len(s.Times) == 0 {
		return 0
	}
	return s.Times[min(int(q*float64(len(s.Times))), len(s.Times)-1)]
}

const (
	// WarmUp is how many calls of a probe precede the measured ones: PostgreSQL decides on a generic or a custom plan at the
	// sixth execution of a prepared statement.
	WarmUp = 8

	burst      = 10  // calls in one turn
	maxSamples = 400 // of one probe
)

// Interleave measures probes in turns that are spread evenly over the whole run, so that noise affects all of them. No probe
// takes much longer than the budget: a slow one has few samples.
func Interleave(ctx context.Context, probes []Probe, budget time.Duration) ([]Series, error) {
	results := make([]Series, len(probes))
	type turn struct {
		probe, calls int
		at           float64
	}
	var turns []turn
	for i, p := range probes {
		each, err := warm(ctx, p, budget, &results[i])
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", p.Name, err)
		}
		if results[i].TimedOut {
			continue
		}
		samples := max(1, min(maxSamples, int(budget/max(each, 1))))
		rounds := (samples + burst - 1) / burst
		for r := range rounds {
			turns = append(turns, turn{i, min(burst, samples-r*burst), (float64(r) + 0.5) / float64(rounds)})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	for _, t := range turns {
		for range t.calls {
			took, err := timed(ctx, probes[t.probe])
			if err != nil && !IsTimeout(err) {
				return nil, fmt.Errorf("measure %s: %w", probes[t.probe].Name, err)
			}
			results[t.probe].Times = append(results[t.probe].Times, took)
		}
	}
	for i := range results {
		slices.Sort(results[i].Times)
	}
	return results, nil
}

// warm runs a probe before it is measured and returns the time of the last call. For a probe so slow that this takes the whole
// budget, these calls are the measurement, except the first one, which may have had more to do.
func warm(ctx context.Context, p Probe, budget time.Duration, into *Series) (time.Duration, error) {
	var each, total time.Duration
	var times []time.Duration
	for n := 0; n < WarmUp; n++ {
		took, err := timed(ctx, p)
		if IsTimeout(err) {
			into.TimedOut = true
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		times = append(times, took)
		each, total = took, total+took
		if n > 0 && total > budget && each > 20*time.Millisecond {
			into.Times = times[1:]
			return budget + 1, nil
		}
	}
	return each, nil
}

func timed(ctx context.Context, p Probe) (time.Duration, error) {
	if p.Before != nil {
		p.Before()
	}
	begin := time.Now()
	err := p.Call(ctx)
	return time.Since(begin), err
}

const queryCanceled = "57014"

// IsTimeout reports whether a statement reached its timeout.
func IsTimeout(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == queryCanceled
}
