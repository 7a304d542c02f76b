package plan

import (
	"slices"

	"docket/internal/schema/state"
)

// loseUnmanaged returns the objects that are not managed and that PostgreSQL drops together with a part of a relation, or
// with the whole relation if part is empty. It also records them, so that the plan does not list them as left alone.
func (p *planner) loseUnmanaged(relation, part string) []state.Object {
	var objects []state.Object
	for _, o := range p.from.Unmanaged {
		if o.On == relation && (part == "" || slices.Contains(o.Parts, part)) {
			p.lost[o.String()] = true
			objects = append(objects, o)
		}
	}
	return objects
}

// lossHazards warns that the objects are dropped.
func lossHazards(objects []state.Object) []Hazard {
	var hazards []Hazard
	for _, o := range objects {
		hazards = append(hazards, Hazard{LosesSetting, o.String()})
	}
	return hazards
}

// loseColumn warns of the objects that are dropped with a column. When the column is not created again, it leaves out
// objects of that column alone.
func (p *planner) loseColumn(c *tableChange, name string) []Hazard {
	objects := p.loseUnmanaged(c.name, name)
	if columnOf(c.to, name) == nil {
		objects = slices.DeleteFunc(objects, func(o state.Object) bool { return len(o.Parts) < 2 })
	}
	return lossHazards(objects)
}

// loseStorage warns of the storage settings of a column: PostgreSQL resets them when the column's type changes.
func (p *planner) loseStorage(c *tableChange, name string) []Hazard {
	var hazards []Hazard
	for _, o := range p.from.Unmanaged {
		if o.On == c.name && slices.Contains(o.Parts, name) && (o.Kind == "column storage" || o.Kind == "column compression") {
			p.lost[o.String()] = true
			hazards = append(hazards, Hazard{LosesSetting, o.String()})
		}
	}
	return hazards
}

// loseIndex warns of the objects that are dropped with an index. The plan may have renamed the index.
func (p *planner) loseIndex(relation, name string) []Hazard {
	return lossHazards(p.loseUnmanaged(relation, p.originalName(relation, name)))
}
