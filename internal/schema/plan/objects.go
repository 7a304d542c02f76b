package plan

import (
	"fmt"
	"slices"
	"strings"
)

// createExtensions adds missing extensions. It drops none, because other users of the database may need them.
func (p *planner) createExtensions() {
	for _, name := range p.to.Extensions {
		if !slices.Contains(p.from.Extensions, name) {
			p.add(Statement{
				SQL:     "CREATE EXTENSION IF NOT EXISTS " + ident(name),
				Comment: fmt.Sprintf("Add extension %s, which requires a role with that privilege.", name),
			})
		}
	}
}

// changeParameters sets and resets storage parameters of the tables and indexes that exist in both states.
func (p *planner) changeParameters() {
	for _, t := range p.toTables {
		fromTable := tableOf(p.fromTables, t.Name)
		if fromTable == nil {
			continue
		}
		p.changeOptions("TABLE", t.Name, p.from.Parameters[t.Name], p.to.Parameters[t.Name])
		for i := range t.Constraints {
			c := &t.Constraints[i]
			from := p.from.Parameters[p.originalName(t.Name, c.Name)]
			if p.isRecreated("INDEX "+ident(c.Name)) || constraintOf(fromTable, c.Name) == nil {
				from = nil
			}
			if c.HasIndex() {
				p.changeOptions("INDEX", c.Name, from, p.to.Parameters[c.Name])
			}
		}
		for _, index := range t.Indexes {
			if !p.isRecreated("INDEX "+ident(index.Name)) && indexOf(fromTable, index.Name) != nil {
				p.changeOptions("INDEX", index.Name, p.from.Parameters[p.originalName(t.Name, index.Name)], p.to.Parameters[index.Name])
			}
		}
	}
}

// changeOptions sets and resets options of a relation, each written as "name=value".
func (p *planner) changeOptions(kind, name string, from, to []string) {
	var set, reset []string
	for _, option := range to {
		if !slices.Contains(from, option) {
			key, value, _ := strings.Cut(option, "=")
			set = append(set, key+" = "+literal(value))
		}
	}
	for _, option := range from {
		key, _, _ := strings.Cut(option, "=")
		if !slices.ContainsFunc(to, func(w string) bool { return strings.HasPrefix(w, key+"=") }) {
			reset = append(reset, key)
		}
	}
	var hazards []Hazard
	if kind == "VIEW" { // ALTER TABLE, INDEX and MATERIALIZED VIEW do not block readers
		hazards = []Hazard{{LocksReads, name}}
	}
	alter := fmt.Sprintf("ALTER %s %s ", kind, ident(name))
	if len(set) > 0 {
		p.add(Statement{alter + "SET (" + strings.Join(set, ", ") + ")", fmt.Sprintf("Set options of %s.", name), hazards})
	}
	if len(reset) > 0 {
		p.add(Statement{alter + "RESET (" + strings.Join(reset, ", ") + ")", fmt.Sprintf("Reset options of %s.", name), hazards})
	}
}
