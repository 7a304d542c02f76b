package sample

import (
	"math"
	"math/rand/v2"
)

// dice is the only source of random numbers.
type dice struct{ *rand.Rand }

// newDice returns dice that give the same numbers for the same seed and stream.
func newDice(seed, stream uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, stream))}
}

// percent returns true with a probability of p in 100.
func (d dice) percent(p int) bool {
	return d.IntN(100) < p
}

// pick returns one of the values.
func pick[T any](d dice, values []T) T {
	return values[d.IntN(len(values))]
}

// tail returns a number with a long-tailed distribution: at least k with a probability of 0.4/k², never more than limit. Of n
// URLs a handful reach sqrt(n)/3, the number of annotators.
func (d dice) tail(limit int) int {
	const one = 1 << 30
	return min(isqrt(one*2/5/(d.IntN(one)+1)), limit)
}

// skewed returns a number below n. Smaller ones are more likely.
func (d dice) skewed(n int) int {
	return d.IntN(d.IntN(d.IntN(n)+1) + 1)
}

// isqrt rounds down. IEEE 754 defines the result of a square root to the last bit on every processor.
func isqrt(n int) int {
	return int(math.Sqrt(float64(n)))
}
