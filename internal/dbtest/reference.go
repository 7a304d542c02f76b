package dbtest

import (
	"embed"
	"io/fs"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// referenceFiles build the database of the service that Docket succeeds, in the order of their names.
//
//go:embed reference/*.sql
var referenceFiles embed.FS

// Reference returns the connection string of a new database as that service leaves it to Docket: its tables under its own
// names for constraints and sequences, plain views, triggers, rows in every table, and things of its operators.
func Reference(t testing.TB) string {
	t.Helper()
	files, err := fs.Sub(referenceFiles, "reference")
	if err != nil {
		t.Fatalf("reference: %v", err)
	}
	return create(t, fromFiles{files})
}

// AddReferenceTriggers gives a database with Docket's schema the triggers of the other service: they make locations, keep
// updated_at and write change_log.
func AddReferenceTriggers(t testing.TB, url string) {
	t.Helper()
	text, err := referenceFiles.ReadFile("reference/40_triggers.sql")
	if err != nil {
		t.Fatalf("reference triggers: %v", err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("reference triggers: %v", err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), string(text)); err != nil {
		t.Fatalf("reference triggers: %v", err)
	}
}

// NewWithReferenceTriggers is New with these triggers.
func NewWithReferenceTriggers(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := New(t)
	AddReferenceTriggers(t, pool.Config().ConnString())
	return pool
}
