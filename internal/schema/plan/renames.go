package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// named is an index or a constraint of a table.
type named struct {
	table      string
	name       *string
	constraint bool   // renamed through its table; otherwise a plain index
	relation   bool   // its name is an index's, which no other relation of the schema may bear
	shape      string // what it is, without its name
}

// rename gives the indexes and constraints of p.have the names that equal ones bear in p.want, so that they do not differ:
// to drop and add them would lock and scan for nothing, and a key that a foreign key needs cannot be dropped at all. Names
// in the way are put aside first: of those that go later, and of those that swap.
func (p *planner) rename() {
	p.renameAll(allNamed(p.have), allNamed(p.want))
}

func (p *planner) renameAll(have, want []*named) {
	taken := map[string]bool{}
	for _, n := range slices.Concat(have, want) {
		taken[*n.name] = true
	}
	renames := pairs(have, want)
	for _, n := range have {
		target, ok := renames[n]
		if !ok {
			continue
		}
		if other := bearer(have, n, *target.name); other != nil {
			aside := freeName(*other.name, "_old", func(name string) bool {
				return taken[name] || isTaken(p.from, name) || isTaken(p.to, name)
			})
			taken[aside] = true
			p.renameTo(other, aside)
		}
		p.renameTo(n, *target.name)
	}
}

// pairs finds what is the same under two names in one table. What has the same shape and name in both has no pair.
func pairs(have, want []*named) map[*named]*named {
	var free []*named
	same := map[*named]bool{}
	for _, w := range want {
		i := slices.IndexFunc(have, func(h *named) bool { return h.table == w.table && h.shape == w.shape && *h.name == *w.name })
		if i < 0 {
			free = append(free, w)
			continue
		}
		same[have[i]] = true
	}
	renames := map[*named]*named{}
	for _, h := range have {
		i := slices.IndexFunc(free, func(w *named) bool { return h.table == w.table && h.shape == w.shape })
		if i >= 0 && !same[h] {
			renames[h] = free[i]
			free = slices.Delete(free, i, i+1)
		}
	}
	return renames
}

// bearer returns what stands in the way of renaming n.
func bearer(all []*named, n *named, name string) *named {
	for _, other := range all {
		clash := other.relation && n.relation || other.constraint && n.constraint && other.table == n.table
		if other != n && *other.name == name && clash {
			return other
		}
	}
	return nil
}

func (p *planner) renameTo(n *named, name string) {
	if n.constraint {
		p.add(Statement{
			SQL:     fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", ident(n.table), ident(*n.name), ident(name)),
			Comment: fmt.Sprintf("Rename a constraint of %s.", n.table),
			Hazards: []Hazard{{LocksReads, n.table}},
		})
	} else {
		// It locks out nothing but other schema changes.
		p.add(Statement{
			SQL:     fmt.Sprintf("ALTER INDEX %s RENAME TO %s", ident(*n.name), ident(name)),
			Comment: fmt.Sprintf("Rename an index of %s.", n.table),
		})
	}
	p.originally[key{n.table, name}] = p.originalName(n.table, *n.name)
	*n.name = name
}

// originalName is what a constraint or index of p.have is called in the database before the plan.
func (p *planner) originalName(table, name string) string {
	if original, ok := p.originally[key{table, name}]; ok {
		return original
	}
	return name
}

// allNamed lists what is named in the tables, sorted by table and name.
func allNamed(tables []*state.Table) []*named {
	var all []*named
	for _, t := range tables {
		for i := range t.Constraints {
			c := &t.Constraints[i]
			all = append(all, &named{t.Name, &c.Name, true, indexed(c), c.Definition})
		}
		for _, index := range t.Indexes {
			if index.Valid { // one that is not will be dropped
				all = append(all, &named{t.Name, &index.Name, false, true, withoutStorage(index.Shape)})
			}
		}
	}
	slices.SortFunc(all, func(a, b *named) int {
		return cmp.Or(strings.Compare(a.table, b.table), strings.Compare(*a.name, *b.name))
	})
	return all
}
