// Package unknown owns the error with which every use case refuses a reference to something that does not exist. It imports
// nothing, and it does not decide which status a client gets.
package unknown

import (
	"fmt"
	"strings"
)

// The kinds of things that a request can refer to. They are part of the error's text.
const (
	Agency         = "agency"
	Batch          = "batch"
	County         = "county"
	Location       = "location"
	NameSuggestion = "name suggestion"
	Proposal       = "proposed agency"
	Task           = "task"
	URL            = "URL"
)

// Error names the things of one kind that a request refers to and that do not exist. Nothing was stored.
type Error struct {
	Kind string   // one of the constants above
	IDs  []string // empty when a concurrent transaction deleted them, and the statement could not name them
}

// New returns the error for one or more ids.
func New[ID any](kind string, ids ...ID) *Error {
	e := &Error{Kind: kind}
	for _, id := range ids {
		e.IDs = append(e.IDs, fmt.Sprint(id))
	}
	return e
}

// maxListed is how many ids the text lists.
const maxListed = 20

func (e *Error) Error() string {
	switch more := len(e.IDs) - maxListed; {
	case len(e.IDs) == 0:
		return e.Kind + " not found"
	case more > 0:
		return fmt.Sprintf("%s not found: %s and %d more", e.Kind, strings.Join(e.IDs[:maxListed], ", "), more)
	default:
		return fmt.Sprintf("%s not found: %s", e.Kind, strings.Join(e.IDs, ", "))
	}
}
