package dbtest

import (
	"embed"
	"io/fs"
	"testing"

	"docket/internal/postgres"
)

// referenceFiles build the database of the service that Docket succeeds, in the order of their names: those in the folder its
// state of December 2025, those in january what its later revisions change.
//
//go:embed reference/*.sql reference/january/*.sql
var referenceFiles embed.FS

// Revision is a state of the schema of that service, by the name of its last migration.
type Revision string

// The states that Docket adopts.
const (
	December Revision = "1d3398f9cd8a"
	January  Revision = "759ce7d0772b"
)

// Reference returns the connection string of a new database as that service leaves it: tables whose constraints and
// sequences have its names, plain views, triggers, rows in every table, and objects that its operators added.
func Reference(t testing.TB, revision Revision) string {
	t.Helper()
	folders := folders{"reference"}
	switch revision {
	case December:
	case January:
		folders = append(folders, "reference/january")
	default:
		t.Fatalf("reference: no files make revision %s", revision)
	}
	return create(t, fromFiles{folders})
}

// folders are the files of several folders of referenceFiles, each after those of the folders before it.
type folders []string

// Open implements fs.FS.
func (f folders) Open(name string) (fs.File, error) { return referenceFiles.Open(name) }

// Glob implements fs.GlobFS.
func (f folders) Glob(pattern string) (all []string, err error) {
	for _, folder := range f {
		found, err := fs.Glob(referenceFiles, folder+"/"+pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// AddReferenceTriggers adds the triggers of the other service to a database with Docket's schema: they create locations, set
// updated_at and write change_log.
func AddReferenceTriggers(t testing.TB, url string) {
	t.Helper()
	text, err := referenceFiles.ReadFile("reference/40_triggers.sql")
	if err != nil {
		t.Fatalf("reference triggers: %v", err)
	}
	Exec(t, Connect(t, url), string(text))
}

// NewWithReferenceTriggers is New with these triggers.
func NewWithReferenceTriggers(t testing.TB) *postgres.Pool {
	t.Helper()
	pool := New(t)
	AddReferenceTriggers(t, pool.Config().ConnString())
	return pool
}
