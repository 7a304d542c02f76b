package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"docket/internal/db"
)

// output adds the names of annotators to lines and emits them.
type output struct {
	name func(annotator) string
	emit func(Line) error

	last     annotator // of the last line
	lastName string

	// The lines of one URL, held until all have been read, if the output must not have the order in which they were read.
	shuffled bool
	held     []Line
}

// newOutput returns an output that names users by their ids.
func newOutput(emit func(Line) error) *output {
	return &output{emit: emit, name: func(a annotator) string {
		if a.session != uuid.Nil {
			return SessionPseudonym(a.session)
		}
		return strconv.Itoa(int(a.user))
	}}
}

// newSecretOutput returns an output that names users by their pseudonyms. Lines are read in the order of user ids. In this order,
// a reader who knows the ids could assign the pseudonyms to them.
func newSecretOutput(p *pseudonyms, emit func(Line) error) *output {
	return &output{emit: emit, shuffled: true, name: func(a annotator) string {
		if a.session != uuid.Nil {
			return SessionPseudonym(a.session)
		}
		return p.user(a.user)
	}}
}

func (o *output) add(row db.ExportLineListPageRow) error {
	who := annotator{row.UserID, row.SessionID}
	if o.lastName == "" || who != o.last { // the lines of one annotator and URL are consecutive
		o.last, o.lastName = who, o.name(who)
	}
	line := lineFrom(row)
	line.User = o.lastName
	if !o.shuffled {
		return o.emit(line)
	}
	if len(o.held) > 0 && o.held[0].URLID != line.URLID {
		if err := o.close(); err != nil {
			return err
		}
	}
	o.held = append(o.held, line)
	return nil
}

// close emits the held lines.
func (o *output) close() error {
	// Stable: the lines of one user keep their order.
	slices.SortStableFunc(o.held, func(a, b Line) int { return strings.Compare(a.User, b.User) })
	for _, line := range o.held {
		if err := o.emit(line); err != nil {
			return err
		}
	}
	clear(o.held)
	o.held = o.held[:0]
	return nil
}
