package plan

import (
	"regexp"
	"slices"
	"strings"

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

// usesType reports whether a column of a table or an expression of a view has the type of the enum.
func usesType(s *state.State, enum string) bool {
	for _, t := range s.Details {
		for _, c := range t.Columns {
			if strings.TrimSuffix(c.Type, "[]") == ident(enum) {
				return true
			}
		}
	}
	return slices.ContainsFunc(s.Views, func(v *state.View) bool {
		return slices.ContainsFunc(v.Reads, func(r state.Reference) bool { return r.Type == enum }) ||
			slices.ContainsFunc(v.Columns, func(c state.ViewColumn) bool { return strings.TrimSuffix(c.Type, "[]") == ident(enum) })
	})
}

func isForeignKey(c *state.Constraint) bool { return c.Kind == "foreign key" }

var (
	storage    = regexp.MustCompile(` WITH \([a-z_]+='[^']*'(?:, [a-z_]+='[^']*')*\)`)
	keyColumns = regexp.MustCompile(`^(?:PRIMARY KEY|UNIQUE(?: NULLS NOT DISTINCT)?) \((.*?)\)`)
	uniqueKey  = regexp.MustCompile(`^CREATE UNIQUE INDEX ON .+ USING btree \(([^()]*)\)` +
		`(?: INCLUDE \([^()]*\))?(?: NULLS NOT DISTINCT)?$`)
	references = regexp.MustCompile(`^FOREIGN KEY \((.*?)\) REFERENCES .*?\((.*?)\)`)
)

// withoutStorage removes the storage parameters from the definition of an index. ALTER INDEX can change those.
func withoutStorage(definition string) string { return storage.ReplaceAllString(definition, "") }

// keyOf returns the columns of a primary key, a unique constraint or a unique index of whole columns and rows, sorted, or "".
func keyOf(definition string) string {
	for _, form := range []*regexp.Regexp{keyColumns, uniqueKey} {
		if match := form.FindStringSubmatch(withoutStorage(definition)); match != nil {
			return columnSet(match[1])
		}
	}
	return ""
}

// referenceOf returns the columns of a foreign key that refer to another table, sorted, or "".
func referenceOf(definition string) string {
	if match := references.FindStringSubmatch(definition); match != nil {
		return columnSet(match[1])
	}
	return ""
}

// columnSet sorts a list of columns as PostgreSQL prints it, so that two lists with the same columns are equal.
func columnSet(list string) string {
	columns := strings.Split(list, ", ")
	slices.Sort(columns)
	return strings.Join(columns, ", ")
}

// hasWord reports whether an expression, as PostgreSQL prints it, contains the word, quoted or not. It also finds the word
// in a string constant: the caller then assumes a dependency that does not exist, and rebuilds an object needlessly.
func hasWord(expression, word string) bool {
	for at := 0; ; {
		i := strings.Index(expression[at:], word)
		if i < 0 {
			return false
		}
		start, end := at+i, at+i+len(word)
		if (start == 0 || !wordByte(expression[start-1])) && (end == len(expression) || !wordByte(expression[end])) {
			return true
		}
		at = start + 1
	}
}

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}
