package plan_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"docket/internal/schema/state"
)

// add adds a constraint to a table, with a name that is made of one of the endings.
func (g *generator) add(table, definition string, endings ...string) {
	name := g.id(table + g.oneOf(endings...))
	g.put("ALTER TABLE %s ADD CONSTRAINT %s %s", g.id(table), name, definition)
	g.comment("CONSTRAINT " + name + " ON " + g.id(table))
}

func (g *generator) deferrable() string {
	return g.oneOf("", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
}

// keys adds a primary key or unique constraint on the first column, and a unique constraint of more columns.
func (g *generator) keys(t *source) {
	deferrable := g.deferrable()
	include := ""
	if slices.Contains(t.columns, "c4") {
		include = g.some(20, " INCLUDE ("+g.id("c4")+")")
	}
	switch g.oneOf("key", "key", "unique", "none") {
	case "key":
		g.add(t.name, fmt.Sprintf("PRIMARY KEY (%s)%s%s", g.id("c0"), include, deferrable), "_pkey", "_pk")
		t.grouped, t.keyed = deferrable == "", deferrable == ""
	case "unique":
		g.add(t.name, fmt.Sprintf("UNIQUE%s (%s)%s%s", g.some(30, " NULLS NOT DISTINCT"), g.id("c0"), include, deferrable),
			"_c0_key", "_uq")
		t.keyed = deferrable == ""
	}
	if slices.Contains(t.columns, "c2") && g.chance(30) {
		deferrable := g.deferrable()
		columns := g.oneOf("c0 c2", "c2 c0", "c2")
		g.add(t.name, fmt.Sprintf("UNIQUE%s (%s)%s", g.some(30, " NULLS NOT DISTINCT"), g.ids(strings.Fields(columns)), deferrable),
			"_c2_key", "_pair")
		t.paired = deferrable == "" && columns != "c2"
	}
}

func (g *generator) checks(t source) {
	column := func(name string) string { return g.id(name) }
	last := column(t.columns[len(t.columns)-1])
	for i := range 2 {
		if !g.chance(35) {
			continue
		}
		conditions := []string{
			column("c0") + "::text <> ''", column("c0") + "::text <> '0'",
			column("c0") + "::text <> " + state.Literal(g.ids(t.columns)+" nextval('c1'::regclass)"),
			"length(" + state.Literal(last) + ") > 0",
			fmt.Sprintf("%s IS NOT NULL OR %s IS NULL", column("c0"), last),
		}
		if typ := g.types[t.name+".c3"]; typ != "" {
			enum := "mood"
			if strings.HasPrefix(typ, g.id("feel")) {
				enum = "feel"
			}
			values := g.values[enum]
			if strings.HasPrefix(typ, "text") {
				values = g.all[enum]
			}
			conditions = append(conditions, fmt.Sprintf("%s IN (%s)", column("c3"), literals(values)))
		}
		g.add(t.name, fmt.Sprintf("CHECK (%s)%s", g.oneOf(conditions...), g.some(15, " NOT VALID")),
			fmt.Sprintf("_check%d", i), fmt.Sprintf("_ck%d", i))
	}
}

func literals(values []string) string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = state.Literal(value)
	}
	return strings.Join(all, ", ")
}

func (g *generator) exclusions(t source) {
	if !g.chance(30) {
		return
	}
	forms := []string{
		"USING btree (%[1]s WITH =)", "USING btree (%[1]s WITH =) WHERE (%[1]s IS NOT NULL)", "USING hash (%[1]s WITH =)",
		"USING btree ((%[1]s IS NULL) WITH =, %[1]s WITH =)",
	}
	if slices.Contains(t.columns, "c2") {
		forms = append(forms, "USING btree (%[1]s WITH =, %[2]s WITH =)", "USING btree (%[2]s WITH =)")
	}
	if slices.Contains(t.columns, "d3") {
		forms = append(forms, "USING gist (%[3]s WITH &&)", "USING gist (%[3]s WITH &&)")
	}
	definition := strings.NewReplacer("%[1]s", g.id("c0"), "%[2]s", g.id("c2"), "%[3]s", g.id("d3")).Replace(g.oneOf(forms...))
	g.add(t.name, "EXCLUDE "+definition+g.deferrable(), "_excl", "_x")
}

// foreignKeys adds foreign keys to the tables before this one and to itself. The columns are NULL in all rows.
func (g *generator) foreignKeys(t source) {
	if g.types[t.name+".c1"] == "" {
		return
	}
	for _, other := range g.sources {
		if g.types[t.name+".c1"] != g.types[other.name+".c0"] || !g.chance(50) || other.unlogged && !t.unlogged {
			continue
		}
		action := g.oneOf("", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE ON DELETE RESTRICT") + g.deferrable() +
			g.some(15, " NOT VALID")
		endings := []string{"_" + other.name + "_fkey", "_" + other.name + "_fk"}
		switch {
		case other.paired && slices.Contains(t.columns, "c2") && g.chance(50):
			g.add(t.name, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)%s", g.ids([]string{"c1", "c2"}), g.id(other.name),
				g.ids([]string{"c0", "c2"}), g.oneOf("", " ON DELETE SET NULL ("+g.id("c1")+")")+g.deferrable()), endings...)
		case other.keyed:
			g.add(t.name, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)%s%s", g.id("c1"), g.id(other.name), g.id("c0"),
				g.some(15, " MATCH FULL"), action), endings...)
		}
	}
}

// indexes creates indexes of several kinds. A unique one always succeeds, because each table has one row.
func (g *generator) indexes(relation string, columns []string) {
	for i := range rapid.IntRange(0, 3).Draw(g.T, "indexes") {
		first := g.id(columns[0])
		column := g.id(g.oneOf(slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return c == "d1" })...))
		parts := g.oneOf(column, column+" DESC", column+", "+first, fmt.Sprintf("(%s IS NULL)", column), column+" NULLS FIRST")
		conditions := []string{"", "", fmt.Sprintf(" WHERE %s IS NOT NULL", first)}
		if typ := g.types[relation+".c3"]; typ != "" && !strings.HasPrefix(typ, g.id("feel")) {
			conditions = append(conditions, fmt.Sprintf(" WHERE %s = %s", g.id("c3"), g.value("mood")))
		}
		name := g.id(fmt.Sprintf("%s_%s%d", relation, g.oneOf("idx", "index"), i))
		g.put("CREATE %sINDEX %s ON %s (%s)%s%s%s", g.oneOf("", "UNIQUE "), name, g.id(relation), parts,
			g.some(10, " INCLUDE ("+first+")"), g.some(15, " WITH (fillfactor = 80)"), g.oneOf(conditions...))
		g.comment("INDEX " + name)
	}
}

// view creates a view that reads one or two of the sources.
func (g *generator) view(name string) {
	from := rapid.SampledFrom(g.sources).Draw(g.T, "source")
	var outputs, columns []string
	output := func(expression, as string) {
		if !slices.Contains(columns, as) {
			outputs, columns = append(outputs, expression+" AS "+g.id(as)), append(columns, as)
		}
	}
	first := "a." + g.id(from.columns[0])
	output(first, "k")
	for i, column := range from.columns[1:] {
		if g.chance(60) {
			reads := "a." + g.id(column)
			output(g.oneOf(reads, reads, reads+"::text"), g.oneOf(column, fmt.Sprintf("x%d", i)))
		}
	}
	if g.chance(20) {
		output(g.value("mood")+"::"+g.id("mood"), "constant")
	}
	query := fmt.Sprintf("FROM %s AS a", g.id(from.name))
	group := ""
	switch g.oneOf("plain", "join", "group") {
	case "join":
		other := rapid.SampledFrom(g.sources).Draw(g.T, "other")
		query += fmt.Sprintf(" LEFT JOIN %s AS b ON b.%s::text = %s::text", g.id(other.name), g.id(other.columns[0]), first)
		output("b."+g.id(other.columns[0])+"::text", "of_"+name)
	case "group":
		if from.grouped {
			group = " GROUP BY " + first
			output("count(*)", name+"_n")
		}
	}
	if typ := g.types[from.name+".c3"]; typ != "" && g.chance(30) {
		enum := g.oneOf("mood", "feel")
		query += fmt.Sprintf(" WHERE a.%s::text = %s::%s::text", g.id("c3"), g.value(enum), g.id(enum))
	}
	kind := g.oneOf("VIEW", "MATERIALIZED VIEW")
	g.put("CREATE %s %s AS SELECT %s %s%s", kind, g.id(name), strings.Join(outputs, ", "), query, group)
	g.comment(kind + " " + g.id(name))
	for _, column := range columns {
		g.comment("COLUMN " + g.id(name) + "." + g.id(column))
	}
	if kind != "VIEW" {
		if g.chance(80) {
			g.put("CREATE UNIQUE INDEX %s ON %s (%s)", g.id(name+g.oneOf("_k_key", "_key")), g.id(name), g.id("k"))
		}
		g.indexes(name, columns)
	}
	g.sources = append(g.sources, source{name: name, columns: columns})
}
