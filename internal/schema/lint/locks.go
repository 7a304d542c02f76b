package lint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	dropIndex = regexp.MustCompile(`(?i)^drop\s+index\b`)
	truncate  = regexp.MustCompile(`(?i)^truncate\b`)
)

// indexes finds indexes that are built or dropped while nobody may write to their table. Tables that the file itself
// creates have no writers yet.
func (h *history) indexes(opts Options) []problem {
	var problems []problem
	for _, s := range h.steps {
		if concurrently(s.stmt.Text) != nil {
			continue
		}
		before, after := s.before.relations, s.after.relations
		for _, oid := range slices.Sorted(maps.Keys(after)) {
			index := after[oid]
			if _, old := before[oid]; old || !index.isIndex() || !h.worth(index.table, opts) || s.rebuilt(index) {
				continue
			}
			problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeCreateIndex,
				instead: constraintInstead(s.stmt.Text),
				text: fmt.Sprintf("Building index %q locks out writers of table %q%s until it is built",
					index.name, after[index.table].name, h.size(index.table, opts))})
		}
		if !dropIndex.MatchString(s.stmt.Text) {
			continue // an index goes with its constraint or column, for which there is no CONCURRENTLY
		}
		for _, oid := range slices.Sorted(maps.Keys(before)) {
			index := before[oid]
			_, alive := after[oid]
			_, old := h.start.catalog.relations[oid]
			if alive || !old || !index.isIndex() || !h.worth(index.table, opts) {
				continue
			}
			problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeDropIndex,
				text: fmt.Sprintf("Dropping index %q waits for everybody who uses table %q%s, and all others wait behind it",
					index.name, before[index.table].name, h.size(index.table, opts))})
		}
	}
	return problems
}

// rebuilt tells whether the index came along with a change to its table, which is worse and reported as such, or not at all
// if nothing had to be built.
func (s step) rebuilt(index relation) bool {
	if s.before.relations[index.table].storage != s.after.relations[index.table].storage {
		return true
	}
	for _, old := range s.before.relations {
		if old.isIndex() && old.table == index.table && old.name == index.name {
			return true
		}
	}
	return false
}

func constraintInstead(text string) string {
	if !strings.HasPrefix(strings.ToLower(text), "alter") {
		return ""
	}
	return "build the index with CREATE UNIQUE INDEX CONCURRENTLY in " + ownFile +
		", then ADD CONSTRAINT … USING INDEX in the next file"
}

// storage finds tables that are written anew, or emptied. Emptying one that the same transaction has written anew before does
// not show.
func (h *history) storage(opts Options) []problem {
	var problems []problem
	for _, s := range h.steps {
		for _, oid := range slices.Sorted(maps.Keys(s.after.relations)) {
			was, now := s.before.relations[oid], s.after.relations[oid]
			if !was.isTable() || was.storage == now.storage || !h.start.catalog.relations[oid].isTable() {
				continue
			}
			switch {
			case truncate.MatchString(s.stmt.Text):
				problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeTruncate,
					text: fmt.Sprintf("Emptying table %q%s", now.name, h.size(oid, opts))})
			case h.worth(oid, opts):
				problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeRewrite,
					text: fmt.Sprintf("Writing table %q%s anew locks out readers and writers meanwhile", now.name, h.size(oid, opts))})
			}
		}
	}
	return problems
}

// worth tells whether a lock on the table is worth a word: it was there before the file, and is not known to be small.
func (h *history) worth(table uint32, opts Options) bool {
	t := h.start.catalog.relations[table]
	if !t.isTable() {
		return false
	}
	if opts.Live == nil {
		return true
	}
	e, there := opts.Live.Estimates[t.name]
	switch {
	case !there:
		return false
	case e.Rows < 0:
		return e.Bytes > neverAnalyzed
	default:
		return e.Rows >= opts.BigTable
	}
}

// neverAnalyzed bounds, in bytes with indexes, what passes for a small table when nothing has counted its rows.
const neverAnalyzed = 1 << 20

// size says what the live database knows about a table of before the file.
func (h *history) size(table uint32, opts Options) string {
	if opts.Live == nil {
		return ""
	}
	e, there := opts.Live.Estimates[h.start.catalog.relations[table].name]
	if !there || e.Rows < 0 {
		return ""
	}
	return fmt.Sprintf(" (about %d rows)", e.Rows)
}
