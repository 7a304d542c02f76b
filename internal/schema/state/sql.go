package state

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// SQL is a script that makes the state again on an empty database of the same major version, with search_path public. The
// same state gives the same text.
//
// Owners, grants and the positions of sequences are left out: roles are the server's, positions are data. Objects that are
// not managed are named at the top, in a comment, and so is each foreign key to a table that the state does not hold, in
// its place.
func (s *State) SQL() string {
	var b strings.Builder
	fmt.Fprintf(&b, "-- The public schema, as PostgreSQL %d describes it.\n", s.Major)
	if len(s.Unmanaged) > 0 {
		b.WriteString("--\n-- These are not managed, and may be missing below:\n")
		for _, o := range s.Unmanaged {
			fmt.Fprintf(&b, "--   %s\n", oneLine(o.String()))
		}
	}
	section := func(statements ...string) {
		b.WriteString("\n")
		for _, statement := range statements {
			b.WriteString(statement + ";\n")
		}
	}
	if len(s.Extensions) > 0 {
		var all []string
		for _, name := range s.Extensions {
			all = append(all, "CREATE EXTENSION IF NOT EXISTS "+Ident(name))
		}
		section(all...)
	}
	if schema := withComment(nil, "SCHEMA public", s.Comments["SCHEMA public"]); schema != nil {
		section(schema...)
	}
	for _, e := range s.Enums {
		section(e.SQL()...)
	}
	later := map[string][]Constraint{} // foreign keys to tables that come after
	made := map[string]bool{}
	for _, t := range s.tablesInOrder() {
		made[t.Name] = true
		now := *t
		now.Constraints = nil
		for _, c := range t.Constraints {
			switch {
			case c.Kind != "foreign key" || made[c.References]:
				now.Constraints = append(now.Constraints, c)
			case s.Table(c.References) != nil:
				later[t.Name] = append(later[t.Name], c)
			default:
				fmt.Fprintf(&b, "\n-- Left out, since the table is no part of this: %s.\n",
					oneLine(fmt.Sprintf("constraint %s of %s, %s", c.Name, t.Name, c.Definition)))
			}
		}
		section(s.TableSQL(&now)...)
	}
	for _, t := range s.Details {
		for _, c := range later[t.Name] {
			section(c.add(t.Name)...)
		}
	}
	for _, v := range s.Views {
		section(v.SQL()...)
	}
	return b.String()
}

// oneLine keeps a text within one comment.
func oneLine(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }

// tablesInOrder puts each table after those that it references, as far as they do not go in a circle, and otherwise by
// name.
func (s *State) tablesInOrder() []*Table {
	var ordered []*Table
	seen := map[string]bool{}
	var add func(t *Table)
	add = func(t *Table) {
		if t == nil || seen[t.Name] {
			return
		}
		seen[t.Name] = true
		references := []string{}
		for _, c := range t.Constraints {
			references = append(references, c.References)
		}
		slices.Sort(references)
		for _, name := range references {
			add(s.Table(name))
		}
		ordered = append(ordered, t)
	}
	for _, t := range s.Details {
		add(t)
	}
	return ordered
}

// SQL makes the type, with its comment.
func (e Enum) SQL() []string {
	values := make([]string, len(e.Values))
	for i, v := range e.Values {
		values[i] = Literal(v)
	}
	return withComment([]string{
		fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", Ident(e.Name), strings.Join(values, ", ")),
	}, "TYPE "+Ident(e.Name), e.Comment)
}

// SQL makes the view, with its indexes and comments and without its grants. A materialized one is filled.
func (v *View) SQL() []string {
	kind := "VIEW"
	if v.Materialized {
		kind = "MATERIALIZED VIEW"
	}
	name := Ident(v.Name)
	create := "CREATE " + kind + " " + name
	if len(v.Options) > 0 {
		create += " WITH (" + parameters(v.Options) + ")"
	}
	all := withComment([]string{create + " AS\n" + v.Definition}, kind+" "+name, v.Comment)
	for _, c := range v.Columns {
		all = withComment(all, "COLUMN "+name+"."+Ident(c.Name), c.Comment)
	}
	return append(all, indexesSQL(v.Indexes)...)
}

func indexesSQL(indexes []*Index) []string {
	var all []string
	for _, i := range indexes {
		all = withComment(append(all, i.Definition), "INDEX "+Ident(i.Name), i.Comment)
	}
	return all
}

func withComment(statements []string, object, comment string) []string {
	if comment == "" {
		return statements
	}
	return append(statements, "COMMENT ON "+object+" IS "+Literal(comment))
}

var bareValue = regexp.MustCompile(`^[a-z0-9_.-]+$`)

// parameters writes "name=value" as WITH and SET want it.
func parameters(options []string) string {
	all := make([]string, len(options))
	for i, option := range options {
		name, value, _ := strings.Cut(option, "=")
		if !bareValue.MatchString(value) {
			value = Literal(value)
		}
		all[i] = name + " = " + value
	}
	return strings.Join(all, ", ")
}
