package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// dropColumnDetail says what data a dropped column has, and what to do if the column was renamed in the files.
func (p *planner) dropColumnDetail(c *tableChange, from *state.Column) string {
	detail := fmt.Sprintf("column %s in %s", from.Name, p.rows(c.name))
	for _, to := range c.to.Columns {
		if columnOf(c.from, to.Name) == nil && to.Type == from.Type {
			return fmt.Sprintf("%s; if the files only rename it to %s, write %s instead: ALTER TABLE %s RENAME COLUMN %s TO %s",
				detail, to.Name, p.policy.byHand(), ident(c.name), ident(from.Name), ident(to.Name))
		}
	}
	return detail
}

// addColumnHazards are those of a new column. PostgreSQL stores a default that is the same for all rows only once.
func (p *planner) addColumnHazards(c *tableChange, to *state.Column) []Hazard {
	hazards := []Hazard{{LocksReads, c.name}}
	refuses := constrained(p.target, to.TypeName)
	if to.Volatile || to.Identity != "" || to.Generated != "" || refuses {
		hazards = append(hazards, Hazard{RewritesData, p.rows(c.name)})
	}
	switch empty := to.Default == "" && to.Identity == "" && to.Generated == ""; {
	case empty && to.NotNull:
		hazards = append(hazards, hazard(DependsOnRows, "column %s is NOT NULL without a default: %s must be empty", to.Name, c.name))
	case empty && refuses:
		hazards = append(hazards, hazard(DependsOnRows, "null must be a valid %s, in %s", to.Type, p.rows(c.name)))
	}
	return hazards
}

// retypeHazards are those of another type or collation of a column. followHazards adds those of its indexes and constraints.
func (p *planner) retypeHazards(c *tableChange, from, to *state.Column) []Hazard {
	hazards, rows := []Hazard{{LocksReads, c.name}}, p.rows(c.name)
	if from.Type == to.Type {
		return hazards
	}
	hazards = append(hazards, p.loseStorage(c, from.Name)...)
	switch p.rewrites(from, to) {
	case always:
		hazards = append(hazards, Hazard{RewritesData, rows})
	case unlessUTC:
		hazards = append(hazards, Hazard{RewritesData, rows + ", unless TimeZone is UTC"})
	}
	if p.lossy(from.TypeName, to.TypeName, from.Modifier, to.Modifier) {
		hazards = append(hazards, hazard(DropsData, "%s keeps less as %s than as %s, in %s", from.Name, to.Type, from.Type, rows))
	}
	if constrained(p.from, from.TypeName) && !constrained(p.target, to.TypeName) {
		hazards = append(hazards, hazard(DropsRule, "%s: the rule of domain %s", from.Name, from.Type))
	}
	if p.mayFail(from.TypeName, to.TypeName, from.Modifier, to.Modifier) {
		hazards = append(hazards, hazard(DependsOnRows, "each %s must be a valid %s, in %s", from.Name, to.Type, rows))
	}
	return hazards
}

// followHazards are the hazards of what PostgreSQL does to the indexes and constraints on columns that get another type. It
// needs to know which of them the plan drops before.
func (p *planner) followHazards(c *tableChange, changes []*tableChange) []Hazard {
	var hazards []Hazard
	rewritten := slices.ContainsFunc(c.clauses, func(clause clause) bool {
		return slices.Contains(clause.hazards, Hazard{RewritesData, p.rows(c.name)})
	})
	while := func(table, format string, args ...any) {
		hazards = append(hazards, Hazard{LocksReads, table + ", while " + fmt.Sprintf(format, args...)})
	}
	for i := range c.from.Columns {
		from := &c.from.Columns[i]
		if !c.retypedColumns[from.Name] {
			continue
		}
		to := columnOf(c.to, from.Name)
		for _, other := range changes {
			for _, k := range other.from.Constraints {
				refers := other == c && slices.Contains(k.Columns, from.Name)
				referred := k.References == c.name && slices.Contains(k.Referenced, from.Name)
				if !isForeignKey(&k) || !refers && !referred || other.droppedConstraints[k.Name] {
					continue
				}
				checked := rewritten || p.classOf(from) != p.classOf(to)
				for _, table := range []string{other.name, k.References} {
					switch {
					case table == "", table == c.name && (rewritten || other != c):
					case checked:
						while(table, "%s is checked for %s", k.Name, p.rows(other.name))
					default:
						hazards = append(hazards, Hazard{LocksReads, table})
					}
				}
			}
		}
		if rewritten {
			continue
		}
		for _, k := range c.from.Constraints {
			switch uses := state.UsesColumn(k.Uses, c.name, from.Name) && !c.droppedConstraints[k.Name]; {
			case uses && k.Kind == "check" && k.Validated:
				while(c.name, "%s is checked for %s", k.Name, p.rows(c.name))
			case uses && k.HasIndex() && p.builtAgain(from, to, k.Columns):
				while(c.name, "index %s is built again from %s", k.Name, p.rows(c.name))
			}
		}
		for _, index := range c.from.Indexes {
			uses := state.UsesColumn(index.Uses, c.name, from.Name) && !slices.Contains(c.dropIndexes, index)
			if uses && p.builtAgain(from, to, index.Key) {
				while(c.name, "index %s is built again from %s", index.Name, p.rows(c.name))
			}
		}
	}
	return hazards
}

// builtAgain reports whether PostgreSQL builds an index again because a column that it uses gets another type, although it does
// not rewrite the table. The key is empty for an index with expressions or a predicate. It follows CheckIndexCompatible in
// PostgreSQL's indexcmds.c.
func (p *planner) builtAgain(from, to *state.Column, key []string) bool {
	changed := from.Collation != to.Collation || p.classOf(from) != p.classOf(to)
	return len(key) == 0 || changed && slices.Contains(key, from.Name)
}

// classOf returns the operator class with which PostgreSQL compares values of a column.
func (p *planner) classOf(c *state.Column) string {
	t, _ := p.typeOf(c.TypeName, -1)
	return t.Class
}

// setNotNullHazards are those of SET NOT NULL. PostgreSQL does not read the rows when a check has already read them.
func (p *planner) setNotNullHazards(c *tableChange, column string) []Hazard {
	hazards := []Hazard{{LocksReads, c.name}}
	if slices.ContainsFunc(c.from.Constraints, func(k state.Constraint) bool {
		return k.Validated && k.Definition == proofRule(column) && constraintOf(c.to, k.Name) != nil
	}) {
		return hazards
	}
	return append(hazards, hazard(DependsOnRows, "%s must not be null in %s%s", column, p.rows(c.name), p.notLater(c.name, column)))
}
