package plan

import (
	"fmt"
	"slices"

	"docket/internal/schema/state"
)

// CastError is the error for a column whose new type PostgreSQL cannot convert the old one to.
type CastError struct {
	Table, Column, From, To string

	byHand, using string
}

func (e *CastError) Error() string {
	return fmt.Sprintf("plan table %s: PostgreSQL has no cast from %s, the type of column %s, to %s, its type in the files, so only "+
		"you know how to convert its values. Write %s that converts them, for example: ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s",
		e.Table, e.From, e.Column, e.To, e.byHand, ident(e.Table), ident(e.Column), e.To, e.using)
}

// conversion is how PostgreSQL converts a type to another one.
type conversion int

const (
	impossible conversion = iota
	binary                // both types store a value alike
	byFunction
	byText     // the output function of one type and the input function of the other
	byElements // of an array
)

// typeOf returns the type of the name. The type below a domain is returned with the size that the domain gives it.
func (p *planner) typeOf(name string, modifier int) (state.Type, int) {
	t, ok := p.target.Types[name]
	if !ok {
		if t, ok = p.from.Types[name]; !ok {
			return state.Type{Name: name}, modifier
		}
	}
	if t.Base != "" {
		return p.typeOf(t.Base, t.Modifier)
	}
	return t, modifier
}

// constrained reports whether the type is a domain that refuses some values of the type below it.
func constrained(s *state.State, name string) bool {
	t, ok := s.Types[name]
	return ok && t.Base != "" && (t.Constrained || constrained(s, t.Base))
}

// convert returns how PostgreSQL converts a type to another one, in an assignment or by an explicit cast. It follows
// find_coercion_pathway in PostgreSQL's parse_coerce.c.
func (p *planner) convert(from, to string, explicit bool) conversion {
	a, _ := p.typeOf(from, -1)
	b, _ := p.typeOf(to, -1)
	if a.Name == b.Name {
		return binary
	}
	if cast := p.cast(a.Name, b.Name); cast != nil {
		switch {
		case cast.Context == "e" && !explicit:
			return impossible
		case cast.Method == "b":
			return binary
		case cast.Method == "i":
			return byText
		}
		return byFunction
	}
	switch {
	case a.Element != "" && b.Element != "" && p.convert(a.Element, b.Element, explicit) != impossible:
		return byElements
	case b.String, a.String && explicit:
		return byText
	}
	return impossible
}

func (p *planner) cast(from, to string) *state.Cast {
	is := func(c state.Cast) bool { return c.From == from && c.To == to }
	if cast := find(p.from.Casts, is); cast != nil {
		return cast
	}
	return find(p.target.Casts, is) // of a type that the plan creates
}

// using returns the expression that converts a column when an assignment does not, or "" if it does. The assignment is required
// where it is possible: it refuses a text that is too long, which an explicit cast would truncate.
func (p *planner) using(c *tableChange, from, to *state.Column) (string, error) {
	name := ident(from.Name)
	switch {
	case p.convert(from.TypeName, to.TypeName, false) != impossible:
		return "", nil
	case p.convert(from.TypeName, to.TypeName, true) != impossible:
		return name + "::" + to.Type, nil
	}
	a, _ := p.typeOf(from.TypeName, -1)
	b, _ := p.typeOf(to.TypeName, -1)
	byLabel := name + "::text::" + to.Type
	if p.enum(a.Element) && p.enum(b.Element) {
		byLabel = name + "::text[]::" + to.Type
	}
	if p.enum(a.Name) && p.enum(b.Name) || p.enum(a.Element) && p.enum(b.Element) {
		return byLabel, nil // the values of an enum are names, and one name in both means the same
	}
	return "", &CastError{c.name, from.Name, from.Type, to.Type, p.policy.byHand(), byLabel}
}

func (p *planner) enum(name string) bool {
	t, _ := p.typeOf(name, -1)
	return t.Enum
}

// rewrite is whether PostgreSQL rewrites a table to change the type of a column.
type rewrite int

const (
	never     rewrite = iota
	unlessUTC         // only if the session's TimeZone is not UTC
	always
)

// rewrites follows ATColumnChangeRequiresRewrite in PostgreSQL's tablecmds.c.
func (p *planner) rewrites(from, to *state.Column) rewrite {
	a, _ := p.typeOf(from.TypeName, -1)
	b, size := p.typeOf(to.TypeName, to.Modifier)
	how := p.convert(from.TypeName, to.TypeName, true)
	switch {
	case from.TypeName != to.TypeName && constrained(p.target, to.TypeName):
		return always
	case size >= 0 && size != from.Modifier:
		resize := p.cast(b.Name, b.Name)
		if resize == nil || !resize.Skipped || how == byElements || !fits(b.Name, from.Modifier, size) {
			return always
		}
	}
	timestamps := []string{"timestamp without time zone", "timestamp with time zone"}
	switch {
	case how == binary:
		return never
	case slices.Contains(timestamps, a.Name) && slices.Contains(timestamps, b.Name):
		return unlessUTC
	}
	return always
}

// maxPrecision is the number of decimals of seconds in a type without a size.
const maxPrecision = 6

// fits reports whether every value of a type with one size has the other size as well. Sizes are as in pg_attribute.atttypmod;
// -1 is none.
func fits(typ string, from, to int) bool {
	switch {
	case to < 0:
		return true
	case typ == "numeric":
		return from >= 0 && scale(from) == scale(to) && precision(from) <= precision(to)
	case typ == "interval":
		return leastField(from) >= leastField(to) && (leastField(from) > 0 || decimals(from) <= decimals(to))
	case slices.Contains(temporal, typ):
		return decimals(from) <= decimals(to)
	}
	return from >= 0 && from <= to && typ != "bit"
}

var temporal = []string{
	"timestamp without time zone", "timestamp with time zone", "time without time zone", "time with time zone", "interval",
}

// precision and scale are those of a numeric. A scale has 11 bits and a sign.
func precision(modifier int) int { return (modifier - 4) >> 16 }
func scale(modifier int) int     { return ((modifier-4)&0x7ff ^ 1024) - 1024 }

// decimals is the number of decimals of seconds.
func decimals(modifier int) int {
	if modifier < 0 || modifier&0xffff > maxPrecision {
		return maxPrecision
	}
	return modifier & 0xffff
}

// leastField is the smallest field of an interval: 0 for seconds, then minutes, hours, days, months and years.
func leastField(modifier int) int {
	if modifier < 0 {
		return 0
	}
	return slices.IndexFunc([]int{12, 11, 10, 3, 1, 2}, func(bit int) bool { return modifier>>16&(1<<bit) != 0 })
}
