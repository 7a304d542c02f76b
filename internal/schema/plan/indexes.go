package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

const concurrently = "CONCURRENTLY "

// dropIndexes and createIndexes change the indexes of a table. With the policy for it they do so outside of the transaction
// where that is possible: not with an index on what the transaction changes, nor with a key that a foreign key may need.
func (p *planner) dropIndexes(c *tableChange) {
	for _, had := range c.dropIndexes {
		wanted := indexNamed(c.addIndexes, had.Name)
		switch {
		case !p.canWait(c, had), wanted != nil && !p.canWait(c, wanted), wanted == nil && isTaken(p.to, had.Name):
			p.add(p.dropIndex(c.name, had.Name, "")) // what comes within the transaction may need its name
		case wanted == nil:
			p.in(&p.apart, func() { p.add(p.dropIndex(c.name, had.Name, concurrently)) })
		default:
			p.in(&p.apart, func() { p.replaceIndex(c.name, had, wanted, concurrently) })
			c.addIndexes = slices.DeleteFunc(c.addIndexes, func(index *state.Index) bool { return index == wanted })
		}
	}
}

func (p *planner) createIndexes(c *tableChange) {
	for _, wanted := range c.addIndexes {
		if !p.canWait(c, wanted) {
			p.add(p.createIndex(c.name, wanted, wanted.Name, ""))
			continue
		}
		p.waits[ident(wanted.Name)] = true
		p.in(&p.apart, func() { p.add(p.createIndex(c.name, wanted, wanted.Name, concurrently)) })
	}
}

// canWait tells whether an index can be changed after the transaction.
func (p *planner) canWait(c *tableChange, index *state.Index) bool {
	if !p.policy.ConcurrentIndexes {
		return false
	}
	if match := uniqueKey.FindStringSubmatch(withoutStorage(index.Shape)); match != nil && p.isReferenced(c.name, match[1]) {
		return false
	}
	for _, columns := range []map[string]bool{c.gone, c.retyped} {
		for name := range columns {
			if hasWord(index.Shape, name) {
				return false
			}
		}
	}
	return true
}

// isReferenced tells whether a foreign key refers to these columns.
func (p *planner) isReferenced(table, columns string) bool {
	for _, t := range slices.Concat(p.have, p.want) {
		for _, c := range t.Constraints {
			match := references.FindStringSubmatch(c.Definition)
			if match != nil && c.References == table && columnSet(match[2]) == columnSet(columns) {
				return true
			}
		}
	}
	return false
}

// replaceIndex exchanges an index for another of its name. If the old one is good, the new one is there before it goes.
func (p *planner) replaceIndex(relation string, had, wanted *state.Index, how string) {
	if !had.Valid {
		p.add(p.dropIndex(relation, had.Name, how))
		p.add(p.createIndex(relation, wanted, wanted.Name, how))
		return
	}
	name := freeName(wanted.Name, "_new", func(name string) bool { return isTaken(p.from, name) || isTaken(p.to, name) })
	p.add(p.createIndex(relation, wanted, name, how))
	p.add(p.dropIndex(relation, had.Name, how))
	p.add(Statement{
		SQL:     fmt.Sprintf("ALTER INDEX %s RENAME TO %s", ident(name), ident(wanted.Name)),
		Comment: fmt.Sprintf("Give the new index of %s the name.", relation),
	})
	p.waits[ident(wanted.Name)] = how != ""
}

// isTaken tells whether a relation, index or constraint of the state bears the name.
func isTaken(s *state.State, name string) bool {
	return s.Table(name) != nil || s.View(name) != nil ||
		slices.ContainsFunc(s.Details, func(t *state.Table) bool { return indexOf(t, name) != nil || constraintOf(t, name) != nil }) ||
		slices.ContainsFunc(s.Views, func(v *state.View) bool { return indexNamed(v.Indexes, name) != nil })
}

func (p *planner) dropIndex(relation, name, how string) Statement {
	s := Statement{
		SQL: fmt.Sprintf("DROP INDEX %s%s", how, ident(name)), Comment: fmt.Sprintf("Drop an index of %s.", relation),
		Hazards: p.loseIndex(relation, name),
	}
	if how == "" {
		s.Hazards = append(s.Hazards, Hazard{LocksReads, relation})
	}
	return s
}

// createIndex makes an index under a name that may not be its own yet.
func (p *planner) createIndex(relation string, index *state.Index, name, how string) Statement {
	s := Statement{
		SQL:     strings.Replace(index.Shape, " INDEX ON ", " INDEX "+how+ident(name)+" ON ", 1),
		Comment: fmt.Sprintf("Index %s.", relation),
	}
	if how == "" {
		s.Hazards = append(s.Hazards, hazard(LocksWrites, "%s, while the index is built over %s", relation, p.rows(relation)))
	}
	if index.Unique {
		s.Comment = fmt.Sprintf("Index %s, and let no two rows be alike.", relation)
		s.Hazards = append(s.Hazards, hazard(DependsOnRows, "%s refuses duplicates, over %s", index.Name, p.rows(relation)))
	}
	return s
}
