package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// fullType returns a column's type with its collation.
func fullType(c *state.Column) string {
	if c.Collation != "" {
		return c.Type + " COLLATE " + c.Collation
	}
	return c.Type
}

// columnClauses plans the columns of a table. It compares them by the texts that PostgreSQL prints.
func (p *planner) columnClauses(c *tableChange) ([]clause, error) {
	p.findChanged(c)
	var clauses []clause
	// A generated column must be dropped before the columns that it is computed from.
	for _, generated := range []bool{true, false} {
		for i := range c.from.Columns {
			from := &c.from.Columns[i]
			if c.droppedColumns[from.Name] && (from.Generated != "") == generated {
				clauses = append(clauses, p.dropColumn(c, from))
			}
		}
	}
	for i := range c.from.Columns {
		from := &c.from.Columns[i]
		if !c.droppedColumns[from.Name] {
			to := columnOf(c.to, from.Name)
			p.stopGenerating(c, from, to)
			adds, err := p.modifyColumn(c, from, to)
			if err != nil {
				return nil, err
			}
			changes := [][]clause{p.identityClauses(c, from, to), adds}
			if to.Identity != "" { // it must have no default before
				slices.Reverse(changes)
			}
			clauses = append(clauses, slices.Concat(changes...)...)
		}
	}
	for i := range c.to.Columns {
		to := &c.to.Columns[i]
		if columnOf(c.from, to.Name) == nil || c.droppedColumns[to.Name] {
			clauses = append(clauses, p.addColumn(c, to))
		}
	}
	return clauses, nil
}

// findChanged records the columns that are dropped, including those that are added again because their expression cannot be
// changed, and the columns whose type or collation changes. Views on all of these must be dropped first.
func (p *planner) findChanged(c *tableChange) {
	retyped := map[string]bool{}
	for _, from := range c.from.Columns {
		to := columnOf(c.to, from.Name)
		switch {
		case to == nil, to.Generated != "" && (to.Generated != from.Generated || fullType(to) != fullType(&from)):
			c.droppedColumns[from.Name] = true
		case fullType(&from) != fullType(to):
			retyped[from.Name] = true
			a, _ := p.typeOf(from.TypeName, -1)
			b, _ := p.typeOf(to.TypeName, -1)
			if a.Family == "" || a.Family != b.Family {
				c.incomparable[from.Name] = true
			}
		}
	}
	for _, from := range c.from.Columns {
		if to := columnOf(c.to, from.Name); from.Generated == "" || to == nil || to.Generated == "" {
			continue // it is not generated when the types change
		}
		if uses(c.name, from.Uses, retyped) {
			c.droppedColumns[from.Name] = true // PostgreSQL cannot change the type of a column that it reads
		}
	}
	for name := range retyped {
		c.retypedColumns[name] = true
		p.columns[key{c.name, name}] = true
	}
	for name := range c.droppedColumns {
		p.columns[key{c.name, name}] = true
	}
}

// modifyColumn plans the change of a column that exists in both states. identityClauses and stopGenerating plan the rest.
func (p *planner) modifyColumn(c *tableChange, from, to *state.Column) ([]clause, error) {
	var clauses []clause
	alter, lock := "ALTER COLUMN "+ident(from.Name)+" ", []Hazard{{LocksReads, c.name}}
	current := p.currentDefault(c, from, to)
	if c.retypedColumns[from.Name] {
		sql := alter + "TYPE " + fullType(to)
		using, err := p.using(c, from, to)
		if err != nil {
			return nil, err
		}
		if using != "" {
			if current != "" {
				// PostgreSQL would convert the old default to the new type, which fails without an assignment cast.
				clauses = append(clauses, clause{sql: alter + "DROP DEFAULT"})
				current = ""
			}
			sql += " USING " + using
		}
		summary := fmt.Sprintf("change the type of %s from %s to %s", from.Name, fullType(from), fullType(to))
		if p.rewrites(from, to) == unlessUTC {
			summary += " at the TimeZone of the session"
		}
		clauses = append(clauses, clause{sql, summary, p.retypeHazards(c, from, to)})
	}
	summary := "change the default of " + from.Name
	switch {
	case to.Default == current:
	case to.Default == "":
		clauses = append(clauses, clause{alter + "DROP DEFAULT", summary, lock})
	default:
		clauses = append(clauses, clause{alter + "SET DEFAULT " + to.Default, summary, lock})
	}
	switch {
	case from.NotNull == to.NotNull:
	case to.NotNull:
		clauses = append(clauses, p.setNotNull(c, from))
	default:
		clauses = append(clauses, clause{alter + "DROP NOT NULL", "allow nulls in " + from.Name, lock})
	}
	return clauses, nil
}

// setNotNull forbids nulls in a column.
func (p *planner) setNotNull(c *tableChange, from *state.Column) clause {
	return clause{
		"ALTER COLUMN " + ident(from.Name) + " SET NOT NULL", "forbid nulls in " + from.Name, p.setNotNullHazards(c, from.Name),
	}
}

// stopGenerating makes a generated column a plain one that keeps its values. It does so before all other changes of the table:
// PostgreSQL refuses to drop a column that an expression reads, and to change its type.
func (p *planner) stopGenerating(c *tableChange, from, to *state.Column) {
	if from.Generated == "" || to.Generated != "" {
		return
	}
	c.before = append(c.before, Statement{
		SQL:     fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP EXPRESSION", ident(c.name), ident(from.Name)),
		Comment: fmt.Sprintf("Keep the values of %s.%s and stop generating them.", c.name, from.Name),
		Hazards: []Hazard{{LocksReads, c.name}},
	})
}

func (p *planner) dropColumn(c *tableChange, from *state.Column) clause {
	hazards := []Hazard{{LocksReads, c.name}}
	summary := "drop column " + from.Name
	hazards = append(hazards, p.loseColumn(c, from.Name)...)
	if from.Generated != "" {
		summary = "drop generated column " + from.Name
	} else {
		hazards = append(hazards, Hazard{DropsData, p.dropColumnDetail(c, from)})
	}
	return clause{"DROP COLUMN " + ident(from.Name), summary, hazards}
}

func (p *planner) addColumn(c *tableChange, to *state.Column) clause {
	p.recreate(columnTarget(c.name, to.Name))
	before, definition, after := p.to.ColumnSQL(c.name, *to)
	for _, sql := range before {
		c.before = append(c.before, Statement{SQL: sql, Comment: fmt.Sprintf("Create the sequence of %s.%s.", c.name, to.Name)})
	}
	for _, sql := range after {
		c.after = append(c.after, Statement{SQL: sql, Comment: fmt.Sprintf("Set how %s.%s is numbered.", c.name, to.Name)})
	}
	return clause{"ADD COLUMN " + definition, "add column " + to.Name, p.addColumnHazards(c, to)}
}
