package csvfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// problemsListed bounds the memory that a bad file takes. All problems are counted, the first ones are listed.
const problemsListed = 1000

// Accounting counts the rows of a file by their outcome. When the import succeeded,
// Created + Duplicate + Rejected == Rows.
type Accounting struct {
	Rows      int64 // without the header and blank lines
	Created   int64
	Duplicate int64 // of an earlier row, or of what was in the database
	Rejected  int64

	Rejections Problems // why rows were rejected
	Notes      Problems // what was left out of rows that were accepted; a row may have several
}

// Problems counts what was wrong with rows.
type Problems struct {
	Total   int64
	Reasons []ReasonCount // every reason, in order of first appearance
	First   []Problem     // the first thousand, in order of appearance

	listed map[Problem]int // the index of a note in First, by the note without its line
}

// ReasonCount is the number of rows with the same reason.
type ReasonCount struct {
	Reason string
	Rows   int64
}

// Problem is one thing that was wrong. Notes of several rows that differ only in the line are one Problem.
type Problem struct {
	Line   int64  // where the row begins; of several rows, the first
	Column string // empty when the problem concerns the whole row
	Value  string // of the field, shortened if long
	Reason string
	Rows   int64
}

// Defect is what a check of a row found. Reasons are constant texts, so that they can be counted; what varies is in the value.
type Defect struct {
	Column, Value, Reason string
}

// NewDefect returns a Defect of a column, which is empty when the defect concerns the whole row.
func NewDefect(column, value, reason string) *Defect { return &Defect{column, value, reason} }

// NoteFunc records what was left out of a row.
type NoteFunc func(line int64, d *Defect)

// Clone returns a copy. Adding to the copy does not change the original, so a transaction that is retried can start from it.
func (a Accounting) Clone() Accounting {
	a.Notes.Reasons = slices.Clone(a.Notes.Reasons)
	a.Notes.First = slices.Clone(a.Notes.First)
	a.Notes.listed = maps.Clone(a.Notes.listed)
	return a
}

// Reject counts a rejected row.
func (a *Accounting) Reject(line int64, d *Defect) {
	a.Rejected++
	a.Rejections.count(d.Reason)
	if len(a.Rejections.First) < problemsListed {
		a.Rejections.First = append(a.Rejections.First, Problem{line, d.Column, Shorten(d.Value), d.Reason, 1})
	}
}

// Note is a NoteFunc that counts.
func (a *Accounting) Note(line int64, d *Defect) {
	notes := &a.Notes
	notes.count(d.Reason)
	key := Problem{Column: d.Column, Value: Shorten(d.Value), Reason: d.Reason}
	if i, ok := notes.listed[key]; ok {
		notes.First[i].Rows++
		return
	}
	if len(notes.First) == problemsListed {
		return
	}
	if notes.listed == nil {
		notes.listed = make(map[Problem]int)
	}
	notes.listed[key] = len(notes.First)
	notes.First = append(notes.First, Problem{line, key.Column, key.Value, key.Reason, 1})
}

func (p *Problems) count(reason string) {
	p.Total++
	for i := range p.Reasons {
		if p.Reasons[i].Reason == reason {
			p.Reasons[i].Rows++
			return
		}
	}
	p.Reasons = append(p.Reasons, ReasonCount{reason, 1})
}

// Shorten makes a value from a file fit for display in one line. Characters that are not visible are shown by their code points,
// except for line breaks and tabs, which are shown as blanks.
func Shorten(value string) string {
	const most = 200
	var b strings.Builder
	n := 0
	for _, r := range value {
		if n++; n > most {
			return b.String() + "…"
		}
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case unicode.In(r, unicode.Cc, unicode.Cf):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
