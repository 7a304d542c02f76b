package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

func TestOtherMajorIsRefused(t *testing.T) {
	t.Parallel()
	_, err := plan.Between(&state.State{Major: 15, Database: "ours"}, &state.State{Major: 18, Database: "files"}, plan.Policy{})
	require.ErrorContains(t, err, "ours is on PostgreSQL 15 and files on 18")
}

func TestEmptyPlan(t *testing.T) {
	t.Parallel()
	p, err := plan.Between(&state.State{}, &state.State{}, plan.Policy{})
	require.NoError(t, err)
	require.True(t, p.Empty())
	require.Empty(t, p.SQL())
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"phases": [], "left_alone": []}`, string(text))
}

func TestRemovedEnumValueIsAnError(t *testing.T) {
	t.Parallel()
	enum := func(values ...string) *state.State {
		return &state.State{Enums: []state.Enum{{Name: "mood", Values: values}}}
	}
	for _, values := range [][]string{{"sad"}, {"glad", "sad"}, {"sad", "new"}} {
		_, err := plan.Between(enum("sad", "glad"), enum(values...), plan.Policy{ByHand: "schema new"})
		require.ErrorIs(t, err, plan.ErrEnumValueRemoved)
		require.ErrorContains(t, err, "write a migration by hand (schema new): update the rows, ALTER TYPE mood RENAME TO mood_old")
	}
}

// table returns a state with a table of one column, its size, and a materialized view that reads it.
func table(typ string) *state.State {
	took := 2100 * time.Millisecond
	return &state.State{
		Details: []*state.Table{{Name: "urls", Columns: []state.Column{{Name: "n", Type: typ, TypeName: typ}}}},
		Casts:   []state.Cast{{From: "integer", To: "bigint", Context: "i", Method: "f"}},
		Views: []*state.View{{
			Name: "v", Materialized: true, Definition: "SELECT urls.n FROM urls", Populated: true, LastRefresh: &took,
			Columns: []state.ViewColumn{{Name: "n", Type: typ}}, Reads: []state.Reference{{Relation: "urls", Column: "n"}},
		}},
		Estimates: map[string]state.Estimate{"urls": {Rows: 19262, Bytes: 12 << 20}},
	}
}

func TestHazardsIncludeSizes(t *testing.T) {
	t.Parallel()
	hazards := func(policy plan.Policy) (all []string) {
		p, err := plan.Between(table("integer"), table("bigint"), policy)
		require.NoError(t, err)
		for _, s := range p.Phases[0].Statements {
			for _, h := range s.Hazards {
				all = append(all, string(h.Kind)+": "+h.Detail)
			}
		}
		return all
	}
	require.Contains(t, hazards(plan.Policy{}), "rewrites a table: about 19,262 rows (12 MB) of urls")
	require.Contains(t, hazards(plan.Policy{}),
		"rebuilds a materialized view: readers of v wait until it is filled: 2.1 s at its last refresh")
	// The sizes on a scratch database are not those of the databases that the file will run on.
	require.Contains(t, hazards(plan.Policy{UnknownGrants: true}), "rewrites a table: all rows of urls")
}

// TestStatesAreNotChanged requires that planning between two very different states does not modify them.
func TestStatesAreNotChanged(t *testing.T) {
	t.Parallel()
	from, to := inspect(t, build(t, newPair(1).a)), inspect(t, build(t, newPair(1).b))
	text := func() string {
		a, err := json.Marshal(from)
		require.NoError(t, err)
		b, err := json.Marshal(to)
		require.NoError(t, err)
		return string(a) + string(b)
	}
	before := text()
	for _, policy := range []plan.Policy{
		{}, {UnknownGrants: true, Online: true}, plan.KeepAll(),
	} {
		_, err := plan.Between(from, to, policy)
		require.NoError(t, err)
		require.Equal(t, before, text())
	}
}

// TestReference plans the change of a database of the reference service. Only names of constraints, and plain views that become
// materialized, and what depends on them, change. No row is lost.
func TestReference(t *testing.T) {
	t.Parallel()
	db, want := open(t, dbtest.Reference(t, dbtest.January)), build(t, "\\schema\n")
	from, to := inspect(t, db), inspect(t, want)
	policy := plan.KeepAll()
	before := rows(t, db, from, to)
	planned, err := plan.Between(from, to, policy)
	require.NoError(t, err)
	for _, phase := range planned.Phases {
		for _, s := range phase.Statements {
			require.NotContains(t, s.SQL, "DROP COLUMN", s.SQL)
			require.NotContains(t, s.SQL, "DROP TABLE", s.SQL)
			require.NotRegexp(t, `ADD CONSTRAINT \S+ (PRIMARY KEY|UNIQUE)`, s.SQL)
		}
	}
	apply(t, db, planned)
	rest, err := plan.Between(inspect(t, db), to, policy)
	require.NoError(t, err)
	require.True(t, rest.Empty(), rest.SQL())
	require.Equal(t, before, rows(t, db, from, to))
	require.Empty(t, state.Missing(catalog(t, want), catalog(t, db)))
}

// TestKeepEnumValues keeps values that only the database has, of the enums that the policy names, next to new ones of the files.
func TestKeepEnumValues(t *testing.T) {
	t.Parallel()
	const text = "CREATE TYPE %s AS ENUM (%s); CREATE TABLE t (value %[1]s);"
	for name, test := range map[string]struct{ enum, have, want, result string }{
		"kept":      {"mood", "'first', 'sad', 'so so', 'glad', 'last'", "'sad', 'glad', 'very glad'", "first, sad, so so, glad, last, very glad"},
		"moved":     {"mood", "'sad', 'so so', 'glad'", "'glad', 'sad'", ""},
		"not named": {"other", "'sad', 'so so'", "'sad'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := build(t, fmt.Sprintf(text, test.enum, test.have))
			to := inspect(t, build(t, fmt.Sprintf(text, test.enum, test.want)))
			policy := plan.Policy{KeepEnumValues: []string{"mood"}}
			planned, err := plan.Between(inspect(t, db), to, policy)
			if test.result == "" {
				require.ErrorIs(t, err, plan.ErrEnumValueRemoved)
				return
			}
			require.NoError(t, err)
			require.Contains(t, planned.LeftAlone, "value 'so so' of enum mood")
			apply(t, db, planned)
			after := inspect(t, db)
			require.Equal(t, test.result, strings.Join(after.Enums[0].Values, ", "))
			rest, err := plan.Between(after, to, policy)
			require.NoError(t, err)
			require.True(t, rest.Empty(), rest.SQL())
		})
	}
}

// TestFileWithoutTransaction runs the statements of a migration file one by one, as a replay does. Grants are restored as well.
func TestFileWithoutTransaction(t *testing.T) {
	t.Parallel()
	const text = `CREATE TABLE t (id integer, note text); CREATE VIEW v AS SELECT id FROM t; CREATE VIEW w AS SELECT note FROM t;`
	db := build(t, text)
	to := inspect(t, build(t, strings.ReplaceAll(text, "integer", "bigint")))
	planned, err := plan.Between(inspect(t, db), to, plan.Policy{UnknownGrants: true})
	require.NoError(t, err)
	run(t, db, "GRANT SELECT ON v TO pg_monitor WITH GRANT OPTION; GRANT SELECT (note) ON w TO pg_monitor")
	require.NotContains(t, planned.SQL(), "'w'", "it is not created again, so its grants need not be saved")
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	for _, s := range planned.Phases[0].Statements {
		_, err := conn.ExecContext(t.Context(), s.SQL)
		require.NoError(t, err, s.SQL)
	}
	require.NoError(t, conn.Close())
	after := inspect(t, db)
	require.Equal(t, []state.Grant{{Grantee: "pg_monitor", Privilege: "SELECT", WithGrantOption: true}}, after.View("v").Grants)
	require.Equal(t, []state.Grant{{Grantee: "pg_monitor", Privilege: "SELECT", Column: "note"}}, after.View("w").Grants)
}
