package plan_test

import (
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

var (
	firstSeed = flag.Int("seed", 1, "the first seed of random schemas")
	seeds     = flag.Int("seeds", 3, "how many seeds to try")
)

// forEachPair runs a test for some pairs of random schemas. The log of a failed one shows how to repeat it.
func forEachPair(t *testing.T, test func(t *testing.T, seed int, p schemaPair)) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			p := newPair(seed)
			t.Cleanup(func() {
				if t.Failed() {
					name, _, _ := strings.Cut(t.Name(), "/")
					t.Logf("go test ./internal/schema/plan -run %s -seed %d -seeds 1\n-- A --\n%s\n-- B --\n%s", name, seed, p.a, p.b)
				}
			})
			test(t, seed, p)
		})
	}
}

// TestRandomSchemas changes one random schema into another and back, with a row in each table. After each change planning again
// yields nothing, and the facts are exactly those of the target schema. Rows and grants are the same, and sequences return no number a
// second time. Of a plan with statements outside a transaction, the first half is executed, and another plan does the rest.
func TestRandomSchemas(t *testing.T) {
	t.Parallel()
	policies := []plan.Policy{{UnknownGrants: true}, {Online: true}, {}, {Online: true, RulesAtOnce: true}}
	forEachPair(t, func(t *testing.T, seed int, p schemaPair) {
		db := randomDatabase{DB: build(t, p.a), names: p.names}
		db.fill(t)
		db.grant(t)
		db.change(t, build(t, p.b), policies[seed%len(policies)])
		db.change(t, build(t, p.again), policies[(seed+1)%len(policies)])
	})
}

// TestRandomSchemasKept changes one random schema into another and drops nothing. Planning again yields nothing, and what the
// second schema has is there. Of the first one, each column and index that is neither renamed nor replaced stays.
func TestRandomSchemasKept(t *testing.T) {
	t.Parallel()
	forEachPair(t, func(t *testing.T, seed int, p schemaPair) {
		db, other := randomDatabase{DB: build(t, p.a), names: p.names}, build(t, p.b)
		db.fill(t)
		from, to := inspect(t, db.DB), inspect(t, other)
		policy := plan.KeepAll()
		policy.Online = seed%3 == 0
		policy.KeepViews, policy.KeepChecks, policy.KeepForeignKeys, policy.KeepRare = false, false, false, false // they may not fit
		// The same is true of the condition of a kept index, whose column may get another type: PostgreSQL then refuses the plan. And
		// of the foreign key and the expression of a kept column; its index with a condition is dropped.
		policy.KeepIndexes = !strings.Contains(p.a, " WHERE "+p.names.id("c3")+" = ")
		policy.KeepColumns = !strings.Contains(p.a, "FOREIGN KEY") && !strings.Contains(p.a, "STORED")
		planned, err := plan.Between(from, to, policy)
		if err != nil { // a table that is kept may refer to a column that gets another type
			require.ErrorContains(t, err, "the files do not have foreign key")
			return
		}
		apply(t, db.DB, planned)
		after := inspect(t, db.DB)
		rest, err := plan.Between(after, to, policy)
		require.NoError(t, err)
		require.True(t, rest.Empty(), "after\n%s\nplanning again yields\n%s", planned.SQL(), rest.SQL())
		require.Subset(t, planned.LeftAlone, rest.LeftAlone)
		for _, fact := range state.Missing(catalog(t, other), catalog(t, db.DB)) {
			require.Regexp(t, "^column .*: number ", fact, "a kept column changes the positions of those after it\n%s", planned.SQL())
		}
		for _, table := range from.Details {
			now := after.Table(table.Name)
			require.NotNil(t, now, table.Name)
			if policy.KeepColumns {
				require.GreaterOrEqual(t, len(now.Columns), len(table.Columns), table.Name)
			}
			if !policy.KeepColumns || !policy.KeepIndexes {
				continue
			}
			for _, index := range table.Indexes {
				shape := func(i *state.Index) bool { return i.Shape == index.Shape }
				replaced := index.Unique || to.Table(table.Name) != nil && slices.ContainsFunc(to.Table(table.Name).Indexes,
					func(i *state.Index) bool { return i.Name == index.Name })
				require.True(t, replaced || slices.ContainsFunc(now.Indexes, shape), index.Definition)
			}
		}
	})
}

// randomDatabase is a database with the schema of a pair.
type randomDatabase struct {
	*sql.DB
	names names
	given map[[2]string]map[int64]bool // numbers that the sequence of a column has returned, by table and column
}

// fill adds a row to each table.
func (db *randomDatabase) fill(t *testing.T) {
	for _, table := range inspect(t, db.DB).Details {
		run(t, db.DB, "INSERT INTO "+state.Ident(table.Name)+" DEFAULT VALUES")
		for _, c := range table.Columns {
			for name, value := range values {
				if db.names.raw(name) == c.Name {
					run(t, db.DB, fmt.Sprintf("UPDATE %s SET %s = %s WHERE %[2]s IS NULL", state.Ident(table.Name), state.Ident(c.Name), value))
				}
			}
		}
	}
	db.count(t)
}

// grant lets a role that each server has use some columns, views and sequences.
func (db *randomDatabase) grant(t *testing.T) {
	s := inspect(t, db.DB)
	for i, table := range s.Details {
		column := table.Columns[i%len(table.Columns)].Name
		on := fmt.Sprintf("(%s) ON %s", state.Ident(column), state.Ident(table.Name))
		run(t, db.DB, fmt.Sprintf("GRANT SELECT %s TO pg_monitor WITH GRANT OPTION; GRANT UPDATE %[1]s TO PUBLIC", on))
	}
	for i, v := range s.Views {
		run(t, db.DB, fmt.Sprintf("GRANT SELECT ON %s TO PUBLIC", state.Ident(v.Name)))
		column := v.Columns[i%len(v.Columns)].Name
		run(t, db.DB, fmt.Sprintf("GRANT SELECT (%s) ON %s TO pg_monitor", state.Ident(column), state.Ident(v.Name)))
	}
	for _, sequence := range s.Sequences {
		run(t, db.DB, fmt.Sprintf("GRANT USAGE ON SEQUENCE %s TO pg_monitor", state.Ident(sequence.Name)))
	}
}

// change plans the change to the schema of another database, applies the plan, and compares.
func (db *randomDatabase) change(t *testing.T, target *sql.DB, policy plan.Policy) {
	t.Helper()
	from, to := inspect(t, db.DB), inspect(t, target)
	before := rows(t, db.DB, from, to)
	planned, err := plan.Between(from, to, policy)
	require.NoError(t, err)
	if begun := firstHalf(planned); begun != nil {
		apply(t, db.DB, begun)
		planned, err = plan.Between(inspect(t, db.DB), to, policy)
		require.NoError(t, err)
	}
	apply(t, db.DB, planned)
	after := inspect(t, db.DB)
	rest, err := plan.Between(after, to, policy)
	require.NoError(t, err)
	require.True(t, rest.Empty(), "after\n%s\nplanning again yields\n%s", planned.SQL(), rest.SQL())
	require.Empty(t, state.Difference(catalog(t, target), catalog(t, db.DB)), planned.SQL())
	require.Equal(t, before, rows(t, db.DB, from, to), planned.SQL())
	require.Empty(t, missingGrants(from, after), planned.SQL())
	db.count(t)
	refresh(t, db.DB, inspect(t, db.DB))
}

// firstHalf is a plan that was interrupted in the statements that run outside a transaction, or nil if there are none.
func firstHalf(p *plan.Plan) *plan.Plan {
	half := &plan.Plan{Phases: slices.Clone(p.Phases)}
	for i, phase := range p.Phases {
		if !phase.Transactional {
			half.Phases[i].Statements = phase.Statements[:len(phase.Statements)/2]
			half.Phases = half.Phases[:i+1]
			return half
		}
	}
	return nil
}

// count takes numbers from the sequence of each column, as rows do that are deleted later, and requires that no number was taken
// before.
func (db *randomDatabase) count(t *testing.T) {
	t.Helper()
	given := map[[2]string]map[int64]bool{}
	for _, s := range inspect(t, db.DB).Sequences {
		column := [2]string{s.Table, s.Column}
		given[column] = maps.Clone(db.given[column])
		if given[column] == nil {
			given[column] = map[int64]bool{}
		}
		var existing sql.NullInt64
		row := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT max(%s)::bigint FROM %s", state.Ident(s.Column), state.Ident(s.Table)))
		require.NoError(t, row.Scan(&existing))
		if existing.Valid {
			given[column][existing.Int64] = true
		}
		for range 3 {
			var number int64
			row := db.QueryRowContext(t.Context(), "SELECT nextval($1)", state.Ident(s.Name))
			require.NoError(t, row.Scan(&number))
			require.False(t, given[column][number], "%s returns %d again, after %v", s.Name, number, given[column])
			given[column][number] = true
		}
	}
	db.given = given
}

// missingGrants lists the grants on columns, views and sequences that both states have and that the second one lacks.
func missingGrants(from, to *state.State) (missing []string) {
	compare := func(object string, before, after []state.Grant) {
		for _, g := range before {
			if !slices.Contains(after, g) {
				missing = append(missing, fmt.Sprintf("%s: %v", object, g))
			}
		}
	}
	for _, table := range from.Details {
		for _, c := range table.Columns {
			other := to.Table(table.Name)
			if other == nil {
				continue
			}
			if i := slices.IndexFunc(other.Columns, func(o state.Column) bool { return o.Name == c.Name }); i >= 0 {
				compare(table.Name+"."+c.Name, c.Grants, other.Columns[i].Grants)
			}
		}
	}
	for _, v := range from.Views {
		if other := to.View(v.Name); other != nil {
			compare(v.Name, slices.DeleteFunc(slices.Clone(v.Grants), func(g state.Grant) bool {
				return g.Column != "" && !slices.ContainsFunc(other.Columns, func(c state.ViewColumn) bool { return c.Name == g.Column })
			}), other.Grants)
		}
	}
	for _, s := range from.Sequences {
		if other := to.Sequence(s.Table, s.Column); other != nil {
			compare("sequence of "+s.Table+"."+s.Column, s.Grants, other.Grants)
		}
	}
	return missing
}
