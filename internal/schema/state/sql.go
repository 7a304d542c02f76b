package state

import (
	"fmt"
	"regexp"
	"strings"
)

// SQL returns a script that creates the state in an empty database of the same major version, with search_path public. The
// same state always gives the same text.
//
// The script has no owners and grants, because roles belong to the server, and no positions of sequences, because these are
// data. A comment at the top lists the objects that are not managed. A comment replaces each foreign key to a table that the
// state does not have.
func (s *State) SQL() string {
	var b strings.Builder
	fmt.Fprintf(&b, "-- The public schema, as PostgreSQL %d describes it.\n", s.Major)
	if len(s.Unmanaged) > 0 {
		b.WriteString("--\n-- These objects are not managed, and may be missing below:\n")
		for _, o := range s.Unmanaged {
			fmt.Fprintf(&b, "--   %s\n", OneLine(o.String()))
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
	if schema := withComment(nil, "SCHEMA public", s.Comment); schema != nil {
		section(schema...)
	}
	for _, e := range s.Enums {
		section(e.SQL()...)
	}
	later := map[string][]Constraint{} // foreign keys to tables that are created later
	created := map[string]bool{}
	for _, t := range s.tablesInOrder() {
		created[t.Name] = true
		now := *t
		now.Constraints = nil
		for _, c := range t.Constraints {
			switch {
			case c.Kind != "foreign key" || created[c.References]:
				now.Constraints = append(now.Constraints, c)
			case s.Table(c.References) != nil:
				later[t.Name] = append(later[t.Name], c)
			default:
				fmt.Fprintf(&b, "\n-- Left out, because this script does not create the referenced table: %s.\n",
					OneLine(fmt.Sprintf("constraint %s of %s, %s", c.Name, t.Name, c.Definition)))
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

// OneLine replaces line breaks, so that a text stays within one SQL comment.
func OneLine(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }

// tablesInOrder sorts the tables by name, but each after those that it needs, unless they form a cycle.
func (s *State) tablesInOrder() []*Table {
	return dependencyOrder(s.Details, func(t *Table) string { return t.Name }, s.Needs)
}

// dependencyOrder moves each object after those on which it depends, by name, unless they form a cycle. It does not change
// the order otherwise.
func dependencyOrder[T any](all []T, name func(T) string, dependencies func(T) []string) []T {
	ordered := make([]T, 0, len(all))
	byName := map[string]T{}
	for _, object := range all {
		byName[name(object)] = object
	}
	seen := map[string]bool{}
	var add func(T)
	add = func(object T) {
		if seen[name(object)] {
			return
		}
		seen[name(object)] = true
		for _, dependency := range dependencies(object) {
			if other, ok := byName[dependency]; ok {
				add(other)
			}
		}
		ordered = append(ordered, object)
	}
	for _, object := range all {
		add(object)
	}
	return ordered
}

// SQL returns the statements that create the type with its comment.
func (e Enum) SQL() []string {
	values := make([]string, len(e.Values))
	for i, v := range e.Values {
		values[i] = Literal(v)
	}
	return withComment([]string{
		fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", Ident(e.Name), strings.Join(values, ", ")),
	}, "TYPE "+Ident(e.Name), e.Comment)
}

// SQL returns the statements that create the view with its indexes and comments, without its grants. They fill a materialized
// view.
func (v *View) SQL() []string {
	name := Ident(v.Name)
	create := "CREATE " + v.Kind() + " " + name
	if len(v.Options) > 0 {
		create += " WITH (" + parameters(v.Options) + ")"
	}
	all := withComment([]string{create + " AS\n" + v.Definition}, v.Kind()+" "+name, v.Comment)
	for _, c := range v.Columns {
		all = withComment(all, "COLUMN "+name+"."+Ident(c.Name), c.Comment)
	}
	return append(all, indexesSQL(v.Indexes)...)
}

// Kind returns the kind of the view as in CREATE, DROP and COMMENT ON: VIEW or MATERIALIZED VIEW.
func (v *View) Kind() string {
	if v.Materialized {
		return "MATERIALIZED VIEW"
	}
	return "VIEW"
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

// parameters writes storage parameters, each given as "name=value", for WITH or SET.
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
