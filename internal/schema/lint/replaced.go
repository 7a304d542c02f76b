package lint

import (
	"slices"

	atlas "ariga.io/atlas/sql/schema"
)

// replaced removes from both snapshots what one statement dropped and created again under the same name. Atlas compares by name
// and would see no change, or a wrong one. The returned changes are that drop and that addition.
func replaced(before, after snapshot) (was, is *atlas.Schema, changes atlas.Changes) {
	was, is = cloneTables(before.model), cloneTables(after.model)
	for _, had := range before.model.Tables {
		has, ok := after.model.Table(had.Name)
		if !ok {
			continue
		}
		if table := before.catalog.find(had.Name); table != after.catalog.find(had.Name) {
			changes = append(changes, &atlas.DropTable{T: had}, &atlas.AddTable{T: has})
			was.Tables = slices.DeleteFunc(was.Tables, func(t *atlas.Table) bool { return t.Name == had.Name })
			is.Tables = slices.DeleteFunc(is.Tables, func(t *atlas.Table) bool { return t.Name == had.Name })
		} else if columns := replacedColumns(table, had, has, before.catalog, after.catalog); len(columns) > 0 {
			changes = append(changes, &atlas.ModifyTable{T: has, Changes: columns})
			removeDropped(was, had, columns)
			removeDropped(is, has, columns)
		}
	}
	return was, is, changes
}

func replacedColumns(table uint32, had, has *atlas.Table, before, after *catalog) (changes []atlas.Change) {
	for key, name := range before.columns {
		if _, alive := after.columns[key]; alive || key.table != table {
			continue
		}
		old, wasThere := had.Column(name)
		if now, isThere := has.Column(name); wasThere && isThere {
			changes = append(changes, &atlas.DropColumn{C: old}, &atlas.AddColumn{C: now})
		}
	}
	return changes
}

func cloneTables(s *atlas.Schema) *atlas.Schema {
	with := *s
	with.Tables = slices.Clone(s.Tables)
	return &with
}

// removeDropped replaces a table by one without the columns that the changes drop.
func removeDropped(s *atlas.Schema, t *atlas.Table, changes []atlas.Change) {
	rest := *t
	rest.Columns = slices.DeleteFunc(slices.Clone(t.Columns), func(c *atlas.Column) bool {
		return slices.ContainsFunc(changes, func(change atlas.Change) bool {
			drop, ok := change.(*atlas.DropColumn)
			return ok && drop.C.Name == c.Name
		})
	})
	s.Tables[slices.IndexFunc(s.Tables, func(other *atlas.Table) bool { return other.Name == t.Name })] = &rest
}

// markVirtual makes a generated column virtual, so that Atlas's analyzer does not report its drop as a loss of data.
func markVirtual(c *atlas.Column) *atlas.Column {
	var generated *atlas.GeneratedExpr
	for _, attr := range c.Attrs {
		if g, ok := attr.(*atlas.GeneratedExpr); ok {
			generated = g
		}
	}
	if generated == nil {
		return c
	}
	with := *c
	with.Attrs = []atlas.Attr{&atlas.GeneratedExpr{Expr: generated.Expr, Type: "VIRTUAL"}}
	return &with
}
