package plan_test

import (
	"cmp"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// hazardRows are changes, with what PostgreSQL does to the relations T and U of each. Every statement also does what its hazards
// say and nothing else.
var hazardRows = []struct{ name, from, to, want string }{
	// New columns.
	{"column", "TABLE T (id int)", "TABLE T (id int, a text)", "T: locks out readers"},
	{"constant default", "TABLE T (id int)", "TABLE T (id int, a text NOT NULL DEFAULT 'x')", "T: locks out readers"},
	{"stable default", "TABLE T (id int)", "TABLE T (id int, a timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'))",
		"T: locks out readers"},
	{"constant in fact", "TABLE T (id int)",
		"TABLE T (id int, a text DEFAULT 'x'::text || upper('y'), b jsonb DEFAULT '{}'::jsonb, " +
			"c numeric(8,2) DEFAULT 1.5::numeric(8,2), d date DEFAULT CURRENT_DATE, e text[] DEFAULT ARRAY[]::text[])",
		"T: locks out readers"},
	{"volatile default", "TABLE T (id int)", "TABLE T (id int, a uuid DEFAULT gen_random_uuid())",
		"T: locks out readers, rewritten"},
	{"volatile operand", "TABLE T (id int)", "TABLE T (id int, a float8 DEFAULT 1 + random())",
		"T: locks out readers, rewritten"},
	{"clock", "TABLE T (id int)", "TABLE T (id int, a timestamptz DEFAULT clock_timestamp())",
		"T: locks out readers, rewritten"},
	{"volatile word in a constant", "TABLE T (id int)", "TABLE T (id int, a text DEFAULT 'random()')", "T: locks out readers"},
	{"identity", "TABLE T (id int)", "TABLE T (id int, a int GENERATED ALWAYS AS IDENTITY)", "T: locks out readers, rewritten"},
	{"serial", "TABLE T (id int)", "TABLE T (id int, a serial)", "T: locks out readers, rewritten"},
	{"generated", "TABLE T (id int)", "TABLE T (id int, a int GENERATED ALWAYS AS (id + 1) STORED)",
		"T: locks out readers, rewritten"},
	{"another expression", "TABLE T (id int, a int GENERATED ALWAYS AS (id + 1) STORED)",
		"TABLE T (id int, a int GENERATED ALWAYS AS (id + 2) STORED)", "T: locks out readers, rewritten"},
	{"no expression", "TABLE T (id int, a int GENERATED ALWAYS AS (id + 1) STORED)", "TABLE T (id int, a int)",
		"T: locks out readers"},
	{"column with a check", "TABLE T (id int)", "TABLE T (id int, a int DEFAULT 1 CONSTRAINT T_c CHECK (a > 0))",
		"T: locks out readers, read"},
	{"column with a key", "TABLE T (id int)", "TABLE T (id int, a int CONSTRAINT T_k UNIQUE)", "T: locks out readers, read"},
	{"column dropped", "TABLE T (id int, a text)", "TABLE T (id int)", "T: locks out readers"},
	{"indexed column dropped", "TABLE T (id int, a text); CREATE INDEX T_i ON T (a, id)", "TABLE T (id int)",
		"T: locks out readers"},

	{"stable function", "TABLE T (id int)", "TABLE T (id int, a int DEFAULT calm())", "T: locks out readers"},
	{"volatile function", "TABLE T (id int)", "TABLE T (id int, a int DEFAULT wild())", "T: locks out readers, rewritten"},
	{"volatile operator", "TABLE T (id int)", "TABLE T (id int, a int DEFAULT 1 <+> 2)", "T: locks out readers, rewritten"},
	{"domain", "TABLE T (id int)", "TABLE T (id int, a number DEFAULT 1, b code)", "T: locks out readers"},
	{"domain with a check", "TABLE T (id int)", "TABLE T (id int, a positive DEFAULT 1)", "T: locks out readers, rewritten"},
	{"domain of a domain with a check", "TABLE T (id int)", "TABLE T (id int, a positives)", "T: locks out readers, rewritten"},

	// Nulls and defaults.
	{"NOT NULL", "TABLE T (id int)", "TABLE T (id int NOT NULL)", "T: locks out readers, read"},
	{"NOT NULL, proven", "TABLE T (id int, CONSTRAINT T_c CHECK (id IS NOT NULL))",
		"TABLE T (id int NOT NULL, CONSTRAINT T_c CHECK (id IS NOT NULL))", "T: locks out readers"},
	{"NULL", "TABLE T (id int NOT NULL)", "TABLE T (id int)", "T: locks out readers"},
	{"default", "TABLE T (id int, a int)", "TABLE T (id int, a int DEFAULT 7)", "T: locks out readers"},
	{"volatile default of a column", "TABLE T (id int, a float8)", "TABLE T (id int, a float8 DEFAULT random())",
		"T: locks out readers"},

	// Types.
	{"varchar longer", "TABLE T (id int, a varchar(10))", "TABLE T (id int, a varchar(20))", "T: locks out readers"},
	{"varchar longer, index",
		"TABLE T (id int, a varchar(10), CONSTRAINT T_k UNIQUE (a)); CREATE INDEX T_i ON T (a, id) INCLUDE (id)",
		"TABLE T (id int, a varchar(20), CONSTRAINT T_k UNIQUE (a)); CREATE INDEX T_i ON T (a, id) INCLUDE (id)",
		"T: locks out readers"},
	{"varchar longer, partial index", "TABLE T (id int, a varchar(10)); CREATE INDEX T_i ON T (id) WHERE a = 'x'",
		"TABLE T (id int, a varchar(20)); CREATE INDEX T_i ON T (id) WHERE a = 'x'", "T: locks out readers, read, rebuilds T_i"},
	{"varchar longer, index of an expression", "TABLE T (id int, a varchar(10)); CREATE INDEX T_i ON T (lower(a))",
		"TABLE T (id int, a varchar(20)); CREATE INDEX T_i ON T (lower(a))", "T: locks out readers, read, rebuilds T_i"},
	{"varchar longer, check", "TABLE T (id int, a varchar(10), CONSTRAINT T_c CHECK (a <> ''))",
		"TABLE T (id int, a varchar(20), CONSTRAINT T_c CHECK (a <> ''))", "T: locks out readers, read"},
	{"varchar longer, check of another column", "TABLE T (id int, a varchar(10), CONSTRAINT T_c CHECK (id > 0))",
		"TABLE T (id int, a varchar(20), CONSTRAINT T_c CHECK (id > 0))", "T: locks out readers"},
	{"varchar longer, foreign key",
		"TABLE U (a varchar(10) PRIMARY KEY); CREATE TABLE T (a varchar(10), CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"TABLE U (a varchar(10) PRIMARY KEY); CREATE TABLE T (a varchar(20), CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"T: locks out readers; U: locks out readers"},
	{"varchar longer, referenced",
		"TABLE U (a varchar(10) PRIMARY KEY); CREATE TABLE T (a varchar(10), CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"TABLE U (a varchar(20) PRIMARY KEY); CREATE TABLE T (a varchar(10), CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"T: locks out readers; U: locks out readers"},
	{"varchar shorter", "TABLE T (id int, a varchar(20))", "TABLE T (id int, a varchar(10))", "T: locks out readers, rewritten"},
	{"varchar to text", "TABLE T (id int, a varchar(20)); CREATE INDEX T_i ON T (a)",
		"TABLE T (id int, a text); CREATE INDEX T_i ON T (a)",
		"T: locks out readers"},
	{"int to bigint", "TABLE T (id int PRIMARY KEY, a text)", "TABLE T (id bigint PRIMARY KEY, a text)",
		"T: locks out readers, rewritten"},
	{"int to bigint, foreign key",
		"TABLE U (a int PRIMARY KEY); CREATE TABLE T (a int, CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"TABLE U (a int PRIMARY KEY); CREATE TABLE T (a bigint, CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"T: locks out readers, rewritten; U: locks out readers, read"},
	{"int to bigint, referenced",
		"TABLE U (a int PRIMARY KEY); CREATE TABLE T (a int, CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"TABLE U (a bigint PRIMARY KEY); CREATE TABLE T (a int, CONSTRAINT T_f FOREIGN KEY (a) REFERENCES U)",
		"T: locks out readers, read; U: locks out readers, rewritten"},
	{"int to oid, index", "TABLE T (id int, a int); CREATE INDEX T_i ON T (a)",
		"TABLE T (id int, a oid); CREATE INDEX T_i ON T (a)",
		"T: locks out readers, read, rebuilds T_i"},
	{"timestamp to timestamptz", "TABLE T (id int, a timestamp)", "TABLE T (id int, a timestamptz)",
		"T: locks out readers, rewritten; in UTC T: locks out readers"},
	{"timestamptz to timestamp, index", "TABLE T (id int, a timestamptz); CREATE INDEX T_i ON T (a)",
		"TABLE T (id int, a timestamp); CREATE INDEX T_i ON T (a)",
		"T: locks out readers, rewritten; in UTC T: locks out readers, read, rebuilds T_i"},
	{"cidr to inet, index", "TABLE T (id int, a cidr); CREATE INDEX T_i ON T (a)",
		"TABLE T (id int, a inet); CREATE INDEX T_i ON T (a)",
		"T: locks out readers"},
	{"array", "TABLE T (id int, a varchar(10)[])", "TABLE T (id int, a text[])", "T: locks out readers, rewritten"},
	{"int to domain", "TABLE T (id int, a int)", "TABLE T (id int, a number)", "T: locks out readers"},
	{"int to domain with a check", "TABLE T (id int, a int)", "TABLE T (id int, a positive)", "T: locks out readers, rewritten"},
	{"domain with a check to int", "TABLE T (id int, a positives)", "TABLE T (id int, a int)", "T: locks out readers"},
	{"varchar to domain", "TABLE T (a varchar(9), b varchar(11))", "TABLE T (a code, b varchar(11))", "T: locks out readers"},
	{"longer varchar to domain", "TABLE T (a varchar(11))", "TABLE T (a code)", "T: locks out readers, rewritten"},
	{"text to enum", "TABLE T (a text)", "TABLE T (a mood)",
		"T: locks out readers, rewritten"},
	{"enum to enum", "TABLE T (a mood, l mood[])", "TABLE T (a tone, l tone[])", "T: locks out readers, rewritten"},
	{"collation", "TABLE T (id int, a text)", `TABLE T (id int, a text COLLATE "C")`, "T: locks out readers"},
	{"collation, indexes",
		"TABLE T (id int, a text, CONSTRAINT T_k UNIQUE (a)); CREATE INDEX T_i ON T (lower(a)); " +
			"CREATE INDEX T_j ON T (id) INCLUDE (a)",
		`TABLE T (id int, a text COLLATE "C", CONSTRAINT T_k UNIQUE (a)); CREATE INDEX T_i ON T (lower(a)); ` +
			`CREATE INDEX T_j ON T (id) INCLUDE (a)`,
		"T: locks out readers, read, rebuilds T_i, rebuilds T_k"},

	// Constraints and indexes.
	{"check", "TABLE T (id int)", "TABLE T (id int, CONSTRAINT T_c CHECK (id > 0))", "T: locks out readers, read"},
	{"check validated", "TABLE T (id int); ALTER TABLE T ADD CONSTRAINT T_c CHECK (id > 0) NOT VALID",
		"TABLE T (id int, CONSTRAINT T_c CHECK (id > 0))", "T: read"},
	{"unique", "TABLE T (id int)", "TABLE T (id int, CONSTRAINT T_k UNIQUE (id))", "T: locks out readers, read"},
	{"exclusion", "TABLE T (id int)", "TABLE T (id int, CONSTRAINT T_x EXCLUDE USING btree (id WITH =))",
		"T: locks out readers, read"},
	{"foreign key", "TABLE U (id int PRIMARY KEY); CREATE TABLE T (id int)",
		"TABLE U (id int PRIMARY KEY); CREATE TABLE T (id int, CONSTRAINT T_f FOREIGN KEY (id) REFERENCES U)",
		"T: locks out writers, read; U: locks out writers, read"},
	{"foreign key dropped",
		"TABLE U (id int PRIMARY KEY); CREATE TABLE T (id int, CONSTRAINT T_f FOREIGN KEY (id) REFERENCES U)",
		"TABLE U (id int PRIMARY KEY); CREATE TABLE T (id int)", "T: locks out readers; U: locks out readers"},
	{"referring table dropped",
		"TABLE U (id int PRIMARY KEY); CREATE TABLE T (id int, CONSTRAINT T_f FOREIGN KEY (id) REFERENCES U)",
		"TABLE U (id int PRIMARY KEY)", "T: locks out readers; U: locks out readers"},
	{"index", "TABLE T (id int)", "TABLE T (id int); CREATE INDEX T_i ON T (id)", "T: locks out writers, read"},
	{"index dropped", "TABLE T (id int); CREATE INDEX T_i ON T (id)", "TABLE T (id int)", "T: locks out readers"},
	{"storage parameter", "TABLE T (id int)", "TABLE T (id int) WITH (fillfactor = 70)", ""},
	{"comment", "TABLE T (id int)", "TABLE T (id int); COMMENT ON TABLE T IS 'x'", ""},
}

// TestHazards measures each statement of the rows, with the session's TimeZone UTC and another one.
func TestHazards(t *testing.T) {
	t.Parallel()
	const types = `
CREATE TYPE mood AS ENUM ('1');
CREATE TYPE tone AS ENUM ('1');
CREATE DOMAIN number AS int;
CREATE DOMAIN positive AS number CHECK (VALUE > 0);
CREATE DOMAIN positives AS positive;
CREATE DOMAIN code AS varchar(10);
CREATE FUNCTION calm() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION wild() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1 + $2; END';
CREATE OPERATOR <+> (leftarg = int, rightarg = int, function = plus);
`
	before, after := types, types
	for i, row := range hazardRows {
		before += rename("CREATE "+row.from+";\n", i)
		after += rename("CREATE "+row.to+";\n", i)
	}
	db := build(t, before)
	from := inspect(t, db)
	for _, prefix := range []string{"u", "t"} { // a foreign key of t may refer to u
		for _, table := range from.Details {
			if strings.HasPrefix(table.Name, prefix) {
				run(t, db, oneRow(table))
			}
		}
	}
	planned, err := plan.Between(from, inspect(t, build(t, after)), plan.Policy{})
	require.NoError(t, err)
	require.Len(t, planned.Phases, 1)
	for _, zone := range []string{"UTC", "America/Chicago"} {
		did := effectsIn(t, db, zone, planned.Phases[0])
		for i, row := range hazardRows {
			var got []string
			for _, name := range []string{"T", "U"} {
				if words := did[rename(name, i)]; len(words) > 0 {
					text := strings.ReplaceAll(strings.Join(words, ", "), rename("T", i)+"_", "T_")
					got = append(got, name+": "+text)
				}
			}
			want, inUTC, differs := strings.Cut(row.want, "; in UTC ")
			if differs && zone == "UTC" {
				want = inUTC
			}
			assert.Equal(t, want, strings.Join(got, "; "), "%s in %s", row.name, zone)
		}
	}
}

// effectsIn runs the statements of a phase at a time zone, and undoes them. It returns what they did to each relation.
func effectsIn(t *testing.T, db *sql.DB, zone string, phase plan.Phase) map[string][]string {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.ExecContext(t.Context(), fmt.Sprintf("SET LOCAL TimeZone = '%s'", zone))
	require.NoError(t, err)
	m := newMeter(t, tx, nil)
	did := map[string][]string{}
	for _, s := range phase.Statements {
		effects, err := m.measure(t, tx, s)
		require.NoError(t, err, s.SQL)
		for name, e := range effects {
			assert.Empty(t, lies(s, name, e, true))
			did[name] = append(did[name], e.words()...)
		}
	}
	for name, words := range did {
		slices.Sort(words)
		did[name] = slices.Compact(words)
	}
	return did
}

var relationNames = regexp.MustCompile(`\b([TU])(\b|_)`)

// rename gives the relations of a row names of their own.
func rename(sql string, row int) string {
	return relationNames.ReplaceAllStringFunc(sql, func(name string) string {
		return strings.ToLower(name[:1]) + fmt.Sprint(row) + name[1:]
	})
}

// oneRow returns an INSERT of a row without nulls.
func oneRow(t *state.Table) string {
	var names, row []string
	for _, c := range t.Columns {
		value := map[string]string{
			"timestamp without time zone": "'2026-01-02'", "timestamp with time zone": "'2026-01-02'", "cidr": "'10.0.0.0/8'",
			"mood[]": "'{1}'", "character varying[]": "'{1}'",
		}[c.TypeName]
		if c.Generated == "" {
			names, row = append(names, c.Name), append(row, cmp.Or(value, "'1'"))
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", t.Name, strings.Join(names, ", "), strings.Join(row, ", "))
}
