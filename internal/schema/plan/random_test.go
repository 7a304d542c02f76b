package plan_test

import (
	"database/sql"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

var (
	firstSeed = flag.Int("seed", 1, "the first seed of random schemas")
	seeds     = flag.Int("seeds", 8, "how many seeds to try")
)

// TestRandomSchemas changes one random schema into another and back, with a row in each table. After each change planning
// again yields nothing, and the facts are exactly those of the target schema.
func TestRandomSchemas(t *testing.T) {
	t.Parallel()
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			a, b := schemas.Example(2*seed), schemas.Example(2*seed+1)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("go test -run TestRandomSchemas -seed %d -seeds 1\n-- A --\n%s\n-- B --\n%s", seed, a, b)
				}
			})
			db, other := build(t, a), build(t, b)
			for _, table := range inspect(t, db).Details {
				run(t, db, "INSERT INTO "+table.Name+" DEFAULT VALUES")
				for _, c := range table.Columns {
					if value, ok := values[c.Name]; ok {
						run(t, db, fmt.Sprintf("UPDATE %s SET %s = %s WHERE %[2]s IS NULL", table.Name, c.Name, value))
					}
				}
			}
			first, facts := inspect(t, db), catalog(t, db)
			second := inspect(t, other)
			converge(t, db, second, plan.Policy{UnknownGrants: true}, catalog(t, other))
			converge(t, db, first, plan.Policy{ConcurrentIndexes: true}, facts)
		})
	}
}

// TestRandomSchemasKept changes one random schema into another and drops nothing. Planning again yields nothing, and what the
// second schema has is there. Of the first one, each column and index that is neither renamed nor replaced stays.
func TestRandomSchemasKept(t *testing.T) {
	t.Parallel()
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			a, b := schemas.Example(2*seed), schemas.Example(2*seed+1)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("go test -run TestRandomSchemasKept -seed %d -seeds 1\n-- A --\n%s\n-- B --\n%s", seed, a, b)
				}
			})
			db, other := build(t, a), build(t, b)
			from, to := inspect(t, db), inspect(t, other)
			policy := plan.KeepAll()
			policy.KeepViews, policy.KeepChecks, policy.KeepForeignKeys = false, false, false // they may not fit the new types
			// A kept column keeps its foreign key and its expression, for which the same is true.
			policy.KeepColumns = !strings.Contains(a, "FOREIGN KEY") && !strings.Contains(a, "STORED")
			planned, err := plan.Between(from, to, policy)
			require.NoError(t, err)
			apply(t, db, planned)
			after := inspect(t, db)
			rest, err := plan.Between(after, to, policy)
			require.NoError(t, err)
			require.True(t, rest.Empty(), "after\n%s\nplanning again yields\n%s", planned.SQL(), rest.SQL())
			require.Subset(t, slices.Concat(planned.LeftAlone, rest.LeftAlone), rest.LeftAlone)
			for _, fact := range state.Missing(catalog(t, other), catalog(t, db)) {
				require.Regexp(t, "^column .*: number ", fact, "a kept column changes the positions of those after it\n%s", planned.SQL())
			}
			for _, table := range from.Details {
				now := after.Table(table.Name)
				require.NotNil(t, now, table.Name)
				if !policy.KeepColumns {
					continue
				}
				require.GreaterOrEqual(t, len(now.Columns), len(table.Columns), table.Name)
				for _, index := range table.Indexes {
					shape := func(i *state.Index) bool { return i.Shape == index.Shape }
					replaced := index.Unique || to.Table(table.Name) != nil && slices.ContainsFunc(to.Table(table.Name).Indexes,
						func(i *state.Index) bool { return i.Name == index.Name })
					require.True(t, replaced || slices.ContainsFunc(now.Indexes, shape), index.Definition)
				}
			}
		})
	}
}

// values are for columns without a default. Each is valid for all types that a column of the name may have. Columns that refer
// to other tables have none, because those tables may be empty.
var values = map[string]string{"c2": "'1'", "c3": "'sad'", "c4": "'2026-01-02'"}

// converge plans the change of the database to the state, and applies the plan.
func converge(t *testing.T, db *sql.DB, to *state.State, policy plan.Policy, facts []string) {
	t.Helper()
	from := inspect(t, db)
	planned, err := plan.Between(from, to, policy)
	require.NoError(t, err)
	apply(t, db, planned)
	rest, err := plan.Between(inspect(t, db), to, policy)
	require.NoError(t, err)
	require.True(t, rest.Empty(), "after\n%s\nplanning again yields\n%s", planned.SQL(), rest.SQL())
	require.Empty(t, state.Difference(facts, catalog(t, db)), planned.SQL())
	refresh(t, db, inspect(t, db))
}

// schemas generates SQL that creates a schema. One row in each table remains valid whichever schema changes into whichever
// other: keys are 1, a text that may become a number is a number, and NOT NULL columns have defaults.
var schemas = rapid.Custom(func(t *rapid.T) string {
	g := generator{T: t, types: map[string]string{}}
	for i := range 4 {
		if g.chance(80) {
			g.table(fmt.Sprintf("t%d", i))
		}
	}
	for i := range 6 {
		if len(g.sources) > 0 && g.chance(80) {
			g.view(fmt.Sprintf("v%d", i))
		}
	}
	return "CREATE TYPE mood AS ENUM ('sad', 'glad');\n" + g.sql.String()
})

// source is a table or view that a view may read.
type source struct {
	name    string
	columns []string // the first is the key
	grouped bool     // its key is a primary key
}

type generator struct {
	*rapid.T
	sql     strings.Builder
	types   map[string]string // of columns, as "t1.c0"
	sources []source
}

func (g *generator) chance(percent int) bool {
	return rapid.IntRange(1, 100).Draw(g.T, "chance") <= percent
}

func (g *generator) oneOf(choices ...string) string {
	return rapid.SampledFrom(choices).Draw(g.T, "choice")
}

func (g *generator) put(format string, args ...any) { fmt.Fprintf(&g.sql, format+";\n", args...) }

func (g *generator) comment(target string) {
	if g.chance(30) {
		g.put("COMMENT ON %s IS %s", target, state.Literal(g.oneOf("One.", "It's two.", "'three'", `back\slash`)))
	}
}

func (g *generator) table(name string) {
	key := g.oneOf("integer", "integer", "bigint", "text")
	lines := []string{"c0 " + key + " NOT NULL DEFAULT 1"}
	g.types[name+".c0"] = key
	if g.chance(20) {
		lines[0] = "c0 " + g.oneOf("serial NOT NULL", "bigserial NOT NULL", "integer GENERATED BY DEFAULT AS IDENTITY",
			"bigint GENERATED ALWAYS AS IDENTITY")
		g.types[name+".c0"] = "number"
	}
	columns := []string{"c0"}
	for i, choices := range [][]string{
		{"integer", "bigint", "numeric(8,2)", "text"},
		{"text", "text DEFAULT '1'", `text COLLATE "C"`, "varchar(10) NOT NULL DEFAULT 'x'", "varchar(20)", "text DEFAULT upper('y')"},
		{"mood", "mood NOT NULL DEFAULT 'sad'", "text DEFAULT 'glad'", "text"},
		{"timestamp DEFAULT now()", "timestamp(3)", "date", "timestamptz NOT NULL DEFAULT '2026-01-01 00:00Z'"},
		{"text[] NOT NULL DEFAULT '{}'", "jsonb", "boolean DEFAULT true"},
	} {
		if !g.chance(75) {
			continue
		}
		column := fmt.Sprintf("c%d", i+1)
		if i == 4 {
			// There is no cast between these types.
			at := rapid.IntRange(0, 2).Draw(g.T, "kind")
			column, choices = fmt.Sprintf("d%d", at), choices[at:at+1]
		}
		typ := g.oneOf(choices...)
		g.types[name+"."+column] = typ
		lines, columns = append(lines, column+" "+typ), append(columns, column)
	}
	if g.chance(60) { // a column that is generated in some schemas and plain in others
		typ := g.oneOf("integer", "integer", "bigint", "numeric(8,2)", "text")
		g.types[name+".g"] = typ
		reads := g.oneOf(slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return c > "c2" })...) // those whose text is immutable
		expression := fmt.Sprintf("coalesce(length(%s::text), %s)::%s", reads, g.oneOf("0", "5"), typ)
		lines, columns = append(lines, "g "+typ+" "+g.oneOf("NOT NULL DEFAULT 7", "DEFAULT 8",
			"GENERATED ALWAYS AS ("+expression+") STORED", "NOT NULL GENERATED ALWAYS AS ("+expression+") STORED")), append(columns, "g")
	}
	grouped := false
	switch g.oneOf("key", "key", "unique", "none") {
	case "key":
		grouped = true
		lines = append(lines, fmt.Sprintf("CONSTRAINT %s_%s PRIMARY KEY (c0)", name, g.oneOf("pkey", "pk")))
	case "unique":
		lines = append(lines, fmt.Sprintf("CONSTRAINT %s_%s UNIQUE (c0)", name, g.oneOf("c0_key", "uq")))
	}
	if g.chance(40) {
		check := name + g.oneOf("_c0_check", "_c0_ck")
		lines = append(lines, fmt.Sprintf("CONSTRAINT %s CHECK (c0::text <> %s)", check, g.oneOf("''", "'0'")))
	}
	g.put("CREATE TABLE %s (\n    %s\n)", name, strings.Join(lines, ",\n    "))
	for _, other := range g.sources {
		same := g.types[name+".c1"] != "" && g.types[name+".c1"] == g.types[other.name+".c0"]
		if same && other.grouped && g.chance(60) {
			g.put("ALTER TABLE %s ADD CONSTRAINT %[1]s_%[2]s_%[3]s FOREIGN KEY (c1) REFERENCES %[2]s ON DELETE %[4]s", name, other.name,
				g.oneOf("fkey", "fk"), g.oneOf("CASCADE", "SET NULL"))
		}
	}
	if g.chance(30) {
		g.put("ALTER TABLE %s SET (fillfactor = %s)", name, g.oneOf("70", "80"))
	}
	g.indexes(name, columns)
	g.comment("TABLE " + name)
	for _, column := range columns {
		g.comment("COLUMN " + name + "." + column)
	}
	g.sources = append(g.sources, source{name, columns, grouped})
}

// indexes creates indexes of several kinds. A unique one always succeeds, because each table has one row.
func (g *generator) indexes(relation string, columns []string) {
	for i := range rapid.IntRange(0, 3).Draw(g.T, "indexes") {
		column := g.oneOf(slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return c == "d1" })...)
		parts := g.oneOf(column, column+" DESC", column+", "+columns[0], fmt.Sprintf("(%s IS NULL)", column))
		name := fmt.Sprintf("%s_%s%d", relation, g.oneOf("idx", "index"), i)
		g.put("CREATE %sINDEX %s ON %s (%s)%s", g.oneOf("", "UNIQUE "), name, relation, parts,
			g.oneOf("", "", fmt.Sprintf(" WHERE %s IS NOT NULL", columns[0])))
		g.comment("INDEX " + name)
	}
}

// view creates a view that reads one or two of the sources.
func (g *generator) view(name string) {
	from := rapid.SampledFrom(g.sources).Draw(g.T, "source")
	outputs, columns := []string{"a." + from.columns[0] + " AS k"}, []string{"k"}
	for i, column := range from.columns[1:] {
		if g.chance(60) {
			as := g.oneOf(column, fmt.Sprintf("x%d", i))
			if as == "k" || slices.Contains(columns, as) {
				continue
			}
			outputs, columns = append(outputs, g.oneOf("a."+column, "a."+column, "a."+column+"::text")+" AS "+as), append(columns, as)
		}
	}
	query := fmt.Sprintf("FROM %s AS a", from.name)
	switch g.oneOf("plain", "join", "group") {
	case "join":
		other := rapid.SampledFrom(g.sources).Draw(g.T, "other")
		query += fmt.Sprintf(" LEFT JOIN %s AS b ON b.%s::text = a.%s::text", other.name, other.columns[0], from.columns[0])
		as := "of_" + name
		outputs, columns = append(outputs, "b."+other.columns[0]+"::text AS "+as), append(columns, as)
	case "group":
		if from.grouped {
			query += " GROUP BY a." + from.columns[0]
			outputs, columns = append(outputs, "count(*) AS "+name+"_n"), append(columns, name+"_n")
		}
	}
	kind := g.oneOf("VIEW", "MATERIALIZED VIEW")
	g.put("CREATE %s %s AS SELECT %s %s", kind, name, strings.Join(outputs, ", "), query)
	g.comment(kind + " " + name)
	for _, column := range columns {
		g.comment("COLUMN " + name + "." + column)
	}
	if kind != "VIEW" {
		if g.chance(80) {
			g.put("CREATE UNIQUE INDEX %s_%s ON %s (k)", name, g.oneOf("k_key", "key"), name)
		}
		g.indexes(name, columns)
	}
	g.sources = append(g.sources, source{name, columns, false})
}
