package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

const concurrently = "CONCURRENTLY "

// dropIndexes and createIndexes change the indexes of a table. With the policy ConcurrentIndexes they do so outside the
// transaction where that is possible. It is not for an index on a column that the transaction changes, nor for a key that a
// foreign key may need.
func (p *planner) dropIndexes(c *tableChange) {
	for _, from := range c.dropIndexes {
		to := indexNamed(c.addIndexes, from.Name)
		switch {
		case !p.canBeConcurrent(c, from), to != nil && !p.canBeConcurrent(c, to), to == nil && nameTaken(p.to, from.Name):
			p.add(p.dropIndex(c.name, from, "")) // a statement of the transaction may need its name
		case to == nil:
			p.in(&p.concurrent, func() { p.add(p.dropIndex(c.name, from, concurrently)) })
		default:
			p.in(&p.concurrent, func() { p.replaceIndex(c.name, from, to, concurrently) })
			c.addIndexes = slices.DeleteFunc(c.addIndexes, func(index *state.Index) bool { return index == to })
		}
	}
}

func (p *planner) createIndexes(c *tableChange) {
	for _, to := range c.addIndexes {
		if !p.canBeConcurrent(c, to) {
			p.add(p.createIndex(c.name, to, to.Name, ""))
			continue
		}
		p.builtConcurrently[ident(to.Name)] = true
		p.in(&p.concurrent, func() { p.add(p.createIndex(c.name, to, to.Name, concurrently)) })
	}
}

// canBeConcurrent reports whether an index can be changed after the transaction.
func (p *planner) canBeConcurrent(c *tableChange, index *state.Index) bool {
	if !p.policy.ConcurrentIndexes {
		return false
	}
	return !slices.ContainsFunc(index.Uses, func(r state.Reference) bool {
		return r.Relation == c.name && (c.droppedColumns[r.Column] || c.retypedColumns[r.Column])
	}) && !(index.Unique && p.isReferenced(c.name, index.Key))
}

// isReferenced reports whether a foreign key refers to these columns.
func (p *planner) isReferenced(table string, columns []string) bool {
	return slices.ContainsFunc(slices.Concat(p.fromTables, p.toTables), func(t *state.Table) bool {
		return slices.ContainsFunc(t.Constraints, func(c state.Constraint) bool {
			return isForeignKey(&c) && c.References == table && sameColumns(c.Referenced, columns)
		})
	})
}

// replaceIndex replaces an index by another one of the same name. A valid index is not dropped before the new one exists.
func (p *planner) replaceIndex(relation string, from, to *state.Index, how string) {
	if !from.Valid {
		p.add(p.dropIndex(relation, from, how))
		p.add(p.createIndex(relation, to, to.Name, how))
		return
	}
	name := freeName(to.Name, "_new", func(name string) bool { return nameTaken(p.from, name) || nameTaken(p.to, name) })
	p.add(p.createIndex(relation, to, name, how))
	p.add(p.dropIndex(relation, from, how))
	p.add(Statement{
		SQL:     fmt.Sprintf("ALTER INDEX %s RENAME TO %s", ident(name), ident(to.Name)),
		Comment: fmt.Sprintf("Rename the new index on %s.", relation),
	})
	p.builtConcurrently[ident(to.Name)] = how != ""
}

// nameTaken reports whether a relation, index or constraint of the state has the name.
func nameTaken(s *state.State, name string) bool {
	return s.Table(name) != nil || s.View(name) != nil ||
		slices.ContainsFunc(s.Details, func(t *state.Table) bool { return indexOf(t, name) != nil || constraintOf(t, name) != nil }) ||
		slices.ContainsFunc(s.Views, func(v *state.View) bool { return indexNamed(v.Indexes, name) != nil })
}

func (p *planner) dropIndex(relation string, index *state.Index, how string) Statement {
	s := Statement{
		SQL: fmt.Sprintf("DROP INDEX %s%s", how, ident(index.Name)), Comment: fmt.Sprintf("Drop an index on %s.", relation),
	}
	if index.Unique && index.Valid && !p.keepsRule(indexPart(relation, index)) {
		s.Comment = fmt.Sprintf("Drop a unique index on %s.", relation)
		s.Hazards = []Hazard{hazard(DropsRule, "%s: %s", index.Name, index.Shape)}
	}
	if v := p.to.View(relation); v != nil && index.Concurrent && index.Valid && !usable(v.Indexes) {
		s.Hazards = append([]Hazard{{LosesUnique, losesUniqueDetail(v)}}, s.Hazards...)
	}
	s.Hazards = append(s.Hazards, p.loseIndex(relation, index.Name)...)
	if how == "" {
		s.Hazards = append(s.Hazards, Hazard{LocksReads, relation})
	}
	return s
}

// createIndex creates an index under the given name, which may be temporary.
func (p *planner) createIndex(relation string, index *state.Index, name, how string) Statement {
	s := Statement{
		SQL:     strings.Replace(index.Definition, " INDEX "+ident(index.Name)+" ON ", " INDEX "+how+ident(name)+" ON ", 1),
		Comment: fmt.Sprintf("Create an index on %s.", relation),
	}
	if how == "" {
		s.Hazards = append(s.Hazards, hazard(LocksWrites, "%s, while the index is built from %s", relation, p.rows(relation)))
	}
	if index.Unique {
		s.Comment = fmt.Sprintf("Create a unique index on %s.", relation)
		s.Hazards = append(s.Hazards, hazard(DependsOnRows, "%s allows no duplicates in %s", index.Name, p.rows(relation)))
	}
	return s
}
