package plan

import (
	"slices"
	"strconv"
	"strings"
)

// sized takes a type apart: "numeric(10,2)" is numeric with 10 and 2.
func sized(typ string) (base string, sizes []int) {
	open, close := strings.Index(typ, "("), strings.Index(typ, ")")
	if open < 0 || close < open {
		return typ, nil
	}
	for _, n := range strings.Split(typ[open+1:close], ",") {
		size, _ := strconv.Atoi(n)
		sizes = append(sizes, size)
	}
	return typ[:open] + typ[close+1:], sizes
}

var kinds = map[string]string{
	"smallint": "number", "integer": "number", "bigint": "number",
	"numeric": "number", "real": "number", "double precision": "number",
	"character varying": "text", "text": "text", "character": "text",
	"timestamp without time zone": "time", "timestamp with time zone": "time", "date": "time",
}

// kin tells whether an assignment casts from one type to the other, so that no USING is needed.
func kin(from, to string) bool {
	a, _ := sized(from)
	b, _ := sized(to)
	return a == b || kinds[a] != "" && kinds[a] == kinds[b]
}

// coercible tells whether a column gets the other type without its table being rewritten.
func coercible(from, to string) bool {
	a, had := sized(from)
	b, wanted := sized(to)
	longer := len(wanted) == 0 || len(had) > 0 && len(wanted) > 0 && wanted[0] >= had[0]
	switch {
	case strings.HasSuffix(a, "[]"): // each element is cast
		return false
	case a == "character varying" && (b == "character varying" || b == "text"):
		return longer
	case a == "text" && b == "character varying":
		return len(wanted) == 0
	case a == "numeric" && b == "numeric":
		return len(wanted) == 0 || longer && len(had) == 2 && len(wanted) == 2 && had[1] == wanted[1]
	case a == b:
		return longer && a != "character" && a != "bit" // both are padded
	case a == "cidr" && b == "inet":
		return true
	}
	return false
}

// rounded are types that take more texts than they keep exactly.
var rounded = []string{
	"real", "double precision", "date", "time without time zone", "time with time zone", "timestamp without time zone",
}

// exactly are the casts, besides those between numbers and those from and to text, that lose nothing.
var exactly = map[string][]string{
	"boolean":                     {"integer"},
	"date":                        {"timestamp without time zone", "timestamp with time zone"},
	"timestamp without time zone": {"timestamp with time zone"},
	"timestamp with time zone":    {"timestamp without time zone"},
	"time without time zone":      {"time with time zone", "interval"},
	"cidr":                        {"inet"},
	"json":                        {"jsonb"},
	"jsonb":                       {"json"},
	"bit":                         {"bit varying"},
	"bit varying":                 {"bit"},
}

// lossy tells whether values may silently become less exact: of a cast that is not known to lose nothing, it is taken to.
func lossy(from, to string) bool {
	if of, isArray := strings.CutSuffix(from, "[]"); isArray && strings.HasSuffix(to, "[]") {
		return lossy(of, strings.TrimSuffix(to, "[]"))
	}
	a, had := sized(from)
	b, wanted := sized(to)
	exact := map[string]int{"smallint": 1, "integer": 1, "bigint": 1, "real": 2, "double precision": 3, "numeric": 4}
	shorter := len(wanted) > 0 && (len(had) == 0 || wanted[0] < had[0])
	switch {
	case a == "numeric" && b == "numeric":
		return len(wanted) == 2 && (len(had) < 2 || wanted[1] < had[1])
	case kinds[a] == "number" && kinds[b] == "number":
		return exact[b] < exact[a] || a == "bigint" && exact[b] > 1 && exact[b] < 4 || exact[a] > 1 && len(wanted) > 0
	case kinds[b] == "text": // what is too long is refused
		return false
	case kinds[a] == "text":
		return slices.Contains(rounded, b) || len(wanted) > 0
	case kinds[a] == "time" || strings.HasPrefix(a, "time ") || a == "interval":
		return shorter || a != b && !slices.Contains(exactly[a], b)
	}
	return a != b && !slices.Contains(exactly[a], b)
}

// mayFail tells whether values of the type may not fit into the other.
func mayFail(from, to string) bool {
	a, _ := sized(from)
	b, wanted := sized(to)
	if coercible(from, to) || b == "text" || b == "character varying" && len(wanted) == 0 {
		return false
	}
	widening := []string{"smallint", "integer", "bigint", "numeric"}
	i, j := slices.Index(widening, a), slices.Index(widening, b)
	return !(i >= 0 && j > i && len(wanted) == 0) && !(kinds[a] == "time" && kinds[b] == "time")
}

// caster is the type that a value is cast to on its way to another. A cast that is written cuts off what is too long; the
// assignment of a text refuses it.
func caster(typ string) string {
	switch base, _ := sized(typ); base {
	case "character varying", "character":
		return "text"
	case "character varying[]", "character[]":
		return "text[]"
	}
	return typ
}
