package plan

import (
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// losesColumn reports whether a definition names a dropped column. PostgreSQL drops the constraint or index with the column.
func (c *tableChange) losesColumn(definition string) bool {
	for name := range c.droppedColumns {
		if hasWord(definition, name) {
			return true
		}
	}
	return false
}

// constraintClauses returns the clauses that drop and add constraints. Foreign keys are in lists of their own in c.
func (p *planner) constraintClauses(c *tableChange) (drops, adds []clause) {
	for i := range c.from.Constraints {
		from := &c.from.Constraints[i]
		to := constraintOf(c.to, from.Name)
		switch {
		case to != nil && to.Definition == from.Definition && !c.losesColumn(from.Definition):
			continue
		case to != nil && from.Definition == to.Definition+" NOT VALID":
			adds = append(adds, clause{
				"VALIDATE CONSTRAINT " + ident(from.Name), "validate constraint " + from.Name,
				[]Hazard{hazard(DependsOnRows, "%s is checked for %s", from.Name, p.rows(c.name))},
			})
			continue
		}
		drop := p.dropConstraint(c, from, to != nil)
		if isForeignKey(from) {
			c.dropForeign = append(c.dropForeign, drop)
		} else {
			drops = append(drops, drop)
		}
	}
	for i := range c.to.Constraints {
		to := &c.to.Constraints[i]
		if constraintOf(c.from, to.Name) != nil && !c.droppedConstraints[to.Name] {
			continue
		}
		add := p.addConstraint(c, to)
		if isForeignKey(to) {
			c.addForeign = append(c.addForeign, add)
		} else {
			adds = append(adds, add)
		}
	}
	return drops, adds
}

func (p *planner) dropConstraint(c *tableChange, from *state.Constraint, again bool) clause {
	p.constraints[key{c.name, p.originalName(c.name, from.Name)}] = true
	c.droppedConstraints[from.Name] = true
	if match := keyColumns.FindStringSubmatch(from.Definition); match != nil {
		c.droppedKeys = append(c.droppedKeys, columnSet(match[1]))
	}
	hazards := []Hazard{{LocksReads, c.name}}
	if isForeignKey(from) && from.References != "" && from.References != c.name {
		hazards = append(hazards, Hazard{LocksReads, from.References})
	}
	hazards = append(hazards, p.loseIndex(c.name, from.Name)...)
	if from.HasIndex() && !p.keepsKey(c.name, from.Definition) || !from.HasIndex() && !again {
		hazards = append(hazards, Hazard{DropsRule, from.Name + ": " + from.Definition})
	}
	return clause{"DROP CONSTRAINT " + ident(from.Name), "drop constraint " + from.Name, hazards}
}

// keepsKey reports whether the target has a rule that is at least as strict as a key or unique index: the same one, or a key
// on some of its columns.
func (p *planner) keepsKey(relation, definition string) bool {
	parts := partsOf(p.toTables)
	if v := p.to.View(relation); v != nil {
		parts = indexParts(relation, v.Indexes)
	}
	columns := strings.Split(keyOf(definition), ", ")
	return slices.ContainsFunc(parts, func(n *part) bool {
		key := keyOf(n.shape)
		return n.table == relation && (n.shape == definition || key != "" &&
			!slices.ContainsFunc(strings.Split(key, ", "), func(column string) bool { return !slices.Contains(columns, column) }))
	})
}

func (p *planner) addConstraint(c *tableChange, to *state.Constraint) clause {
	p.recreate(constraintTargets(c.name, to)...)
	return clause{
		fmt.Sprintf("ADD CONSTRAINT %s %s", ident(to.Name), to.Definition), "add constraint " + to.Name,
		p.addConstraintHazards(c, to),
	}
}

// rebuildForeignKeys drops and adds again the foreign keys that are the same in both states but cannot exist throughout the
// plan: those whose key is dropped and added again, and those between columns whose types temporarily cannot be compared.
func (p *planner) rebuildForeignKeys(changes []*tableChange) {
	byName := map[string]*tableChange{}
	for _, c := range changes {
		byName[c.name] = c
	}
	for _, c := range changes {
		for i := range c.from.Constraints {
			from := &c.from.Constraints[i]
			to, target := constraintOf(c.to, from.Name), byName[from.References]
			match := references.FindStringSubmatch(from.Definition)
			if match == nil || to == nil || c.droppedConstraints[from.Name] || target == nil {
				continue
			}
			if slices.Contains(target.droppedKeys, columnSet(match[2])) ||
				c.makesIncomparable(match[1]) || target.makesIncomparable(match[2]) {
				c.dropForeign = append(c.dropForeign, p.dropConstraint(c, from, true))
				c.addForeign = append(c.addForeign, p.addConstraint(c, to))
			}
		}
	}
}

// makesIncomparable reports whether one of the listed columns gets a type that cannot be compared with its old type.
func (c *tableChange) makesIncomparable(columns string) bool {
	for name := range c.incomparable {
		if hasWord(columns, name) {
			return true
		}
	}
	return false
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
		if to == nil || !from.Valid || withoutStorage(to.Shape) != withoutStorage(from.Shape) || c.losesColumn(from.Shape) {
			c.dropIndexes = append(c.dropIndexes, from)
			if match := uniqueKey.FindStringSubmatch(withoutStorage(from.Shape)); match != nil {
				c.droppedKeys = append(c.droppedKeys, columnSet(match[1]))
			}
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
