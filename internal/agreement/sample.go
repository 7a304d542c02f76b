package agreement

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// draws count how often each unit, or each pattern of units, was drawn.
type draws []int32

// sampler draws how often a unit is in a sample: a Poisson number of times with mean 1, each unit for itself. Such a sample has
// about as many units as the data, and coefficients depend on its proportions only; Hanley and MacGibbon (2006),
// doi:10.1016/j.cmpb.2006.04.006. Drawing units one by one from all of them takes five times as long, because it reads memory at
// random, and cannot draw equal units together.
type sampler struct {
	rng  *rand.PCG
	bits uint64
	left int // numbers of 16 bits in bits
}

// frequencies are how many of 65,536 units are drawn 0, 1, 2 … times: Poisson numbers, rounded so that the mean is exactly 1.
var frequencies = [...]int{24112, 24106, 12055, 4018, 1005, 201, 33, 5, 1}

// timesOf maps 16 random bits to a number of times.
var timesOf = func() (times [1 << 16]uint8) {
	at := 0
	for n, frequency := range frequencies {
		for range frequency {
			times[at] = uint8(n)
			at++
		}
	}
	return times
}()

// unit returns how often one unit is drawn.
func (s *sampler) unit() int32 {
	if s.left == 0 {
		s.bits, s.left = s.rng.Uint64(), 4
	}
	times := timesOf[uint16(s.bits)]
	s.bits >>= 16
	s.left--
	return int32(times)
}

// together is the number of units from which on they are drawn with one number: a sum of Poisson numbers is one.
const together = 24

// units returns how often n units are drawn together.
func (s *sampler) units(n int32) (times int32) {
	if n >= together {
		return int32(distuv.Poisson{Lambda: float64(n), Src: s.rng}.Rand())
	}
	for range n {
		times += s.unit()
	}
	return times
}
