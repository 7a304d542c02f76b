package agreement

import (
	"cmp"
	"slices"
)

// Unknown is the rater of a rating whose rater is not known again in other units. Such a rating counts everywhere but in Pairs.
const Unknown int32 = -1

// Rating is what a rater says about a unit. Raters and categories are numbers from 0; equal numbers are equal raters and
// categories. The order of the numbers means nothing.
type Rating struct{ Rater, Category int32 }

// Table holds ratings by unit. A rater who did not rate a unit has no rating there: data may be missing. The zero Table is empty.
type Table struct {
	ratings    []Rating
	ends       []int // of the ratings of each unit
	raters     int32
	categories int32
}

// Add adds a unit with its ratings. A rater has at most one rating of a unit. A unit without ratings is left out.
func (t *Table) Add(ratings ...Rating) {
	if len(ratings) == 0 {
		return
	}
	for _, r := range ratings {
		t.raters = max(t.raters, r.Rater+1)
		t.categories = max(t.categories, r.Category+1)
	}
	t.ratings = append(t.ratings, ratings...)
	t.ends = append(t.ends, len(t.ratings))
}

// Units returns the number of units with a rating.
func (t *Table) Units() int { return len(t.ends) }

// Ratings returns the number of ratings.
func (t *Table) Ratings() int { return len(t.ratings) }

func (t *Table) unit(i int) []Rating {
	begin := 0
	if i > 0 {
		begin = t.ends[i-1]
	}
	return t.ratings[begin:t.ends[i]]
}

// share is how many raters of a unit chose a category.
type share struct{ category, raters int32 }

// pattern is what any number of units have in common: how many raters chose which category.
type pattern struct {
	units     int32
	raters    float64
	agreement float64 // the share of the pairs of raters who agree; 0 with one rater
	coincide  float64 // the pairs of raters who agree, in both orders, divided by the number of raters less one; 0 with one rater

	// What the categories that only this pattern has add to the sums of squares.
	privateShares, privateRaters float64
	begin, end                   int32 // of the other categories in patterns.shares
}

// patterns are the ratings of a table without their raters. Every coefficient but Cohen's is a function of them.
type patterns struct {
	all        []pattern
	shares     []share // categories are numbered anew, without those that only one pattern has
	categories int     // of the table
	common     int     // of these, the ones that several patterns have
	pairable   int     // units with two or more raters
}

// collect counts the patterns of a table. They are in the order of their first units.
func (t *Table) collect() *patterns {
	p := &patterns{}
	known := map[string]int32{}
	var shares []share
	var key []byte
	patternsOf := make([]int32, t.categories) // the number of patterns that have the category
	var counts []share
	for u := range t.ends {
		counts = countCategories(counts[:0], t.unit(u))
		if len(t.unit(u)) > 1 {
			p.pairable++
		}
		key = key[:0]
		for _, c := range counts {
			for _, n := range [...]int32{c.category, c.raters} {
				key = append(key, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
			}
		}
		number, ok := known[string(key)]
		if !ok {
			number = int32(len(p.all))
			known[string(key)] = number
			one := describe(counts)
			one.begin = int32(len(shares))
			shares = append(shares, counts...)
			one.end = int32(len(shares))
			p.all = append(p.all, one)
			for _, c := range counts {
				if patternsOf[c.category]++; patternsOf[c.category] == 1 {
					p.categories++
				}
			}
		}
		p.all[number].units++
	}
	p.separate(shares, patternsOf)
	return p
}

// separate moves the categories that one pattern has into its sums, and numbers the others.
func (p *patterns) separate(shares []share, patternsOf []int32) {
	number := make([]int32, len(patternsOf))
	for category, n := range patternsOf {
		if n > 1 {
			number[category] = int32(p.common)
			p.common++
		}
	}
	p.shares = shares[:0] // never written after the position that is read
	for i := range p.all {
		one := &p.all[i]
		of := shares[one.begin:one.end]
		one.begin = int32(len(p.shares))
		for _, s := range of {
			if patternsOf[s.category] > 1 {
				p.shares = append(p.shares, share{number[s.category], s.raters})
				continue
			}
			x := float64(s.raters)
			one.privateShares += x / one.raters * (x / one.raters)
			if one.raters > 1 {
				one.privateRaters += x * x
			}
		}
		one.end = int32(len(p.shares))
	}
}

// countCategories appends the categories of ratings, in order, to counts. It takes ownership of counts.
func countCategories(counts []share, ratings []Rating) []share {
	for _, r := range ratings {
		at, found := slices.BinarySearchFunc(counts, r.Category, func(s share, category int32) int {
			return cmp.Compare(s.category, category)
		})
		if !found {
			counts = slices.Insert(counts, at, share{category: r.Category})
		}
		counts[at].raters++
	}
	return counts
}

func describe(counts []share) (p pattern) {
	agreeing := 0.0
	for _, c := range counts {
		p.raters += float64(c.raters)
		agreeing += float64(c.raters) * float64(c.raters-1)
	}
	if p.raters > 1 {
		p.agreement = agreeing / (p.raters * (p.raters - 1))
		p.coincide = agreeing / (p.raters - 1)
	}
	return p
}

// Values returns the number of different categories.
func (t *Table) Values() int {
	seen := make([]bool, t.categories)
	count := 0
	for _, r := range t.ratings {
		if !seen[r.Category] {
			seen[r.Category] = true
			count++
		}
	}
	return count
}
