package sample

import (
	"math"
	"math/rand/v2"
)

// dice is the only source of chance.
type dice struct{ *rand.Rand }

// newDice returns dice that throw the same for the same seed and stream.
func newDice(seed, stream uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, stream))}
}

// percent is true in p of 100 throws.
func (d dice) percent(p int) bool {
	return d.IntN(100) < p
}

// pick returns any of the values.
func pick[T any](d dice, values []T) T {
	return values[d.IntN(len(values))]
}

// tail throws a number with a long tail: at least k with a chance of 0.4/k², never more than limit. So a world of
// n URLs has a handful that reach sqrt(n)/3, which is how many annotators it has.
func (d dice) tail(limit int) int {
	const one = 1 << 30
	return min(isqrt(one*2/5/(d.IntN(one)+1)), limit)
}

// skewed throws a number below n, the smaller the likelier.
func (d dice) skewed(n int) int {
	return d.IntN(d.IntN(d.IntN(n)+1) + 1)
}

// isqrt rounds down. IEEE 754 fixes the result of a square root to the last bit, on any processor.
func isqrt(n int) int {
	return int(math.Sqrt(float64(n)))
}
