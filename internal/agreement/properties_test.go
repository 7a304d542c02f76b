package agreement_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/agreement"
)

// anyUnits draws units with missing ratings: at most six raters, at most five categories.
func anyUnits(t *rapid.T) [][]int32 {
	raters := rapid.IntRange(1, 6).Draw(t, "raters")
	unit := rapid.SliceOfN(rapid.Int32Range(-1, rapid.Int32Range(0, 4).Draw(t, "most")), raters, raters)
	return rapid.SliceOfN(unit, 0, 12).Draw(t, "units")
}

func few(seed uint64) agreement.Options { return agreement.Options{Replicates: 40, Seed: seed} }

// tester is a *testing.T or a *rapid.T.
type tester interface {
	require.TestingT
	Context() context.Context
}

func measure(t tester, units [][]int32, seed uint64) (agreement.Coefficients, agreement.PairSummary) {
	c, err := agreement.Measure(t.Context(), tableOf(units), few(seed))
	require.NoError(t, err)
	pairs, err := agreement.Pairs(t.Context(), tableOf(units), 1, few(seed), nil)
	require.NoError(t, err)
	return c, pairs
}

func estimates(c agreement.Coefficients, pairs agreement.PairSummary) []agreement.Estimate {
	return []agreement.Estimate{c.Raw, c.Fleiss, c.Alpha, c.AC1, pairs.Mean}
}

// Every coefficient equals its definition, and is undefined where that divides by 0.
func TestMatchesDefinitions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		units := anyUnits(t)
		got, _ := measure(t, units, 1)
		want := exactly(present(units))
		for _, c := range []struct {
			name string
			got  agreement.Estimate
			want interface{ Float64() (float64, bool) }
			none bool
		}{
			{"raw", got.Raw, want.raw, want.raw == nil}, {"Fleiss", got.Fleiss, want.fleiss, want.fleiss == nil},
			{"alpha", got.Alpha, want.alpha, want.alpha == nil}, {"AC1", got.AC1, want.ac1, want.ac1 == nil},
		} {
			require.Equal(t, c.none, c.got.Value == nil, "%s of %v", c.name, units)
			if c.none {
				require.NotEmpty(t, c.got.Reason)
				continue
			}
			exact, _ := c.want.Float64()
			require.InDelta(t, exact, *c.got.Value, 1e-11, "%s of %v", c.name, units)
		}
	})
}

// The pairs are those with enough common units, and each kappa equals its definition.
func TestPairsMatchDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		units := anyUnits(t)
		least := rapid.IntRange(1, 5).Draw(t, "least")
		got := map[[2]int32]agreement.Pair{}
		summary, err := agreement.Pairs(t.Context(), tableOf(units), least, few(1), func(p agreement.Pair) {
			got[[2]int32{p.First, p.Second}] = p
		})
		require.NoError(t, err)
		want, sum, weight, undefined := 0, 0.0, 0.0, 0
		for first := range int32(6) {
			for second := first + 1; second < 6; second++ {
				table := make([][]int, 5)
				for i := range table {
					table[i] = make([]int, 5)
				}
				common := 0
				for _, unit := range units {
					if int(second) < len(unit) && unit[first] >= 0 && unit[second] >= 0 {
						table[unit[first]][unit[second]]++
						common++
					}
				}
				if common < least {
					continue
				}
				want++
				pair := got[[2]int32{first, second}]
				require.Equal(t, common, pair.Common)
				kappa := exactKappa(table)
				if require.Equal(t, kappa == nil, pair.Kappa == nil); kappa == nil {
					undefined++
					continue
				}
				require.InDelta(t, float(kappa), *pair.Kappa, 1e-12)
				sum, weight = sum+float(kappa)*float64(common), weight+float64(common)
			}
		}
		require.Len(t, got, want)
		require.Equal(t, []int{want, undefined}, []int{summary.Pairs, summary.Undefined})
		if weight > 0 {
			require.InDelta(t, sum/weight, *summary.Mean.Value, 1e-12)
			require.LessOrEqual(t, *summary.Min, *summary.Mean.Value+1e-12)
			require.GreaterOrEqual(t, *summary.Max, *summary.Mean.Value-1e-12)
		} else {
			require.NotEmpty(t, summary.Mean.Reason)
		}
	})
}

// Other numbers for the categories, and another order of the units and of the ratings in them, change nothing.
func TestOrderAndLabelsAreIrrelevant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		units := anyUnits(t)
		labels := rapid.Permutation([]int32{0, 1, 2, 3, 4}).Draw(t, "labels")
		order := rapid.Permutation(units).Draw(t, "order")
		raters := rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "raters")
		var other [][]int32
		for _, unit := range order {
			relabelled := []int32{-1, -1, -1, -1, -1, -1}
			for rater, category := range unit {
				if category >= 0 {
					relabelled[raters[rater]] = labels[category]
				}
			}
			other = append(other, relabelled)
		}
		a, b := estimates(measure(t, units, 1)), estimates(measure(t, other, 1))
		for i := range a {
			if require.Equal(t, a[i].Value == nil, b[i].Value == nil); a[i].Value != nil {
				require.InDelta(t, *a[i].Value, *b[i].Value, 1e-11)
			}
		}
	})
}

// No value exceeds 1. AC1 and Cohen's kappa are at least -1; Fleiss' kappa and alpha of few units may be less. Raw agreement is
// never negative. An interval has its bounds in order. Either a value or the reason why there is none is given.
func TestBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, pairs := measure(t, anyUnits(t), rapid.Uint64().Draw(t, "seed"))
		for i, e := range estimates(c, pairs) {
			require.Equal(t, e.Low == nil, e.High == nil)
			if e.Value == nil {
				require.NotEmpty(t, e.Reason)
				require.Nil(t, e.Low)
				continue
			}
			require.False(t, math.IsNaN(*e.Value) || math.IsInf(*e.Value, 0))
			require.LessOrEqual(t, *e.Value, 1+1e-12)
			if i > 2 {
				require.GreaterOrEqual(t, *e.Value, -1-1e-12)
			}
			require.Equal(t, e.Low == nil, e.Reason != "")
			if e.Low != nil {
				require.LessOrEqual(t, *e.Low, *e.High)
				require.LessOrEqual(t, *e.High, 1+1e-12)
			}
		}
		if c.Raw.Value != nil {
			require.GreaterOrEqual(t, *c.Raw.Value, 0.0)
		}
	})
}

// Raters who always agree, and do not always say the same, agree perfectly in every sense.
func TestPerfectAgreement(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var units [][]int32
		for i := range rapid.IntRange(2, 12).Draw(t, "units") {
			category := int32(i % 2)
			unit := []int32{category, category, category}
			if rapid.Bool().Draw(t, "missing") {
				unit[rapid.IntRange(0, 2).Draw(t, "rater")] = -1
			}
			units = append(units, unit)
		}
		c, _ := measure(t, units, 1)
		for _, e := range []agreement.Estimate{c.Raw, c.Fleiss, c.Alpha, c.AC1} {
			require.InDelta(t, 1, *e.Value, 1e-12)
		}
	})
}

// Without data, with one rater, and without variation, there is a reason and no number.
func TestUndefined(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		units   [][]int32
		raw     bool
		reason  string
		between string // the reason of Cohen's kappa
	}{
		{"no units", nil, false, "no URL has the answers of two annotators", "no two users have enough URLs in common"},
		{"one rater", [][]int32{{0}, {1}}, false, "no URL has the answers of two annotators", "no two users have enough URLs in common"},
		{"no variation", [][]int32{{3, 3}, {3, 3, 3}}, true, "all answers are the same value", "all answers are the same value"},
	} {
		c, pairs := measure(t, test.units, 1)
		require.Equal(t, test.raw, c.Raw.Value != nil, test.name)
		for _, e := range []agreement.Estimate{c.Fleiss, c.Alpha, c.AC1} {
			require.Nil(t, e.Value, test.name)
			require.Equal(t, test.reason, e.Reason, test.name)
		}
		require.Nil(t, pairs.Mean.Value, test.name)
		require.Equal(t, test.between, pairs.Mean.Reason, test.name)
	}

	// One unit has values and no interval: every sample would be the same.
	c, _ := measure(t, [][]int32{{0, 0, 1}, {1}}, 1)
	require.InDelta(t, 1.0/3, *c.Raw.Value, 1e-12)
	require.Nil(t, c.Raw.Low)
	require.Equal(t, "fewer than two URLs to draw from", c.Raw.Reason)

	// One unit of 40 differs: a third of the samples does not have it.
	units := slices.Repeat([][]int32{{0, 0}}, 40)
	units[0] = []int32{0, 1}
	c, _ = measure(t, units, 1)
	require.NotNil(t, c.Raw.Low)
	require.NotNil(t, c.Alpha.Value)
	require.Nil(t, c.Alpha.Low)
	require.Equal(t, "undefined in more than a tenth of the replicates", c.Alpha.Reason)
}

// An interval depends on the seed and the number of replicates, and on nothing else.
func TestIntervalIsRepeatable(t *testing.T) {
	t.Parallel()
	var units [][]int32
	dice := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		units = append(units, []int32{dice.Int32N(3), dice.Int32N(2), dice.Int32N(4) - 1})
	}
	first, pairs := measure(t, units, 5)
	again, pairsAgain := measure(t, units, 5)
	require.Equal(t, estimates(first, pairs), estimates(again, pairsAgain))
	other, _ := measure(t, units, 6)
	require.NotEqual(t, first.Alpha, other.Alpha)
	require.Equal(t, first.Alpha.Value, other.Alpha.Value)
	require.Equal(t, 40, first.Alpha.Replicates)
}

// Of many samples of a population, the interval of about 95 % contains the value of the population.
func TestIntervalCovers(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(1, 2))
	// Two of three raters, who are right with a probability of 0.8 about one of four categories, and otherwise say any of them.
	population := func(units int) (drawn [][]int32) {
		for range units {
			truth := dice.Int32N(4)
			unit := []int32{truth, truth, truth}
			for rater := range unit {
				if dice.IntN(5) == 0 {
					unit[rater] = dice.Int32N(4)
				}
			}
			unit[dice.IntN(3)] = -1
			drawn = append(drawn, unit)
		}
		return drawn
	}
	const alpha = 0.8 * 0.8 // both know the answer; otherwise they agree by chance
	covered := 0
	for seed := range uint64(200) {
		c, err := agreement.Measure(t.Context(), tableOf(population(150)), agreement.Options{Replicates: 300, Seed: seed})
		require.NoError(t, err)
		if *c.Alpha.Low <= alpha && alpha <= *c.Alpha.High {
			covered++
		}
	}
	require.InDelta(t, 190, covered, 12)
}
