package lint

import (
	"regexp"
	"strings"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"
)

// parser has the methods that Atlas's analyzers call to learn about the text of a file.
type parser struct{ h *history }

// ColumnFilledBefore reports whether an UPDATE of the whole table, or of the rows where the column is null, gives the column
// a value before the position.
func (p parser) ColumnFilledBefore(stmts []*migrate.Stmt, t *atlas.Table, c *atlas.Column, pos int) (bool, error) {
	name := func(s string) string { return `"?` + regexp.QuoteMeta(s) + `"?` }
	fills, err := regexp.Compile(`(?is)^update\s+(?:only\s+)?(?:public\s*\.\s*)?` + name(t.Name) + `\s(?:.*[\s,])?` + name(c.Name) +
		`\s*=.*?(?:where\s+(?:\w+\.)?` + name(c.Name) + `\s+is\s+null)?$`)
	if err != nil {
		return false, err
	}
	where := regexp.MustCompile(`(?i)\bwhere\b`)
	only := regexp.MustCompile(`(?is)\bwhere\s+(?:\w+\.)?` + name(c.Name) + `\s+is\s+null$`)
	for _, s := range stmts {
		text := strings.TrimRight(s.Text, "; \t\n")
		if s.Pos < pos && fills.MatchString(text) && (!where.MatchString(text) || only.MatchString(text)) {
			return true, nil
		}
	}
	return false, nil
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
	expr := strings.Trim(strings.ReplaceAll(check.Expr, `"`, ""), "() ")
	return strings.EqualFold(expr, column+" IS NOT NULL"), nil
}
