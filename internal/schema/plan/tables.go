package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// changeTables plans tables, their columns, constraints and indexes. It drops foreign keys first and adds them last, so that
// no other step depends on them.
func (p *planner) changeTables() error {
	changes, err := p.tableChanges()
	if err != nil {
		return err
	}
	p.changes = changes
	if err := p.checkPersistence(); err != nil {
		return err
	}
	if err := p.changeForeignKeys(changes); err != nil {
		return err
	}
	for _, c := range changes {
		p.alter(c.name, c.dropForeign)
	}
	p.startSequences(changes)
	p.dropTables()
	for _, c := range changes {
		p.dropIndexes(c)
	}
	p.changePersistence()
	for _, c := range changes {
		p.addAll(c.before)
		if len(c.retypedColumns) > 0 {
			c.clauses = append(c.clauses, clause{hazards: p.followHazards(c, changes)})
		}
		p.alter(c.name, c.clauses)
		p.addAll(c.after)
		p.regrantColumns(c)
	}
	p.createTables(changes)
	for _, c := range changes {
		p.createIndexes(c)
	}
	p.changeParameters()
	p.finishSequences()
	for _, c := range slices.Concat(changes, p.lateForeignKeys) {
		p.alter(c.name, c.addForeign)
	}
	return nil
}

func (p *planner) addAll(statements []Statement) {
	for _, s := range statements {
		p.add(s)
	}
}

// tableChange is the change of a table that exists in both states.
type tableChange struct {
	name     string
	from, to *state.Table

	dropForeign, clauses, addForeign []clause
	before, after                    []Statement // around the ALTER TABLE with the clauses
	dropIndexes, addIndexes          []*state.Index

	droppedColumns     map[string]bool // also those that are added again
	retypedColumns     map[string]bool // columns that get another type or collation
	incomparable       map[string]bool // columns whose new type cannot be compared with the old one
	droppedConstraints map[string]bool // also those that are added again
}

// clause is a part of an ALTER TABLE.
type clause struct {
	sql, summary string
	hazards      []Hazard
}

// alter adds one ALTER TABLE with all clauses, so that the table is locked, scanned and rewritten at most one time.
func (p *planner) alter(table string, clauses []clause) {
	if len(clauses) == 0 {
		return
	}
	var summaries, sql []string
	var hazards []Hazard
	for _, c := range clauses {
		if c.sql != "" {
			sql = append(sql, c.sql)
		}
		if c.summary != "" {
			summaries = append(summaries, c.summary)
		}
		for _, h := range c.hazards {
			if !slices.Contains(hazards, h) {
				hazards = append(hazards, h)
			}
		}
	}
	// Of two hazards for one lock, keep the one that says why.
	hazards = slices.DeleteFunc(hazards, func(h Hazard) bool {
		return slices.ContainsFunc(hazards, func(other Hazard) bool {
			return other.Kind == h.Kind && strings.HasPrefix(other.Detail, h.Detail+", while")
		})
	})
	slices.SortStableFunc(hazards, func(a, b Hazard) int { return cmp.Compare(severity[a.Kind], severity[b.Kind]) })
	separator := "\n    "
	if len(sql) == 1 {
		separator = " "
	}
	p.add(Statement{
		SQL:     "ALTER TABLE " + ident(table) + separator + strings.Join(sql, ","+separator),
		Comment: fmt.Sprintf("Change %s: %s.", table, strings.Join(summaries, ", ")),
		Hazards: hazards,
	})
}

func (p *planner) tableChanges() ([]*tableChange, error) {
	var changes []*tableChange
	for _, to := range p.toTables {
		from := tableOf(p.fromTables, to.Name)
		if from == nil {
			continue
		}
		c := &tableChange{
			name: to.Name, from: from, to: to,
			droppedColumns: map[string]bool{}, retypedColumns: map[string]bool{}, incomparable: map[string]bool{},
			droppedConstraints: map[string]bool{},
		}
		columns, err := p.columnClauses(c)
		if err != nil {
			return nil, err
		}
		drops, adds := p.constraintClauses(c)
		c.clauses = slices.Concat(drops, columns, adds)
		p.indexChanges(c)
		changes = append(changes, c)
	}
	return changes, nil
}
