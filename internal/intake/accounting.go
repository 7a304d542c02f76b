package intake

import (
	"maps"
	"slices"
)

// problemsKept bounds what an import remembers of a bad file. All problems are counted, the first are listed.
const problemsKept = 1000

// Accounting says what became of the rows of a file. When the import succeeded,
// Created + Duplicate + Rejected == Rows.
type Accounting struct {
	Rows      int64 // without the header and blank lines
	Created   int64
	Duplicate int64 // of an earlier row, or of what the database had before
	Rejected  int64

	Rejections Problems // why rows were rejected
	Notes      Problems // what was left out of rows that were taken; a row may have several
}

// Problems counts what was wrong with rows.
type Problems struct {
	Total   int64
	Reasons []ReasonCount // every reason, in order of first appearance
	First   []Problem     // the first thousand, in order of appearance

	listed map[Problem]int // where a note stands in First, by the note without its line
}

// ReasonCount is how often a reason was given.
type ReasonCount struct {
	Reason string
	Rows   int64
}

// Problem is one thing that was wrong. A note that is the same for several rows, but for the line, is one Problem.
type Problem struct {
	Line   int64  // where the row begins; of several rows, the first
	Column string // empty when it concerns the row as a whole
	Value  string // what stood there, shortened if long
	Reason string
	Rows   int64
}

// clone returns a copy that can be added to without touching the original: a transaction that runs twice counts
// twice.
func (a Accounting) clone() Accounting {
	a.Notes.Reasons = slices.Clone(a.Notes.Reasons)
	a.Notes.First = slices.Clone(a.Notes.First)
	a.Notes.listed = maps.Clone(a.Notes.listed)
	return a
}

func (a *Accounting) reject(line int64, f fault) {
	a.Rejected++
	a.Rejections.count(f.reason)
	if len(a.Rejections.First) < problemsKept {
		a.Rejections.First = append(a.Rejections.First, Problem{line, f.column, shorten(f.value), f.reason, 1})
	}
}

func (a *Accounting) note(line int64, f fault) {
	notes := &a.Notes
	notes.count(f.reason)
	key := Problem{Column: f.column, Value: shorten(f.value), Reason: f.reason}
	if i, ok := notes.listed[key]; ok {
		notes.First[i].Rows++
		return
	}
	if len(notes.First) == problemsKept {
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

// fault is what a check of a row finds. Reasons are constant texts, so that they can be counted; what varies is
// in the value.
type fault struct {
	column, value, reason string
}

// shorten makes a stranger's value fit to be shown in one line.
func shorten(value string) string {
	const most = 200
	runes := []rune(value)
	for i, r := range runes {
		if r < ' ' || r == '\u007f' {
			runes[i] = ' '
		}
	}
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}
