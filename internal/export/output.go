package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"docket/internal/db"
)

// output gives answers the names of those who gave them, and hands them on.
type output struct {
	name func(annotator) string
	emit func(Answer) error

	last     annotator // whose name is known
	lastName string

	// The answers to one URL, held back until all are there, where the order in which they are read must not show.
	shuffled bool
	held     []Answer
}

// newOutput returns one that names users by their ids.
func newOutput(emit func(Answer) error) *output {
	return &output{emit: emit, name: func(a annotator) string {
		if a.session != uuid.Nil {
			return sessionPseudonym(a.session)
		}
		return strconv.Itoa(int(a.user))
	}}
}

// newSecretOutput returns one that names users by their pseudonyms. Answers are read by user id; had they that order still, it
// would put the pseudonyms in the order of the ids, which is all that somebody who knows the ids needs.
func newSecretOutput(p *pseudonyms, emit func(Answer) error) *output {
	return &output{emit: emit, shuffled: true, name: func(a annotator) string {
		if a.session != uuid.Nil {
			return sessionPseudonym(a.session)
		}
		return p.user(a.user)
	}}
}

func (o *output) add(row db.AnswerListPageRow) error {
	who := annotator{row.UserID, row.SessionID}
	if o.lastName == "" || who != o.last { // one's answers to a URL come together
		o.last, o.lastName = who, o.name(who)
	}
	answer := answerFrom(row)
	answer.User = o.lastName
	if !o.shuffled {
		return o.emit(answer)
	}
	if len(o.held) > 0 && o.held[0].URLID != answer.URLID {
		if err := o.close(); err != nil {
			return err
		}
	}
	o.held = append(o.held, answer)
	return nil
}

// close hands on what is held back.
func (o *output) close() error {
	// Stable: the answers of one user keep their order.
	slices.SortStableFunc(o.held, func(a, b Answer) int { return strings.Compare(a.User, b.User) })
	for _, answer := range o.held {
		if err := o.emit(answer); err != nil {
			return err
		}
	}
	clear(o.held)
	o.held = o.held[:0]
	return nil
}
