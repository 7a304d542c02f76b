// Package benchmarks measures Docket where it has to be fast, on databases of the sizes it is made for, and beside the
// forms it replaces.
//
// It owns the annotators it measures with, the SQL of the other forms, and the report. What is measured of Docket is
// Docket's own code, called as api and cmd call it. It refuses to be part of the program, and to judge a time alone: every
// time stands beside that of SELECT 1, or of the other form, from the same interleaved run.
package benchmarks

import "embed"

//go:embed sql/*.sql
var sqlFiles embed.FS

func statement(name string) string {
	text, err := sqlFiles.ReadFile("sql/" + name + ".sql")
	if err != nil { // only for a name that is not there, and all are constants
		panic(err)
	}
	return string(text)
}
