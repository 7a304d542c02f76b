package plan_test

import (
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"docket/internal/schema/state"
)

// schemaPair is two random schemas. An object that both have has the same name in both. One row in each table remains valid
// whichever schema changes into whichever other: keys are 1 or a number of a sequence, a text that may become a number is a number,
// and NOT NULL columns have defaults.
type schemaPair struct {
	a, b  string
	again string // a with the enum values of b, because PostgreSQL cannot remove values
	names names
}

// enumValues are the values of the enums in the second schema. The first one lacks some of those that it does not name.
var enumValues = [][]string{
	{"sad", "glad"}, {"new", "sad", "glad"}, {"sad", "so-so, it's", "c1", "glad"}, {"sad", "glad", `"quoted\`, "last"},
}

func newPair(seed int) schemaPair {
	p := schemaPair{names: names(seed)}
	before := map[string][]string{"mood": enumValues[0], "feel": enumValues[0]}
	after := map[string][]string{"mood": enumValues[seed%len(enumValues)], "feel": enumValues[seed/len(enumValues)%len(enumValues)]}
	body := func(values map[string][]string, seed int) string {
		return rapid.Custom(func(t *rapid.T) string {
			g := generator{T: t, names: p.names, values: values, all: after, types: map[string]string{}}
			return g.schema()
		}).Example(seed)
	}
	a := body(before, 2*seed)
	p.a, p.again, p.b = p.names.enums(before)+a, p.names.enums(after)+a, p.names.enums(after)+body(after, 2*seed+1)
	return p
}

// values are for columns without a default. Each is valid for all types that a column of the name may have. Columns that refer
// to other tables have none, because those tables may be empty.
var values = map[string]string{"c2": "'1'", "c3": "'sad'", "c4": "'2026-01-02'", "e": "'{sad}'"}

// names writes the names of objects. With odd seeds many of them need quotes.
type names int

var (
	nameForms = []string{
		"%s", "%s", "%s x", `%s"q"`, "%s.y", "%s[]", "Ü%s→é", "it's %s", `%s\`, "%s::text", "(%s, x)", "%s; --", "$$%s$$", "%%%s\t/*",
	}
	words = map[string]string{
		"t0": "table", "t1": "group", "t2": "order", "t3": "user", "c0": "primary", "c1": "select", "c2": "default", "c3": "check",
		"c4": "column", "g": "from", "e": "array", "v0": "view", "v1": "end", "mood": "Type", "feel": "enum",
	}
)

// raw is the name of an object that the generator calls name.
func (n names) raw(name string) string {
	if n%2 == 0 {
		return name
	}
	hash := fnv.New32a()
	fmt.Fprintf(hash, "%d %s", n, name)
	choice := int(hash.Sum32() % uint32(len(nameForms)+2))
	if choice < len(nameForms) {
		return fmt.Sprintf(nameForms[choice], name)
	}
	if word, ok := words[name]; ok {
		return word
	}
	return name
}

// id is the name as an SQL identifier.
func (n names) id(name string) string { return state.Ident(n.raw(name)) }

func (n names) ids(all []string) string {
	quoted := make([]string, len(all))
	for i, name := range all {
		quoted[i] = n.id(name)
	}
	return strings.Join(quoted, ", ")
}

func (n names) enums(values map[string][]string) string {
	var sql strings.Builder
	for _, name := range []string{"mood", "feel"} {
		literals := make([]string, len(values[name]))
		for i, value := range values[name] {
			literals[i] = state.Literal(value)
		}
		fmt.Fprintf(&sql, "CREATE TYPE %s AS ENUM (%s);\n", n.id(name), strings.Join(literals, ", "))
	}
	return sql.String()
}

// source is a table or view that a view may read.
type source struct {
	name    string
	columns []string // the first is the key
	grouped bool     // its key is a primary key on which a GROUP BY can rely
	keyed   bool     // foreign keys can refer to its key
	paired  bool     // … to its key and c2

	unlogged bool // foreign keys of logged tables cannot refer to it
}

type generator struct {
	*rapid.T
	names
	values, all map[string][]string // of enums: in this schema, and in that of the pair which has more
	sql         strings.Builder
	types       map[string]string // of columns, as "t1.c0"
	sources     []source
}

func (g *generator) schema() string {
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
	for _, enum := range []string{"mood", "feel"} {
		g.comment("TYPE " + g.id(enum))
	}
	return g.sql.String()
}

func (g *generator) chance(percent int) bool {
	return rapid.IntRange(1, 100).Draw(g.T, "chance") <= percent
}

func (g *generator) oneOf(choices ...string) string {
	return rapid.SampledFrom(choices).Draw(g.T, "choice")
}

// some returns each choice with a chance.
func (g *generator) some(percent int, choices ...string) (text string) {
	for _, choice := range choices {
		if g.chance(percent) {
			text += choice
		}
	}
	return text
}

// value is a constant of an enum's values.
func (g *generator) value(enum string) string { return state.Literal(g.oneOf(g.values[enum]...)) }

func (g *generator) put(format string, args ...any) { fmt.Fprintf(&g.sql, format+";\n", args...) }

// unlogged says whether an object is unlogged, which a quarter are. It draws nothing, so the rest of the schemas does not depend on it.
func (g *generator) unlogged(name string) string {
	if crc32.ChecksumIEEE([]byte(g.sql.String()+name))%4 == 0 {
		return "UNLOGGED "
	}
	return ""
}

func (g *generator) comment(target string) {
	if g.chance(20) {
		g.put("COMMENT ON %s IS %s", target, state.Literal(g.oneOf("One.", "It's two.", "'three'", `back\slash`)))
	}
}

func (g *generator) table(name string) {
	unlogged := g.unlogged(name)
	key, defined := g.keyColumn(name)
	columns, lines := []string{"c0"}, []string{key}
	for i, choices := range [][]string{
		{"integer", "bigint", "numeric(8,2)", "text"},
		{"text", "text DEFAULT '1'", `text COLLATE "C"`, "varchar(10) NOT NULL DEFAULT 'x'", "varchar(20)", "text DEFAULT upper('y')"},
		{g.id("mood"), g.id("mood") + " NOT NULL DEFAULT " + g.value("mood"), g.id("feel") + " DEFAULT " + g.value("feel"),
			"text DEFAULT 'glad'", "text"},
		{"timestamp DEFAULT now()", "timestamp(3)", "date", "timestamptz NOT NULL DEFAULT '2026-01-01 00:00Z'"},
	} {
		column := fmt.Sprintf("c%d", i+1)
		if g.chance(75) {
			columns, lines = append(columns, column), append(lines, g.id(column)+" "+g.typed(name, column, choices...))
		}
	}
	if g.chance(40) {
		list := fmt.Sprintf("ARRAY['sad', %s]::%s[]", g.value("mood"), g.id("mood"))
		columns, lines = append(columns, "e"), append(lines, g.id("e")+" "+
			g.typed(name, "e", g.id("mood")+"[]", g.id("mood")+"[] NOT NULL DEFAULT "+list, g.id("feel")+"[]", "text[]"))
	}
	for column, typ := range []string{"text[] NOT NULL DEFAULT '{}'", "jsonb", "boolean DEFAULT true", "int4range DEFAULT '[1,3)'"} {
		if name := fmt.Sprintf("d%d", column); g.chance(20) { // there is no cast between these types
			columns, lines = append(columns, name), append(lines, g.id(name)+" "+typ)
		}
	}
	if g.chance(60) { // a column that is generated in some schemas and plain in others
		typ := g.typed(name, "g", "integer", "integer", "bigint", "numeric(8,2)", "text")
		immutable := slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return c > "c2" }) // their text is
		reads := g.oneOf(immutable...)
		expression := fmt.Sprintf("coalesce(length(%s::text), %s)::%s", g.id(reads), g.oneOf("0", "5", "length('c0 c1')"), typ)
		lines, columns = append(lines, g.id("g")+" "+typ+" "+g.oneOf("NOT NULL DEFAULT 7", "DEFAULT 8",
			"GENERATED ALWAYS AS ("+expression+") STORED", "NOT NULL GENERATED ALWAYS AS ("+expression+") STORED")), append(columns, "g")
	}
	g.put("CREATE %sTABLE %s (\n    %s\n)", unlogged, g.id(name), strings.Join(lines, ",\n    "))
	if defined != "" {
		g.put("ALTER SEQUENCE %s OWNED BY %s.%s", defined, g.id(name), g.id("c0"))
		g.comment("SEQUENCE " + defined)
	}
	if g.types[name+".c0"] != "text" && g.unlogged(name+".c0") != "" {
		g.put("DO $do$ BEGIN EXECUTE (SELECT 'ALTER SEQUENCE ' || s || %s "+
			"FROM pg_get_serial_sequence(%s, %s) AS s WHERE s IS NOT NULL);\n"+
			"EXCEPTION WHEN null_value_not_allowed THEN NULL; END $do$", state.Literal(map[bool]string{true: " SET LOGGED", false: " SET UNLOGGED"}[unlogged != ""]),
			state.Literal(g.id(name)), state.Literal(g.raw("c0")))
	}
	table := source{name: name, columns: columns, unlogged: unlogged != ""}
	g.keys(&table)
	g.checks(table)
	g.exclusions(table)
	g.sources = append(g.sources, table)
	g.foreignKeys(table)
	if g.chance(30) {
		g.put("ALTER TABLE %s SET (fillfactor = %s)", g.id(name), g.oneOf("70", "80"))
	}
	g.indexes(name, columns)
	g.comment("TABLE " + g.id(name))
	for _, column := range columns {
		g.comment("COLUMN " + g.id(name) + "." + g.id(column))
	}
}

// typed chooses what follows the name of a column, and records its type.
func (g *generator) typed(table, column string, choices ...string) string {
	choice := g.oneOf(choices...)
	g.types[table+"."+column] = choice
	return choice
}

// keyColumn returns the definition of a table's first column, and the sequence that it must own, if any.
func (g *generator) keyColumn(table string) (line, sequence string) {
	typ := g.typed(table, "c0", "integer", "integer", "bigint", "text")
	if typ == "text" || g.chance(50) {
		return g.id("c0") + " " + typ + " NOT NULL DEFAULT 1", ""
	}
	options := func() string {
		return g.some(20, " INCREMENT BY 3", " MINVALUE 10", " MAXVALUE 30000", " START WITH 100", " CACHE 5", " CYCLE")
	}
	switch kind := g.oneOf("serial", "ALWAYS", "BY DEFAULT", "owned"); kind {
	case "serial":
		return g.id("c0") + " " + map[string]string{"integer": "serial", "bigint": "bigserial"}[typ] + " NOT NULL", ""
	case "owned":
		sequence = g.id(table + g.oneOf("_c0_seq", "_numbers"))
		g.put("CREATE %sSEQUENCE %s AS %s%s", g.unlogged(sequence), sequence, g.oneOf(typ, "bigint"), options())
		return fmt.Sprintf("%s %s NOT NULL DEFAULT nextval(%s)", g.id("c0"), typ, state.Literal(sequence)), sequence
	default:
		line = fmt.Sprintf("%s %s GENERATED %s AS IDENTITY", g.id("c0"), typ, kind)
		if with := options(); with != "" {
			line += " (" + with[1:] + ")"
		}
		return line, ""
	}
}
