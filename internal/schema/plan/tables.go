package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// changeTables plans tables, their columns, constraints and indexes. Foreign keys go first and come last, so that no other
// step has to mind them.
func (p *planner) changeTables() error {
	changes, err := p.tableChanges()
	if err != nil {
		return err
	}
	p.rebuildForeignKeys(changes)
	for _, c := range changes {
		p.alter(c.name, c.dropForeign)
	}
	p.dropTables()
	for _, c := range changes {
		p.dropIndexes(c)
	}
	for _, c := range changes {
		p.addAll(c.before)
		p.alter(c.name, c.clauses)
		p.addAll(c.after)
	}
	p.createTables(changes)
	for _, c := range changes {
		p.createIndexes(c)
	}
	p.changeParameters()
	p.changeSequences()
	for _, c := range slices.Concat(changes, p.late) {
		p.alter(c.name, c.addForeign)
	}
	return nil
}

func (p *planner) addAll(statements []Statement) {
	for _, s := range statements {
		p.add(s)
	}
}

// tableChange is what becomes of a table that is there before and after.
type tableChange struct {
	name       string
	have, want *state.Table

	dropForeign, clauses, addForeign []clause
	before, after                    []Statement // around the clauses
	dropIndexes, addIndexes          []*state.Index

	gone      map[string]bool // columns that go, for good or to come again
	retyped   map[string]bool // columns that get another type or collation
	strangers map[string]bool // columns that get a type that values of the old one cannot be compared with
	dropped   map[string]bool // constraints that go, for good or to come again
	lostKeys  []string        // columns of unique constraints and indexes that go
}

// clause is a part of an ALTER TABLE.
type clause struct {
	sql, says string
	hazards   []Hazard
}

// alter adds one ALTER TABLE, so that the table is locked, scanned and rewritten once at most.
func (p *planner) alter(table string, clauses []clause) {
	if len(clauses) == 0 {
		return
	}
	var says, sql []string
	var hazards []Hazard
	for _, c := range clauses {
		sql = append(sql, c.sql)
		if c.says != "" {
			says = append(says, c.says)
		}
		for _, h := range c.hazards {
			if !slices.Contains(hazards, h) {
				hazards = append(hazards, h)
			}
		}
	}
	// One lock is enough, and the longer word on it says more.
	hazards = slices.DeleteFunc(hazards, func(h Hazard) bool {
		return slices.ContainsFunc(hazards, func(other Hazard) bool {
			return other.Kind == h.Kind && strings.HasPrefix(other.Detail, h.Detail+", while")
		})
	})
	slices.SortStableFunc(hazards, func(a, b Hazard) int { return cmp.Compare(severity[a.Kind], severity[b.Kind]) })
	separator := "\n    "
	if len(clauses) == 1 {
		separator = " "
	}
	p.add(Statement{
		SQL:     "ALTER TABLE " + ident(table) + separator + strings.Join(sql, ","+separator),
		Comment: fmt.Sprintf("Change %s: %s.", table, strings.Join(says, ", ")),
		Hazards: hazards,
	})
}

func (p *planner) tableChanges() ([]*tableChange, error) {
	var changes []*tableChange
	for _, want := range p.want {
		have := tableOf(p.have, want.Name)
		if have == nil {
			continue
		}
		c := &tableChange{
			name: want.Name, have: have, want: want,
			gone: map[string]bool{}, retyped: map[string]bool{}, strangers: map[string]bool{}, dropped: map[string]bool{},
		}
		columns, err := p.columnClauses(c)
		if err != nil {
			return nil, fmt.Errorf("plan table %s: %w", want.Name, err)
		}
		drops, adds := p.constraintClauses(c)
		c.clauses = slices.Concat(drops, columns, adds)
		p.indexChanges(c)
		changes = append(changes, c)
	}
	return changes, nil
}
