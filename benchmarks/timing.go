package benchmarks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// probe is one thing to measure beside others.
type probe struct {
	name   string
	before func() // not timed; may be nil
	call   func(ctx context.Context) error
}

// series is what a probe took.
type series struct {
	times    []time.Duration // ascending
	timedOut bool            // it takes longer than a statement may
}

// quantile returns the time that the share q of the calls did not exceed.
func (s series) quantile(q float64) time.Duration {
	if len(s.times) == 0 {
		return 0
	}
	return s.times[min(int(q*float64(len(s.times))), len(s.times)-1)]
}

const (
	// warmUp is how often a probe runs unmeasured: PostgreSQL settles on a generic or custom plan with the sixth
	// execution of a prepared statement.
	warmUp = 8
	burst  = 10
	most   = 400
)

// interleave measures probes in turns, spread evenly over the whole run, so that noise meets them all. None takes much
// longer than the budget; slow ones get by with a few samples.
func interleave(ctx context.Context, probes []probe, budget time.Duration) ([]series, error) {
	results := make([]series, len(probes))
	type turn struct {
		probe, calls int
		at           float64
	}
	var turns []turn
	for i, p := range probes {
		each, err := warm(ctx, p, budget, &results[i])
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", p.name, err)
		}
		if results[i].timedOut {
			continue
		}
		samples := max(1, min(most, int(budget/max(each, 1))))
		rounds := (samples + burst - 1) / burst
		for r := range rounds {
			turns = append(turns, turn{i, min(burst, samples-r*burst), (float64(r) + 0.5) / float64(rounds)})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	for _, t := range turns {
		for range t.calls {
			took, err := timed(ctx, probes[t.probe])
			if err != nil && !isTimeout(err) {
				return nil, fmt.Errorf("measure %s: %w", probes[t.probe].name, err)
			}
			results[t.probe].times = append(results[t.probe].times, took)
		}
	}
	for i := range results {
		slices.Sort(results[i].times)
	}
	return results, nil
}

// warm runs a probe unmeasured and returns what a call takes. A probe so slow that its warming up takes the budget has
// been measured by it, but for the first call, which may have had more to do.
func warm(ctx context.Context, p probe, budget time.Duration, into *series) (time.Duration, error) {
	var each, total time.Duration
	var times []time.Duration
	for n := 0; n < warmUp; n++ {
		took, err := timed(ctx, p)
		if isTimeout(err) {
			into.timedOut = true
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		times = append(times, took)
		each, total = took, total+took
		if n > 0 && total > budget && each > 20*time.Millisecond {
			into.times = times[1:]
			return budget + 1, nil
		}
	}
	return each, nil
}

func timed(ctx context.Context, p probe) (time.Duration, error) {
	if p.before != nil {
		p.before()
	}
	begin := time.Now()
	err := p.call(ctx)
	return time.Since(begin), err
}

const queryCanceled = "57014"

func isTimeout(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == queryCanceled
}
