package plan

import (
	"fmt"
	"maps"
	"slices"

	"docket/internal/schema/state"
)

// keep returns to with what the policy keeps of from, and takes down what it left alone.
func (p *planner) keep(to *state.State) *state.State {
	kept := *to
	kept.Parameters, kept.Comments = maps.Clone(to.Parameters), maps.Clone(to.Comments)
	if kept.Parameters == nil {
		kept.Parameters = map[string][]string{}
	}
	if kept.Comments == nil {
		kept.Comments = map[string]string{}
	}
	kept.Details = nil
	for _, t := range to.Details {
		if had := p.from.Table(t.Name); had != nil && p.policy.KeepColumns {
			t = p.keepColumns(&kept, had, t)
		}
		kept.Details = append(kept.Details, t)
	}
	for _, t := range p.from.Details {
		if p.policy.KeepTables && to.Table(t.Name) == nil {
			p.leave("table %s", t.Name)
			kept.Details = append(kept.Details, t)
			names := []string{t.Name}
			for _, index := range t.Indexes {
				names = append(names, index.Name)
			}
			for _, c := range t.Constraints {
				names = append(names, c.Name)
			}
			p.keepParameters(&kept, names)
		}
	}
	for _, v := range p.from.Views {
		if p.policy.KeepViews && to.View(v.Name) == nil {
			p.leave("%s", v)
			kept.Views = append(slices.Clone(kept.Views), v)
		}
	}
	for _, s := range p.from.Sequences {
		if t := kept.Table(s.Table); t != nil && columnOf(t, s.Column) != nil && sequenceOf(to, s.Table, s.Column) == nil &&
			(to.Table(s.Table) == nil || columnOf(to.Table(s.Table), s.Column) == nil) {
			kept.Sequences = append(slices.Clone(kept.Sequences), s)
			if text, ok := p.from.Comments["SEQUENCE "+ident(s.Name)]; ok {
				kept.Comments["SEQUENCE "+ident(s.Name)] = text
			}
		}
	}
	for _, e := range p.from.Enums {
		if enumOf(to, e.Name) == nil && usesType(&kept, e.Name) {
			kept.Enums = append(slices.Clone(kept.Enums), e)
		}
	}
	for _, extension := range p.from.Extensions {
		if !slices.Contains(to.Extensions, extension) {
			p.leave("extension %s", extension)
		}
	}
	for _, o := range slices.Concat(p.from.Unmanaged, p.from.Excluded) {
		p.leave("%s", o)
	}
	return &kept
}

// keepColumns returns the table with the columns that only had has, and what hangs on them.
func (p *planner) keepColumns(kept *state.State, had, t *state.Table) *state.Table {
	with := *t
	with.Columns, with.Constraints, with.Indexes = slices.Clone(t.Columns), slices.Clone(t.Constraints), slices.Clone(t.Indexes)
	var names []string
	for _, c := range had.Columns {
		if columnOf(t, c.Name) != nil {
			continue
		}
		if c.NotNull && c.Default == "" && c.Generated == "" && c.Identity == "" {
			p.leave("column %s.%s, which must have a value and has no default: rows that do not name it are refused", t.Name, c.Name)
		} else {
			p.leave("column %s.%s", t.Name, c.Name)
		}
		with.Columns = append(with.Columns, c)
		for _, constraint := range had.Constraints {
			if hasWord(constraint.Definition, c.Name) && constraintOf(&with, constraint.Name) == nil {
				with.Constraints = append(with.Constraints, constraint)
				names = append(names, constraint.Name)
			}
		}
		for _, index := range had.Indexes {
			if hasWord(index.Definition, c.Name) && indexOf(&with, index.Name) == nil {
				with.Indexes = append(with.Indexes, index)
				names = append(names, index.Name)
			}
		}
	}
	p.keepParameters(kept, names)
	return &with
}

// keepParameters keeps the storage parameters of relations.
func (p *planner) keepParameters(kept *state.State, names []string) {
	for _, name := range names {
		if options, ok := p.from.Parameters[name]; ok {
			kept.Parameters[name] = options
		}
	}
}

// leave takes down what the plan does not touch.
func (p *planner) leave(format string, args ...any) {
	p.leftAlone = append(p.leftAlone, fmt.Sprintf(format, args...))
}
