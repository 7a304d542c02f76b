package agreement

import (
	"context"
	"slices"
)

// sharedBudget bounds the common units of pairs that are kept in memory to draw from. Each takes 12 bytes.
const sharedBudget = 4_000_000

// sharedReads bounds how many of them all replicates read, unless that takes fewer than leastReplicates.
const sharedReads = 200_000_000

// tally is what Cohen's kappa of a pair is computed from.
type tally struct{ units, agree, expected int64 }

func (t tally) raw() float64 { return float64(t.agree) / float64(t.units) }

func (t tally) kappa() optional {
	return corrected(t.raw(), float64(t.expected)/(float64(t.units)*float64(t.units)))
}

// keeper counts the common units of pairs, and keeps them to draw from.
type keeper struct {
	common  []shared // of all pairs; units and categories have numbers of the keeper
	pairs   []keptPair
	full    bool    // there were too many to keep; nothing is kept
	numbers []int32 // by unit of the table: its number here, from 1; 0 without one
	units   int32
	local   []int32 // by category of the table: its number in the current pair, from 1; 0 without one
	ones    draws   // every unit once
	margins margins
}

// keptPair ends in common where the next pair begins. The categories that its first rater chose have the numbers from 0; the others
// share the next number, because they add nothing to the agreement expected by chance.
type keptPair struct{ end, categories int }

func newKeeper(t *Table) *keeper {
	return &keeper{
		numbers: make([]int32, t.Units()), local: make([]int32, t.categories), ones: slices.Repeat(draws{1}, t.Units()),
	}
}

// add counts the common units of a pair.
func (k *keeper) add(common []shared) tally {
	begin := len(k.common)
	categories := int32(0)
	for _, s := range common {
		if k.local[s.first] == 0 {
			categories++
			k.local[s.first] = categories
		}
		if k.numbers[s.unit] == 0 {
			k.units++
			k.numbers[s.unit] = k.units
		}
	}
	for _, s := range common {
		second := k.local[s.second] - 1
		if second < 0 {
			second = categories
		}
		k.common = append(k.common, shared{k.numbers[s.unit] - 1, k.local[s.first] - 1, second})
	}
	for _, s := range common {
		k.local[s.first] = 0
	}
	t := k.margins.tally(k.common[begin:], int(categories), k.ones)
	if k.full = k.full || len(k.common) > sharedBudget; k.full {
		k.common, k.pairs = k.common[:0], nil
	} else {
		k.pairs = append(k.pairs, keptPair{len(k.common), int(categories)})
	}
	return t
}

// margins count how often each of two raters chose a category.
type margins struct{ first, second []int64 }

func (m *margins) tally(common []shared, categories int, drawn draws) (t tally) {
	if len(m.first) <= categories {
		m.first, m.second = make([]int64, 2*categories+1), make([]int64, 2*categories+1)
	}
	first, second := m.first[:categories+1], m.second[:categories+1]
	clear(first)
	clear(second)
	for _, s := range common {
		times := int64(drawn[s.unit])
		t.units += times
		if s.first == s.second {
			t.agree += times
		}
		first[s.first] += times
		second[s.second] += times
	}
	for category, chosen := range first {
		t.expected += chosen * second[category] // the last one was never chosen by the first rater
	}
	return t
}

// estimate returns the weighted mean with its interval.
func (k *keeper) estimate(ctx context.Context, whole optional, o Options) (Estimate, error) {
	if k.full {
		return estimatesOf([]optional{whole}, reasonNoInterval)[0], nil
	}
	if o.Replicates == 0 {
		o.Replicates = min(o.replicates(int(k.units)), max(leastReplicates, sharedReads/max(len(k.common), 1)))
	}
	intervals := intervals{options: o, units: int(k.units), draws: int(k.units)}
	estimates, err := intervals.estimate(ctx, []optional{whole}, func() replicateFunc {
		drawn, margins := make(draws, k.units), margins{}
		return func(from *sampler) []optional {
			for unit := range drawn {
				drawn[unit] = from.unit()
			}
			return []optional{k.mean(drawn, &margins)}
		}
	})
	if err != nil {
		return Estimate{}, err
	}
	return estimates[0], nil
}

// mean is the weighted mean of a sample.
func (k *keeper) mean(drawn draws, m *margins) optional {
	var mean weighted
	begin := 0
	for _, pair := range k.pairs {
		t := m.tally(k.common[begin:pair.end], pair.categories, drawn)
		begin = pair.end
		if t.units == 0 {
			continue
		}
		if kappa := t.kappa(); kappa.reason == "" {
			mean.add(kappa.value, float64(t.units))
		}
	}
	return mean.mean()
}
