package sqltext

import (
	"slices"
	"strings"
)

// has reports whether a statement, or a part of one, is a node of the kind that the condition holds for.
func (t *Text) has(kind string, holds func(node) bool) bool {
	found := false
	walk(t.statements, func(k string, n node) { found = found || k == kind && holds(n) })
	return found
}

// walk visits all nodes of a tree with their kinds, each before those in it. Where a field can only hold one kind, the name of
// the field is visited instead: "relation".
func walk(tree any, visit func(kind string, n node)) {
	switch tree := tree.(type) {
	case []node:
		for _, n := range tree {
			walk(n, visit)
		}
	case []any:
		for _, n := range tree {
			walk(n, visit)
		}
	case node:
		for name, value := range tree {
			if n, ok := value.(node); ok {
				visit(name, n)
			}
			walk(value, visit)
		}
	}
}

// at returns the node at the end of a path of names, which may be empty.
func at(n node, path ...string) node {
	for _, name := range path {
		n, _ = n[name].(node)
	}
	return n
}

func list(n node, name string) []any {
	all, _ := n[name].([]any)
	return all
}

func text(n node, name string) string {
	s, _ := n[name].(string)
	return s
}

// names reads a list of names, such as the parts of "public.urls".
func names(n node, field string) []string {
	var all []string
	for _, item := range list(n, field) {
		item, _ := item.(node)
		all = append(all, text(at(item, "String"), "sval"))
	}
	return all
}

// isTable reports whether a RangeVar is the table of schema public.
func isTable(n node, table string) bool {
	schema := text(n, "schemaname")
	return text(n, "relname") == table && (schema == "" || schema == "public")
}

// Concurrently reports whether the statement creates, drops or rebuilds indexes CONCURRENTLY. REFRESH … CONCURRENTLY, which may
// run in a transaction, is no such statement.
func (t *Text) Concurrently() bool {
	concurrent := func(n node) bool { return n["concurrent"] == true }
	return t.has("IndexStmt", concurrent) || t.has("DropStmt", concurrent) || t.has("ReindexStmt", func(n node) bool {
		return slices.ContainsFunc(list(n, "params"), func(param any) bool {
			option := at(param.(node), "DefElem")
			value := strings.ToLower(text(at(option, "arg", "String"), "sval"))
			return text(option, "defname") == "concurrently" && value != "off" && value != "false"
		})
	})
}

// OnlyValidates reports whether the statement is an ALTER TABLE that validates constraints and does nothing else.
func (t *Text) OnlyValidates() bool {
	const validate = "AT_ValidateConstraint"
	return t.has("AlterTableCmd", func(n node) bool { return text(n, "subtype") == validate }) &&
		!t.has("AlterTableCmd", func(n node) bool { return text(n, "subtype") != validate })
}

// WithoutConcurrently is the statement that does the same with locks, so that it can run in a transaction. The positions of its
// parts are the same. It is empty for REINDEX, which changes no definition.
func (t *Text) WithoutConcurrently() (string, error) {
	if t.has("ReindexStmt", func(node) bool { return true }) {
		return "", nil
	}
	all, err := tokens(t.sql)
	if err != nil {
		return "", err
	}
	for _, word := range all {
		if word.word && strings.EqualFold(t.sql[word.start:word.end], "concurrently") {
			return t.sql[:word.start] + strings.Repeat(" ", word.end-word.start) + t.sql[word.end:], nil
		}
	}
	return t.sql, nil
}

// DropsIndexes reports whether the statement is DROP INDEX.
func (t *Text) DropsIndexes() bool {
	return t.has("DropStmt", func(n node) bool { return text(n, "removeType") == "OBJECT_INDEX" })
}

// AddsKey reports whether the statement adds a primary key or a unique constraint that builds an index.
func (t *Text) AddsKey() bool {
	return t.has("Constraint", func(n node) bool {
		return (text(n, "contype") == "CONSTR_PRIMARY" || text(n, "contype") == "CONSTR_UNIQUE") && n["indexname"] == nil
	})
}

// AddsExclusion reports whether the statement adds an exclusion constraint.
func (t *Text) AddsExclusion() bool {
	return t.has("Constraint", func(n node) bool { return text(n, "contype") == "CONSTR_EXCLUSION" })
}

// Empties reports whether the statement names a table of which it deletes all rows.
func (t *Text) Empties(table string) bool {
	return t.has("TruncateStmt", func(n node) bool {
		return slices.ContainsFunc(list(n, "relations"), func(r any) bool { return isTable(at(r.(node), "RangeVar"), table) })
	}) || t.has("DeleteStmt", func(n node) bool {
		return isTable(at(n, "relation"), table) && n["whereClause"] == nil && n["usingClause"] == nil
	})
}

// Fills reports whether the statement gives a column a value in all rows of a table, or in those where the column is null.
func (t *Text) Fills(table, column string) bool {
	return t.has("UpdateStmt", func(n node) bool {
		sets := slices.ContainsFunc(list(n, "targetList"), func(item any) bool {
			target := at(item.(node), "ResTarget")
			return text(target, "name") == column && at(target, "val", "A_Const")["isnull"] != true
		})
		where, restricted := n["whereClause"].(node)
		return sets && isTable(at(n, "relation"), table) && n["fromClause"] == nil &&
			(!restricted || isNullTest(where, "IS_NULL", column))
	})
}

func isNullTest(n node, test, column string) bool {
	n = at(n, "NullTest")
	return text(n, "nulltesttype") == test && columnName(at(n, "arg")) == column
}

// columnName is the name of a column, perhaps with that of its table; empty for another expression.
func columnName(n node) string {
	fields := names(at(n, "ColumnRef"), "fields")
	if len(fields) == 0 {
		return ""
	}
	return fields[len(fields)-1]
}

// ForbidsNull reports whether an expression is false for each row where the column is null, because it says IS NOT NULL, alone
// or with AND.
func ForbidsNull(expression, column string) bool {
	t, err := Parse("SELECT " + expression)
	if err != nil || len(t.statements) != 1 {
		return false
	}
	targets := list(at(t.statements[0], "SelectStmt"), "targetList")
	return len(targets) == 1 && forbidsNull(at(targets[0].(node), "ResTarget", "val"), column)
}

func forbidsNull(n node, column string) bool {
	if and := at(n, "BoolExpr"); text(and, "boolop") == "AND_EXPR" {
		return slices.ContainsFunc(list(and, "args"), func(arg any) bool { return forbidsNull(arg.(node), column) })
	}
	return isNullTest(n, "IS_NOT_NULL", column)
}

// ControlsTransaction reports whether the statement begins or ends a transaction, or undoes a part of one.
func (t *Text) ControlsTransaction() bool {
	return t.has("TransactionStmt", func(n node) bool {
		return text(n, "kind") != "TRANS_STMT_SAVEPOINT" && text(n, "kind") != "TRANS_STMT_RELEASE"
	})
}

// CopiesFromClient reports whether the statement waits for rows that the client sends: COPY … FROM STDIN.
func (t *Text) CopiesFromClient() bool {
	return t.has("CopyStmt", func(n node) bool { return n["is_from"] == true && n["filename"] == nil })
}

// SetsAccess reports whether the statement sets an owner or privileges.
func (t *Text) SetsAccess() bool {
	any := func(node) bool { return true }
	return t.has("GrantStmt", any) || t.has("GrantRoleStmt", any) || t.has("AlterOwnerStmt", any) ||
		t.has("AlterDefaultPrivilegesStmt", any) ||
		t.has("AlterTableCmd", func(n node) bool { return text(n, "subtype") == "AT_ChangeOwner" })
}
