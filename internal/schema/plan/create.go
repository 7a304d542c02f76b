package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// createTables creates the new tables, each after those that it references. Foreign keys that form a cycle, and those to
// tables that the plan changes, are added when all tables exist.
func (p *planner) createTables(changes []*tableChange) {
	isNew := func(t *state.Table) bool { return tableOf(p.fromTables, t.Name) == nil }
	waiting := slices.DeleteFunc(slices.Clone(p.toTables), func(t *state.Table) bool { return !isNew(t) })
	for len(waiting) > 0 {
		// The first table that references no waiting table, or the first table if they form a cycle.
		i := max(0, slices.IndexFunc(waiting, func(t *state.Table) bool { return !needs(p.to, t, waiting) }))
		t := waiting[i]
		waiting = slices.Delete(waiting, i, i+1)
		p.createTable(t, waiting, changes)
	}
}

func (p *planner) createTable(t *state.Table, missing []*state.Table, changes []*tableChange) {
	now := *t
	now.Constraints = nil
	late := &tableChange{name: t.Name, droppedConstraints: map[string]bool{}}
	for i := range t.Constraints {
		c := &t.Constraints[i]
		changed := slices.ContainsFunc(changes, func(other *tableChange) bool {
			return other.name == c.References && len(other.clauses) > 0
		})
		if isForeignKey(c) && (tableOf(missing, c.References) != nil || changed) {
			late.addForeign = append(late.addForeign, p.addConstraint(late, c))
			continue
		}
		now.Constraints = append(now.Constraints, *c)
	}
	for _, sql := range p.to.TableSQL(&now) {
		s := Statement{SQL: sql, Comment: p.newTableComment(t.Name, sql)}
		if createsTable(sql) {
			s.Hazards = p.referenceHazards(&now)
		}
		p.add(s)
	}
	for _, c := range tableComments(&now) {
		p.commented[c.target] = true
	}
	for _, q := range p.to.Sequences {
		if q.Table == t.Name {
			p.commented["SEQUENCE "+ident(q.Name)] = true
		}
	}
	p.lateForeignKeys = append(p.lateForeignKeys, late)
}

// newTableComment describes a statement that creates a part of a new table.
func (p *planner) newTableComment(table, sql string) string {
	what, _, _ := strings.Cut(sql, " ")
	switch {
	case createsTable(sql):
		return fmt.Sprintf("Create table %s.", table)
	case strings.HasPrefix(sql, "CREATE SEQUENCE"), strings.HasPrefix(sql, "CREATE UNLOGGED SEQUENCE"),
		strings.HasPrefix(sql, "ALTER SEQUENCE"):
		return fmt.Sprintf("Set how %s is numbered.", table)
	case what == "COMMENT":
		return "Comment on it."
	case what == "CREATE":
		return fmt.Sprintf("Create an index on %s.", table)
	default:
		return fmt.Sprintf("Set options of %s.", table)
	}
}

func createsTable(sql string) bool {
	return strings.HasPrefix(sql, "CREATE TABLE") || strings.HasPrefix(sql, "CREATE UNLOGGED TABLE")
}

// needs reports whether another one of the tables must exist before t.
func needs(s *state.State, t *state.Table, tables []*state.Table) bool {
	return slices.ContainsFunc(s.Needs(t), func(name string) bool { return name != t.Name && tableOf(tables, name) != nil })
}

// dropTables drops each table before those that it references. Tables that reference each other are dropped in one statement.
func (p *planner) dropTables() {
	waiting := slices.DeleteFunc(slices.Clone(p.fromTables), func(t *state.Table) bool { return tableOf(p.toTables, t.Name) != nil })
	for _, t := range waiting {
		p.tables[t.Name] = true
	}
	for len(waiting) > 0 {
		free := slices.IndexFunc(waiting, func(t *state.Table) bool {
			return !slices.ContainsFunc(waiting, func(other *state.Table) bool {
				return other != t && needs(p.from, other, []*state.Table{t})
			})
		})
		if free < 0 {
			p.dropTable(waiting)
			return
		}
		p.dropTable(waiting[free : free+1])
		waiting = slices.Delete(waiting, free, free+1)
	}
}

// dropTableDetail says how many rows a dropped table has, and what to do if the table was renamed in the files.
func (p *planner) dropTableDetail(from *state.Table) string {
	for _, to := range p.toTables {
		if !nameTaken(p.from, to.Name) && slices.EqualFunc(from.Columns, to.Columns, func(a, b state.Column) bool {
			return a.Name == b.Name && a.Type == b.Type
		}) {
			return fmt.Sprintf("%s; if the files only rename it to %s, write %s instead: ALTER TABLE %s RENAME TO %s",
				p.rows(from.Name), to.Name, p.policy.byHand(), ident(from.Name), ident(to.Name))
		}
	}
	return p.rows(from.Name)
}

func (p *planner) dropTable(tables []*state.Table) {
	var names []string
	var hazards []Hazard
	for _, t := range tables {
		names = append(names, ident(t.Name))
		hazards = append(hazards, Hazard{DropsData, p.dropTableDetail(t)})
		p.loseUnmanaged(t.Name, "")
	}
	for _, t := range tables {
		hazards = append(hazards, Hazard{LocksReads, t.Name})
	}
	for _, t := range tables { // dropping a foreign key also locks the table that it refers to
		for _, c := range t.Constraints {
			h := Hazard{LocksReads, c.References}
			if c.References != "" && !slices.Contains(hazards, h) {
				hazards = append(hazards, h)
			}
		}
	}
	list := strings.Join(names, ", ")
	p.add(Statement{"DROP TABLE " + list, fmt.Sprintf("Drop %s, which the files do not have.", list), hazards})
}
