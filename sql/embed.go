// Package sqlfiles embeds the SQL that the program needs at run time: the desired schema, from which test databases are
// created, and the versioned migrations, which change a database to it. The package does not parse either.
package sqlfiles

import (
	"embed"
	"io/fs"
)

//go:embed schema/*.sql migrations/*
var files embed.FS

// Schema is sql/schema/*.sql, to be executed in name order on an empty database.
var Schema = sub("schema")

// Migrations is sql/migrations: the versioned files with their checksum file atlas.sum, and in down/ the files that undo
// them with theirs.
var Migrations = sub("migrations")

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil { // only for an invalid path, and both paths are constants above
		panic(err)
	}
	return f
}
