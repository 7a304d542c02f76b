package agreement_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/agreement"
)

const none = -1

// fourRaters are the reliability data of example C in Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): 12 units, 4
// observers, missing data. Gwet's Handbook of Inter-Rater Reliability (4th edition, 2014) uses the same, and his package irrCAC
// (cac.raw4raters) publishes five digits of the coefficients.
var fourRaters = [][]int32{
	{1, 1, none, 1}, {2, 2, 3, 2}, {3, 3, 3, 3}, {3, 3, 3, 3}, {2, 2, 2, 2}, {1, 2, 3, 4},
	{4, 4, 4, 4}, {1, 1, 2, 1}, {2, 2, 2, 2}, {none, 5, 5, 5}, {none, none, 1, 1}, {none, none, 3, none},
}

// diagnoses is table 1 of Fleiss, Measuring Nominal Scale Agreement Among Many Raters, Psychological Bulletin 76 (1971): 30
// patients, each diagnosed by six psychiatrists: depression, personality disorder, schizophrenia, neurosis, other.
var diagnoses = [][]int{
	{0, 0, 0, 6, 0}, {0, 3, 0, 0, 3}, {0, 1, 4, 0, 1}, {0, 0, 0, 0, 6}, {0, 3, 0, 3, 0}, {2, 0, 4, 0, 0}, {0, 0, 4, 0, 2},
	{2, 0, 3, 1, 0}, {2, 0, 0, 4, 0}, {0, 0, 0, 0, 6}, {1, 0, 0, 5, 0}, {1, 1, 0, 4, 0}, {0, 3, 3, 0, 0}, {1, 0, 0, 5, 0},
	{0, 2, 0, 3, 1}, {0, 0, 5, 0, 1}, {3, 0, 0, 1, 2}, {5, 1, 0, 0, 0}, {0, 2, 0, 4, 0}, {1, 0, 2, 0, 3}, {0, 0, 0, 0, 6},
	{0, 1, 0, 5, 0}, {0, 2, 0, 1, 3}, {2, 0, 0, 4, 0}, {1, 0, 0, 4, 1}, {0, 5, 0, 1, 0}, {4, 0, 0, 0, 2}, {0, 2, 0, 4, 0},
	{1, 0, 5, 0, 0}, {0, 0, 0, 0, 6},
}

// Published digits, as printed, and the exact value of the same data. An empty text was not published.
func TestPublished(t *testing.T) {
	t.Parallel()
	for _, example := range []struct {
		name                    string
		units                   [][]int32
		raw, fleiss, alpha, ac1 string
	}{
		{"Krippendorff 2011, example C, and Gwet 2014", fourRaters, "0.8181818", "0.76117", "0.743", "0.77544"},
		{"irrCAC, the same", fourRaters, "", "", "0.74342", ""},
		{"Krippendorff 2011, example A: binary data, two observers", [][]int32{
			{0, 1}, {1, 1}, {0, 1}, {0, 0}, {0, 0}, {0, 1}, {0, 0}, {0, 0}, {1, 0}, {0, 0},
		}, "", "", "0.095", ""},
		{"Krippendorff 2011, example B: nominal data, two observers", [][]int32{
			{'a', 'b'}, {'a', 'a'}, {'b', 'b'}, {'b', 'b'}, {'d', 'b'}, {'c', 'c'},
			{'c', 'c'}, {'c', 'c'}, {'e', 'e'}, {'d', 'd'}, {'d', 'd'}, {'a', 'd'},
		}, "", "", "0.692", ""},
		{"Fleiss 1971, table 1", fromDistribution(diagnoses), "", "0.430", "", ""},
		{"Gwet 2014, distrib.6raters: the first 15 of Fleiss's patients", fromDistribution(diagnoses[:15]),
			"0.5511111", "0.4139265", "0.4204384", "0.4448007"},
		{"Gwet 2014, cont3x3abstractors", fromTable(abstractors), "0.89", "", "0.7972585", "0.8493305"},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			got, err := agreement.Measure(t.Context(), tableOf(example.units), agreement.Options{})
			require.NoError(t, err)
			want := exactly(present(example.units))
			require.InDelta(t, float(want.raw), *got.Raw.Value, 1e-12)
			require.InDelta(t, float(want.fleiss), *got.Fleiss.Value, 1e-12)
			require.InDelta(t, float(want.alpha), *got.Alpha.Value, 1e-12)
			require.InDelta(t, float(want.ac1), *got.AC1.Value, 1e-12)
			requireDigits(t, example.raw, *got.Raw.Value)
			requireDigits(t, example.fleiss, *got.Fleiss.Value)
			requireDigits(t, example.alpha, *got.Alpha.Value)
			requireDigits(t, example.ac1, *got.AC1.Value)
		})
	}
}

// requireDigits requires a value to round to printed digits.
func requireDigits(t *testing.T, printed string, value float64) {
	t.Helper()
	if printed == "" {
		return
	}
	_, digits, _ := strings.Cut(printed, ".")
	require.Equal(t, printed, strconv.FormatFloat(value, 'f', len(digits), 64))
}

// abstractors is cont3x3abstractors of irrCAC, from Gwet (2014): 100 patients and two abstractors.
var abstractors = [][]int{{13, 0, 0}, {0, 20, 7}, {0, 4, 56}}

func TestPublishedKappaOfTwo(t *testing.T) {
	t.Parallel()
	for _, example := range []struct {
		name  string
		table [][]int
		kappa string
	}{
		// 200 cases and two judges: personality disorder, neurosis, psychosis. It illustrates the coefficient of 1960.
		{"Cohen 1968, Psychological Bulletin 70, table 1", [][]int{{88, 10, 2}, {14, 40, 6}, {18, 10, 12}}, "0.492"},
		{"Gwet 2014, cont3x3abstractors", abstractors, "0.7964094"},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			units := fromTable(example.table)
			var pairs []agreement.Pair
			summary, err := agreement.Pairs(t.Context(), tableOf(units), 10, agreement.Options{},
				func(p agreement.Pair) { pairs = append(pairs, p) })
			require.NoError(t, err)
			require.Len(t, pairs, 1)
			require.Equal(t, len(units), pairs[0].Common)
			require.InDelta(t, float(exactKappa(example.table)), *pairs[0].Kappa, 1e-12)
			requireDigits(t, example.kappa, *pairs[0].Kappa)
			require.Equal(t, []float64{*pairs[0].Kappa, *pairs[0].Kappa, *pairs[0].Kappa},
				[]float64{*summary.Mean.Value, *summary.Min, *summary.Max}, "of one pair")
			require.Less(t, *summary.Mean.Low, *summary.Mean.Value, fmt.Sprint(summary))
			require.Greater(t, *summary.Mean.High, *summary.Mean.Value)
		})
	}
}
