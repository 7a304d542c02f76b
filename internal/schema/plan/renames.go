package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// part is an index or a constraint of a table.
type part struct {
	table      string
	name       *string
	constraint bool     // otherwise it is an index without a constraint
	relation   bool     // it is or has an index, whose name no other relation of the schema may have
	shape      string   // the definition without the name and without what can be altered
	key        []string // the columns of which all rows have different values, if it is a rule of that kind
	nullsEqual bool     // of a key that is NULLS NOT DISTINCT
	foreign    []string // the columns of a foreign key
}

// rename gives the indexes and constraints of p.fromTables the names that the same ones have in p.toTables. Dropping and
// adding them would lock and scan the table needlessly, and a key that a foreign key needs cannot be dropped. If another
// part has the name, because it is dropped later or swaps names, it gets a temporary name first.
func (p *planner) rename() {
	p.renameAll(partsOf(p.fromTables), partsOf(p.toTables))
}

func (p *planner) renameAll(from, to []*part) {
	taken := map[string]bool{}
	for _, n := range slices.Concat(from, to) {
		taken[*n.name] = true
	}
	renames := matchRenames(from, to)
	for _, n := range from {
		match, ok := renames[n]
		if !ok {
			continue
		}
		if other := conflicting(from, n, *match.name); other != nil {
			temporary := freeName(*other.name, "_old", func(name string) bool { return taken[name] || p.nameTaken(name) })
			taken[temporary] = true
			p.renameTo(other, temporary)
		}
		p.renameTo(n, *match.name)
	}
}

// matchRenames pairs the parts that have the same shape under different names in one table. A part that has the same shape
// and name in both lists is not paired.
func matchRenames(from, to []*part) map[*part]*part {
	var free []*part
	same := map[*part]bool{}
	for _, t := range to {
		i := slices.IndexFunc(from, func(f *part) bool { return f.table == t.table && f.shape == t.shape && *f.name == *t.name })
		if i < 0 {
			free = append(free, t)
			continue
		}
		same[from[i]] = true
	}
	renames := map[*part]*part{}
	for _, f := range from {
		i := slices.IndexFunc(free, func(t *part) bool { return f.table == t.table && f.shape == t.shape })
		if i >= 0 && !same[f] {
			renames[f] = free[i]
			free = slices.Delete(free, i, i+1)
		}
	}
	return renames
}

// conflicting returns the part that has the name and prevents that n gets it, or nil.
func conflicting(all []*part, n *part, name string) *part {
	for _, other := range all {
		clash := other.relation && n.relation || other.constraint && n.constraint && other.table == n.table
		if other != n && *other.name == name && clash {
			return other
		}
	}
	return nil
}

func (p *planner) renameTo(n *part, name string) {
	s := Statement{SQL: fmt.Sprintf("ALTER INDEX %s RENAME TO %s", ident(*n.name), ident(name))}
	if n.constraint {
		s.Comment = fmt.Sprintf("Rename a constraint of %s.", n.table)
	} else {
		s.Comment = fmt.Sprintf("Rename an index on %s.", n.table)
	}
	if !n.relation { // unlike the statement above, which also renames the constraint of an index, this one locks the table
		s.SQL = fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", ident(n.table), ident(*n.name), ident(name))
		s.Hazards = []Hazard{{LocksReads, n.table}}
	}
	p.add(s)
	p.originalNames[key{n.table, name}] = p.originalName(n.table, *n.name)
	*n.name = name
}

// originalName returns the name that a constraint or index of p.fromTables has in the database before the plan.
func (p *planner) originalName(table, name string) string {
	if original, ok := p.originalNames[key{table, name}]; ok {
		return original
	}
	return name
}

// partsOf lists the indexes and constraints of the tables, sorted by table and name.
func partsOf(tables []*state.Table) []*part {
	var all []*part
	for _, t := range tables {
		for i := range t.Constraints {
			all = append(all, constraintPart(t.Name, &t.Constraints[i]))
		}
		all = append(all, indexParts(t.Name, t.Indexes)...)
	}
	slices.SortFunc(all, func(a, b *part) int {
		return cmp.Or(strings.Compare(a.table, b.table), strings.Compare(*a.name, *b.name))
	})
	return all
}

func constraintPart(table string, c *state.Constraint) *part {
	n := &part{table: table, name: &c.Name, constraint: true, relation: c.HasIndex(), shape: c.Definition}
	switch c.Kind {
	case "primary key", "unique":
		n.key, n.nullsEqual = c.Columns, c.NullsNotDistinct
	case "foreign key":
		n.foreign = c.Columns
		n.shape = ruleOf(c)
	case "check":
		n.shape = ruleOf(c)
	}
	return n
}

// indexParts lists the valid indexes of a relation: the plan drops an invalid one.
func indexParts(relation string, indexes []*state.Index) []*part {
	var all []*part
	for _, index := range indexes {
		if index.Valid {
			all = append(all, indexPart(relation, index))
		}
	}
	return all
}

func indexPart(relation string, index *state.Index) *part {
	n := &part{table: relation, name: &index.Name, relation: true, shape: index.Shape}
	if index.Unique {
		n.key, n.nullsEqual = index.Key, index.NullsNotDistinct
	}
	return n
}
