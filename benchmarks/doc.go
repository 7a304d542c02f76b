// Package benchmarks measures the requests of Docket that must be fast, on databases of up to a million URLs, and compares
// them with the forms that Docket replaces.
//
// It owns the annotators it measures with, the SQL of the other forms, and the report. It calls Docket's own code as api and
// cmd do. It is not part of the program. A time alone is no result: each is compared with that of SELECT 1, or of the other
// form, from the same interleaved run.
package benchmarks

import "embed"

//go:embed sql/*.sql
var sqlFiles embed.FS

func statement(name string) string {
	text, err := sqlFiles.ReadFile("sql/" + name + ".sql")
	if err != nil { // only for an unknown name, and all names are constants
		panic(err)
	}
	return string(text)
}
