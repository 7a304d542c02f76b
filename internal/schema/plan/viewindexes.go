package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// changeViewIndexes changes the indexes of a materialized view that is not created again.
func (p *planner) changeViewIndexes(from, to *state.View) {
	indexes := p.renameViewIndexes(from, to)
	left := slices.Clone(indexes)
	for _, index := range to.Indexes {
		old := indexNamed(indexes, index.Name)
		switch {
		case old == nil:
			p.add(p.createIndex(to.Name, index, index.Name, ""))
		case old.Shape == index.Shape && old.Valid:
			left = slices.DeleteFunc(left, func(i *state.Index) bool { return i == old })
			p.changeOptions("INDEX", index.Name, to.Name, old.Options, index.Options)
			continue
		case old.Valid && index.Unique:
			p.replaceIndex(to.Name, old, index)
		default:
			p.add(p.dropIndex(to.Name, old, ""))
			p.add(p.createIndex(to.Name, index, index.Name, ""))
		}
		p.recreate("INDEX " + ident(index.Name))
		left = slices.DeleteFunc(left, func(i *state.Index) bool { return i == old })
	}
	// Drop the old indexes after the new ones exist, because a reader or a refresh may need one.
	for _, old := range left {
		s := p.dropIndex(to.Name, old, "")
		if nameTaken(p.to, old.Name) {
			p.first = append(p.first, s) // another object needs its name
		} else {
			p.add(s)
		}
	}
}

// renameViewIndexes gives indexes the names that the same ones have in to, and returns the indexes with their new names.
func (p *planner) renameViewIndexes(from, to *state.View) []*state.Index {
	indexes := copyIndexes(from.Indexes)
	p.renameAll(indexParts(from.Name, indexes), indexParts(to.Name, to.Indexes))
	return indexes
}

// usable reports whether REFRESH MATERIALIZED VIEW CONCURRENTLY can use one of the indexes, when they are valid.
func usable(indexes []*state.Index) bool {
	return slices.ContainsFunc(indexes, func(index *state.Index) bool { return index.Concurrent })
}

func losesUniqueDetail(v *state.View) string {
	return v.Name + " has no unique index on plain columns, so each refresh locks out its readers"
}

// fillSources fills the materialized views that v reads, directly or through views, if they were never filled, because they
// cannot be read before. The plan fills those that it creates.
func (p *planner) fillSources(v *state.View) {
	if !v.Materialized {
		return
	}
	p.fill(v)
}

func (p *planner) fill(v *state.View) {
	for _, r := range v.Reads {
		read := p.to.View(r.Relation)
		if read == nil || p.refreshed[read.Name] {
			continue
		}
		p.refreshed[read.Name] = true
		from := p.from.View(read.Name)
		if from == nil || p.decisions[from.Name] == rebuilt {
			continue // the plan creates and fills it
		}
		p.fill(read)
		if read.Materialized && !from.Populated {
			p.add(Statement{
				SQL:     "REFRESH MATERIALIZED VIEW " + ident(read.Name),
				Comment: fmt.Sprintf("Fill %s, which %s reads and which was never filled.", read, v.Name),
				Hazards: []Hazard{{LocksReads, read.Name}},
			})
		}
	}
}
