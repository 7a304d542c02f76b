package lint

import (
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"

	"docket/internal/schema/sqltext"
)

// parser has the methods that Atlas's analyzers call to learn about the text of a file.
type parser struct{ h *history }

// ColumnFilledBefore reports whether an UPDATE of the whole table, or of the rows where the column is null, gives the column
// a value before the position.
func (p parser) ColumnFilledBefore(stmts []*migrate.Stmt, t *atlas.Table, c *atlas.Column, pos int) (bool, error) {
	return slices.ContainsFunc(stmts, func(s *migrate.Stmt) bool {
		keyword := sqltext.Keyword(s.Text)
		return s.Pos < pos && (keyword == "update" || keyword == "with") && parsed(s.Text).Fills(t.Name, c.Name)
	}), nil
}

// CreateViewAfter reports whether, at the end of the file, a view with the table's old name reads it under the new one.
func (p parser) CreateViewAfter(_ []*migrate.Stmt, old, now string, _ int) (bool, error) {
	for _, v := range p.h.end.state.Views {
		if v.Name != old || v.Materialized {
			continue
		}
		for _, r := range v.Reads {
			if r.Relation == now {
				return true, nil
			}
		}
	}
	return false, nil
}

// CheckNotNullFor reports whether a check already forbids nulls in the column.
func (p parser) CheckNotNullFor(check *atlas.Check, column string) (bool, error) {
	return strings.Contains(check.Expr, "IS NOT NULL") && sqltext.ForbidsNull(check.Expr, column), nil
}

// parsed is the parse tree of a statement. It is empty, as of a statement that does nothing, if the parser does not know the
// syntax: the server, which is asked about everything else, may be newer.
func parsed(text string) *sqltext.Text {
	t, err := sqltext.Parse(text)
	if err != nil {
		return &sqltext.Text{}
	}
	return t
}

// concurrently reports whether a statement about indexes has the word, as PostgreSQL's grammar understands it.
func concurrently(text string) bool {
	return strings.Contains(strings.ToLower(text), "concurrently") && parsed(text).Concurrently()
}
