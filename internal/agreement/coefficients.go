package agreement

// Coefficients are the measures of agreement of any number of raters.
type Coefficients struct {
	Raw                Estimate // the share of the pairs of raters who agree, averaged over the units
	Fleiss, Alpha, AC1 Estimate
}

// Why a value is not defined.
const (
	reasonNoPairs     = "no URL has the answers of two annotators"
	reasonNoVariation = "all answers are the same value"
)

// sums are what the coefficients are computed from. They are sums over units, each as often as it was drawn.
type sums struct {
	units       float64
	shareSquare float64 // of the average share of raters who choose a category; times units²

	// Over the units with two or more raters.
	pairable  float64
	agreement float64
	raters    float64
	coincide  float64
	count2    float64 // of the numbers of raters who chose a category, the squares
}

// coefficients are values of one sample, in the order raw agreement, Fleiss' kappa, Krippendorff's alpha, Gwet's AC1.
type coefficients [4]optional

// optional is a value, or why there is none.
type optional struct {
	value  float64
	reason string
}

// coefficients computes the coefficients of a sample. Units with one rater say how often categories are chosen, for Fleiss' kappa
// and AC1, and nothing else, as in Gwet, Handbook of Inter-Rater Reliability (4th edition, 2014), chapters 2 and 3.
// Krippendorff's alpha leaves them out. AC1 needs the number of categories.
//
//	raw    = the mean over units of the share of pairs of raters who agree; Fleiss (1971), Psychological Bulletin 76:378
//	Fleiss = (raw - e) / (1 - e), e = the sum of the squares of the average shares of the categories
//	AC1    = (raw - e) / (1 - e), e = (1 - that sum) / (categories - 1); Gwet (2008), doi:10.1348/000711006X126600
//	alpha  = 1 - observed / expected disagreement; Krippendorff (2011), Computing Krippendorff's Alpha-Reliability
func (s sums) coefficients(categories int) (c coefficients) {
	if s.pairable == 0 {
		for i := range c {
			c[i].reason = reasonNoPairs
		}
		return c
	}
	raw := s.agreement / s.pairable
	c[0].value = raw
	square := s.shareSquare / (s.units * s.units)
	c[1] = corrected(raw, square)
	different := s.raters*s.raters - s.count2
	if different > 0 {
		c[2].value = 1 - (s.raters-1)*(s.raters-s.coincide)/different
	} else {
		c[2].reason = reasonNoVariation
	}
	if categories > 1 {
		c[3] = corrected(raw, (1-square)/float64(categories-1))
	} else {
		c[3].reason = reasonNoVariation
	}
	return c
}

// corrected subtracts the agreement expected by chance.
func corrected(observed, expected float64) optional {
	if expected >= 1 {
		return optional{reason: reasonNoVariation}
	}
	return optional{value: (observed - expected) / (1 - expected)}
}

// scratch is the memory for one sample.
type scratch struct {
	drawn  draws     // how often each pattern was drawn
	shares []float64 // by common category
	counts []float64
}

func (p *patterns) scratch() *scratch {
	return &scratch{make(draws, len(p.all)), make([]float64, p.common), make([]float64, p.common)}
}

// whole is the sample that has every unit once.
func (p *patterns) whole(s *scratch) {
	for i := range p.all {
		s.drawn[i] = p.all[i].units
	}
}

// sample draws a sample.
func (p *patterns) sample(s *scratch, from *sampler) {
	for i := range p.all {
		s.drawn[i] = from.units(p.all[i].units)
	}
}

// add adds up a sample.
func (p *patterns) add(s *scratch) (t sums) {
	clear(s.shares)
	clear(s.counts)
	for i := range p.all {
		if s.drawn[i] == 0 {
			continue
		}
		one, times := &p.all[i], float64(s.drawn[i])
		t.units += times
		t.shareSquare += times * times * one.privateShares
		each := times / one.raters
		for _, of := range p.shares[one.begin:one.end] {
			s.shares[of.category] += each * float64(of.raters)
		}
		if one.raters < 2 {
			continue
		}
		t.pairable += times
		t.agreement += times * one.agreement
		t.raters += times * one.raters
		t.coincide += times * one.coincide
		t.count2 += times * times * one.privateRaters
		for _, of := range p.shares[one.begin:one.end] {
			s.counts[of.category] += times * float64(of.raters)
		}
	}
	for category, x := range s.shares {
		t.shareSquare += x * x
		t.count2 += s.counts[category] * s.counts[category]
	}
	return t
}
