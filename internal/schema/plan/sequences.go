package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// numbering is the change of the sequence of a column that exists in both states.
type numbering struct {
	table, column string
	from          *state.Sequence // from which the column takes numbers before, or nil; its Name is the current one
	before        string          // its name before the plan
	to            *state.Sequence // nil if the column has none afterwards
	// What the plan does with from.
	same    bool // it becomes to; otherwise to is a new sequence
	dropped bool // the column owns it, and nothing uses it afterwards
	freed   bool // the column owns it, and something else uses it afterwards
	// Whether to has no number that from may have given.
	fresh bool
}

// pairSequences decides what becomes of each sequence. A column keeps its sequence unless an identity column becomes another
// one or the reverse: PostgreSQL creates and drops the sequences of identity columns itself. It returns an error if the plan
// would have to drop a sequence that something else uses, or give numbers twice.
func (p *planner) pairSequences() error {
	taken := map[*state.Sequence]bool{} // sequences of the database that a column keeps
	for i := range p.to.Sequences {
		to := &p.to.Sequences[i]
		column := p.fromColumn(to.Table, to.Column)
		if column == nil {
			p.recreate("SEQUENCE " + ident(to.Name))
			continue // it is created with the column
		}
		n := &numbering{table: to.Table, column: to.Column, to: to, from: p.source(to, column)}
		p.numberings = append(p.numberings, n)
		if n.same = n.from != nil && n.from.Identity == to.Identity && p.owns(n); n.same {
			taken[n.from] = true
		}
	}
	for _, n := range p.numberings {
		if !n.same && p.adopts(n) && !taken[n.from] {
			n.same = true
			taken[n.from] = true
			p.lost["sequence "+ident(n.from.Name)] = true
		}
	}
	for i := range p.from.Sequences {
		from := &p.from.Sequences[i]
		if taken[from] {
			continue
		}
		if p.from.Sequence(from.Table, from.Column) != from && p.toColumn(from.Table, from.Column) != nil {
			p.leaveAlone("sequence %s", ident(from.Name)) // its column does not take numbers from it
			continue
		}
		j := slices.IndexFunc(p.numberings, func(n *numbering) bool { return n.from == from && p.owns(n) })
		if j < 0 {
			p.numberings = append(p.numberings, &numbering{table: from.Table, column: from.Column, from: from})
			j = len(p.numberings) - 1
		}
		if err := p.release(p.numberings[j]); err != nil {
			return err
		}
	}
	for _, n := range p.numberings {
		if n.from != nil {
			n.before = n.from.Name
			p.untake(n)
		}
		if err := p.compareRanges(n); err != nil {
			return err
		}
		if n.to != nil && !n.same {
			p.recreate("SEQUENCE " + ident(n.to.Name))
		}
	}
	return nil
}

// untake removes a sequence that is not managed from the names that new objects cannot get, if it becomes that of the column or
// gets another name.
func (p *planner) untake(n *numbering) {
	if p.isUnmanaged(n.from) && p.isFree(n.from) {
		p.from.Taken = slices.DeleteFunc(slices.Clone(p.from.Taken), func(t state.Taken) bool {
			return t.Kind == "sequence" && t.Bare == n.from.Name
		})
	}
}

// owns reports whether the column owns the sequence before.
func (p *planner) owns(n *numbering) bool {
	return n.from.Table == n.table && n.from.Column == n.column
}

func (p *planner) fromColumn(table, column string) *state.Column {
	if t := tableOf(p.fromTables, table); t != nil {
		return columnOf(t, column)
	}
	return nil
}

func (p *planner) toColumn(table, column string) *state.Column {
	if t := tableOf(p.toTables, table); t != nil {
		return columnOf(t, column)
	}
	return nil
}

// source returns the sequence from which a column of the database takes numbers: its own, or another one that its default uses.
// That of a sequence that the column owns and does not use is the one of the same name.
func (p *planner) source(to *state.Sequence, column *state.Column) *state.Sequence {
	if p.to.Sequence(to.Table, to.Column) != to {
		return find(p.from.Sequences, func(q state.Sequence) bool {
			return q.Name == to.Name && q.Table == to.Table && q.Column == to.Column && !q.Identity
		})
	}
	if own := p.from.Sequence(to.Table, column.Name); own != nil {
		return own
	}
	uses := func(q state.Sequence) bool { return column.UsesSequence(q.Name) }
	if q := find(p.from.Sequences, uses); q != nil {
		return q
	}
	return find(p.from.Others, uses)
}

// adopts reports whether the column can own the sequence from which it takes numbers: no other column owns it afterwards or
// takes numbers from it before, and it has the owner that PostgreSQL requires.
func (p *planner) adopts(n *numbering) bool {
	if n.from == nil || n.from.Identity || n.to.Identity || n.from.Owner != tableOf(p.fromTables, n.table).Owner {
		return false
	}
	if p.isUnmanaged(n.from) {
		return p.isFree(n.from) && len(p.users(p.fromTables, n.from.Name, n.table, n.column)) == 0
	}
	return true
}

// isUnmanaged reports whether no column of the state owns the sequence.
func (p *planner) isUnmanaged(q *state.Sequence) bool {
	return slices.ContainsFunc(p.from.Others, func(other state.Sequence) bool { return other.Name == q.Name })
}

// isFree reports whether the plan may rename a sequence that is not managed: nothing owns it and no pattern excludes it.
func (p *planner) isFree(q *state.Sequence) bool {
	return q.Table == "" && !q.Elsewhere &&
		!slices.ContainsFunc(p.from.Excluded, func(o state.Object) bool { return o.Kind == "sequence" && o.Name == ident(q.Name) })
}

// users lists the columns that take numbers from the sequence, except one.
func (p *planner) users(tables []*state.Table, sequence, table, column string) []key {
	var all []key
	for _, t := range tables {
		for _, c := range t.Columns {
			if c.UsesSequence(sequence) && (t.Name != table || c.Name != column) {
				all = append(all, key{t.Name, c.Name})
			}
		}
	}
	return all
}

// release decides what becomes of a sequence that its column no longer has. What is not managed and uses it is in checkDependents.
func (p *planner) release(n *numbering) error {
	renamed := slices.ContainsFunc(p.to.Sequences, func(q state.Sequence) bool { return q.Name == n.from.Name })
	var used []key
	if !renamed { // otherwise the default of another column gets the new sequence of this name
		used = p.users(p.toTables, n.from.Name, n.table, n.column)
	}
	if len(used) > 0 && n.from.Identity {
		return fmt.Errorf("plan table %s: the sequence %s of column %s must be dropped, but column %s.%s takes numbers from it; change "+
			"that first, in %s", n.table, n.from.Name, n.column, ident(used[0].table), ident(used[0].name), p.policy.byHand())
	}
	n.freed, n.dropped = len(used) > 0, len(used) == 0
	if n.freed {
		p.leaveAlone("sequence %s", ident(n.from.Name))
		return nil
	}
	p.tables[n.from.Name] = true // a view that reads it must be dropped first
	for _, user := range p.users(p.fromTables, n.from.Name, n.table, n.column) {
		p.detached[user] = tableOf(p.toTables, user.table) != nil // otherwise the table is dropped before
	}
	return nil
}

// compareRanges compares the numbers that the sequences can give.
func (p *planner) compareRanges(n *numbering) error {
	if n.from == nil || n.to == nil {
		return nil
	}
	n.fresh = n.to.Max < n.from.Min || n.to.Min > n.from.Max
	if !n.fresh && (n.from.Increment < 0) != (n.to.Increment < 0) {
		return fmt.Errorf("plan table %s: the sequence of column %s would count in the other direction and give numbers from %d to %d "+
			"again; choose a MINVALUE and MAXVALUE outside of them, or write %s", n.table, n.column, n.from.Min, n.from.Max,
			p.policy.byHand())
	}
	return nil
}

// startSequences prepares the sequences for the changes of the tables: it gives them their names and creates new ones.
func (p *planner) startSequences(changes []*tableChange) {
	p.lockNumbered(changes)
	for _, n := range p.numberings {
		if n.freed {
			p.add(Statement{
				SQL:     fmt.Sprintf("ALTER SEQUENCE %s OWNED BY NONE", ident(n.from.Name)),
				Comment: fmt.Sprintf("Keep the sequence of %s.%s, which something else uses.", n.table, n.column),
			})
		}
	}
	p.detachDefaults()
	for _, n := range p.numberings {
		p.renameSequence(n)
	}
	for _, n := range p.numberings {
		if n.same && !p.owns(n) {
			p.own(n)
		}
		if n.to != nil && !n.same && !n.to.Identity {
			p.createSequence(n)
		}
		if n.to != nil && n.from != nil && n.from.Identity && !n.same {
			p.inherit(n) // dropping the identity drops its sequence
		}
		if n.same && n.to.Identity && narrower(n.from, n.to) {
			p.setOptions(n) // the limits must fit the type that the column gets
		}
	}
}

// narrower reports whether the type of the sequence gets smaller.
func narrower(from, to *state.Sequence) bool {
	_, before := state.IntegerRange(from.Type)
	_, after := state.IntegerRange(to.Type)
	return after < before
}

// lockNumbered locks the tables whose sequences the plan renames or reads before it changes the tables. An INSERT locks the table
// first and then the sequence: in the reverse order the plan could deadlock with it. In a file that runs outside a transaction,
// as a replay does, LOCK alone would be an error.
func (p *planner) lockNumbered(changes []*tableChange) {
	for _, c := range changes {
		locks := slices.ContainsFunc(p.numberings, func(n *numbering) bool {
			replaced := n.from != nil && n.to != nil && !n.same && (n.from.Identity || n.from.Name == n.to.Name)
			return n.table == c.name && (replaced || n.same && (n.from.Name != n.to.Name || !p.owns(n)) && len(c.clauses) > 0)
		})
		if locks {
			p.add(Statement{
				SQL:     block(fmt.Sprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE;", ident(c.name))),
				Comment: fmt.Sprintf("Lock %s, so that no row gets a number while its sequence changes.", c.name),
				Hazards: []Hazard{{LocksReads, c.name}},
			})
		}
	}
}

// block returns a statement that runs the body as PL/pgSQL.
func block(body string) string {
	if strings.Contains(body, "$$") {
		return "DO " + literal("BEGIN "+body+" END")
	}
	return "DO $$ BEGIN " + body + " END $$"
}

// detachDefaults drops the defaults of other columns that take numbers from a sequence that the plan drops.
func (p *planner) detachDefaults() {
	for _, n := range p.numberings {
		if !n.dropped {
			continue
		}
		for _, user := range p.users(p.fromTables, n.from.Name, n.table, n.column) {
			if p.detached[user] {
				p.add(Statement{
					SQL:     fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", ident(user.table), ident(user.name)),
					Comment: fmt.Sprintf("Stop numbering %s.%s from the sequence of %s.%s.", user.table, user.name, n.table, n.column),
					Hazards: []Hazard{{LocksReads, user.table}},
				})
			}
		}
	}
}

// renameSequence gives the sequence the name in the files, or another one if a new sequence needs the name.
func (p *planner) renameSequence(n *numbering) {
	if n.from == nil || p.isUnmanaged(n.from) && !p.isFree(n.from) {
		return
	}
	if n.same {
		for _, other := range p.numberings { // a sequence that is renamed or dropped later
			if other != n && other.from != nil && n.from.Name != n.to.Name && other.from.Name == n.to.Name {
				p.moveAside(other)
			}
		}
		p.renameSequenceTo(n, n.to.Name)
		return
	}
	kept := slices.ContainsFunc(p.numberings, func(other *numbering) bool { return other.same && other.from == n.from })
	if !kept && slices.ContainsFunc(p.to.Sequences, func(q state.Sequence) bool { return q.Name == n.from.Name }) {
		p.moveAside(n)
	}
}

func (p *planner) moveAside(n *numbering) {
	taken := func(name string) bool {
		return p.nameTaken(name) || slices.ContainsFunc(p.numberings, func(other *numbering) bool {
			return other.from != nil && other.from.Name == name || other.to != nil && other.to.Name == name
		})
	}
	p.renameSequenceTo(n, freeName(n.from.Name, "_old", taken))
}

func (p *planner) renameSequenceTo(n *numbering, name string) {
	if n.from.Name == name {
		return
	}
	hazards := []Hazard{{LocksWrites, "inserts into " + n.table + " that need a number"}}
	if !n.same && !n.dropped && !n.freed {
		hazards = append([]Hazard{hazard(LosesSetting, "the name of sequence %s, which no column owns", n.from.Name)}, hazards...)
		p.lost["sequence "+ident(n.from.Name)] = true
		p.leaveAlone("sequence %s", ident(name))
	}
	p.add(Statement{
		SQL:     fmt.Sprintf("ALTER SEQUENCE %s RENAME TO %s", ident(n.from.Name), ident(name)),
		Comment: fmt.Sprintf("Rename the sequence of %s.%s.", n.table, n.column),
		Hazards: hazards,
	})
	n.from.Name = name
}
