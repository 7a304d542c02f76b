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
