package sqltext

import "strings"

// Constraint is a CHECK or a foreign key.
type Constraint struct {
	Check string // the expression

	Columns           []string // of a foreign key
	ReferencedSchema  string   // empty if the statement names none
	Referenced        string
	ReferencedColumns []string // empty for the primary key
	MatchFull         bool
}

// Constraint returns the constraint that the statement adds under a name, or nil. A constraint without a name, which
// PostgreSQL then chooses, is returned if the statement adds no other CHECK or foreign key.
func (t *Text) Constraint(name string) *Constraint {
	var named, all []node
	walk(t.statements, func(kind string, n node) {
		kinds := text(n, "contype")
		if kind != "Constraint" || kinds != "CONSTR_CHECK" && kinds != "CONSTR_FOREIGN" {
			return
		}
		all = append(all, n)
		if text(n, "conname") == name {
			named = append(named, n)
		}
	})
	switch {
	case len(named) == 1:
		return t.constraint(named[0])
	case len(all) == 1 && text(all[0], "conname") == "":
		return t.constraint(all[0])
	}
	return nil
}

func (t *Text) constraint(n node) *Constraint {
	if text(n, "contype") == "CONSTR_CHECK" {
		location, _ := n["location"].(float64)
		return &Constraint{Check: t.parenthesized(int(location), "check")}
	}
	table := at(n, "pktable")
	return &Constraint{
		Columns: names(n, "fk_attrs"), ReferencedSchema: text(table, "schemaname"), Referenced: text(table, "relname"),
		ReferencedColumns: names(n, "pk_attrs"), MatchFull: text(n, "fk_matchtype") == "f",
	}
}

// parenthesized returns the text in the parentheses after the first such keyword from a position on, or "".
func (t *Text) parenthesized(from int, keyword string) string {
	all, err := tokens(t.sql)
	if err != nil {
		return ""
	}
	after, start, depth := false, 0, 0
	for _, token := range all {
		switch text := t.sql[token.start:token.end]; {
		case token.start < from:
		case !after:
			after = token.word && strings.EqualFold(text, keyword)
		case text == "(":
			if depth++; depth == 1 {
				start = token.end
			}
		case text == ")":
			if depth--; depth == 0 {
				return t.sql[start:token.start]
			}
		}
	}
	return ""
}
