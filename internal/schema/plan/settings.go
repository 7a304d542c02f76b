package plan

import (
	"slices"

	"docket/internal/schema/state"
)

// ofConstraints are the kinds by which states list constraints that Atlas cannot write. Plans compare and write them all the
// same.
var ofConstraints = []string{
	"exclusion constraint", "deferrable constraint", "constraint that is not validated", "check without a column",
	"foreign key with MATCH FULL", "foreign key that sets some columns", "foreign key to another schema",
}

// lose notes what is not managed and goes with a part of a relation, or with all of it when no part is named, and returns it.
// So it is not said to be left alone.
func (p *planner) lose(relation, part string) []state.Object {
	var gone []state.Object
	for _, o := range p.from.Unmanaged {
		if o.On == relation && (part == "" || slices.Contains(o.Parts, part)) {
			p.lost[o.String()] = true
			gone = append(gone, o)
		}
	}
	return gone
}

// losing warns of what goes, apart from constraints, of which their own statements say enough.
func losing(gone []state.Object) []Hazard {
	var hazards []Hazard
	for _, o := range gone {
		if !slices.Contains(ofConstraints, o.Kind) {
			hazards = append(hazards, Hazard{LosesSetting, o.String()})
		}
	}
	return hazards
}

// loseColumn warns of what goes with a column. What concerns nothing but a column that goes for good is not worth a word.
func (p *planner) loseColumn(c *tableChange, name string) []Hazard {
	gone := p.lose(c.name, name)
	if columnOf(c.want, name) == nil {
		gone = slices.DeleteFunc(gone, func(o state.Object) bool { return len(o.Parts) < 2 })
	}
	return losing(gone)
}

// loseStorage warns of how a column is stored: PostgreSQL forgets that when the type changes.
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

// loseIndex warns of what goes with an index, which may bear a name by now that it did not have in the database.
func (p *planner) loseIndex(relation, name string) []Hazard {
	return losing(p.lose(relation, p.originalName(relation, name)))
}
