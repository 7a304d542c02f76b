package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

const concurrently = "CONCURRENTLY "

func (p *planner) dropIndexes(c *tableChange) {
	for _, from := range c.dropIndexes {
		p.add(p.dropIndex(c.name, from, ""))
	}
}

func (p *planner) createIndexes(c *tableChange) {
	for _, to := range c.addIndexes {
		p.add(p.createIndex(c.name, to, to.Name, ""))
	}
}

// replaceIndex replaces an index by another one of the same name. It is not dropped before the new one exists.
func (p *planner) replaceIndex(relation string, from, to *state.Index) {
	name := freeName(to.Name, "_new", p.nameTaken)
	p.add(p.createIndex(relation, to, name, ""))
	p.add(p.dropIndex(relation, from, ""))
	p.renameNew(relation, name, to.Name)
}

func (p *planner) renameNew(relation, from, to string) {
	p.add(Statement{
		SQL:     fmt.Sprintf("ALTER INDEX %s RENAME TO %s", ident(from), ident(to)),
		Comment: fmt.Sprintf("Rename the new index on %s.", relation),
	})
}

// nameTaken reports whether a relation before or after has the name, also one that is not managed.
func (p *planner) nameTaken(name string) bool {
	return nameTaken(p.from, name) || nameTaken(p.to, name) ||
		slices.ContainsFunc(p.from.Taken, func(t state.Taken) bool { return t.Relation && t.Bare == name })
}

// nameTaken reports whether a relation of the state has the name: a table, a view, a sequence or an index.
func nameTaken(s *state.State, name string) bool {
	return s.Table(name) != nil || s.View(name) != nil ||
		slices.ContainsFunc(s.Sequences, func(q state.Sequence) bool { return q.Name == name }) ||
		slices.ContainsFunc(s.Views, func(v *state.View) bool { return indexNamed(v.Indexes, name) != nil }) ||
		slices.ContainsFunc(s.Details, func(t *state.Table) bool {
			c := constraintOf(t, name)
			return indexOf(t, name) != nil || c != nil && c.HasIndex()
		})
}

func (p *planner) dropIndex(relation string, index *state.Index, how string) Statement {
	s := Statement{
		SQL: fmt.Sprintf("DROP INDEX %s%s", how, ident(index.Name)), Comment: fmt.Sprintf("Drop an index on %s.", relation),
	}
	if !index.Valid {
		s.Comment = fmt.Sprintf("Drop an invalid index on %s, which a failed CREATE INDEX CONCURRENTLY has left.", relation)
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
		s.Hazards = append(s.Hazards, hazard(LocksWrites, "%s, while the index is built from %s%s", relation, p.rows(relation),
			p.notLater(relation, index.Name)))
	}
	if index.Unique {
		s.Comment = fmt.Sprintf("Create a unique index on %s.", relation)
		s.Hazards = append(s.Hazards, hazard(DependsOnRows, "%s allows no duplicates in %s", index.Name, p.rows(relation)))
	}
	return s
}
