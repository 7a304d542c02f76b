// Package sqlfiles carries the SQL that the program needs at run time: the desired schema, from which test
// databases are made, and the versioned migrations, which bring a live database there. It interprets neither.
package sqlfiles

import (
	"embed"
	"io/fs"
)

//go:embed schema/*.sql migrations/*
var files embed.FS

// Schema holds sql/schema/*.sql, to be executed in name order on an empty database.
var Schema = sub("schema")

// Migrations holds sql/migrations: the versioned files and their checksum file atlas.sum, and in down/ the same for what
// undoes each.
var Migrations = sub("migrations")

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil { // only a malformed path can fail, and the two paths are constants above
		panic(err)
	}
	return f
}
