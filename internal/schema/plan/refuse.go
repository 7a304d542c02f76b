package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// checkNames returns an error if something new needs a name that an object has which is not managed, or which the plan would only
// drop afterwards.
func (p *planner) checkNames() error {
	var taken []string
	refuse := func(what string, is func(state.Taken) bool) {
		for _, t := range p.from.Taken {
			if !is(t) {
				continue
			}
			text := fmt.Sprintf("%s is the name of %s", what, t)
			if slices.ContainsFunc(p.from.Excluded, func(o state.Object) bool { return o.Kind == t.Kind && o.Name == t.Name }) {
				text += " (excluded)"
			}
			taken = append(taken, text)
		}
	}
	existing := p.from.RelationNames()
	for _, name := range p.target.RelationNames() {
		if !slices.Contains(existing, name) {
			rows := p.target.Table(name) != nil || p.target.View(name) != nil // its rows have a type
			refuse(ident(name), func(t state.Taken) bool { return t.Bare == name && (t.Relation || t.Type && rows) })
			if rows && enumOf(p.from, name) != nil { // which is dropped last
				taken = append(taken, fmt.Sprintf("%s is the name of enum %[1]s", ident(name)))
			}
		}
	}
	for _, e := range p.to.Enums {
		if enumOf(p.from, e.Name) == nil {
			refuse("enum "+ident(e.Name), func(t state.Taken) bool { return t.Bare == e.Name && t.Type })
			if p.from.Table(e.Name) != nil { // which is dropped later
				taken = append(taken, fmt.Sprintf("enum %s is the name of table %[1]s", ident(e.Name)))
			}
		}
	}
	for _, t := range p.target.Details {
		from := tableOf(p.fromTables, t.Name)
		for _, c := range t.Constraints {
			if from != nil && constraintOf(from, c.Name) == nil {
				refuse("constraint "+ident(c.Name), func(n state.Taken) bool {
					return n.Bare == c.Name && n.On == t.Name && !n.Relation && !n.Type
				})
			}
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return fmt.Errorf("plan: database %s has other objects under names that the files need: %s; rename or drop them by hand, or "+
		"choose other names in the files", p.from.Database, strings.Join(taken, "; "))
}

// checkDependents returns an error if the plan drops or changes something that an object needs which is not managed. PostgreSQL
// would refuse the statement in the middle of the plan.
func (p *planner) checkDependents() error {
	needed := map[string][]string{} // by what PostgreSQL would refuse
	for _, d := range p.from.Dependents {
		if breaks := p.breaks(d); breaks != "" && !slices.Contains(needed[breaks], d.String()) {
			needed[breaks] = append(needed[breaks], d.String())
		}
	}
	if len(needed) == 0 {
		return nil
	}
	var all []string
	for breaks, objects := range needed {
		slices.Sort(objects)
		all = append(all, fmt.Sprintf("%s because of %s", breaks, strings.Join(objects, ", ")))
	}
	slices.Sort(all)
	return fmt.Errorf("plan: objects of database %s that are not managed here need what the plan changes, and nothing is dropped "+
		"with CASCADE: %s; drop or change these objects by hand, plan again, and afterwards create again what you dropped",
		p.from.Database, strings.Join(all, "; "))
}

// breaks names what the plan drops or changes and PostgreSQL does not while the object exists, or returns "".
func (p *planner) breaks(d state.Dependent) string {
	relation, needs := d.Needs.Relation, d.Needs
	isDropped := func(name string) bool { return name != "" && (p.tables[name] || p.decisions[name] == dropped) }
	i := slices.IndexFunc(p.changes, func(c *tableChange) bool { return c.name == relation })
	switch {
	case isDropped(d.On), relation == "": // dropped with everything that belongs to it; of an enum, see keepEnums
	case isDropped(relation), p.decisions[relation] == rebuilt:
		return ident(relation) + " cannot be dropped"
	case needs.Constraint != "" && p.dropped[key{relation, needs.Constraint}]:
		return fmt.Sprintf("%s of %s cannot be dropped", ident(needs.Constraint), ident(relation))
	case i >= 0 && needs.Sequence != "":
		if p.dropsSequence(needs) {
			return "sequence " + ident(needs.Sequence) + " cannot be dropped"
		}
	case i >= 0:
		return p.changes[i].breaks(d)
	}
	return ""
}

// dropsSequence reports whether a column loses a sequence that it owns.
func (p *planner) dropsSequence(r state.Reference) bool {
	return slices.ContainsFunc(p.numberings, func(n *numbering) bool {
		return n.from != nil && n.before == r.Sequence && !n.same && p.owns(n)
	})
}

// breaks is that of the planner for a column of the table.
func (c *tableChange) breaks(d state.Dependent) string {
	column := d.Needs.Column
	retyped := c.retypedColumns[column] && d.Kind != "table constraint" || c.incomparable[column] // a constraint is added again
	switch {
	case c.droppedColumns[column]:
		return fmt.Sprintf("column %s of %s cannot be dropped", ident(column), ident(c.name))
	case retyped:
		return fmt.Sprintf("the type of column %s of %s cannot be changed", ident(column), ident(c.name))
	case d.RowType && d.Column && len(c.retypedColumns) > 0:
		return fmt.Sprintf("the types of columns of %s cannot be changed", ident(c.name))
	}
	return ""
}
