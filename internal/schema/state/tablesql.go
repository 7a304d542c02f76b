package state

import (
	"fmt"
	"strings"
)

// TableSQL returns the statements that create a table of the state with its sequences, constraints, indexes, storage
// parameters and comments. The tables that it references must exist.
func (s *State) TableSQL(t *Table) []string {
	name := Ident(t.Name)
	var before, after, lines []string
	for _, c := range t.Columns {
		first, definition, last := s.ColumnSQL(t.Name, c)
		before, after, lines = append(before, first...), append(after, last...), append(lines, definition)
	}
	for i := range s.Sequences {
		q := &s.Sequences[i]
		if q.Table != t.Name {
			continue
		}
		if q != s.Sequence(q.Table, q.Column) { // the column has it and does not use it
			before, after = append(before, q.SQL()), append(after, q.OwnedBy())
		}
		after = withComment(after, "SEQUENCE "+Ident(q.Name), q.Comment)
	}
	for _, c := range t.Constraints {
		if !c.Validated { // CREATE TABLE would ignore the NOT VALID
			after = append(after, c.add(t.Name)...)
			continue
		}
		lines = append(lines, fmt.Sprintf("CONSTRAINT %s %s", Ident(c.Name), c.Definition))
		after = append(after, c.comments(t.Name)...)
		// The index of a constraint has no CREATE INDEX statement for its storage parameters.
		if len(c.Options) > 0 {
			after = append(after, fmt.Sprintf("ALTER INDEX %s SET (%s)", Ident(c.Name), parameters(c.Options)))
		}
	}
	create := fmt.Sprintf("CREATE %sTABLE %s (\n    %s\n)", unlogged(t.Unlogged), name, strings.Join(lines, ",\n    "))
	if len(lines) == 0 {
		create = fmt.Sprintf("CREATE %sTABLE %s ()", unlogged(t.Unlogged), name)
	}
	if len(t.Options) > 0 {
		create += " WITH (" + parameters(t.Options) + ")"
	}
	all := append(append(before, create), after...)
	all = withComment(all, "TABLE "+name, t.Comment)
	for _, c := range t.Columns {
		all = withComment(all, "COLUMN "+name+"."+Ident(c.Name), c.Comment)
	}
	return append(all, indexesSQL(t.Indexes)...)
}

// unlogged returns the keyword of CREATE, with a space.
func unlogged(is bool) string {
	if is {
		return "UNLOGGED "
	}
	return ""
}

// Persistence returns the clause that makes a table or sequence logged or unlogged, for ALTER.
func Persistence(unlogged bool) string {
	if unlogged {
		return "SET UNLOGGED"
	}
	return "SET LOGGED"
}

// clauses returns what follows the type of a column, except what makes it an identity column.
func (c Column) clauses() string {
	var b strings.Builder
	if c.Collation != "" {
		b.WriteString(" COLLATE " + c.Collation)
	}
	if c.NotNull {
		b.WriteString(" NOT NULL")
	}
	switch {
	case c.Generated != "":
		b.WriteString(" GENERATED ALWAYS AS (" + c.Generated + ") STORED")
	case c.Default != "":
		b.WriteString(" DEFAULT " + c.Default)
	}
	return b.String()
}

// HasIndex reports whether the constraint has an index, which then has the constraint's name.
func (c Constraint) HasIndex() bool {
	return c.Kind == "primary key" || c.Kind == "unique" || c.Kind == "exclusion"
}

// add returns the statements that add the constraint to an existing table.
func (c Constraint) add(table string) []string {
	add := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", Ident(table), Ident(c.Name), c.Definition)
	return append([]string{add}, c.comments(table)...)
}

func (c Constraint) comments(table string) []string {
	all := withComment(nil, "CONSTRAINT "+Ident(c.Name)+" ON "+Ident(table), c.Comment)
	return withComment(all, "INDEX "+Ident(c.Name), c.IndexComment)
}
