package state

import (
	"encoding/csv"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// pattern is one pattern of "exclude" in an Atlas project file: OBJECT or TABLE.PART.
type pattern []glob

// glob matches names of objects of some kinds, or of all kinds when it has none.
type glob struct {
	name  string
	kinds []string
}

// selector matches the end of a glob that limits it to kinds of objects, such as "[type=table|view]".
var selector = regexp.MustCompile(`\[type=([a-z|_]+)\]$`)

// parsePatterns reads patterns as Atlas does: dots separate the globs, and a glob in double quotes may have dots.
func parsePatterns(texts []string) ([]pattern, error) {
	patterns := make([]pattern, len(texts))
	for i, text := range texts {
		reader := csv.NewReader(strings.NewReader(text))
		reader.Comma = '.'
		parts, err := reader.Read()
		if err == nil && len(parts) > 2 {
			err = fmt.Errorf("it has %d parts, and at most OBJECT or TABLE.PART", len(parts))
		}
		for _, part := range parts {
			g := glob{name: part}
			if m := selector.FindStringSubmatch(part); m != nil {
				g = glob{strings.TrimSuffix(part, m[0]), strings.Split(m[1], "|")}
			}
			if _, matchErr := path.Match(g.name, ""); err == nil {
				err = matchErr
			}
			patterns[i] = append(patterns[i], g)
		}
		if err != nil {
			return nil, fmt.Errorf("pattern %q of exclude: %w", text, err)
		}
	}
	return patterns, nil
}

func (g glob) matches(kind, name string) bool {
	match, _ := path.Match(g.name, name)
	return match && (g.kinds == nil || slices.Contains(g.kinds, kind))
}

// excludes reports whether a pattern matches the whole object, whose kind is named as in a selector.
func (r *reader) excludes(kind, name string) bool {
	return name == revisionsTable || slices.ContainsFunc(r.exclude, func(p pattern) bool {
		return len(p) == 1 && p[0].matches(kind, name)
	})
}

// excludesPart reports whether a pattern matches a part of the table: a column, index, fk or check.
func (r *reader) excludesPart(table, kind, name string) bool {
	return slices.ContainsFunc(r.exclude, func(p pattern) bool {
		return len(p) == 2 && p[0].matches("table", table) && p[1].matches(kind, name)
	})
}

// partKinds are the names of kinds of constraints in patterns. A primary key is only excluded with its columns.
var partKinds = map[string]string{"unique": "index", "exclusion": "index", "check": "check", "foreign key": "fk"}

// excludeParts leaves out the parts of tables that match a pattern, and the constraints and indexes of such columns.
func (r *reader) excludeParts() {
	for _, t := range r.Details {
		var columns []string
		t.Columns = slices.DeleteFunc(t.Columns, func(c Column) bool {
			if !r.excludesPart(t.Name, "column", c.Name) {
				return false
			}
			columns = append(columns, c.Name)
			r.Excluded = append(r.Excluded, Object{Kind: "column", Name: Ident(t.Name) + "." + Ident(c.Name)})
			return true
		})
		drop := func(kind, selector, name string, uses []Reference) bool {
			ofColumn := slices.ContainsFunc(columns, func(column string) bool { return UsesColumn(uses, t.Name, column) })
			if !ofColumn && (selector == "" || !r.excludesPart(t.Name, selector, name)) {
				return false
			}
			r.Excluded = append(r.Excluded, Object{Kind: kind, Name: Ident(name) + " on " + Ident(t.Name)})
			return true
		}
		t.Constraints = slices.DeleteFunc(t.Constraints, func(c Constraint) bool {
			return drop("constraint", partKinds[c.Kind], c.Name, c.Uses)
		})
		t.Indexes = slices.DeleteFunc(t.Indexes, func(i *Index) bool { return drop("index", "index", i.Name, i.Uses) })
	}
}
