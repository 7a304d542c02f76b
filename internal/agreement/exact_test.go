package agreement_test

import (
	"math/big"

	"docket/internal/agreement"
)

// The coefficients by their definitions, in exact rational arithmetic and without any care for speed. nil is undefined.

type exact struct{ raw, fleiss, alpha, ac1 *big.Rat }

func rat(a, b int) *big.Rat { return big.NewRat(int64(a), int64(b)) }

func add(to, x *big.Rat)         { to.Add(to, x) }
func sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }
func mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
func quo(a, b *big.Rat) *big.Rat { return new(big.Rat).Quo(a, b) }
func float(r *big.Rat) float64   { f, _ := r.Float64(); return f }
func corrected(o, e *big.Rat) *big.Rat {
	if e.Cmp(rat(1, 1)) == 0 {
		return nil
	}
	return quo(sub(o, e), sub(rat(1, 1), e))
}

// exactly computes the coefficients of units, each a list of the categories that its raters chose.
func exactly(units [][]int32) (x exact) {
	shares := map[int32]*big.Rat{}          // of the categories, summed over the units
	coincidences := map[[2]int32]*big.Rat{} // Krippendorff's matrix
	agreement, rated, pairable := new(big.Rat), 0, 0
	for _, unit := range units {
		m := len(unit)
		if m == 0 {
			continue
		}
		rated++
		for _, c := range unit {
			if shares[c] == nil {
				shares[c] = new(big.Rat)
			}
			add(shares[c], rat(1, m))
		}
		if m < 2 {
			continue
		}
		pairable++
		agreeing := 0
		for i, a := range unit {
			for j, b := range unit {
				if i == j {
					continue
				}
				if a == b {
					agreeing++
				}
				if coincidences[[2]int32{a, b}] == nil {
					coincidences[[2]int32{a, b}] = new(big.Rat)
				}
				add(coincidences[[2]int32{a, b}], rat(1, m-1))
			}
		}
		add(agreement, rat(agreeing, m*(m-1)))
	}
	if pairable == 0 {
		return x
	}
	x.raw = quo(agreement, rat(pairable, 1))
	squares := new(big.Rat)
	for _, share := range shares {
		mean := quo(share, rat(rated, 1))
		add(squares, mul(mean, mean))
	}
	x.fleiss = corrected(x.raw, squares)
	if q := len(shares); q > 1 {
		x.ac1 = corrected(x.raw, quo(sub(rat(1, 1), squares), rat(q-1, 1)))
	}
	x.alpha = exactAlpha(coincidences)
	return x
}

// exactAlpha is formula D of Krippendorff (2011) for nominal data.
func exactAlpha(coincidences map[[2]int32]*big.Rat) *big.Rat {
	of, n, observed := map[int32]*big.Rat{}, new(big.Rat), new(big.Rat)
	for pair, count := range coincidences {
		if of[pair[0]] == nil {
			of[pair[0]] = new(big.Rat)
		}
		add(of[pair[0]], count)
		add(n, count)
		if pair[0] != pair[1] {
			add(observed, count)
		}
	}
	expected := new(big.Rat)
	for a, x := range of {
		for b, y := range of {
			if a != b {
				add(expected, mul(x, y))
			}
		}
	}
	if expected.Sign() == 0 {
		return nil
	}
	return sub(rat(1, 1), quo(mul(sub(n, rat(1, 1)), observed), expected))
}

// exactKappa is Cohen's kappa of a table of how often the first rater chose the row and the second the column.
func exactKappa(table [][]int) *big.Rat {
	n, agreeing, rows, columns := 0, 0, make([]int, len(table)), make([]int, len(table))
	for i, row := range table {
		for j, count := range row {
			n += count
			rows[i] += count
			columns[j] += count
		}
		agreeing += row[i]
	}
	expected := new(big.Rat)
	for i := range table {
		add(expected, rat(rows[i]*columns[i], n*n))
	}
	return corrected(rat(agreeing, n), expected)
}

// tableOf returns a table whose unit i has the categories of units[i], by the raters 0, 1, 2 and so on. A negative category is
// missing.
func tableOf(units [][]int32) *agreement.Table {
	t := &agreement.Table{}
	for _, unit := range units {
		var ratings []agreement.Rating
		for rater, category := range unit {
			if category >= 0 {
				ratings = append(ratings, agreement.Rating{Rater: int32(rater), Category: category})
			}
		}
		t.Add(ratings...)
	}
	return t
}

// present leaves out missing ratings.
func present(units [][]int32) (all [][]int32) {
	for _, unit := range units {
		var given []int32
		for _, category := range unit {
			if category >= 0 {
				given = append(given, category)
			}
		}
		all = append(all, given)
	}
	return all
}

// fromTable returns the units of a table of counts, as exactKappa takes it.
func fromTable(table [][]int) (units [][]int32) {
	for i, row := range table {
		for j, count := range row {
			for range count {
				units = append(units, []int32{int32(i), int32(j)})
			}
		}
	}
	return units
}

// fromDistribution returns units from the numbers of raters by category.
func fromDistribution(counts [][]int) (units [][]int32) {
	for _, row := range counts {
		var unit []int32
		for category, n := range row {
			for range n {
				unit = append(unit, int32(category))
			}
		}
		units = append(units, unit)
	}
	return units
}
