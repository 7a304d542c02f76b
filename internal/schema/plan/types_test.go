package plan_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// changesOfType are changes of types, with what the plan says of them. TestTypes compares that with what PostgreSQL does.
var changesOfType = []struct{ from, to, want string }{
	{"smallint", "integer", "rewrites"},
	{"smallint", "real", "rewrites"},
	{"integer", "bigint", "rewrites"},
	{"integer", "real", "rewrites, loses"},
	{"integer", "double precision", "rewrites"},
	{"integer", "numeric", "rewrites"},
	{"integer", "numeric(12,2)", "rewrites"},
	{"integer", "numeric(8,2)", "rewrites, may fail"},
	{"integer", "numeric(12,-2)", "rewrites, loses"},
	{"integer", "text", "rewrites"},
	{"integer", "character varying(3)", "rewrites, may fail"},
	{"integer", "boolean", "rewrites, loses"},
	{"integer", "oid", ""},
	{"bigint", "integer", "rewrites, may fail"},
	{"bigint", "double precision", "rewrites, loses"},
	{"real", "double precision", "rewrites"},
	{"real", "numeric", "rewrites, loses"},
	{"real", "integer", "rewrites, loses, may fail"},
	{"double precision", "real", "rewrites, loses, may fail"},
	{"double precision", "numeric", "rewrites, loses"},
	{"double precision", "numeric(8,2)", "rewrites, loses, may fail"},
	{"numeric", "integer", "rewrites, loses, may fail"},
	{"numeric", "double precision", "rewrites, loses, may fail"},
	{"numeric", "numeric(8,2)", "rewrites, loses, may fail"},
	{"numeric(8,2)", "numeric", ""},
	{"numeric(8,2)", "numeric(10,2)", ""},
	{"numeric(8,2)", "numeric(10,1)", "rewrites, loses"},
	{"numeric(8,2)", "numeric(7,1)", "rewrites, loses, may fail"},
	{"numeric(8,2)", "numeric(10,3)", "rewrites"},
	{"numeric(8,2)", "numeric(10,6)", "rewrites, may fail"},
	{"numeric(8,2)", "numeric(7,2)", "rewrites, may fail"},
	{"numeric(8,2)", "double precision", "rewrites"},
	{"numeric(8,2)", "real", "rewrites, loses"},
	{"numeric(8,2)", "integer", "rewrites, loses"},
	{"numeric(10,0)", "bigint", "rewrites"},
	{"numeric(10,0)", "integer", "rewrites, may fail"},
	{"numeric(4,0)", "smallint", "rewrites"},
	{"numeric(3,-2)", "integer", "rewrites"},
	{"numeric(8,2)[]", "numeric(10,1)[]", "rewrites, loses"},
	{"numeric(8,2)[]", "numeric(10,2)[]", "rewrites"},
	{"numeric(8,2)[]", "numeric[]", ""},
	{"character varying(10)", "character varying", ""},
	{"character varying(10)", "character varying(20)", ""},
	{"character varying(10)", "character varying(9)", "rewrites, may fail"},
	{"character varying(10)", "text", ""},
	{"character varying(10)", "character(20)", "rewrites"},
	{"character varying[]", "text[]", "rewrites"},
	{"character varying(9)[]", "character varying(10)[]", "rewrites"},
	{"text", "character varying", ""},
	{"text", "character varying(20)", "rewrites, may fail"},
	{"text", "bpchar", ""},
	{"text", "name", "rewrites, loses"},
	{"text", "integer", "rewrites, may fail"},
	{"text", "numeric(8,2)", "rewrites, loses, may fail"},
	{"text", "numeric", "rewrites, may fail"},
	{"text", "double precision", "rewrites, loses, may fail"},
	{"text", "date", "rewrites, loses, may fail"},
	{"text", "timestamp with time zone", "rewrites, may fail"},
	{"text", "timestamp without time zone", "rewrites, loses, may fail"},
	{"text", "time without time zone", "rewrites, loses, may fail"},
	{"text", "interval", "rewrites, may fail"},
	{"text", "uuid", "rewrites, may fail"},
	{"text", "jsonb", "rewrites, may fail"},
	{"text", "boolean", "rewrites, may fail"},
	{"text", "bit(4)", "rewrites, loses, may fail"},
	{"text", "text[]", "rewrites, may fail"},
	{"text[]", "character varying(3)[]", "rewrites, may fail"},
	{"text[]", "text", "rewrites"},
	{"character(5)", "character(9)", "rewrites"},
	{"character(5)", "character(3)", "rewrites, may fail"},
	{"character(5)", "text", "rewrites"},
	{"date", "timestamp without time zone", "rewrites, may fail"},
	{"date", "text", "rewrites"},
	{"timestamp without time zone", "date", "rewrites, loses"},
	{"timestamp without time zone", "timestamp(3) without time zone", "rewrites, loses"},
	{"timestamp without time zone", "timestamp(6) without time zone", ""},
	{"timestamp(3) without time zone", "timestamp without time zone", ""},
	{"timestamp(3) without time zone", "timestamp(4) without time zone", ""},
	{"timestamp without time zone", "timestamp with time zone", "rewrites"},
	{"timestamp without time zone", "timestamp(3) with time zone", "rewrites, loses"},
	{"timestamp with time zone", "timestamp without time zone", "rewrites"},
	{"timestamp with time zone", "time with time zone", "rewrites, loses"},
	{"time without time zone", "time(3) without time zone", "rewrites, loses"},
	{"time without time zone", "time with time zone", "rewrites"},
	{"time without time zone", "interval", "rewrites"},
	{"time with time zone", "time without time zone", "rewrites, loses"},
	{"interval", "time without time zone", "rewrites, loses"},
	{"interval", "interval(3)", "rewrites, loses"},
	{"interval(3)", "interval(4)", ""},
	{"interval day", "interval", ""},
	{"interval", "interval day", "rewrites, loses"},
	{"interval year", "interval year to month", ""},
	{"interval year to month", "interval year", "rewrites, loses"},
	{"interval day to second(3)", "interval day to second(2)", "rewrites, loses"},
	{"boolean", "integer", "rewrites"},
	{"boolean", "text", "rewrites"},
	{"json", "jsonb", "rewrites, may fail"},
	{"jsonb", "json", "rewrites"},
	{"cidr", "inet", ""},
	{"inet", "cidr", "rewrites, loses"},
	{"bit(3)", "bit(4)", "rewrites, may fail"},
	{"bit(3)", "bit varying", ""},
	{"bit varying(3)", "bit varying(4)", ""},
	{"bit varying", "bit varying(4)", "rewrites, may fail"},
	{"uuid", "text", "rewrites"},
	{"xml", "text", ""},
	{"text", "xml", "rewrites, may fail"},
}

// samples are values of types, as texts. A value that a type with a size does not accept is left out.
var samples = []struct{ types, values []string }{
	{[]string{"smallint", "integer", "bigint", "numeric", "real", "double precision"}, []string{
		"0", "1", "-3", "32767", "16777217", "2147483647", "-2147483648", "9007199254740993", "9223372036854775807",
	}},
	{[]string{"numeric", "real", "double precision"}, []string{
		"0.1", "1.05", "1.25", "99999.99", "999999.99", "123456.78", "16777216", "3e38", "9900",
	}},
	{[]string{"double precision", "numeric"}, []string{"0.30000000000000004", "1e300", "1234567890123456789.5"}},
	{[]string{"numeric"}, []string{"1e400", "123456789012345678901234567890.123456789", "9999999999"}},
	{[]string{"text", "character varying", "character", "bpchar"}, []string{
		"abc", "ab", "12", "12.5", "1.005", "1.23456789012345678901", "2026-01-02 03:04:05.123456-06",
		"true", "10101", "<a", `{"a": 1}`, "{1,2}", "<a/>", "6a1b9b62-3f0e-4a52-9d7c-0f6f1c2f3b11",
		"1234567890", strings.Repeat("long", 30),
	}},
	{[]string{"text[]", "character varying[]"}, []string{"{abc,de}", "{abcdefgh}", "{}"}},
	{[]string{"numeric[]"}, []string{"{1.25,999999.99}", "{12}"}},
	{[]string{"date"}, []string{"2026-01-02", "infinity", "5874897-12-31", "4713-01-01 BC"}},
	{[]string{"timestamp without time zone", "timestamp with time zone"}, []string{
		"2026-01-02", "2026-01-02 03:04:05.678901", "infinity", "2026-07-02 23:59:59.999999",
	}},
	{[]string{"time without time zone", "time with time zone"}, []string{"23:59:59.999999", "24:00", "01:02:03"}},
	{[]string{"time with time zone"}, []string{"23:59:59+09:30"}},
	{[]string{"interval"}, []string{"1 mon 2 days 03:04:05.678901", "25 hours", "3 years", "10 minutes", "-2 days", "3 years 2 mons"}},
	{[]string{"boolean"}, []string{"true", "false"}},
	{[]string{"json", "jsonb"}, []string{`{"a": 1}`, `[1.50, null, "x"]`, `"x\u0000"`}},
	{[]string{"inet", "cidr"}, []string{"10.1.2.3/8", "10.0.0.0/8", "::1/128"}},
	{[]string{"bit", "bit varying"}, []string{"1", "101", "10101"}},
	{[]string{"uuid"}, []string{"6a1b9b62-3f0e-4a52-9d7c-0f6f1c2f3b11"}},
	{[]string{"xml"}, []string{"<a/>"}},
}

// ofText are texts that the types print in the same way. They also read others.
var ofText = map[string][]string{
	"interval":                 {"1 day 02:03:04.123456", "abc"},
	"timestamp with time zone": {"2026-01-02 03:04:05.123456-06", "abc"},
}

func samplesOf(typ, to string) (all []string) {
	if typ == "text" && ofText[to] != nil {
		return ofText[to]
	}
	for _, s := range samples {
		if slices.Contains(s.types, typ) {
			all = append(all, s.values...)
		}
	}
	return all
}

// consequences are what a change of type does, or what a plan says that it may do.
type consequences struct{ rewrites, loses, fails bool }

func (c consequences) String() string {
	var all []string
	for i, is := range []bool{c.rewrites, c.loses, c.fails} {
		if is {
			all = append(all, []string{"rewrites", "loses", "may fail"}[i])
		}
	}
	return strings.Join(all, ", ")
}

func said(s plan.Statement) (c consequences) {
	for _, h := range s.Hazards {
		c.rewrites = c.rewrites || h.Kind == plan.RewritesData
		c.loses = c.loses || h.Kind == plan.DropsData
		c.fails = c.fails || h.Kind == plan.DependsOnRows
	}
	return c
}

// TestTypes makes each change of type with an empty table and with each sample. What the plan says must be what PostgreSQL
// does: whether it rewrites the table, whether a value is lost, and whether a value makes the statement fail.
func TestTypes(t *testing.T) {
	t.Parallel()
	var before, after strings.Builder
	for i, change := range changesOfType {
		fmt.Fprintf(&before, "CREATE TABLE t%d (v %s);\n", i, change.from)
		fmt.Fprintf(&after, "CREATE TABLE t%d (v %s);\n", i, change.to)
	}
	db := build(t, before.String())
	from := inspect(t, db)
	planned, err := plan.Between(from, inspect(t, build(t, after.String())), plan.Policy{})
	require.NoError(t, err)
	statements := map[string]plan.Statement{}
	for _, s := range planned.Phases[0].Statements {
		statements[strings.Fields(s.SQL)[2]] = s
	}
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	_, err = conn.ExecContext(t.Context(), "SET TimeZone = 'America/Chicago'") // in UTC some changes do not rewrite
	require.NoError(t, err)
	for i, change := range changesOfType {
		table := fmt.Sprintf("t%d", i)
		s := statements[table]
		did := consequences{}
		rewritten, _ := retype(t, conn, s, table, change.from, "")
		did.rewrites = rewritten
		for _, sample := range samplesOf(from.Table(table).Columns[0].TypeName, change.to) {
			_, result := retype(t, conn, s, table, change.from, sample)
			did.loses, did.fails = did.loses || result == "another value", did.fails || result == "error"
		}
		assert.Equal(t, []string{change.want, change.want}, []string{said(s).String(), did.String()},
			"the plan and PostgreSQL for %s to %s: %s", change.from, change.to, s.SQL)
	}
}

// retype executes a change of type on a table with the value as its only row, and undoes it. It reports whether the table was
// rewritten, and what the value became.
func retype(t *testing.T, conn *sql.Conn, s plan.Statement, table, typ, value string) (rewritten bool, result string) {
	t.Helper()
	tx, err := conn.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	if value != "" {
		if _, err := tx.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s VALUES (%s)", table, state.Literal(value))); err != nil {
			return false, "no value of the type"
		}
	}
	text := func(when string) (text sql.NullString) { // pgx keeps the plan of each text, which the change makes invalid
		require.NoError(t, tx.QueryRowContext(t.Context(), fmt.Sprintf("SELECT max(v::text) FROM %s -- %s", table, when)).Scan(&text))
		return text
	}
	before := text("before")
	effects, err := newMeter(t, tx, nil).measure(t, tx, s)
	if err != nil {
		return false, "error"
	}
	after := text("after")
	back := func(using string) bool {
		for _, sql := range []string{"SAVEPOINT s", fmt.Sprintf("ALTER TABLE %s ALTER COLUMN v TYPE %s USING %s", table, typ, using)} {
			if _, err := tx.ExecContext(t.Context(), sql); err != nil {
				_, err := tx.ExecContext(t.Context(), "ROLLBACK TO s")
				require.NoError(t, err, sql)
				return false
			}
		}
		return true
	}
	// Some types have no cast back, or one that fails.
	if after != before && (back("v::"+typ) || back("v::text::"+typ)) {
		after = text("back")
	}
	if after != before {
		return effects[table].rewritten, "another value"
	}
	return effects[table].rewritten, ""
}
