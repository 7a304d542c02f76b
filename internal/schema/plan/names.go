package plan

import (
	"strings"

	"docket/internal/schema/state"
)

var (
	ident   = state.Ident
	literal = state.Literal
)

// plainer takes the quotes from names that do not need them. Atlas quotes every name, which few people can read.
func plainer(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		end := i + 1
		switch sql[i] {
		case '\'':
			end = closing(sql, i)
			b.WriteString(sql[i:end])
		case '"':
			end = closing(sql, i)
			b.WriteString(ident(strings.ReplaceAll(sql[i+1:end-1], `""`, `"`)))
		default:
			b.WriteByte(sql[i])
		}
		i = end
	}
	return b.String()
}

// closing returns the index behind the quote that closes the one at start; a doubled one does not.
func closing(sql string, start int) int {
	for i := start + 1; i < len(sql); i++ {
		if sql[i] != sql[start] {
			continue
		}
		if i+1 < len(sql) && sql[i+1] == sql[start] {
			i++
			continue
		}
		return i + 1
	}
	return len(sql)
}

// maxName is the length in bytes at which PostgreSQL cuts names off.
const maxName = 63

// freeName returns a name like the given one that is not taken.
func freeName(name, suffix string, taken func(string) bool) string {
	for {
		candidate := name
		if len(candidate)+len(suffix) > maxName {
			candidate = strings.ToValidUTF8(candidate[:maxName-len(suffix)], "")
		}
		if candidate += suffix; !taken(candidate) {
			return candidate
		}
		suffix += "_"
	}
}
