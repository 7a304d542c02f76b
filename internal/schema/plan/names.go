package plan

import (
	"strings"

	"docket/internal/schema/state"
)

var (
	ident   = state.Ident
	literal = state.Literal
	oneLine = state.OneLine
)

// unquote removes the quotes of names that need none. Atlas quotes every name, which is hard to read.
func unquote(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		end := i + 1
		switch sql[i] {
		case '\'':
			end = quoteEnd(sql, i)
			b.WriteString(sql[i:end])
		case '"':
			end = quoteEnd(sql, i)
			b.WriteString(ident(strings.ReplaceAll(sql[i+1:end-1], `""`, `"`)))
		default:
			b.WriteByte(sql[i])
		}
		i = end
	}
	return b.String()
}

// quoteEnd returns the index after the quote that closes the quote at start. A doubled quote does not close it.
func quoteEnd(sql string, start int) int {
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

// maxName is the length in bytes to which PostgreSQL truncates names.
const maxName = 63

// freeName returns the name with the suffix, changed as necessary so that it is not taken and not too long.
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
