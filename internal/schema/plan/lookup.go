package plan

import (
	"slices"

	"docket/internal/schema/state"
)

func tableOf(tables []*state.Table, name string) *state.Table {
	i := slices.IndexFunc(tables, func(t *state.Table) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return tables[i]
}

// find returns the first element for which is returns true, or nil.
func find[T any](all []T, is func(T) bool) *T {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return nil
	}
	return &all[i]
}

func columnOf(t *state.Table, name string) *state.Column {
	return find(t.Columns, func(c state.Column) bool { return c.Name == name })
}

func constraintOf(t *state.Table, name string) *state.Constraint {
	return find(t.Constraints, func(c state.Constraint) bool { return c.Name == name })
}

func indexOf(t *state.Table, name string) *state.Index {
	return indexNamed(t.Indexes, name)
}

func indexNamed(indexes []*state.Index, name string) *state.Index {
	i := slices.IndexFunc(indexes, func(index *state.Index) bool { return index.Name == name })
	if i < 0 {
		return nil
	}
	return indexes[i]
}

func enumOf(s *state.State, name string) *state.Enum {
	return find(s.Enums, func(e state.Enum) bool { return e.Name == name })
}

// usesType reports whether a column, or an expression of a constraint, an index or a view, has the type of the enum.
func usesType(s *state.State, enum string) bool {
	is := func(r state.Reference) bool { return r.Type == enum }
	in := func(indexes []*state.Index) bool {
		return slices.ContainsFunc(indexes, func(i *state.Index) bool { return slices.ContainsFunc(i.Uses, is) })
	}
	return slices.ContainsFunc(s.Details, func(t *state.Table) bool {
		return in(t.Indexes) ||
			slices.ContainsFunc(t.Columns, func(c state.Column) bool { return c.Enum == enum || slices.ContainsFunc(c.Uses, is) }) ||
			slices.ContainsFunc(t.Constraints, func(c state.Constraint) bool { return slices.ContainsFunc(c.Uses, is) })
	}) || slices.ContainsFunc(s.Views, func(v *state.View) bool { return in(v.Indexes) || slices.ContainsFunc(v.Reads, is) })
}

// sameColumns reports whether two lists have the same columns, in any order.
func sameColumns(a, b []string) bool { return len(a) == len(b) && containsAll(a, b) }

// containsAll reports whether all has each of some.
func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(name string) bool { return !slices.Contains(all, name) })
}

func containsAny(names []string, some map[string]bool) bool {
	return slices.ContainsFunc(names, func(name string) bool { return some[name] })
}

func isForeignKey(c *state.Constraint) bool { return c.Kind == "foreign key" }
