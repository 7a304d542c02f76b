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
		from := tableOf(p.fromTables, t.Name)
		if from == nil {
			continue
		}
		p.changeOptions("TABLE", t.Name, t.Name, from.Options, t.Options)
		for i := range t.Constraints {
			c := &t.Constraints[i]
			var before []string // of an index that ADD CONSTRAINT creates, none
			if old := constraintOf(from, c.Name); old != nil && !p.isRecreated("INDEX "+ident(c.Name)) {
				before = old.Options
			}
			p.changeOptions("INDEX", c.Name, t.Name, before, c.Options)
		}
		for _, index := range t.Indexes {
			if old := indexOf(from, index.Name); old != nil && !p.isRecreated("INDEX "+ident(index.Name)) {
				p.changeOptions("INDEX", index.Name, t.Name, old.Options, index.Options)
			}
		}
	}
}

// changeOptions sets and resets options of a relation or of one of its indexes, each written as "name=value".
func (p *planner) changeOptions(kind, name, relation string, from, to []string) {
	var set, reset []string
	lock := kind == "VIEW"
	for _, option := range to {
		if !slices.Contains(from, option) {
			key, value, _ := strings.Cut(option, "=")
			set, lock = append(set, key+" = "+literal(value)), lock || locksReaders(key)
		}
	}
	for _, option := range from {
		key, _, _ := strings.Cut(option, "=")
		if !slices.ContainsFunc(to, func(w string) bool { return strings.HasPrefix(w, key+"=") }) {
			reset, lock = append(reset, key), lock || locksReaders(key)
		}
	}
	var hazards []Hazard
	if lock {
		hazards = []Hazard{{LocksReads, relation}}
	}
	alter := fmt.Sprintf("ALTER %s %s ", kind, ident(name))
	if len(set) > 0 {
		p.add(Statement{alter + "SET (" + strings.Join(set, ", ") + ")", fmt.Sprintf("Set options of %s.", name), hazards})
	}
	if len(reset) > 0 {
		p.add(Statement{alter + "RESET (" + strings.Join(reset, ", ") + ")", fmt.Sprintf("Reset options of %s.", name), hazards})
	}
}

// locksReaders reports whether PostgreSQL locks out readers to change a storage parameter. It does for those of GIN and BRIN
// indexes, and for those of extensions.
func locksReaders(key string) bool {
	key = strings.TrimPrefix(key, "toast.")
	return !strings.Contains(key, "vacuum") &&
		!slices.Contains([]string{"fillfactor", "deduplicate_items", "parallel_workers", "toast_tuple_target"}, key)
}
