package plan

import (
	"slices"

	"docket/internal/schema/state"
)

// keepParts returns the table with the columns, constraints, indexes and comments of from that the policy keeps.
//
// A constraint or index whose definition the files have under another name is not kept but renamed. One whose name the files
// use is replaced. So is a key or a foreign key on the same columns as one that the files add: both are versions of one rule.
func (p *planner) keepParts(kept, to *state.State, from, t *state.Table) *state.Table {
	with := *t
	with.Columns, with.Constraints = slices.Clone(t.Columns), slices.Clone(t.Constraints)
	with.Indexes = make([]*state.Index, len(t.Indexes))
	for i, index := range t.Indexes {
		copied := *index
		with.Indexes[i] = &copied
	}
	pairs := pairParts(partsOf([]*state.Table{from}), partsOf([]*state.Table{&with}))
	p.keepPartComments(from, &with, pairs)
	columns := p.keepColumns(from, &with)
	names := p.keepConstraints(to, from, &with, columns, pairs)
	names = append(names, p.keepIndexes(to, from, &with, columns, pairs)...)
	p.keepParameters(kept, names)
	return &with
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

// replaces reports whether the files add a key or foreign key on the same columns as the definition.
func (pairs pairing) replaces(definition string) bool {
	key, reference := keyOf(definition), referenceOf(definition)
	return slices.ContainsFunc(pairs.added, func(n *part) bool {
		return key != "" && keyOf(n.shape) == key || reference != "" && referenceOf(n.shape) == reference
	})
}

// keepColumns appends the columns that only from has, if the policy keeps those, and returns their names.
func (p *planner) keepColumns(from, with *state.Table) []string {
	var names []string
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
		names = append(names, c.Name)
	}
	return names
}

// keepConstraints appends the constraints that only from has: those on the kept columns, and others that the policy keeps.
// It returns their names.
func (p *planner) keepConstraints(to *state.State, from, with *state.Table, columns []string, pairs pairing) []string {
	policies := map[string]bool{"check": p.policy.KeepChecks, "foreign key": p.policy.KeepForeignKeys}
	hasKey := slices.ContainsFunc(with.Constraints, func(c state.Constraint) bool { return c.Kind == "primary key" })
	var names []string
	for i := range from.Constraints {
		c := &from.Constraints[i]
		policy, isPolicy := policies[c.Kind]
		ofColumn := hasAnyWord(c.Definition, columns)
		switch {
		case !ofColumn && !policy && (isPolicy || !p.policy.KeepIndexes),
			slices.Contains(p.policy.Replaced, c.Name), pairs.names[&c.Name] != nil, constraintOf(with, c.Name) != nil, losesColumn(from, with, c.Definition),
			c.HasIndex() && nameTaken(to, c.Name), c.Kind == "primary key" && hasKey, pairs.replaces(c.Definition),
			c.References != "" && to.Table(c.References) == nil && !p.policy.KeepTables:
			continue
		}
		if !ofColumn {
			p.leaveAlone("%s", describeConstraint(with.Name, c))
		}
		with.Constraints = append(with.Constraints, *c)
		names = append(names, c.Name)
	}
	return names
}

// describeConstraint names a constraint as the list of unmanaged objects does.
func describeConstraint(table string, c *state.Constraint) string {
	kind := c.Kind
	if kind == "check" || kind == "unique" || kind == "exclusion" {
		kind += " constraint"
	}
	return kind + " " + ident(c.Name) + " on " + ident(table)
}

// keepIndexes appends the indexes that only from has: those on the kept columns, and all if the policy keeps them. It returns
// their names. An invalid index is not kept, because a failed CREATE INDEX CONCURRENTLY leaves one.
func (p *planner) keepIndexes(to *state.State, from, with *state.Table, columns []string, pairs pairing) []string {
	var names []string
	for _, index := range from.Indexes {
		ofColumn := hasAnyWord(index.Shape, columns)
		switch {
		case !ofColumn && !p.policy.KeepIndexes, !index.Valid, pairs.names[&index.Name] != nil, nameTaken(to, index.Name),
			losesColumn(from, with, index.Shape), pairs.replaces(index.Shape):
			continue
		}
		if !ofColumn {
			p.leaveAlone("%s", describeIndex(with.Name, index))
		}
		with.Indexes = append(with.Indexes, index)
		names = append(names, index.Name)
	}
	return names
}

func describeIndex(relation string, index *state.Index) string {
	kind := "index "
	if index.Unique {
		kind = "unique index "
	}
	return kind + ident(index.Name) + " on " + ident(relation)
}

// losesColumn reports whether a definition names a column of from that the files lack and the policy does not keep.
func losesColumn(from, with *state.Table, definition string) bool {
	return slices.ContainsFunc(from.Columns, func(c state.Column) bool {
		return columnOf(with, c.Name) == nil && hasWord(definition, c.Name)
	})
}

func hasAnyWord(definition string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return hasWord(definition, word) })
}

// keepViewParts returns the view with the indexes and comments of from that the policy keeps. An index on a column that the
// view no longer has is dropped with the view, and the plan warns of it.
func (p *planner) keepViewParts(kept, to *state.State, from, v *state.View) *state.View {
	with := *v
	with.Columns, with.Indexes = slices.Clone(v.Columns), nil
	for _, index := range v.Indexes {
		copied := *index
		with.Indexes = append(with.Indexes, &copied)
	}
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
		gone := slices.ContainsFunc(from.Columns, func(c state.ViewColumn) bool {
			return hasWord(index.Shape, c.Name) && !slices.ContainsFunc(v.Columns, func(w state.ViewColumn) bool { return w.Name == c.Name })
		})
		if gone || !v.Materialized {
			p.lostIndexes[v.Name] = append(p.lostIndexes[v.Name], describeIndex(v.Name, index))
			continue
		}
		p.leaveAlone("%s", describeIndex(v.Name, index))
		with.Indexes = append(with.Indexes, index)
		p.keepParameters(kept, []string{index.Name})
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
	kept.Enums = slices.Clone(kept.Enums)
	for i := range kept.Enums {
		if before := enumOf(p.from, kept.Enums[i].Name); before != nil {
			p.keepComment("TYPE "+ident(before.Name), before.Comment, &kept.Enums[i].Comment)
		}
	}
	for _, s := range kept.Sequences {
		if before := p.from.Sequence(s.Table, s.Column); before != nil {
			target := "SEQUENCE " + ident(s.Name)
			text := kept.Comments[target]
			p.keepComment(target, p.from.Comments["SEQUENCE "+ident(before.Name)], &text)
			if text != "" {
				kept.Comments[target] = text
			}
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
