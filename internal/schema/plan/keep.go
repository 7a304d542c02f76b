package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// keep returns to with the objects of from that the policy keeps, and records what the plan leaves alone.
func (p *planner) keep(to *state.State) *state.State {
	kept := *to
	kept.Details = nil
	for _, t := range to.Details {
		if from := p.from.Table(t.Name); from != nil {
			t = p.keepParts(to, from, t)
		}
		kept.Details = append(kept.Details, t)
	}
	for _, t := range p.from.Details {
		if p.policy.KeepTables && to.Table(t.Name) == nil {
			p.leaveAlone("table %s", t.Name)
			kept.Details = append(kept.Details, t)
		}
	}
	kept.Views = nil
	for _, v := range to.Views {
		if from := p.from.View(v.Name); from != nil {
			v = p.keepViewParts(to, from, v)
		}
		kept.Views = append(kept.Views, v)
	}
	for _, v := range p.from.Views {
		if p.policy.KeepViews && to.View(v.Name) == nil {
			p.leaveAlone("%s", v)
			kept.Views = append(kept.Views, v)
		}
	}
	p.keepOtherComments(&kept)
	for _, s := range p.from.Sequences {
		if t := kept.Table(s.Table); t != nil && columnOf(t, s.Column) != nil && to.Sequence(s.Table, s.Column) == nil &&
			(to.Table(s.Table) == nil || columnOf(to.Table(s.Table), s.Column) == nil) {
			if s.Unlogged == p.from.Table(s.Table).Unlogged {
				s.Unlogged = t.Unlogged
			}
			kept.Sequences = append(kept.Sequences, s)
		}
	}
	p.keepEnums(&kept)
	for i, e := range kept.Enums {
		if from := enumOf(p.from, e.Name); from != nil && slices.Contains(p.policy.KeepEnumValues, e.Name) {
			kept.Enums[i].Values = p.keepValues(from, e.Values)
		}
	}
	for _, extension := range p.from.Extensions {
		if !slices.Contains(to.Extensions, extension) {
			p.leaveAlone("extension %s", extension)
		}
	}
	for _, o := range slices.Concat(p.from.Unmanaged, p.from.Excluded) {
		p.leaveAlone("%s", o)
	}
	return &kept
}

// keepValues returns the values with those that only the enum of the database has, each after the value that it follows there.
func (p *planner) keepValues(from *state.Enum, values []string) []string {
	all := slices.Clone(values)
	for i, value := range from.Values {
		if slices.Contains(all, value) {
			continue
		}
		at := 0
		if i > 0 {
			at = slices.Index(all, from.Values[i-1]) + 1
		}
		all = slices.Insert(all, at, value)
		p.leaveAlone("value %s of enum %s", literal(value), from.Name)
	}
	return all
}

// leaveAlone records something that the plan does not change.
func (p *planner) leaveAlone(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.leftAloneTexts, text) {
		p.leftAloneTexts = append(p.leftAloneTexts, text)
	}
}
