package dbtest

import (
	"embed"
	"io/fs"
	"testing"

	"docket/internal/postgres"
)

// referenceFiles build the database of the service that Docket succeeds, in the order of their names.
//
//go:embed reference/*.sql
var referenceFiles embed.FS

// Reference returns the connection string of a new database as that service leaves it: tables whose constraints and
// sequences have its names, plain views, triggers, rows in every table, and objects that its operators added.
func Reference(t testing.TB) string {
	t.Helper()
	files, err := fs.Sub(referenceFiles, "reference")
	if err != nil {
		t.Fatalf("reference: %v", err)
	}
	return create(t, fromFiles{files})
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
