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
	deleteAll = regexp.MustCompile(
		`(?is)^delete\s+from\s+(?:only\s+)?(?:public\s*\.\s*)?"?(\w+)"?(?:\s*\*)?(?:\s+as)?(?:\s+\w+)?\s*;?$`)
)

// indexes finds indexes that are built or dropped under a lock that blocks writers of the table. Tables that the file itself
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
			if _, old := before[oid]; old || !index.isIndex() || !h.reported(index.table, opts) || s.rebuilt(index) {
				continue
			}
			problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeCreateIndex,
				instead: constraintInstead(s.stmt.Text),
				text: fmt.Sprintf("Building index %q blocks writers of table %q%s until it is built",
					index.name, after[index.table].name, h.size(index.table, opts))})
		}
		if !dropIndex.MatchString(s.stmt.Text) {
			continue // an index is dropped with its constraint or column, for which there is no CONCURRENTLY
		}
		for _, oid := range slices.Sorted(maps.Keys(before)) {
			index := before[oid]
			_, alive := after[oid]
			_, old := h.start.catalog.relations[oid]
			if alive || !old || !index.isIndex() || !h.reported(index.table, opts) {
				continue
			}
			problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeDropIndex,
				text: fmt.Sprintf("Dropping index %q waits for all transactions that use table %q%s, and blocks all later ones",
					index.name, before[index.table].name, h.size(index.table, opts))})
		}
	}
	return problems
}

// rebuilt reports whether the index is new because of a change of its table. A rewrite of the table is reported itself. Otherwise
// nothing was built.
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

// storage finds tables that are rewritten or emptied.
func (h *history) storage(opts Options) []problem {
	var problems []problem
	for _, s := range h.steps {
		for _, oid := range slices.Sorted(maps.Keys(s.after.relations)) {
			was, now := s.before.relations[oid], s.after.relations[oid]
			if !was.isTable() || !h.start.catalog.relations[oid].isTable() {
				continue
			}
			switch rewritten := was.storage != now.storage; {
			case empties(s.stmt.Text, now.name, rewritten):
				problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeTruncate,
					text: fmt.Sprintf("Emptying table %q%s", now.name, h.size(oid, opts))})
			case rewritten && h.reported(oid, opts):
				problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeRewrite,
					text: fmt.Sprintf("Rewriting table %q%s blocks readers and writers until it is done", now.name, h.size(oid, opts))})
			}
		}
	}
	return problems
}

// empties reports whether a statement deletes all rows of a table. A table that the same transaction has rewritten before is
// truncated without new storage, and only the text shows it.
func empties(text, table string, rewritten bool) bool {
	if truncate.MatchString(text) {
		return rewritten || regexp.MustCompile(`(?i)\W`+regexp.QuoteMeta(table)+`\b`).MatchString(text)
	}
	all := deleteAll.FindStringSubmatch(text)
	return all != nil && strings.EqualFold(all[1], table)
}

// constraints finds foreign keys and checks that are validated against all rows of a table while it is locked.
func (h *history) constraints(opts Options) []problem {
	var problems []problem
	for _, s := range h.steps {
		for _, oid := range slices.Sorted(maps.Keys(s.after.constraints)) {
			c := s.after.constraints[oid]
			was, old := s.before.constraints[oid]
			_, before := h.start.catalog.constraints[oid]
			switch {
			case !c.validated, !h.reported(c.table, opts):
				continue
			case old && (was.validated || before || !h.file.transactional):
				continue // VALIDATE CONSTRAINT blocks nothing, unless the same transaction added it and still holds the lock
			case !old && s.readsNoRows(c):
				continue
			}
			table := s.after.relations[c.table].name
			text := fmt.Sprintf("Adding check %q blocks readers and writers of table %q%s until all its rows are read",
				c.name, table, h.size(c.table, opts))
			if c.references != 0 {
				text = fmt.Sprintf("Adding foreign key %q blocks writers of tables %q%s and %q until all rows of the former are read",
					c.name, table, h.size(c.table, opts), s.after.relations[c.references].name)
			}
			problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeValidate, text: text})
		}
	}
	return problems
}

// readsNoRows reports whether no row had to be read for a constraint alone: its table was rewritten, a change of a type created
// the constraint again, or it is a foreign key from columns that were just added.
func (s step) readsNoRows(c constraint) bool {
	if s.before.relations[c.table].storage != s.after.relations[c.table].storage {
		return true
	}
	for _, old := range s.before.constraints {
		if old.table == c.table && old.name == c.name {
			return true
		}
	}
	return c.references != 0 && !slices.ContainsFunc(c.columns, func(key column) bool {
		_, old := s.before.columns[key]
		return old
	})
}

// reported reports whether a lock on the table is a finding: the table existed before the file, and is not known to be small.
func (h *history) reported(table uint32, opts Options) bool {
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

// neverAnalyzed is the size in bytes, with indexes, up to which a table without statistics counts as small.
const neverAnalyzed = 1 << 20

// size is the size of a table in the live database, if it is known.
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
