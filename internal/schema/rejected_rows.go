package schema

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5/pgconn"

	"docket/internal/schema/sqltext"
	"docket/internal/schema/state"
)

// rowsShown is the number of rejected rows that a message names.
const rowsShown = 5

// rejectedRows names the rows because of which a statement could not add a constraint: a CHECK, a key, NOT NULL. PostgreSQL
// names at most one row, and for a CHECK none. The text has the first rows by their primary keys and the query that lists
// all. It is empty for other errors. The rows are searched after the statement was rolled back. When the search is not
// possible, for example because the transaction had added the column, the text is PostgreSQL's own.
func rejectedRows(ctx context.Context, db atlas.ExecQuerier, statement string, refusal *pgconn.PgError) string {
	said := strings.TrimSuffix(refusal.Detail, ".")
	if refusal.TableName == "" {
		return said
	}
	table := state.Ident(refusal.TableName)
	var condition string
	switch refusal.Code {
	case "23502":
		condition = state.Ident(refusal.ColumnName) + " IS NULL"
	case "23514", "23503":
		if rule := ruleOf(ctx, db, statement, table, refusal.ConstraintName); rule != nil {
			condition = brokenBy(ctx, db, rule, table)
		}
	case "23P01": // two rows exclude one another, and the detail names them
	case "23505":
		if key := keyColumns(refusal.Detail); key != "" {
			condition = fmt.Sprintf("(%s) IN (SELECT %s FROM %s GROUP BY %s HAVING count(*) > 1)", key, key, table, key)
		}
	default:
		return ""
	}
	if condition == "" {
		return said
	}
	rows, query, err := findRows(ctx, db, table, condition)
	if err != nil || len(rows) == 0 {
		return said
	}
	count := strconv.Itoa(len(rows))
	if len(rows) > rowsShown {
		count, rows = fmt.Sprintf("the first %d", rowsShown), rows[:rowsShown]
	}
	broken := fmt.Sprintf("rows of %s that break it (%s): %s; all of them: %s",
		refusal.TableName, count, strings.Join(rows, "; "), query)
	if refusal.Code == "23503" && said != "" {
		return said + "; " + broken // PostgreSQL names a key that is missing
	}
	return broken
}

// findRows names the first rows of a table that meet a condition, one more than rowsShown, and returns the query for all.
func findRows(ctx context.Context, db atlas.ExecQuerier, table, condition string) (rows []string, query string, err error) {
	columns, err := primaryKey(ctx, db, table)
	if err != nil {
		return nil, "", err
	}
	if len(columns) == 0 {
		columns = []string{"ctid"}
	}
	names := make([]string, 0, len(columns))
	for _, column := range columns {
		names = append(names, fmt.Sprintf("%s || %s", state.Literal(column+" "), column))
	}
	from := fmt.Sprintf("FROM %s WHERE %s ORDER BY %s", table, condition, strings.Join(columns, ", "))
	rows, err = scanStrings(ctx, db, "search rejected rows",
		fmt.Sprintf("SELECT concat_ws(', ', %s) %s LIMIT %d", strings.Join(names, ", "), from, rowsShown+1))
	return rows, "SELECT * " + from, err
}

// primaryKey returns the columns of a table's primary key, as SQL.
func primaryKey(ctx context.Context, db atlas.ExecQuerier, table string) ([]string, error) {
	return scanStrings(ctx, db, "read the primary key", `
SELECT quote_ident(a.attname) FROM pg_constraint k
JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS key (attnum, n) ON true
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.attnum
WHERE k.contype = 'p' AND k.conrelid = to_regclass($1) ORDER BY key.n`, table)
}

// ruleOf returns the CHECK or foreign key that a statement added or validated, or nil if it is not known. The catalog has those
// that existed before the statement.
func ruleOf(ctx context.Context, db atlas.ExecQuerier, statement, table, name string) *sqltext.Constraint {
	const names = `(SELECT json_agg(a.attname ORDER BY key.n) FROM unnest(%s) WITH ORDINALITY AS key (attnum, n)
    JOIN pg_attribute a ON a.attrelid = %s AND a.attnum = key.attnum)`
	known, err := scanStrings(ctx, db, "read a constraint", fmt.Sprintf(`
SELECT json_build_object('Check', pg_get_expr(k.conbin, k.conrelid), 'Columns', %s, 'MatchFull', k.confmatchtype = 'f',
    'ReferencedSchema', c.relnamespace::regnamespace, 'Referenced', c.relname, 'ReferencedColumns', %s)::text
FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.confrelid
WHERE k.conrelid = to_regclass($1) AND k.conname = $2 AND k.contype IN ('c', 'f')`,
		fmt.Sprintf(names, "k.conkey", "k.conrelid"), fmt.Sprintf(names, "k.confkey", "k.confrelid")), table, name)
	var rule sqltext.Constraint
	if err == nil && len(known) == 1 && json.Unmarshal([]byte(known[0]), &rule) == nil {
		return &rule
	}
	parsed, err := sqltext.Parse(statement)
	if err != nil {
		return nil
	}
	return parsed.Constraint(name)
}

// brokenBy is a condition for the rows of a table that violate a CHECK or a foreign key.
func brokenBy(ctx context.Context, db atlas.ExecQuerier, rule *sqltext.Constraint, table string) string {
	if rule.Check != "" {
		return "NOT (" + rule.Check + ")"
	}
	referenced := state.Ident(rule.Referenced)
	if rule.ReferencedSchema != "" && rule.ReferencedSchema != "public" {
		referenced = state.Ident(rule.ReferencedSchema) + "." + referenced
	}
	keys := make([]string, len(rule.ReferencedColumns))
	for i, name := range rule.ReferencedColumns {
		keys[i] = state.Ident(name)
	}
	if len(keys) == 0 {
		keys, _ = primaryKey(ctx, db, referenced) // without an answer, the lengths differ
	}
	if len(rule.Columns) == 0 || len(keys) != len(rule.Columns) {
		return ""
	}
	given, same := make([]string, len(keys)), make([]string, len(keys))
	for i, key := range keys {
		column := table + "." + state.Ident(rule.Columns[i])
		given[i], same[i] = column+" IS NOT NULL", "referenced."+key+" = "+column
	}
	// A row with a null in the key violates only MATCH FULL, unless all of the key is null.
	all := strings.Join(given, " AND ")
	if rule.MatchFull {
		all = "(" + strings.Join(given, " OR ") + ")"
	}
	return fmt.Sprintf("%s AND NOT EXISTS (SELECT FROM %s AS referenced WHERE %s)", all, referenced, strings.Join(same, " AND "))
}

var duplicateKey = regexp.MustCompile(`(?s)^Key \((.+?)\)=\(.* is duplicated\.$`)

// keyColumns are the columns of a duplicate key in the detail of the error, as SQL.
func keyColumns(said string) string {
	if found := duplicateKey.FindStringSubmatch(said); found != nil {
		return found[1]
	}
	return ""
}
