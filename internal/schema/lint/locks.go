package lint

import (
	"fmt"
	"maps"
	"slices"

	"docket/internal/schema/sqltext"
)

// indexes finds indexes that are built or dropped under a lock that blocks writers of the table. Tables that the file itself
// creates have no writers yet.
func (h *history) indexes(opts Options) []problem {
	var problems []problem
	for _, s := range h.steps {
		found := append(h.builtIndexes(s, opts), h.droppedIndexes(s, opts)...)
		if len(found) > 0 && !concurrently(s.stmt.Text) {
			problems = append(problems, found...)
		}
	}
	return problems
}

func (h *history) builtIndexes(s step, opts Options) []problem {
	var problems []problem
	for _, oid := range slices.Sorted(maps.Keys(s.after.relations)) {
		index := s.after.relations[oid]
		if _, old := s.before.relations[oid]; old || !index.isIndex() || !h.reported(index.table, opts) || s.rebuilt(index) {
			continue
		}
		instead, waiting := "", "writers"
		switch statement := parsed(s.stmt.Text); {
		case statement.AddsKey():
			waiting = "readers and writers"
			instead = "build the index with CREATE UNIQUE INDEX CONCURRENTLY in " + ownFile +
				", then ADD CONSTRAINT … USING INDEX in the next file"
		case statement.AddsExclusion():
			waiting = "readers and writers"
			instead = "PostgreSQL cannot build this index concurrently: apply it when readers and writers can wait"
		}
		problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeCreateIndex, instead: instead,
			text: fmt.Sprintf("Building index %q blocks %s of table %q%s until it is built",
				index.name, waiting, s.after.relations[index.table].name, h.size(index.table, opts))})
	}
	return problems
}

// droppedIndexes finds the indexes that a DROP INDEX drops. For those that are dropped with their constraint or column, there is
// no CONCURRENTLY.
func (h *history) droppedIndexes(s step, opts Options) []problem {
	var problems []problem
	for _, oid := range slices.Sorted(maps.Keys(s.before.relations)) {
		index := s.before.relations[oid]
		_, alive := s.after.relations[oid]
		_, old := h.start.catalog.relations[oid]
		if alive || !old || !index.isIndex() || !h.reported(index.table, opts) || !parsed(s.stmt.Text).DropsIndexes() {
			continue
		}
		problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeDropIndex,
			text: fmt.Sprintf("Dropping index %q waits for all transactions that use table %q%s, and blocks all later ones",
				index.name, s.before.relations[index.table].name, h.size(index.table, opts))})
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

// storage finds tables that are rewritten, emptied or made unlogged.
func (h *history) storage(opts Options) []problem {
	var problems []problem
	for _, s := range h.steps {
		for _, oid := range slices.Sorted(maps.Keys(s.after.relations)) {
			was, now := s.before.relations[oid], s.after.relations[oid]
			if !was.isTable() || !h.start.catalog.relations[oid].isTable() {
				continue
			}
			if now.unlogged && !was.unlogged {
				problems = append(problems, problem{file: h.file, stmt: s.stmt, code: codeUnlogged,
					text: fmt.Sprintf("Making table %q unlogged: after a crash of the server, and on a standby, it is empty", now.name)})
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
	switch sqltext.Keyword(text) {
	case "truncate":
		return rewritten || parsed(text).Empties(table) // with CASCADE also tables that it does not name
	case "delete", "with":
		return parsed(text).Empties(table)
	}
	return false
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
