package contract

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// maxFaults limits how many faults of one request are reported: a body can hold more than a person reads.
	maxFaults = 100
	// maxDetailFaults is how many faults the text of Faults spells out; the list has them all.
	maxDetailFaults = 5
	// maxExcerpt is the length, in bytes, of the longest text of a request that is repeated in a response.
	maxExcerpt = 100
)

// Fault is one part of a request that the contract does not allow.
type Fault struct {
	Loc  []any  // "body", "query", "path" or "header", then keys and indexes
	Msg  string // in the words of the reference
	Type string // one of the reference's error types, such as "missing"
}

// Faults is the error of a request that violates the contract.
type Faults []Fault

func (f Faults) Error() string {
	var b strings.Builder
	for i, fault := range f[:min(len(f), maxDetailFaults)] {
		if i > 0 {
			b.WriteString("; ")
		}
		for j, step := range fault.Loc {
			if j > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, step)
		}
		b.WriteString(": " + fault.Msg)
	}
	if more := len(f) - maxDetailFaults; more > 0 {
		fmt.Fprintf(&b, "; and at least %d more", more)
	}
	return b.String()
}

// ValueFault is the fault of a value that has the right type but breaks a rule.
func ValueFault(msg string, loc ...any) Fault {
	return Fault{Loc: loc, Msg: "Value error, " + msg, Type: "value_error"}
}

// Excerpt shortens a text of a request to what a response or a log line may repeat.
func Excerpt(s string) string {
	if len(s) <= maxExcerpt {
		return s
	}
	cut := maxExcerpt
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// at returns loc with one more step. The two share no memory that a later append could overwrite.
func at(loc []any, step any) []any {
	return append(loc[:len(loc):len(loc)], step)
}
