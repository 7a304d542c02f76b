package state_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema/state"
)

// oddSchema has names that a pattern over the printed text would not find, or would find where they are not used.
const oddSchema = `
CREATE EXTENSION pg_trgm;
CREATE EXTENSION btree_gist;
CREATE TYPE "Mood (x)" AS ENUM ('a', 'b.c');
CREATE TYPE mood AS ENUM ('a');
CREATE FUNCTION "is fine"(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE SEQUENCE "a seq.x";
CREATE SEQUENCE owned;
CREATE SCHEMA other;
CREATE SEQUENCE other.numbers;
CREATE TABLE "My ""Table""" ("a b" int, "c(d)" int, "ü" text, "select" int, PRIMARY KEY ("select", "a b"),
    CONSTRAINT "k.1" UNIQUE ("c(d)") INCLUDE ("ü") WITH (fillfactor = 70));
CREATE TABLE t (
    id int DEFAULT nextval('"a seq.x"'),
    other int DEFAULT nextval('other.numbers'),
    m "Mood (x)" DEFAULT 'a', ms "Mood (x)"[] DEFAULT '{a}', m2 mood, "Mood" text DEFAULT 'mood "Mood (x)"',
    "a b" int, "c(d)" int, "a" int, "quote""d" text, "dot.ted" text, "select" int, note text, during tsrange,
    sum int GENERATED ALWAYS AS ("a b" + "c(d)") STORED,
    fine bool GENERATED ALWAYS AS ("is fine"("dot.ted")) STORED,
    CONSTRAINT word CHECK (note <> 'select "a b", quote"d'),
    CONSTRAINT two CHECK ("select" > 0 OR "dot.ted" <> 'a'),
    CONSTRAINT enum CHECK (m <> 'b.c'),
    CONSTRAINT "cast" CHECK (note <> ('a'::mood)::text),
    CONSTRAINT "row" CHECK (t IS NOT NULL),
    CONSTRAINT extension CHECK (similarity(note, 'Mood (x)') >= 0),
    CONSTRAINT none CHECK (current_user <> 'note'),
    CONSTRAINT overlap EXCLUDE USING gist ("a b" WITH =, lower(during) WITH =) WHERE (note <> 'x'),
    CONSTRAINT fk FOREIGN KEY ("c(d)", "a b") REFERENCES "My ""Table""" ("select", "a b") DEFERRABLE);
ALTER SEQUENCE owned OWNED BY t.id;
ALTER TABLE t ADD CONSTRAINT old CHECK (a > 0) NOT VALID;
CREATE UNIQUE INDEX keyed ON t ("select" DESC, "a b") INCLUDE (note) WITH (fillfactor = 70, deduplicate_items = off);
CREATE INDEX gin ON t USING gin (note gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX partial ON t (a) WITH (fillfactor = 70) WHERE note <> ' WITH (fillfactor=''70'') WHERE "a b" > 0';
CREATE INDEX expression ON t (("is fine"("quote""d")), lower(note || ' WITH (fillfactor=''70'')')) WITH (fillfactor = 70);
CREATE INDEX enumerated ON t (("select")) WHERE ms = ARRAY['a']::"Mood (x)"[];
CREATE MATERIALIZED VIEW "the view" AS SELECT "a b", max("dot.ted") AS "top ""x" FROM t GROUP BY 1;
CREATE INDEX "on view" ON "the view" ("a b") WHERE "top ""x" <> 'y';
CREATE TABLE part (a int, gone int, "b c" text);
ALTER TABLE part DROP gone;
CREATE VIEW part_view AS SELECT part AS row, system.xmin FROM part, part AS system;
CREATE MATERIALIZED VIEW part_rows AS SELECT part AS row, NULL::part[] AS rows FROM part;
CREATE FUNCTION mooded() RETURNS mood LANGUAGE sql AS $$SELECT 'a'::mood$$;
CREATE VIEW mooded AS SELECT mooded() AS m;
CREATE VIEW whole AS SELECT count(*) FROM t WHERE "is fine"('x');`

// texts writes references in a short form.
func texts(uses []state.Reference) (all []string) {
	for _, r := range uses {
		text := fmt.Sprintf("%s|%s|%s%s%s%s", r.Relation, r.Column, r.Constraint, r.Type, r.Function, r.Sequence)
		all = append(all, strings.Trim(text, "|"))
	}
	return all
}

func TestDependenciesAreThoseOfTheCatalog(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, oddSchema)
	s := inspect(t, db)
	table := s.Table("t")

	columns := map[string][]string{}
	enums := map[string]string{}
	for _, c := range table.Columns {
		if c.Uses != nil {
			columns[c.Name] = texts(c.Uses)
		}
		if c.Enum != "" {
			enums[c.Name] = c.Enum
		}
	}
	require.Equal(t, map[string][]string{
		"id": {"a seq.x"}, "other": {"other.numbers"}, "m": {"Mood (x)"}, "ms": {"Mood (x)"},
		"sum": {"t|a b", "t|c(d)"}, "fine": {`"is fine"(text)`, "t|dot.ted"},
	}, columns)
	require.Equal(t, map[string]string{"m": "Mood (x)", "ms": "Mood (x)", "m2": "mood"}, enums)

	constraints := map[string][]string{}
	for _, c := range table.Constraints {
		constraints[c.Name] = texts(c.Uses)
		require.Equal(t, c.Name != "old", c.Validated, c.Name)
		require.Equal(t, c.Name == "fk", c.Deferrable, c.Name)
		switch c.Name {
		case "fk":
			require.Equal(t, []string{"c(d)", "a b"}, c.Columns)
			require.Equal(t, []string{"select", "a b"}, c.Referenced)
		case "two":
			require.ElementsMatch(t, []string{"select", "dot.ted"}, c.Columns)
		case "row", "none":
			require.Empty(t, c.Columns, c.Name)
		}
	}
	require.Equal(t, map[string][]string{
		"word": {"t|note"}, "extension": {"t|note"}, "two": {"t|dot.ted", "t|select"}, "enum": {"Mood (x)", "t|m"},
		"cast": {"mood", "t|note"}, "row": nil, "none": nil, "overlap": {"t|a b", "t|during", "t|note"}, "fk": {"t|a b", "t|c(d)"}, "old": {"t|a"},
	}, constraints)
	keys := s.Table(`My "Table"`).Constraints
	require.Equal(t, []string{"select", "a b"}, keys[0].Columns)
	require.Equal(t, []string{"c(d)"}, keys[1].Columns)
	require.Equal(t, []string{"fillfactor=70"}, keys[1].Options)
	require.Equal(t, []string{`My "Table"|c(d)`, `My "Table"|ü`}, texts(keys[1].Uses))

	type index struct {
		Key, Uses, Options []string
		Shape              string
	}
	indexes := map[string]index{}
	for _, i := range append(table.Indexes, s.View("the view").Indexes...) {
		indexes[i.Name] = index{i.Key, texts(i.Uses), i.Options, i.Shape}
	}
	require.Equal(t, map[string]index{
		"keyed": {[]string{"select", "a b"}, []string{"t|a b", "t|note", "t|select"}, []string{"deduplicate_items=off", "fillfactor=70"},
			`CREATE UNIQUE INDEX ON t USING btree ("select" DESC, "a b") INCLUDE (note)`},
		"gin": {[]string{"note"}, []string{"t|note"}, []string{"fastupdate=off"},
			`CREATE INDEX ON t USING gin (note gin_trgm_ops)`},
		"partial": {nil, []string{"t|a", "t|note"}, []string{"fillfactor=70"},
			`CREATE INDEX ON t USING btree (a) WHERE (note <> ' WITH (fillfactor=''70'') WHERE "a b" > 0'::text)`},
		"expression": {nil, []string{`"is fine"(text)`, "t|note", `t|quote"d`}, []string{"fillfactor=70"},
			`CREATE INDEX ON t USING btree ("is fine"("quote""d"), lower((note || ' WITH (fillfactor=''70'')'::text)))`},
		"enumerated": {nil, []string{"Mood (x)", "t|ms", "t|select"}, nil,
			`CREATE INDEX ON t USING btree ("select") WHERE (ms = ARRAY['a'::"Mood (x)"])`},
		"on view": {nil, []string{"the view|a b", `the view|top "x`}, nil,
			`CREATE INDEX ON "the view" USING btree ("a b") WHERE ("top ""x" <> 'y'::text)`},
	}, indexes)

	require.Equal(t, []string{"t|a b", "t|dot.ted"}, texts(s.View("the view").Reads))
	require.Equal(t, []string{`"is fine"(text)`, "t"}, texts(s.View("whole").Reads))
	require.Equal(t, []string{"part"}, texts(s.View("part_view").Reads))
	require.Equal(t, []string{"part", "part|a", "part|b c"}, texts(s.View("part_rows").Reads))
	require.Equal(t, []string{"mooded()", "mood"}, texts(s.View("mooded").Reads))
	require.True(t, state.UsesColumn(table.Indexes[0].Uses, "t", "ms"))
	require.False(t, state.UsesColumn(table.Indexes[0].Uses, "the view", "ms"))
}

func TestOptionsGrantsAndCasts(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	run(t, db, `
CREATE TYPE "Mood (x)" AS ENUM ('a');
CREATE FUNCTION to_mood(int) RETURNS "Mood (x)" IMMUTABLE LANGUAGE sql AS $$SELECT 'a'::"Mood (x)"$$;
CREATE CAST (int AS "Mood (x)") WITH FUNCTION to_mood(int) AS ASSIGNMENT;
CREATE TABLE t (id serial, "a b" text) WITH (fillfactor = 70, toast.autovacuum_enabled = off, autovacuum_enabled = on);
COMMENT ON SEQUENCE t_id_seq IS 'numbers';
GRANT USAGE ON SEQUENCE t_id_seq TO PUBLIC;
GRANT SELECT ("a b"), UPDATE ("a b") ON t TO PUBLIC;
GRANT SELECT ON t TO PUBLIC;`)
	s := inspect(t, db)
	table := s.Table("t")
	require.Equal(t, []string{"autovacuum_enabled=on", "fillfactor=70", "toast.autovacuum_enabled=off"}, table.Options)
	require.Nil(t, table.Columns[0].Grants)
	require.Equal(t, []state.Grant{
		{Privilege: "SELECT", Column: "a b"}, {Privilege: "UPDATE", Column: "a b"},
	}, table.Columns[1].Grants)
	sequence := s.Sequence("t", "id")
	require.Equal(t, "numbers", sequence.Comment)
	require.Equal(t, s.Role, sequence.Owner)
	require.Equal(t, []state.Grant{{Privilege: "USAGE"}}, sequence.Grants)
	require.Contains(t, s.Casts, state.Cast{From: "integer", To: `"Mood (x)"`, Context: "a", Method: "f"})
	require.Contains(t, s.Casts, state.Cast{From: "integer", To: "bigint", Context: "i", Method: "f"})
	require.Contains(t, s.Casts, state.Cast{From: "character varying", To: "text", Context: "i", Method: "b"})
}
