package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"docket/internal/schema/state"
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

// changeSequences sets the names and parameters of the sequences of columns. Those of new tables are already set.
func (p *planner) changeSequences() {
	for _, to := range p.to.Sequences {
		if tableOf(p.fromTables, to.Table) == nil {
			continue
		}
		from, created := p.from.Sequence(to.Table, to.Column), false
		if from == nil || from.Identity != to.Identity || p.isRecreated(columnTarget(to.Table, to.Column)) {
			from, created = p.newSequence(&to), true
			p.recreate("SEQUENCE " + ident(to.Name))
		}
		if from.Name != to.Name {
			p.add(Statement{
				SQL:     fmt.Sprintf("ALTER SEQUENCE %s RENAME TO %s", ident(from.Name), ident(to.Name)),
				Comment: fmt.Sprintf("Rename the sequence of %s.%s.", to.Table, to.Column),
				Hazards: []Hazard{{LocksWrites, to.Table}},
			})
			p.originalNames[key{"", to.Name}] = from.Name
		}
		if options := sequenceOptions(from, &to, created); len(options) > 0 {
			p.add(Statement{
				SQL:     fmt.Sprintf("ALTER SEQUENCE %s %s", ident(to.Name), strings.Join(options, " ")),
				Comment: fmt.Sprintf("Set how %s.%s is numbered.", to.Table, to.Column),
				Hazards: []Hazard{{LocksWrites, "inserts into " + to.Table + " that need a number"}},
			})
		}
	}
	for _, sequence := range p.continued {
		p.add(p.continueSequence(sequence))
	}
}

// newSequence returns the sequence that PostgreSQL creates for a column by default. When an existing column becomes serial,
// Atlas creates the sequence in a statement of its own, without the type of the column.
func (p *planner) newSequence(to *state.Sequence) *state.Sequence {
	sequence := *to
	sequence.Start, sequence.Increment, sequence.Min, sequence.Cache, sequence.Cycle = 1, 1, 1, 1, false
	sequence.Type = columnOf(tableOf(p.toTables, to.Table), to.Column).Type
	if !to.Identity && !p.isRecreated(columnTarget(to.Table, to.Column)) {
		sequence.Type = "bigint"
	}
	sequence.Max = maxValue(sequence.Type)
	return &sequence
}

func maxValue(typ string) int64 {
	_, largest := state.IntegerRange(typ)
	return largest
}

// sequenceOptions lists the options that differ. Only a sequence that the plan creates is set to its start, because the
// position of an existing sequence is data.
func sequenceOptions(from, to *state.Sequence, created bool) []string {
	var options []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			options = append(options, fmt.Sprintf(format, args...))
		}
	}
	if to.Identity && !created {
		from = withType(from, to.Type)
	}
	// When the maximum is that of the type, PostgreSQL changes it with the type.
	high := from.Max
	if from.Type != to.Type && high == maxValue(from.Type) {
		high = maxValue(to.Type)
	}
	add(from.Type != to.Type, "AS %s", to.Type)
	add(from.Increment != to.Increment, "INCREMENT BY %d", to.Increment)
	add(from.Min != to.Min, "MINVALUE %d", to.Min)
	add(high != to.Max, "MAXVALUE %d", to.Max)
	add(from.Start != to.Start, "START WITH %d", to.Start)
	add(created && from.Start != to.Start, "RESTART")
	add(from.Cache != to.Cache, "CACHE %d", to.Cache)
	add(to.Cycle && !from.Cycle, "CYCLE")
	add(from.Cycle && !to.Cycle, "NO CYCLE")
	return options
}

// withType returns the sequence of an identity column after the column's type has changed, which also changes the sequence.
func withType(from *state.Sequence, typ string) *state.Sequence {
	as := *from
	if as.Max == maxValue(as.Type) {
		as.Max = maxValue(typ)
	}
	as.Type = typ
	return &as
}

// nextvalDefault matches a default that takes numbers from a sequence.
var nextvalDefault = regexp.MustCompile(`^nextval\('(.+)'::regclass\)$`)

// continueSequence sets a new sequence of a column with rows to a number after all numbers of the column. The number is also
// after those of the column's previous sequence, so that the number of a deleted row is not used again.
func (p *planner) continueSequence(s *state.Sequence) Statement {
	table, column := ident(s.Table), ident(s.Column)
	last, comment := fmt.Sprintf("max(%s)", column), fmt.Sprintf("Continue after the highest %s in %s.", s.Column, s.Table)
	before := nextvalDefault.FindStringSubmatch(columnOf(tableOf(p.fromTables, s.Table), s.Column).Default)
	if before != nil && p.from.Sequence(s.Table, s.Column) == nil { // the plan drops a sequence that the column owns
		name := strings.ReplaceAll(before[1], "''", "'")
		last = fmt.Sprintf("greatest(max(%s), (SELECT last_value FROM %s))", column, name)
		comment = fmt.Sprintf("Continue after the highest %s in %s and after the last number of %s.", s.Column, s.Table, name)
	}
	return Statement{
		SQL:     fmt.Sprintf("SELECT setval(%s, %s) FROM %s HAVING %s >= %d", literal(ident(s.Name)), last, table, last, s.Start),
		Comment: comment,
	}
}
