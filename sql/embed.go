// Package sqlfiles embeds the SQL that the program needs at run time: the desired schema, from which test databases are
// created, the versioned migrations, which change a database to it, and what adopts a database of the reference. The package does
// not parse any of it.
package sqlfiles

import (
	"embed"
	"io/fs"
)

//go:embed schema/*.sql migrations/* adoption
var files embed.FS

// Schema is sql/schema/*.sql, to be executed in name order on an empty database.
var Schema = sub("schema")

// Migrations is sql/migrations: the versioned files with their checksum file atlas.sum, and in down/ the files that undo
// them with theirs.
var Migrations = sub("migrations")

// Adoption is sql/adoption: queries that find the state of a database, and a folder for each revision of the reference that can be
// adopted. pending.sql says whether convert.sql has still to run. convert.sql runs last, after the changes that can be planned, and
// makes the rest. undo.sql leads from the target schema to what those changes must reach.
var Adoption = sub("adoption")

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil { // only for an invalid path, and both paths are constants above
		panic(err)
	}
	return f
}
