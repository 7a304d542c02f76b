package plan

import (
	"slices"

	"docket/internal/schema/state"
)

// keepParts returns the table with the columns, constraints, indexes and comments of from that the policy keeps.
//
// A constraint or index whose definition the files have under another name is not kept but renamed. One whose name the files
// use is replaced. So is a key or a foreign key on the same columns as one that the files add: both are versions of one rule.
func (p *planner) keepParts(to *state.State, from, t *state.Table) *state.Table {
	with := copyTables([]*state.Table{t})[0]
	pairs := pairParts(partsOf([]*state.Table{from}), partsOf([]*state.Table{with}))
	p.keepPartComments(from, with, pairs)
	columns := p.keepColumns(from, with)
	p.keepConstraints(to, from, with, columns, pairs)
	p.keepIndexes(to, from, with, columns, pairs)
	return with
}

// pairing pairs the names of the parts of a table in the database with those of the same parts in the files.
type pairing struct {
	names map[*string]*string // from the database to the files
	added []*part             // parts of the files that the database does not have
}

func pairParts(from, to []*part) pairing {
	pairs := pairing{names: map[*string]*string{}}
	renames := matchRenames(from, to)
	taken := map[*part]bool{}
	for _, f := range from {
		match, ok := renames[f]
		if !ok {
			match = samePart(to, f)
		}
		if match != nil {
			pairs.names[f.name] = match.name
			taken[match] = true
		}
	}
	pairs.added = slices.DeleteFunc(slices.Clone(to), func(t *part) bool { return taken[t] })
	return pairs
}

func samePart(parts []*part, as *part) *part {
	i := slices.IndexFunc(parts, func(n *part) bool { return *n.name == *as.name && n.shape == as.shape })
	if i < 0 {
		return nil
	}
	return parts[i]
}

// replaces reports whether the files add a key or foreign key on the same columns.
func (pairs pairing) replaces(n *part) bool {
	return slices.ContainsFunc(pairs.added, func(added *part) bool {
		return len(n.key) > 0 && sameColumns(n.key, added.key) || len(n.foreign) > 0 && sameColumns(n.foreign, added.foreign)
	})
}

// keepColumns appends the columns that only from has, if the policy keeps those, and returns them.
func (p *planner) keepColumns(from, with *state.Table) map[string]bool {
	kept := map[string]bool{}
	for _, c := range from.Columns {
		if !p.policy.KeepColumns || columnOf(with, c.Name) != nil {
			continue
		}
		if c.NotNull && c.Default == "" && c.Generated == "" && c.Identity == "" {
			p.leaveAlone("column %s.%s, which is NOT NULL without a default: an INSERT without it fails", with.Name, c.Name)
		} else {
			p.leaveAlone("column %s.%s", with.Name, c.Name)
		}
		with.Columns = append(with.Columns, c)
		kept[c.Name] = true
	}
	return kept
}

// keepConstraints appends the constraints that only from has: those on the kept columns, and others that the policy keeps.
func (p *planner) keepConstraints(to *state.State, from, with *state.Table, columns map[string]bool, pairs pairing) {
	hasKey := slices.ContainsFunc(with.Constraints, func(c state.Constraint) bool { return c.Kind == "primary key" })
	for i := range from.Constraints {
		c := &from.Constraints[i]
		ofColumn := uses(from.Name, c.Uses, columns)
		switch {
		case isProof(c), !ofColumn && !p.keepsConstraint(c), slices.Contains(p.policy.Replaced, c.Name), pairs.names[&c.Name] != nil,
			constraintOf(with, c.Name) != nil, losesColumn(from, with, c.Uses), c.HasIndex() && nameTaken(to, c.Name),
			c.Kind == "primary key" && hasKey, pairs.replaces(constraintPart(from.Name, c)),
			p.from.Table(c.References) != nil && to.Table(c.References) == nil && !p.policy.KeepTables:
			continue
		}
		if !ofColumn {
			p.leaveAlone("%s", describeConstraint(with.Name, c))
		}
		with.Constraints = append(with.Constraints, *c)
	}
}

// keepsConstraint reports whether the policy keeps constraints like this one.
func (p *planner) keepsConstraint(c *state.Constraint) bool {
	rare := c.Kind == "exclusion" || c.Deferrable || callsFunction(c.Uses) || isForeignKey(c) && p.from.Table(c.References) == nil
	switch {
	case rare && p.policy.KeepRare:
		return true
	case c.Kind == "check":
		return p.policy.KeepChecks
	case isForeignKey(c):
		return p.policy.KeepForeignKeys
	}
	return p.policy.KeepIndexes
}

// callsFunction reports whether a definition calls a function that is not managed, so that the files cannot have it.
func callsFunction(uses []state.Reference) bool {
	return slices.ContainsFunc(uses, func(r state.Reference) bool { return r.Function != "" })
}

// describeConstraint names a constraint as the list of unmanaged objects does.
func describeConstraint(table string, c *state.Constraint) string {
	kind := c.Kind
	if kind == "check" || kind == "unique" || kind == "exclusion" {
		kind += " constraint"
	}
	if c.Deferrable {
		kind = "deferrable " + kind
	}
	return kind + " " + ident(c.Name) + " on " + ident(table)
}

// keepIndexes appends the indexes that only from has: those on the kept columns, and others that the policy keeps. An invalid
// index is not kept, because a failed CREATE INDEX CONCURRENTLY leaves one.
func (p *planner) keepIndexes(to *state.State, from, with *state.Table, columns map[string]bool, pairs pairing) {
	for _, index := range from.Indexes {
		ofColumn := uses(from.Name, index.Uses, columns)
		switch {
		case !ofColumn && !p.policy.KeepIndexes && !(p.policy.KeepRare && callsFunction(index.Uses)), !index.Valid,
			pairs.names[&index.Name] != nil, nameTaken(to, index.Name), losesColumn(from, with, index.Uses),
			pairs.replaces(indexPart(from.Name, index)):
			continue
		}
		if !ofColumn {
			p.leaveAlone("%s", describeIndex(with.Name, index))
		}
		with.Indexes = append(with.Indexes, index)
	}
}

func describeIndex(relation string, index *state.Index) string {
	kind := "index "
	if index.Unique {
		kind = "unique index "
	}
	return kind + ident(index.Name) + " on " + ident(relation)
}

// uses reports whether the references have one of the columns of a relation.
func uses(relation string, references []state.Reference, columns map[string]bool) bool {
	return slices.ContainsFunc(references, func(r state.Reference) bool { return r.Relation == relation && columns[r.Column] })
}

// losesColumn reports whether a definition uses a column of from that the files lack and the policy does not keep.
func losesColumn(from, with *state.Table, uses []state.Reference) bool {
	return slices.ContainsFunc(uses, func(r state.Reference) bool {
		return r.Relation == from.Name && r.Column != "" && columnOf(with, r.Column) == nil
	})
}

// keepViewParts returns the view with the indexes and comments of from that the policy keeps. An index on a column that the
// view no longer has is dropped with the view, and the plan warns of it.
func (p *planner) keepViewParts(to *state.State, from, v *state.View) *state.View {
	with := *v
	with.Columns, with.Indexes = slices.Clone(v.Columns), copyIndexes(v.Indexes)
	pairs := pairParts(indexParts(from.Name, from.Indexes), indexParts(v.Name, with.Indexes))
	p.keepComment(v.Kind()+" "+ident(v.Name), from.Comment, &with.Comment)
	for i := range with.Columns {
		c := &with.Columns[i]
		for _, before := range from.Columns {
			if before.Name == c.Name {
				p.keepComment(columnTarget(v.Name, c.Name), before.Comment, &c.Comment)
			}
		}
	}
	for _, index := range from.Indexes {
		if same := indexNamed(with.Indexes, pairs.of(&index.Name)); same != nil {
			p.keepComment("INDEX "+ident(same.Name), index.Comment, &same.Comment)
			continue
		}
		if !p.policy.KeepIndexes || !index.Valid || nameTaken(to, index.Name) {
			continue
		}
		gone := slices.ContainsFunc(index.Uses, func(r state.Reference) bool {
			return r.Column != "" && !slices.ContainsFunc(v.Columns, func(c state.ViewColumn) bool { return c.Name == r.Column })
		})
		if gone || !v.Materialized {
			p.lostIndexes[v.Name] = append(p.lostIndexes[v.Name], describeIndex(v.Name, index))
			continue
		}
		p.leaveAlone("%s", describeIndex(v.Name, index))
		with.Indexes = append(with.Indexes, index)
	}
	return &with
}

// of returns the name in the files of a part of the database: that of the same part, or its own.
func (pairs pairing) of(name *string) string {
	if paired := pairs.names[name]; paired != nil {
		return *paired
	}
	return *name
}

// keepPartComments gives the parts of a table the comments that the database has and the files lack.
func (p *planner) keepPartComments(from, with *state.Table, pairs pairing) {
	p.keepComment("TABLE "+ident(with.Name), from.Comment, &with.Comment)
	for i := range with.Columns {
		c := &with.Columns[i]
		if before := columnOf(from, c.Name); before != nil {
			p.keepComment(columnTarget(with.Name, c.Name), before.Comment, &c.Comment)
		}
	}
	for i := range from.Constraints {
		before := &from.Constraints[i]
		c := constraintOf(with, pairs.of(&before.Name))
		if c == nil {
			continue
		}
		targets := constraintTargets(with.Name, c)
		p.keepComment(targets[0], before.Comment, &c.Comment)
		if len(targets) > 1 {
			p.keepComment(targets[1], before.IndexComment, &c.IndexComment)
		}
	}
	for _, before := range from.Indexes {
		if index := indexNamed(with.Indexes, pairs.of(&before.Name)); index != nil {
			p.keepComment("INDEX "+ident(index.Name), before.Comment, &index.Comment)
		}
	}
}

// keepOtherComments does the same for enums and sequences.
func (p *planner) keepOtherComments(kept *state.State) {
	kept.Enums, kept.Sequences = slices.Clone(kept.Enums), slices.Clone(kept.Sequences)
	for i := range kept.Enums {
		if before := enumOf(p.from, kept.Enums[i].Name); before != nil {
			p.keepComment("TYPE "+ident(before.Name), before.Comment, &kept.Enums[i].Comment)
		}
	}
	for i := range kept.Sequences {
		s := &kept.Sequences[i]
		if before := p.from.Sequence(s.Table, s.Column); before != nil {
			p.keepComment("SEQUENCE "+ident(s.Name), before.Comment, &s.Comment)
		}
	}
}

// keepComment keeps a comment where the files have none.
func (p *planner) keepComment(target, from string, to *string) {
	if p.policy.KeepComments && from != "" && *to == "" {
		*to = from
		p.leaveAlone("comment on %s", describeTarget(target))
	}
}
