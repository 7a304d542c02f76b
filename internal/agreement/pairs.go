package agreement

import (
	"context"
	"slices"
)

// DefaultLeastCommon is how many units two raters must have rated both before they count as a pair, unless the caller says
// otherwise. Kappa of fewer is mostly noise.
const DefaultLeastCommon = 10

// Pair is Cohen's kappa of two raters.
type Pair struct {
	First, Second int32   // raters, the smaller number first
	Common        int     // units that both rated
	Raw           float64 // the share of these on which they agree
	Kappa         *float64
	Reason        string // why there is no kappa, or empty
}

// PairSummary describes the pairs of a table.
type PairSummary struct {
	LeastCommon int
	Pairs       int // with at least so many common units
	Undefined   int // of these, the ones without kappa: both raters always chose the same value
	// Mean is the mean of kappa, weighted with the number of common units. A pair without kappa does not count.
	Mean     Estimate
	Min, Max *float64 // nil if no pair has kappa
}

const reasonNoPair = "no two users have enough URLs in common"

// shared is a unit that both raters of a pair rated, with their categories.
type shared struct{ unit, first, second int32 }

// Pairs computes Cohen's kappa (1960, Educational and Psychological Measurement 20:37) of all pairs of raters with at least
// leastCommon common units. Each is yielded if yield is not nil, in the order of the raters; the summary covers all. Its interval
// is that of Measure, where a replicate draws from the units that a pair has in common. It fails only when ctx ends.
//
// The time is proportional to the number of pairs of ratings of a unit. The memory is bounded: with more than sharedBudget of
// them in pairs there is no interval.
func Pairs(ctx context.Context, t *Table, leastCommon int, o Options, yield func(Pair)) (PairSummary, error) {
	summary := PairSummary{LeastCommon: leastCommon}
	var mean weighted
	kept := newKeeper(t)
	err := t.eachPair(ctx, leastCommon, func(first, second int32, common []shared) {
		summary.Pairs++
		tally := kept.add(common)
		kappa := tally.kappa()
		pair := Pair{First: first, Second: second, Common: len(common), Raw: tally.raw(), Reason: kappa.reason}
		if kappa.reason == "" {
			pair.Kappa = &kappa.value
			mean.add(kappa.value, float64(len(common)))
			summary.Min = smaller(summary.Min, kappa.value)
			summary.Max = larger(summary.Max, kappa.value)
		} else {
			summary.Undefined++
		}
		if yield != nil {
			yield(pair)
		}
	})
	if err != nil {
		return summary, err
	}
	whole := mean.mean()
	if summary.Pairs == 0 {
		whole.reason = reasonNoPair
	}
	summary.Mean, err = kept.estimate(ctx, whole, o)
	return summary, err
}

func smaller(than *float64, x float64) *float64 {
	if than == nil || x < *than {
		return &x
	}
	return than
}

func larger(than *float64, x float64) *float64 {
	if than == nil || x > *than {
		return &x
	}
	return than
}

// weighted is a weighted mean.
type weighted struct{ sum, weight float64 }

func (w *weighted) add(value, weight float64) { w.sum, w.weight = w.sum+value*weight, w.weight+weight }

func (w *weighted) mean() optional {
	if w.weight == 0 {
		return optional{reason: reasonNoVariation}
	}
	return optional{value: w.sum / w.weight}
}

// eachPair yields the pairs of raters with enough common units, in the order of the raters, and of the units within a pair. The
// slice is valid until the next call.
func (t *Table) eachPair(ctx context.Context, leastCommon int, yield func(first, second int32, common []shared)) error {
	begins, units := t.byRater()
	p := partners{table: t, common: make([]int32, t.raters), ends: make([]int, t.raters)}
	for first := range t.raters {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.find(first, units[begins[first]:begins[first+1]], leastCommon)
		for _, other := range p.others {
			if end := p.ends[other]; end >= 0 {
				yield(first, other, p.buffer[end-int(p.common[other]):end])
			}
			p.common[other] = 0
		}
	}
	return nil
}

// partners are the raters with larger numbers who rated some of the units of one rater.
type partners struct {
	table  *Table
	others []int32  // sorted
	common []int32  // by rater: the number of common units; 0 for all but others
	ends   []int    // by rater: the end of the common units in the buffer, or -1 if there are too few
	buffer []shared // the common units, by rater
}

// find finds the partners of a rater of units.
func (p *partners) find(first int32, units []int32, leastCommon int) {
	p.others = p.others[:0]
	for _, unit := range units {
		for _, r := range p.table.unit(int(unit)) {
			if r.Rater > first {
				if p.common[r.Rater]++; p.common[r.Rater] == 1 {
					p.others = append(p.others, r.Rater)
				}
			}
		}
	}
	slices.Sort(p.others)
	total := 0
	for _, other := range p.others {
		if p.ends[other] = -1; int(p.common[other]) >= leastCommon {
			p.ends[other] = total // moves to the end as units are added
			total += int(p.common[other])
		}
	}
	if p.buffer = slices.Grow(p.buffer[:0], total)[:total]; total == 0 {
		return
	}
	for _, unit := range units {
		ratings := p.table.unit(int(unit))
		mine := ratings[slices.IndexFunc(ratings, func(r Rating) bool { return r.Rater == first })].Category
		for _, r := range ratings {
			if r.Rater > first && p.ends[r.Rater] >= 0 {
				p.buffer[p.ends[r.Rater]] = shared{unit, mine, r.Category}
				p.ends[r.Rater]++
			}
		}
	}
}

// byRater returns the units of each rater: those of rater r are units[begins[r]:begins[r+1]].
func (t *Table) byRater() (begins []int, units []int32) {
	begins = make([]int, t.raters+1)
	for _, r := range t.ratings {
		if r.Rater >= 0 {
			begins[r.Rater+1]++
		}
	}
	for r := range t.raters {
		begins[r+1] += begins[r]
	}
	units = make([]int32, begins[t.raters])
	next := slices.Clone(begins)
	for u := range t.ends {
		for _, r := range t.unit(u) {
			if r.Rater >= 0 {
				units[next[r.Rater]] = int32(u)
				next[r.Rater]++
			}
		}
	}
	return begins, units
}
