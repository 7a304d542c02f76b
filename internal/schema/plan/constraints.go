package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// loses tells whether a definition mentions a column that goes: PostgreSQL drops what is built on such a column with it.
func (c *tableChange) loses(definition string) bool {
	for name := range c.gone {
		if hasWord(definition, name) {
			return true
		}
	}
	return false
}

// constraintClauses gives what drops and adds constraints, and sets foreign keys apart.
func (p *planner) constraintClauses(c *tableChange) (drops, adds []clause) {
	for i := range c.have.Constraints {
		had := &c.have.Constraints[i]
		wanted := constraintOf(c.want, had.Name)
		switch {
		case wanted != nil && wanted.Definition == had.Definition && !c.loses(had.Definition):
			continue
		case wanted != nil && had.Definition == wanted.Definition+" NOT VALID":
			adds = append(adds, clause{
				"VALIDATE CONSTRAINT " + ident(had.Name), "validate constraint " + had.Name,
				[]Hazard{hazard(DependsOnRows, "%s is checked over %s", had.Name, p.rows(c.name))},
			})
			continue
		}
		drop := p.dropConstraint(c, had, wanted != nil)
		if foreign(had) {
			c.dropForeign = append(c.dropForeign, drop)
		} else {
			drops = append(drops, drop)
		}
	}
	for i := range c.want.Constraints {
		wanted := &c.want.Constraints[i]
		if constraintOf(c.have, wanted.Name) != nil && !c.dropped[wanted.Name] {
			continue
		}
		add := p.addConstraint(c, wanted)
		if foreign(wanted) {
			c.addForeign = append(c.addForeign, add)
		} else {
			adds = append(adds, add)
		}
	}
	return drops, adds
}

func (p *planner) dropConstraint(c *tableChange, had *state.Constraint, again bool) clause {
	p.constraints[key{c.name, p.originalName(c.name, had.Name)}] = true
	c.dropped[had.Name] = true
	if match := keyColumns.FindStringSubmatch(had.Definition); match != nil {
		c.lostKeys = append(c.lostKeys, columnSet(match[1]))
	}
	hazards := []Hazard{{LocksReads, c.name}}
	if foreign(had) && had.References != "" && had.References != c.name {
		hazards = append(hazards, Hazard{LocksReads, had.References})
	}
	hazards = append(hazards, p.loseIndex(c.name, had.Name)...)
	if !again {
		hazards = append(hazards, Hazard{DropsRule, had.Name + ": " + had.Definition})
	}
	return clause{"DROP CONSTRAINT " + ident(had.Name), "drop constraint " + had.Name, hazards}
}

func (p *planner) addConstraint(c *tableChange, wanted *state.Constraint) clause {
	p.renew(constraintTargets(c.name, wanted)...)
	return clause{
		fmt.Sprintf("ADD CONSTRAINT %s %s", ident(wanted.Name), wanted.Definition), "add constraint " + wanted.Name,
		p.addingHazards(c, wanted),
	}
}

// rebuildForeignKeys drops and adds again the foreign keys that stay the same but cannot live through the plan: those whose
// key is dropped and comes again, and those between columns that for a while cannot be compared.
func (p *planner) rebuildForeignKeys(changes []*tableChange) {
	byName := map[string]*tableChange{}
	for _, c := range changes {
		byName[c.name] = c
	}
	for _, c := range changes {
		for i := range c.have.Constraints {
			had := &c.have.Constraints[i]
			wanted, target := constraintOf(c.want, had.Name), byName[had.References]
			match := references.FindStringSubmatch(had.Definition)
			if match == nil || wanted == nil || c.dropped[had.Name] || target == nil {
				continue
			}
			if slices.Contains(target.lostKeys, columnSet(match[2])) || c.estranges(match[1]) || target.estranges(match[2]) {
				c.dropForeign = append(c.dropForeign, p.dropConstraint(c, had, true))
				c.addForeign = append(c.addForeign, p.addConstraint(c, wanted))
			}
		}
	}
}

// estranges tells whether one of the listed columns gets a type that the column it refers to cannot be compared with.
func (c *tableChange) estranges(columns string) bool {
	for name := range c.strangers {
		if hasWord(columns, name) {
			return true
		}
	}
	return false
}

// constraintTargets names a constraint as COMMENT ON does, and the index that serves it.
func constraintTargets(table string, c *state.Constraint) []string {
	targets := []string{fmt.Sprintf("CONSTRAINT %s ON %s", ident(c.Name), ident(table))}
	if indexed(c) {
		targets = append(targets, "INDEX "+ident(c.Name))
	}
	return targets
}

// indexChanges finds the indexes to drop and to create. Those that serve constraints come and go with them.
func (p *planner) indexChanges(c *tableChange) {
	for _, had := range c.have.Indexes {
		wanted := indexOf(c.want, had.Name)
		if wanted == nil || !had.Valid || withoutStorage(wanted.Shape) != withoutStorage(had.Shape) || c.loses(had.Shape) {
			c.dropIndexes = append(c.dropIndexes, had)
			if match := uniqueKey.FindStringSubmatch(withoutStorage(had.Shape)); match != nil {
				c.lostKeys = append(c.lostKeys, columnSet(match[1]))
			}
		}
	}
	for _, wanted := range c.want.Indexes {
		had := indexOf(c.have, wanted.Name)
		if had == nil || slices.Contains(c.dropIndexes, had) {
			c.addIndexes = append(c.addIndexes, wanted)
			p.renew("INDEX " + ident(wanted.Name))
		}
	}
}
