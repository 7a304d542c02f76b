package plan

import (
	"math"
	"slices"
)

// Of casts between types that are neither texts nor numbers, exactCasts keep all of the value, and safeCasts never fail. A cast
// that is not listed may lose a part of the value, and may fail. The spacing and the order of the keys of a json are no part of
// its value.
var (
	exactCasts = map[string][]string{
		"boolean":                     {"integer"},
		"date":                        {"timestamp without time zone", "timestamp with time zone"},
		"timestamp without time zone": {"timestamp with time zone"},
		"timestamp with time zone":    {"timestamp without time zone"},
		"time without time zone":      {"time with time zone", "interval"},
		"json":                        {"jsonb"},
		"jsonb":                       {"json"},
		"bit":                         {"bit varying"},
		"bit varying":                 {"bit"},
	}
	safeCasts = map[string][]string{
		"boolean":                     {"integer"},
		"integer":                     {"boolean"},
		"timestamp without time zone": {"timestamp with time zone", "date", "time without time zone"},
		"timestamp with time zone":    {"timestamp without time zone", "date", "time without time zone", "time with time zone"},
		"time without time zone":      {"time with time zone", "interval"},
		"time with time zone":         {"time without time zone"},
		"interval":                    {"time without time zone"},
		"inet":                        {"cidr"},
		"jsonb":                       {"json"},
	}
	// Types that accept texts of which they leave out a part: digits, the end, the date, the time or the time zone.
	roundedTypes = []string{
		"real", "double precision", "name", `"char"`, "date", "time without time zone", "time with time zone",
		"timestamp without time zone",
	}
)

// digits is how many decimal digits each value of a number type has at most, and whether it is an integer.
func digits(typ string, size int) (n int, isNumber, integer bool) {
	switch typ {
	case "smallint":
		return 5, true, true
	case "integer":
		return 10, true, true
	case "bigint":
		return 19, true, true
	case "real", "double precision":
		return math.MaxInt, true, false
	case "numeric":
		if size < 0 {
			return math.MaxInt, true, false
		}
		return precision(size), true, scale(size) <= 0
	}
	return 0, false, false
}

// keeps is how many decimal digits a type of floating-point numbers can store exactly.
var keeps = map[string]int{"real": 6, "double precision": 15}

// lossy reports whether a change of type may lose a part of a value without an error.
func (p *planner) lossy(from, to string, fromSize, toSize int) bool {
	a, fromSize := p.typeOf(from, fromSize)
	b, toSize := p.typeOf(to, toSize)
	if a.Element != "" && b.Element != "" {
		return p.lossy(a.Element, b.Element, fromSize, toSize)
	}
	n, fromNumber, integer := digits(a.Name, fromSize)
	_, toNumber, toInteger := digits(b.Name, toSize)
	rounds := slices.Contains(temporal, b.Name) && decimals(toSize) < decimals(fromSize)
	switch {
	case a.Enum || b.Enum:
		return false
	case a.Name == b.Name && b.Name == "numeric":
		return toSize >= 0 && (fromSize < 0 || scale(toSize) < scale(fromSize))
	case a.Name == b.Name:
		return slices.Contains(temporal, b.Name) && !fits(b.Name, fromSize, toSize)
	case fromNumber && toNumber:
		switch {
		case keeps[b.Name] > 0:
			return n > keeps[b.Name] && !(a.Name == "real" && b.Name == "double precision")
		case b.Name == "numeric":
			return keeps[a.Name] > 0 || toSize >= 0 && scale(toSize) < 0
		}
		return !integer && toInteger
	case slices.Contains(roundedTypes, b.Name) && a.String:
		return true
	case b.String, p.convert(from, to, true) == binary: // a value that is too long is an error
		return false
	case a.String:
		return toSize >= 0
	}
	return rounds || !slices.Contains(exactCasts[a.Name], b.Name)
}

// mayFail reports whether a change of type fails for some values.
func (p *planner) mayFail(from, to string, fromSize, toSize int) bool {
	if from != to && constrained(p.target, to) {
		return true
	}
	a, fromSize := p.typeOf(from, fromSize)
	b, toSize := p.typeOf(to, toSize)
	if a.Element != "" && b.Element != "" {
		return p.mayFail(a.Element, b.Element, fromSize, toSize)
	}
	n, fromNumber, _ := digits(a.Name, fromSize)
	m, toNumber, _ := digits(b.Name, toSize)
	switch {
	case a.Name == b.Name && slices.Contains(temporal, b.Name), a.Name == b.Name && fits(b.Name, fromSize, toSize):
		return false
	case fromNumber && toNumber:
		before, rounds := n, false // the digits before the point
		if a.Name == "numeric" && fromSize >= 0 {
			before, rounds = n-scale(fromSize), scale(fromSize) > scale(toSize)
		}
		switch {
		case keeps[b.Name] > 0:
			return n == math.MaxInt && !(a.Name == "real" && b.Name == "double precision")
		case b.Name == "numeric" && toSize < 0:
			return false
		case n == math.MaxInt:
			return true
		case b.Name == "numeric":
			if rounds {
				before++ // 9.9 becomes 10
			}
			return before > m-scale(toSize)
		case a.Name == "numeric":
			return before >= m
		}
		return m < n
	case a.String && b.String && fits("", fromSize, toSize):
		return false
	case b.String, p.convert(from, to, true) == binary:
		return toSize >= 0
	}
	return !slices.Contains(safeCasts[a.Name], b.Name)
}
