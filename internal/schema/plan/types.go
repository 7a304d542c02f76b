package plan

import (
	"slices"
	"strconv"
	"strings"
)

// splitType splits a type into its name and its sizes: "numeric(10,2)" is numeric with 10 and 2.
func splitType(typ string) (base string, sizes []int) {
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

var families = map[string]string{
	"smallint": "number", "integer": "number", "bigint": "number",
	"numeric": "number", "real": "number", "double precision": "number",
	"character varying": "text", "text": "text", "character": "text",
	"timestamp without time zone": "time", "timestamp with time zone": "time", "date": "time",
}

// assignable reports whether PostgreSQL has an assignment cast from one type to the other, so that no USING is needed.
func assignable(from, to string) bool {
	a, _ := splitType(from)
	b, _ := splitType(to)
	return a == b || families[a] != "" && families[a] == families[b]
}

// avoidsRewrite reports whether PostgreSQL can change a column to the other type without rewriting the table.
func avoidsRewrite(from, to string) bool {
	a, fromSizes := splitType(from)
	b, toSizes := splitType(to)
	longer := len(toSizes) == 0 || len(fromSizes) > 0 && len(toSizes) > 0 && toSizes[0] >= fromSizes[0]
	switch {
	case strings.HasSuffix(a, "[]"): // each element is cast
		return false
	case a == "character varying" && (b == "character varying" || b == "text"):
		return longer
	case a == "text" && b == "character varying":
		return len(toSizes) == 0
	case a == "numeric" && b == "numeric":
		return len(toSizes) == 0 || longer && len(fromSizes) == 2 && len(toSizes) == 2 && fromSizes[1] == toSizes[1]
	case a == b:
		return longer && a != "character" && a != "bit" // both are padded
	case a == "cidr" && b == "inet":
		return true
	}
	return false
}

// roundedTypes are types that accept texts which they cannot store exactly.
var roundedTypes = []string{
	"real", "double precision", "date", "time without time zone", "time with time zone", "timestamp without time zone",
}

// losslessCasts are the casts that lose nothing. Those between numbers, and from and to text, are in lossy.
var losslessCasts = map[string][]string{
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

// lossy reports whether a cast may lose a part of the value without an error. A cast that is not known here may.
func lossy(from, to string) bool {
	if of, isArray := strings.CutSuffix(from, "[]"); isArray && strings.HasSuffix(to, "[]") {
		return lossy(of, strings.TrimSuffix(to, "[]"))
	}
	a, fromSizes := splitType(from)
	b, toSizes := splitType(to)
	exact := map[string]int{"smallint": 1, "integer": 1, "bigint": 1, "real": 2, "double precision": 3, "numeric": 4}
	shorter := len(toSizes) > 0 && (len(fromSizes) == 0 || toSizes[0] < fromSizes[0])
	switch {
	case a == "numeric" && b == "numeric":
		return len(toSizes) == 2 && (len(fromSizes) < 2 || toSizes[1] < fromSizes[1])
	case families[a] == "number" && families[b] == "number":
		return exact[b] < exact[a] || a == "bigint" && exact[b] > 1 && exact[b] < 4 || exact[a] > 1 && len(toSizes) > 0
	case families[b] == "text": // a text that is too long is an error
		return false
	case families[a] == "text":
		return slices.Contains(roundedTypes, b) || len(toSizes) > 0
	case families[a] == "time" || strings.HasPrefix(a, "time ") || a == "interval":
		return shorter || a != b && !slices.Contains(losslessCasts[a], b)
	}
	return a != b && !slices.Contains(losslessCasts[a], b)
}

// mayFail reports whether a cast may fail for some values.
func mayFail(from, to string) bool {
	a, _ := splitType(from)
	b, toSizes := splitType(to)
	if avoidsRewrite(from, to) || b == "text" || b == "character varying" && len(toSizes) == 0 {
		return false
	}
	widening := []string{"smallint", "integer", "bigint", "numeric"}
	i, j := slices.Index(widening, a), slices.Index(widening, b)
	return !(i >= 0 && j > i && len(toSizes) == 0) && !(families[a] == "time" && families[b] == "time")
}

// castType returns the type of the explicit cast to a type. A cast to a text of limited length would truncate a longer text;
// the assignment of a text without a limit refuses it.
func castType(typ string) string {
	switch base, _ := splitType(typ); base {
	case "character varying", "character":
		return "text"
	case "character varying[]", "character[]":
		return "text[]"
	}
	return typ
}
