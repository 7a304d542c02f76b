package agreement_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/agreement"
)

// randomTable has units that 0 to 5 of 150 raters rated, in most cases with the same category.
func randomTable(units int, categories int32) *agreement.Table {
	dice := rand.New(rand.NewPCG(1, 1))
	t := &agreement.Table{}
	for range units {
		truth := dice.Int32N(categories)
		first := dice.Int32N(150)
		var unit []agreement.Rating
		for i := range dice.Int32N(4) + 1 {
			category := truth
			if dice.IntN(5) == 0 {
				category = dice.Int32N(categories)
			}
			unit = append(unit, agreement.Rating{Rater: (first + 7*i) % 150, Category: category})
		}
		t.Add(unit...)
	}
	return t
}

func BenchmarkMeasure(b *testing.B) {
	for name, categories := range map[string]int32{"values=5": 5, "values=5000": 5000, "values=1M": 1_000_000} {
		b.Run("units=100k/"+name, func(b *testing.B) {
			table := randomTable(100_000, categories)
			for b.Loop() {
				_, err := agreement.Measure(b.Context(), table, agreement.Options{Replicates: 100})
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkPairs(b *testing.B) {
	table := randomTable(100_000, 5000)
	for b.Loop() {
		_, err := agreement.Pairs(b.Context(), table, 10, agreement.Options{Replicates: 100}, nil)
		require.NoError(b, err)
	}
}
