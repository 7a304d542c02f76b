package plan_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

const function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"

// TestNamesInTheWay plans a new object whose name another object has.
func TestNamesInTheWay(t *testing.T) {
	t.Parallel()
	db := build(t, "CREATE TABLE t (id int PRIMARY KEY, a int)")
	const enum, wide = "CREATE TYPE n AS ENUM ('a'); CREATE TABLE u (e n);", "CREATE TABLE n (id serial CONSTRAINT n_key PRIMARY KEY);"
	for _, test := range []struct{ have, files, want string }{
		{"CREATE TABLE n (id int) PARTITION BY RANGE (id)", wide, "n is the name of partitioned table n"},
		{"CREATE TABLE n () INHERITS (t)", wide, "n is the name of inherited table or partition n"},
		{"CREATE TYPE n AS (x int)", wide, "n is the name of composite type n"},
		{"CREATE SEQUENCE n", wide, "n is the name of sequence n"},
		{"CREATE DOMAIN n AS int", wide, "n is the name of domain n"},
		{"CREATE TYPE n AS RANGE (subtype = float8)", wide, "n is the name of range type n"},
		{"CREATE SEQUENCE n_id_seq", wide, "n_id_seq is the name of sequence n_id_seq"},
		{"CREATE TABLE p (id int CONSTRAINT n_key PRIMARY KEY) PARTITION BY RANGE (id)", wide, "n_key is the name of index n_key on p"},
		{"CREATE TYPE n AS RANGE (subtype = float8, multirange_type_name = m)", enum, "enum n is the name of range type n"},
		{"CREATE DOMAIN n AS text", enum, "enum n is the name of domain n"},
		{"CREATE TABLE n (i int) PARTITION BY RANGE (i)", enum, "enum n is the name of partitioned table n"},
		{"CREATE TABLE n (i int)", enum, "enum n is the name of table n"},
		{"CREATE TYPE n AS ENUM ('a')", wide, "n is the name of enum n"},
		{"CREATE TYPE _n AS (x int)", enum, ""},
		{"CREATE SEQUENCE n MINVALUE 0", enum, ""},
		{"CREATE TABLE excluded (n int)", "CREATE VIEW excluded AS SELECT 1 AS n", "excluded is the name of table excluded (excluded)"},
		{"CREATE TABLE excluded (n int CONSTRAINT x PRIMARY KEY)", "CREATE INDEX x ON t (a)", "x is the name of index x on excluded"},
		{
			"CREATE EXTENSION pg_stat_statements", "CREATE VIEW pg_stat_statements_info AS SELECT 1 AS n",
			"is the name of view of extension pg_stat_statements pg_stat",
		},
		{`CREATE TABLE "Q n" (i int) PARTITION BY RANGE (i)`, `CREATE TABLE "Q n" (i int)`, `is the name of partitioned table "Q n"`},
		{
			function + "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
			"ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0)", "constraint x is the name of constraint x on t",
		},
	} {
		t.Run(test.have, func(t *testing.T) {
			target := inTx(t, db, test.files, func(*sql.Tx) {})
			from := inTx(t, db, test.have, func(tx *sql.Tx) {
				_, refusal := tx.ExecContext(t.Context(), test.files)
				if !strings.Contains(test.files, "serial") { // for which PostgreSQL chooses another name
					require.Equal(t, test.want == "", refusal == nil, "%v", refusal)
				}
			}, "excluded")
			_, err := plan.Between(from, target, plan.Policy{})
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
			}
		})
	}
}

// inTx runs the text in a transaction, inspects its result, calls fn and rolls back.
func inTx(t *testing.T, db *sql.DB, text string, fn func(*sql.Tx), exclude ...string) *state.State {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
	found, err := state.Inspect(t.Context(), tx, exclude)
	require.NoError(t, err)
	fn(tx)
	return found
}

// TestDependents drops a column and a table, and changes the type of the column, while an object depends on them that is not
// managed. The plan is refused exactly if PostgreSQL refuses the change, and then names the object. Otherwise it lists the object
// as left alone if it is there afterwards, or says that it is lost.
func TestDependents(t *testing.T) {
	t.Parallel()
	db := build(t, "CREATE TABLE other (i int); CREATE TABLE t (id int PRIMARY KEY, a int, b int UNIQUE, c serial)")
	targets := map[string]*state.State{}
	for _, change := range []string{
		"ALTER TABLE t DROP COLUMN b", "ALTER TABLE t ALTER COLUMN b TYPE bigint", "ALTER TABLE t DROP CONSTRAINT t_b_key",
		"ALTER TABLE t DROP COLUMN c", "DROP TABLE t",
	} {
		targets[change] = inTx(t, db, change, func(*sql.Tx) {})
	}
	for _, test := range []struct{ object, name string }{
		{"CREATE POLICY p ON t USING (b > 0)", "policy p on t"},
		{"CREATE POLICY p ON t USING (a > 0)", "policy p on t"},
		{"CREATE SCHEMA o; CREATE TABLE o.x (i int); CREATE POLICY p ON o.x USING (EXISTS (SELECT FROM t WHERE b = i))",
			"policy p on o.x"},
		{function + "CREATE TRIGGER g BEFORE UPDATE OF b ON t FOR EACH ROW EXECUTE FUNCTION f()", "trigger g on t"},
		{function + "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.b > 0) EXECUTE FUNCTION f()", "trigger g on t"},
		{function + "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()", "trigger g on t"},
		{"CREATE RULE r AS ON UPDATE TO t DO ALSO SELECT OLD.b", "rule r on t"},
		{"CREATE RULE r AS ON UPDATE TO other DO ALSO SELECT b FROM t", "rule r on other"},
		{"CREATE SCHEMA o; CREATE VIEW o.v AS SELECT b FROM t", "view o.v"},
		{"CREATE SCHEMA o; CREATE VIEW o.v AS SELECT id, b FROM t GROUP BY id", "view o.v"},
		{"CREATE SCHEMA o; CREATE MATERIALIZED VIEW o.v AS SELECT a FROM t", "materialized view o.v"},
		{"CREATE FUNCTION g() RETURNS bigint BEGIN ATOMIC SELECT sum(b) FROM t; END", "function g()"},
		{"CREATE FUNCTION g(t) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function g(t)"},
		{"CREATE FUNCTION g() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t'", "function g()"},
		{"CREATE FUNCTION g() RETURNS t[] LANGUAGE sql AS 'SELECT NULL::t[]'", "function g()"},
		{"CREATE PUBLICATION p FOR TABLE t (id, b)", "publication relation t in publication p"},
		{"CREATE PUBLICATION p FOR TABLE t WHERE (b > 0) WITH (publish = 'insert')", "publication relation t in publication p"},
		{"CREATE PUBLICATION p FOR TABLE t", "publication relation t in publication p"},
		{"CREATE STATISTICS s ON a, b FROM t", "statistics object s"},
		{"CREATE STATISTICS s ON (a + b) FROM t", "statistics object s"},
		{"CREATE SCHEMA o; CREATE TABLE o.x (r t)", "table column o.x.r"},
		{"CREATE SCHEMA o; CREATE TABLE o.x (r t[])", "table column o.x.r"},
		{"CREATE TYPE c AS (r t)", "composite type column c.r"},
		{"CREATE DOMAIN d AS t CHECK ((VALUE).a > 0)", "domain d"},
		{"CREATE TABLE c () INHERITS (t)", "table c"},
		{"CREATE TABLE x (i int REFERENCES t) PARTITION BY RANGE (i)", "table constraint x_i_fkey on x"},
		{"CREATE SCHEMA o; CREATE TABLE o.x (i int REFERENCES t (b))", "table constraint x_i_fkey on o.x"},
		{"CREATE SCHEMA o; CREATE TABLE o.x (i int DEFAULT nextval('t_c_seq'))", "default value for o.x.i"},
		{"CREATE CAST (t AS text) WITH INOUT", "cast (t AS pg_catalog.text)"},
	} {
		t.Run(test.object, func(t *testing.T) {
			var from *state.State
			refusals := map[string]error{}
			from = inTx(t, db, test.object, func(tx *sql.Tx) {
				for change := range targets {
					refusals[change] = inSavepoint(t, tx, change)
				}
			})
			for change, target := range targets {
				planned, err := plan.Between(from, target, plan.Policy{})
				if refusals[change] != nil {
					require.ErrorContains(t, err, test.name, "%s: %v", change, refusals[change])
					continue
				}
				require.NoError(t, err, change)
				said, statements := planned.LeftAlone, []string{test.object}
				for _, s := range planned.Phases[0].Statements {
					statements = append(statements, s.SQL)
				}
				after := inTx(t, db, strings.Join(statements, ";"), func(*sql.Tx) {})
				for _, o := range from.Unmanaged {
					kept := slices.ContainsFunc(after.Unmanaged, func(other state.Object) bool { return o.String() == other.String() })
					require.Equal(t, kept, slices.Contains(said, o.String()), "%s: %s:\n%s", change, o, planned.SQL())
					if !kept && o.On != "t" {
						require.Contains(t, planned.SQL(), string(plan.LosesSetting)+": "+o.String(), change)
					}
				}
			}
		})
	}
}

// inSavepoint returns the error of a statement whose effect is undone.
func inSavepoint(t *testing.T, tx *sql.Tx, statement string) error {
	t.Helper()
	_, err := tx.ExecContext(t.Context(), "SAVEPOINT before")
	require.NoError(t, err)
	_, refusal := tx.ExecContext(t.Context(), statement)
	_, err = tx.ExecContext(t.Context(), "ROLLBACK TO before")
	require.NoError(t, err)
	return refusal
}
