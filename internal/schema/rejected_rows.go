package schema

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// rowsShown is the number of rejected rows that a message names.
const rowsShown = 5

// rejectedRows names the rows because of which a statement could not add a constraint: a CHECK, a key, NOT NULL. PostgreSQL
// names at most one row, and for a CHECK none. The text has the first rows by their primary keys and the query that lists
// all. It is empty for other errors. The rows are searched after the statement was rolled back. When the search is not
// possible, for example because the transaction had added the column, the text is PostgreSQL's own.
func rejectedRows(ctx context.Context, db atlas.ExecQuerier, statement string, refusal *pgconn.PgError) string {
	said := refusal.Detail
	if refusal.TableName == "" {
		return said
	}
	table := pgx.Identifier{refusal.TableName}.Sanitize()
	var condition string
	switch refusal.Code {
	case "23502":
		condition = pgx.Identifier{refusal.ColumnName}.Sanitize() + " IS NULL"
	case "23514":
		if expression := checkExpression(statement, refusal.ConstraintName); expression != "" {
			condition = "NOT (" + expression + ")"
		}
	case "23505":
		if key := keyColumns(said); key != "" {
			condition = fmt.Sprintf("(%s) IN (SELECT %s FROM %s GROUP BY %s HAVING count(*) > 1)", key, key, table, key)
		}
	case "23503":
		condition = missingReference(statement, refusal.ConstraintName, table)
	default:
		return ""
	}
	if condition == "" {
		return said
	}
	rows, query, err := findRows(ctx, db, refusal.TableName, condition)
	if err != nil || len(rows) == 0 {
		return said
	}
	count := strconv.Itoa(len(rows))
	if len(rows) > rowsShown {
		count, rows = fmt.Sprintf("the first %d", rowsShown), rows[:rowsShown]
	}
	return fmt.Sprintf("rows of %s that break it (%s): %s; all of them: %s",
		refusal.TableName, count, strings.Join(rows, "; "), query)
}

// findRows names the first rows of a table that meet a condition, one more than rowsShown, and returns the query for all.
func findRows(ctx context.Context, db atlas.ExecQuerier, table, condition string) (rows []string, query string, err error) {
	columns, err := scanStrings(ctx, db, "read the primary key", `
SELECT quote_ident(a.attname) FROM pg_constraint k
JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS key (attnum, n) ON true
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.attnum
WHERE k.contype = 'p' AND k.conrelid = to_regclass(quote_ident($1)) ORDER BY key.n`, table)
	if err != nil {
		return nil, "", err
	}
	if len(columns) == 0 {
		columns = []string{"ctid"}
	}
	names := make([]string, 0, len(columns))
	for _, column := range columns {
		names = append(names, fmt.Sprintf("'%s ' || %s", strings.ReplaceAll(column, "'", "''"), column))
	}
	from := fmt.Sprintf("FROM %s WHERE %s ORDER BY %s", pgx.Identifier{table}.Sanitize(), condition, strings.Join(columns, ", "))
	rows, err = scanStrings(ctx, db, "search rejected rows",
		fmt.Sprintf("SELECT concat_ws(', ', %s) %s LIMIT %d", strings.Join(names, ", "), from, rowsShown+1))
	return rows, "SELECT * " + from, err
}

// checkExpression returns the expression of a named CHECK from a statement that adds it, perhaps among others.
func checkExpression(statement, name string) string {
	start := regexp.MustCompile(`(?is)\bCONSTRAINT\s+"?` + regexp.QuoteMeta(name) + `"?\s+CHECK\s*\(`).FindStringIndex(statement)
	if start == nil {
		return ""
	}
	text := statement[start[1]:]
	quote := byte(0) // the quotation mark of the current literal or name
	for i, depth := 0, 1; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return text[:i]
			}
		}
	}
	return ""
}

var duplicateKey = regexp.MustCompile(`(?s)^Key \((.+?)\)=\(.* is duplicated\.$`)

// keyColumns are the columns of a duplicate key in the detail of the error, as SQL.
func keyColumns(said string) string {
	if found := duplicateKey.FindStringSubmatch(said); found != nil {
		return found[1]
	}
	return ""
}

// missingReference is a condition for the rows of a table that violate a foreign key, which a statement adds by name. Rows with a
// null in the key never violate it.
func missingReference(statement, name, table string) string {
	found := regexp.MustCompile(`(?is)\bCONSTRAINT\s+"?` + regexp.QuoteMeta(name) +
		`"?\s+FOREIGN\s+KEY\s*\(([^()]+)\)\s*REFERENCES\s+([^\s(]+)\s*\(([^()]+)\)`).FindStringSubmatch(statement)
	if found == nil {
		return ""
	}
	columns, referenced := strings.Split(found[1], ","), strings.Split(found[3], ",")
	if len(columns) != len(referenced) {
		return ""
	}
	var given, same []string
	for i := range columns {
		column := table + "." + strings.TrimSpace(columns[i])
		given = append(given, column+" IS NOT NULL")
		same = append(same, "referenced."+strings.TrimSpace(referenced[i])+" = "+column)
	}
	return fmt.Sprintf("%s AND NOT EXISTS (SELECT FROM %s AS referenced WHERE %s)",
		strings.Join(given, " AND "), found[2], strings.Join(same, " AND "))
}
