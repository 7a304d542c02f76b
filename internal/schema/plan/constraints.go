package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// ruleOf returns the definition of a constraint without what ALTER TABLE can change in a foreign key or check.
func ruleOf(c *state.Constraint) string {
	rule := c.Definition
	if !c.Validated {
		rule = strings.TrimSuffix(rule, " NOT VALID")
	}
	return strings.TrimSuffix(rule, " "+timing(c))
}

// timing says when PostgreSQL checks a constraint, as its definition does.
func timing(c *state.Constraint) string {
	switch {
	case c.Deferred:
		return "DEFERRABLE INITIALLY DEFERRED"
	case c.Deferrable:
		return "DEFERRABLE"
	}
	return "NOT DEFERRABLE"
}

// constraintClauses returns the clauses that drop, change and add constraints. Foreign keys are in lists of their own in c.
func (p *planner) constraintClauses(c *tableChange) (drops, adds []clause) {
	for i := range c.from.Constraints {
		from := &c.from.Constraints[i]
		to := constraintOf(c.to, from.Name)
		alters, possible := p.alterConstraint(c, from, to)
		switch {
		case possible && !isForeignKey(from):
			adds = append(adds, alters...)
		case possible:
			// changeForeignKeys plans it.
		case isForeignKey(from):
			c.dropForeign = append(c.dropForeign, p.dropConstraint(c, from, to != nil))
		default:
			drops = append(drops, p.dropConstraint(c, from, to != nil))
		}
	}
	for i := range c.to.Constraints {
		to := &c.to.Constraints[i]
		switch {
		case constraintOf(c.from, to.Name) != nil && !c.droppedConstraints[to.Name]:
		case isForeignKey(to):
			c.addForeign = append(c.addForeign, p.addConstraint(c, to))
		default:
			adds = append(adds, p.addConstraint(c, to))
		}
	}
	return drops, adds
}

// alterConstraint returns the clauses that change a constraint without dropping it, and whether that is possible.
func (p *planner) alterConstraint(c *tableChange, from, to *state.Constraint) (clauses []clause, possible bool) {
	switch {
	case to == nil || uses(c.name, from.Uses, c.droppedColumns): // PostgreSQL drops it with the column
		return nil, false
	case from.Definition == to.Definition:
		return nil, true
	case from.HasIndex() || ruleOf(from) != ruleOf(to) || from.Validated && !to.Validated:
		return nil, false
	}
	if timing(from) != timing(to) {
		clauses = append(clauses, clause{
			"ALTER CONSTRAINT " + ident(from.Name) + " " + timing(to),
			fmt.Sprintf("make %s %s instead of %s", from.Name, timing(to), timing(from)), []Hazard{{LocksReads, c.name}},
		})
	}
	if !from.Validated && to.Validated {
		clauses = append(clauses, clause{
			"VALIDATE CONSTRAINT " + ident(from.Name), "validate constraint " + from.Name,
			[]Hazard{hazard(DependsOnRows, "%s is checked for %s", from.Name, p.rows(c.name))},
		})
	}
	return clauses, true
}

func (p *planner) dropConstraint(c *tableChange, from *state.Constraint, again bool) clause {
	p.dropped[key{c.name, p.originalName(c.name, from.Name)}] = true
	c.droppedConstraints[from.Name] = true
	hazards := []Hazard{{LocksReads, c.name}}
	if isForeignKey(from) && from.References != "" && from.References != c.name {
		hazards = append(hazards, Hazard{LocksReads, from.References})
	}
	hazards = append(hazards, p.loseIndex(c.name, from.Name)...)
	if from.HasIndex() && !p.keepsRule(constraintPart(c.name, from)) || !from.HasIndex() && !again {
		hazards = append(hazards, Hazard{DropsRule, from.Name + ": " + from.Definition})
	}
	what := "constraint "
	if from.Deferrable { // transactions may rely on that
		what = "deferrable constraint "
	}
	return clause{"DROP CONSTRAINT " + ident(from.Name), "drop " + what + from.Name, hazards}
}

// keepsRule reports whether the target has a rule that is at least as strict as a key, an exclusion constraint or a unique
// index: the same one, or a key on some of its columns.
func (p *planner) keepsRule(n *part) bool {
	parts := partsOf(p.toTables)
	if v := p.to.View(n.table); v != nil {
		parts = indexParts(n.table, v.Indexes)
	}
	return slices.ContainsFunc(parts, func(other *part) bool {
		return other.table == n.table &&
			(other.shape == n.shape || len(other.key) > 0 && containsAll(n.key, other.key) && !p.allowsMoreNulls(n, other))
	})
}

// allowsMoreNulls reports whether a key with nulls may be twice in a table under one key and not under the other.
func (p *planner) allowsMoreNulls(n, other *part) bool {
	t := tableOf(p.toTables, n.table)
	return n.nullsEqual && !other.nullsEqual && (t == nil || slices.ContainsFunc(other.key, func(name string) bool {
		column := columnOf(t, name)
		return column == nil || !column.NotNull
	}))
}

func (p *planner) addConstraint(c *tableChange, to *state.Constraint) clause {
	p.recreate(constraintTargets(c.name, to)...)
	return clause{
		fmt.Sprintf("ADD CONSTRAINT %s %s", ident(to.Name), to.Definition), "add constraint " + to.Name,
		p.addConstraintHazards(c, to),
	}
}

// changeForeignKeys plans the foreign keys that both states have. Those that cannot exist throughout the plan are dropped and
// added again: their key is dropped, the types of the two sides temporarily cannot be compared, or one side alone is logged
// temporarily. It returns an error if the
// policy keeps one whose sides cannot be compared afterwards either.
func (p *planner) changeForeignKeys(changes []*tableChange) error {
	byName := map[string]*tableChange{}
	for _, c := range changes {
		byName[c.name] = c
	}
	p.orderPersistence(changes)
	for _, c := range changes {
		for i := range c.from.Constraints {
			from := &c.from.Constraints[i]
			if !isForeignKey(from) || c.droppedConstraints[from.Name] {
				continue
			}
			to, target := constraintOf(c.to, from.Name), byName[from.References]
			if p.dropped[key{from.References, from.ReferencedKey}] || containsAny(from.Columns, c.incomparable) ||
				target != nil && containsAny(from.Referenced, target.incomparable) || p.remadeKeys[key{c.name, from.Name}] {
				if err := p.checkComparable(c, to); err != nil {
					return err
				}
				c.dropForeign = append(c.dropForeign, p.dropConstraint(c, from, true))
				c.addForeign = append(c.addForeign, p.addConstraint(c, to))
				continue
			}
			alters, _ := p.alterConstraint(c, from, to)
			c.addForeign = append(c.addForeign, alters...)
		}
	}
	return nil
}

// checkComparable returns an error if PostgreSQL cannot compare the columns of a foreign key with those of its key.
func (p *planner) checkComparable(c *tableChange, k *state.Constraint) error {
	key := tableOf(p.toTables, k.References)
	if key == nil {
		return nil // it is not managed, so its columns keep their types
	}
	for i, name := range k.Columns {
		from, to := columnOf(c.to, name), columnOf(key, k.Referenced[i])
		a, _ := p.typeOf(from.TypeName, -1)
		b, _ := p.typeOf(to.TypeName, -1)
		cast := p.cast(a.Name, b.Name)
		comparable := a.Name == b.Name || a.Family != "" && a.Family == b.Family || a.Element != "" && b.Element != ""
		if !comparable && (cast == nil || cast.Context != "i") {
			return fmt.Errorf("plan table %s: the files do not have foreign key %s and the policy keeps it, but its column %s is %s, and "+
				"column %s of %s becomes %s; drop the foreign key by hand, or add to the files what fits",
				c.name, k.Name, name, from.Type, to.Name, k.References, to.Type)
		}
	}
	return nil
}

// constraintTargets returns the targets of COMMENT ON for a constraint and for its index.
func constraintTargets(table string, c *state.Constraint) []string {
	targets := []string{fmt.Sprintf("CONSTRAINT %s ON %s", ident(c.Name), ident(table))}
	if c.HasIndex() {
		targets = append(targets, "INDEX "+ident(c.Name))
	}
	return targets
}

// indexChanges finds the indexes to drop and to create, without the indexes of constraints.
func (p *planner) indexChanges(c *tableChange) {
	for _, from := range c.from.Indexes {
		to := indexOf(c.to, from.Name)
		if to == nil || from.Valid != to.Valid || to.Shape != from.Shape || uses(c.name, from.Uses, c.droppedColumns) {
			c.dropIndexes = append(c.dropIndexes, from)
			p.dropped[key{c.name, p.originalName(c.name, from.Name)}] = true
		}
	}
	for _, to := range c.to.Indexes {
		from := indexOf(c.from, to.Name)
		if from == nil || slices.Contains(c.dropIndexes, from) {
			c.addIndexes = append(c.addIndexes, to)
			p.recreate("INDEX " + ident(to.Name))
		}
	}
}
