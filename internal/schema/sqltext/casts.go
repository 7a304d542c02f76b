package sqltext

import (
	"slices"
	"strings"
)

// unread are statements that keep an expression and do not compute it.
var unread = []string{
	"ViewStmt", "CreateStmt", "CreateFunctionStmt", "CreateTrigStmt", "CreatePolicyStmt", "AlterPolicyStmt", "RuleStmt",
	"CreateDomainStmt",
}

// CastsRows reports whether the statement may compute values of a type of schema public, or of its arrays, from the rows that it
// reads. A constant does not count: PostgreSQL checks it even if there are no rows. Neither does a cast in the body of a
// function that the statement calls. In a DO block, a mention of the type or of one of the texts counts, because the rows
// decide what is executed.
func (t *Text) CastsRows(typ string, texts ...string) bool {
	return slices.ContainsFunc(t.statements, func(statement node) bool {
		casts := false
		for kind, n := range statement {
			n, _ := n.(node)
			switch {
			case slices.Contains(unread, kind), skipsData(n):
			case kind == "AlterTableStmt":
				casts = slices.ContainsFunc(list(n, "cmds"), func(c any) bool {
					return alterCasts(at(c.(node), "AlterTableCmd"), typ)
				})
			case kind == "DoStmt":
				casts = mentions(n, append(texts, typ))
			default:
				casts = hasCast(n, typ)
			}
		}
		return casts
	})
}

func alterCasts(command node, typ string) bool {
	definition := at(command, "def")
	switch text(command, "subtype") {
	case "AT_ColumnDefault":
		return false
	case "AT_AddConstraint":
		return at(definition, "Constraint")["skip_validation"] != true && hasCast(definition, typ)
	case "AT_AlterColumnType":
		return isType(at(definition, "ColumnDef", "typeName"), typ) || hasCast(definition, typ)
	}
	return hasCast(definition, typ)
}

// hasCast reports whether an expression in the tree casts something other than a constant to the type.
func hasCast(tree node, typ string) bool {
	found := false
	walk(tree, func(kind string, n node) {
		found = found || kind == "TypeCast" && isType(at(n, "typeName"), typ) && !isConstant(at(n, "arg"))
	})
	return found
}

func isType(n node, typ string) bool {
	parts := names(n, "names")
	return slices.Equal(parts, []string{typ}) || slices.Equal(parts, []string{"public", typ})
}

func isConstant(n node) bool {
	if array := at(n, "A_ArrayExpr"); array != nil {
		return !slices.ContainsFunc(list(array, "elements"), func(e any) bool { return !isConstant(e.(node)) })
	}
	return n["A_Const"] != nil
}

// mentions reports whether the body of a DO statement has one of the words, as a name or as a constant.
func mentions(do node, words []string) bool {
	for _, arg := range list(do, "args") {
		body := text(at(arg.(node), "DefElem", "arg", "String"), "sval")
		all, err := tokens(body)
		if err != nil {
			return true // it cannot be read
		}
		for _, token := range all {
			word := body[token.start:token.end]
			for _, quote := range []string{"'", `"`} {
				if rest, quoted := strings.CutPrefix(word, quote); quoted {
					word = strings.ReplaceAll(strings.TrimSuffix(rest, quote), quote+quote, quote)
				}
			}
			if slices.Contains(words, word) {
				return true
			}
		}
	}
	return false
}

// Reads lists the tables and views of schema public that the statement names, if it reads or writes rows, sorted.
func (t *Text) Reads() []string {
	var all []string
	for _, statement := range t.statements {
		for kind, n := range statement {
			n, _ := n.(node)
			if !slices.Contains(reading, kind) || skipsData(n) {
				continue
			}
			walk(n, func(_ string, n node) {
				if name := text(n, "relname"); name != "" && isTable(n, name) {
					all = append(all, name)
				}
			})
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// reading are statements that read or write rows.
var reading = []string{
	"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CreateTableAsStmt", "RefreshMatViewStmt",
}

// skipsData reports whether a statement says WITH NO DATA.
func skipsData(n node) bool { return n["skipData"] == true || at(n, "into")["skipData"] == true }
