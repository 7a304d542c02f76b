package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// changeViewIndexes changes the indexes of a materialized view that stays, without building it again.
func (p *planner) changeViewIndexes(had, wanted *state.View) {
	have := p.renameViewIndexes(had, wanted)
	left := slices.Clone(have)
	for _, index := range wanted.Indexes {
		old := indexNamed(have, index.Name)
		switch {
		case old == nil:
			p.add(p.createIndex(wanted.Name, index, index.Name, ""))
		case old.Shape == index.Shape && old.Valid:
			left = slices.DeleteFunc(left, func(i *state.Index) bool { return i == old })
			continue
		case old.Valid && index.Unique:
			p.replaceIndex(wanted.Name, old, index, "")
		default:
			p.add(p.dropIndex(wanted.Name, old.Name, ""))
			p.add(p.createIndex(wanted.Name, index, index.Name, ""))
		}
		p.renew("INDEX " + ident(index.Name))
		left = slices.DeleteFunc(left, func(i *state.Index) bool { return i == old })
	}
	// Only when the new ones are there: a reader or a refresh may need one of them.
	for _, old := range left {
		s := p.dropIndex(wanted.Name, old.Name, "")
		if usable(had.Indexes) && !usable(wanted.Indexes) && old.Concurrent {
			s.Hazards = append([]Hazard{{LosesUnique, losesUnique(wanted)}}, s.Hazards...)
		}
		if isTaken(p.to, old.Name) {
			p.first = append(p.first, s) // unless something else is to have its name
		} else {
			p.add(s)
		}
	}
}

// renameViewIndexes gives indexes the names that equal ones bear in wanted, and returns the indexes as they are then.
func (p *planner) renameViewIndexes(had, wanted *state.View) []*state.Index {
	var have, want []*named
	indexes := make([]*state.Index, len(had.Indexes))
	for i, index := range had.Indexes {
		copied := *index
		indexes[i] = &copied
		if index.Valid {
			have = append(have, &named{had.Name, &copied.Name, false, true, index.Shape})
		}
	}
	for _, index := range wanted.Indexes {
		want = append(want, &named{had.Name, &index.Name, false, true, index.Shape})
	}
	p.renameAll(have, want)
	return indexes
}

// usable tells whether REFRESH MATERIALIZED VIEW CONCURRENTLY finds an index that it can use.
func usable(indexes []*state.Index) bool {
	return slices.ContainsFunc(indexes, func(index *state.Index) bool {
		return index.Concurrent || index.Unique && !index.Valid // the latter is about to be built again
	})
}

func losesUnique(v *state.View) string {
	return v.Name + " has no unique index over plain columns, and locks its readers out whenever it is refreshed"
}

// fillProviders fills the materialized views that v reads, directly or through views, if nobody ever has: nothing can be
// made of them before. Those that the plan makes are filled already.
func (p *planner) fillProviders(v *state.View) {
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
		had := p.from.View(read.Name)
		if had == nil || p.marks[had.Name] == rebuilt {
			continue // made just now, from providers that are full
		}
		p.fill(read)
		if read.Materialized && !had.Populated {
			p.add(Statement{
				SQL:     "REFRESH MATERIALIZED VIEW " + ident(read.Name),
				Comment: fmt.Sprintf("Fill %s, which %s reads and nobody has filled yet.", read, v.Name),
				Hazards: []Hazard{{LocksReads, read.Name}},
			})
		}
	}
}
