package state

import (
	"regexp"
	"slices"
	"strings"
)

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// Ident writes a name as an SQL identifier, in quotes only if it requires them.
func Ident(name string) string {
	if _, keyword := slices.BinarySearch(keywords, name); !keyword && plainName.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// withoutPublic removes the schema from the names of public in an identity as pg_identify_object prints it: "t on public.urls". A
// name in quotes stays as it is.
func withoutPublic(identity string) string {
	const schema = "public."
	var b strings.Builder
	quoted := false
	for i := 0; i < len(identity); i++ {
		begins := i == 0 || strings.IndexByte(" (,", identity[i-1]) >= 0
		if !quoted && begins && strings.HasPrefix(identity[i:], schema) {
			i += len(schema) - 1
			continue
		}
		if identity[i] == '"' {
			quoted = !quoted
		}
		b.WriteByte(identity[i])
	}
	return b.String()
}

// Literal writes any text as an SQL string constant.
func Literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) { // an E'' constant does not depend on standard_conforming_strings
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// keywords are the words of PostgreSQL 15 to 18 that some context does not accept as a name without quotes, sorted.
var keywords = strings.Fields(`
all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char
character check coalesce collate collation column concurrently constraint create cross current_catalog current_date
current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else
end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in
initially inner inout int integer intersect interval into is isnull join json json_array json_arrayagg json_exists
json_object json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left like limit
localtime localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on only or
order out outer overlaps overlay placing position precision primary real references returning right row select session_user
setof similar smallint some substring symmetric system_user table tablesample then time timestamp to trailing treat trim true
union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists
xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`)
