package plan

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"docket/internal/schema/state"
)

// createExtensions adds what is missing. One that the files do not have may serve somebody else and stays.
func (p *planner) createExtensions() {
	for _, name := range p.to.Extensions {
		if !slices.Contains(p.from.Extensions, name) {
			p.add(Statement{
				SQL:     "CREATE EXTENSION IF NOT EXISTS " + ident(name),
				Comment: fmt.Sprintf("Add extension %s, which needs a role that may do so.", name),
			})
		}
	}
}

// changeParameters sets and resets storage parameters of the tables that stay and of their indexes that do.
func (p *planner) changeParameters() {
	for _, t := range p.want {
		have := tableOf(p.have, t.Name)
		if have == nil {
			continue
		}
		p.changeOptions("TABLE", t.Name, p.from.Parameters[t.Name], p.to.Parameters[t.Name])
		for i := range t.Constraints {
			c := &t.Constraints[i]
			had := p.from.Parameters[p.originalName(t.Name, c.Name)]
			if p.isRenewed("INDEX "+ident(c.Name)) || constraintOf(have, c.Name) == nil {
				had = nil
			}
			if indexed(c) {
				p.changeOptions("INDEX", c.Name, had, p.to.Parameters[c.Name])
			}
		}
		for _, index := range t.Indexes {
			if !p.isRenewed("INDEX "+ident(index.Name)) && indexOf(have, index.Name) != nil {
				p.changeOptions("INDEX", index.Name, p.from.Parameters[p.originalName(t.Name, index.Name)], p.to.Parameters[index.Name])
			}
		}
	}
}

// changeOptions sets and resets options of a relation, each written as "name=value".
func (p *planner) changeOptions(kind, name string, had, wanted []string) {
	var set, reset []string
	for _, option := range wanted {
		if !slices.Contains(had, option) {
			key, value, _ := strings.Cut(option, "=")
			set = append(set, key+" = "+literal(value))
		}
	}
	for _, option := range had {
		key, _, _ := strings.Cut(option, "=")
		if !slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(w, key+"=") }) {
			reset = append(reset, key)
		}
	}
	var hazards []Hazard
	if kind == "VIEW" { // those of what holds rows are changed beside its readers
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

// changeSequences gives the sequences of columns their names and parameters. Those of new tables have them already.
func (p *planner) changeSequences() {
	for _, wanted := range p.to.Sequences {
		if tableOf(p.have, wanted.Table) == nil {
			continue
		}
		had, made := sequenceOf(p.from, wanted.Table, wanted.Column), false
		if had == nil || had.Identity != wanted.Identity || p.isRenewed(columnTarget(wanted.Table, wanted.Column)) {
			had, made = p.newSequence(&wanted), true
			p.renew("SEQUENCE " + ident(wanted.Name))
		}
		if had.Name != wanted.Name {
			p.add(Statement{
				SQL:     fmt.Sprintf("ALTER SEQUENCE %s RENAME TO %s", ident(had.Name), ident(wanted.Name)),
				Comment: fmt.Sprintf("Rename the sequence of %s.%s.", wanted.Table, wanted.Column),
				Hazards: []Hazard{{LocksWrites, wanted.Table}},
			})
			p.originally[key{"", wanted.Name}] = had.Name
		}
		if options := sequenceOptions(had, &wanted, made); len(options) > 0 {
			p.add(Statement{
				SQL:     fmt.Sprintf("ALTER SEQUENCE %s %s", ident(wanted.Name), strings.Join(options, " ")),
				Comment: fmt.Sprintf("Set how %s.%s is numbered.", wanted.Table, wanted.Column),
				Hazards: []Hazard{{LocksWrites, "inserts into " + wanted.Table + " that need a number"}},
			})
		}
	}
	for _, sequence := range p.taken {
		p.add(p.continueSequence(sequence))
	}
}

// newSequence is what PostgreSQL makes for a column unless told otherwise. For one that is there already, Atlas makes the
// sequence of a serial type by itself, and so without the type of the column.
func (p *planner) newSequence(wanted *state.Sequence) *state.Sequence {
	made := *wanted
	made.Start, made.Increment, made.Min, made.Cache, made.Cycle = 1, 1, 1, 1, false
	made.Type = columnOf(tableOf(p.want, wanted.Table), wanted.Column).Type
	if !wanted.Identity && !p.isRenewed(columnTarget(wanted.Table, wanted.Column)) {
		made.Type = "bigint"
	}
	made.Max = highest(made.Type)
	return &made
}

func highest(typ string) int64 {
	switch typ {
	case "smallint":
		return math.MaxInt16
	case "integer":
		return math.MaxInt32
	}
	return math.MaxInt64
}

// sequenceOptions lists what differs. Only a sequence that the plan makes is set to its start: where others stand is data.
func sequenceOptions(had, wanted *state.Sequence, made bool) []string {
	var options []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			options = append(options, fmt.Sprintf(format, args...))
		}
	}
	if wanted.Identity && !made {
		had = identityAs(had, wanted.Type)
	}
	// With a type that had its own bounds PostgreSQL changes the upper one too.
	high := had.Max
	if had.Type != wanted.Type && high == highest(had.Type) {
		high = highest(wanted.Type)
	}
	add(had.Type != wanted.Type, "AS %s", wanted.Type)
	add(had.Increment != wanted.Increment, "INCREMENT BY %d", wanted.Increment)
	add(had.Min != wanted.Min, "MINVALUE %d", wanted.Min)
	add(high != wanted.Max, "MAXVALUE %d", wanted.Max)
	add(had.Start != wanted.Start, "START WITH %d", wanted.Start)
	add(made && had.Start != wanted.Start, "RESTART")
	add(had.Cache != wanted.Cache, "CACHE %d", wanted.Cache)
	add(wanted.Cycle && !had.Cycle, "CYCLE")
	add(had.Cycle && !wanted.Cycle, "NO CYCLE")
	return options
}

// identityAs is the sequence as it is when its column has got the type: an identity column takes it along.
func identityAs(had *state.Sequence, typ string) *state.Sequence {
	as := *had
	if as.Max == highest(as.Type) {
		as.Max = highest(typ)
	}
	as.Type = typ
	return &as
}

// ownerless is the default of a column that is numbered by a sequence of its own choice, not by the column's.
var ownerless = regexp.MustCompile(`^nextval\('(.+)'::regclass\)$`)

// continueSequence moves a sequence that was made for a column with rows behind the numbers that they have, and behind those
// that the sequence before it has given out: the number of a row that went is not given to another.
func (p *planner) continueSequence(s *state.Sequence) Statement {
	table, column := ident(s.Table), ident(s.Column)
	last, comment := fmt.Sprintf("max(%s)", column), fmt.Sprintf("Number on behind the highest %s in %s.", s.Column, s.Table)
	before := ownerless.FindStringSubmatch(columnOf(tableOf(p.have, s.Table), s.Column).Default)
	if before != nil && sequenceOf(p.from, s.Table, s.Column) == nil { // the column's own goes with the plan
		name := strings.ReplaceAll(before[1], "''", "'")
		last = fmt.Sprintf("greatest(max(%s), (SELECT last_value FROM %s))", column, name)
		comment = fmt.Sprintf("Number on behind the highest %s in %s and the last number of %s.", s.Column, s.Table, name)
	}
	return Statement{
		SQL:     fmt.Sprintf("SELECT setval(%s, %s) FROM %s HAVING %s >= %d", literal(ident(s.Name)), last, table, last, s.Start),
		Comment: comment,
	}
}
