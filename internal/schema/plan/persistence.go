package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// changesPersistence reports whether a logged table becomes unlogged, or the reverse.
func (c *tableChange) changesPersistence() bool { return c.from.Unlogged != c.to.Unlogged }

// orderPersistence decides in which order tables become logged and unlogged. PostgreSQL allows no foreign key of a logged table to
// an unlogged one at any time: a table becomes logged after those that it refers to, and unlogged after those that refer to it. Of
// tables that refer to each other, foreign keys are dropped and added again.
func (p *planner) orderPersistence(changes []*tableChange) {
	waiting := slices.DeleteFunc(slices.Clone(changes), func(c *tableChange) bool { return !c.changesPersistence() })
	for len(waiting) > 0 {
		i := max(0, slices.IndexFunc(waiting, func(c *tableChange) bool { return len(keysBefore(c, waiting)) == 0 }))
		for _, k := range keysBefore(waiting[i], waiting) {
			p.remadeKeys[k] = true
		}
		p.persistence = append(p.persistence, waiting[i])
		waiting = slices.Delete(waiting, i, i+1)
	}
}

// keysBefore lists the foreign keys that prevent the change of c before that of another one of the tables.
func keysBefore(c *tableChange, waiting []*tableChange) (keys []key) {
	for _, other := range waiting {
		refers, referred := c, other
		if c.to.Unlogged {
			refers, referred = other, c
		}
		for _, k := range refers.from.Constraints {
			if other != c && k.References == referred.name && !refers.droppedConstraints[k.Name] {
				keys = append(keys, key{refers.name, k.Name})
			}
		}
	}
	return keys
}

// checkPersistence returns an error if the policy keeps a foreign key of a logged table to a table that becomes unlogged.
func (p *planner) checkPersistence() error {
	for _, t := range p.toTables {
		for _, k := range t.Constraints {
			if to := tableOf(p.toTables, k.References); to != nil && to.Unlogged && !t.Unlogged {
				return fmt.Errorf("plan table %s: it becomes unlogged, but the files do not have foreign key %s of table %s, which stays and "+
					"is logged; PostgreSQL allows no such foreign key: drop it by hand", to.Name, k.Name, t.Name)
			}
		}
	}
	return nil
}

// changePersistence makes tables logged and unlogged, with the sequences of their columns. Columns that are added later, and their
// sequences, follow the table.
func (p *planner) changePersistence() {
	for _, c := range p.persistence {
		comment := fmt.Sprintf("Make %s logged: from now on it survives a crash of the server.", c.name)
		if c.to.Unlogged {
			comment = fmt.Sprintf("Make %s unlogged: after a crash of the server, and on a standby, it is empty.", c.name)
		}
		p.add(Statement{
			SQL:     fmt.Sprintf("ALTER TABLE %s %s", ident(c.name), state.Persistence(c.to.Unlogged)),
			Comment: comment,
			Hazards: []Hazard{{RewritesData, p.rows(c.name)}, {LocksReads, c.name}},
		})
	}
}

// persistSequence makes the sequence of a column logged or unlogged, if the changes of its table have not.
func (p *planner) persistSequence(n *numbering) {
	from, to := tableOf(p.fromTables, n.table), tableOf(p.toTables, n.table)
	unlogged := n.to.Unlogged // of a sequence that the plan has created
	switch {
	case from.Unlogged != to.Unlogged, n.to.Identity && !n.same:
		unlogged = to.Unlogged
	case n.same:
		unlogged = n.from.Unlogged
	}
	if unlogged != n.to.Unlogged {
		p.add(Statement{
			SQL:     n.to.PersistenceSQL(),
			Comment: fmt.Sprintf("Set whether the sequence of %s.%s survives a crash of the server.", n.table, n.column),
			Hazards: []Hazard{{LocksWrites, "inserts into " + n.table + " that need a number"}},
		})
	}
}
