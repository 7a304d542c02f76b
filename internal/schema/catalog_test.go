package schema_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"docket/internal/schema/state"
)

// describe returns all facts about the database of conn, including the values of its sequences.
func describe(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	facts, err := state.Facts(t.Context(), public(t, conn.Config()), state.Positions())
	require.NoError(t, err)
	return facts
}

// public opens another connection whose search path is public only.
func public(t *testing.T, config *pgx.ConnConfig) *sql.DB {
	t.Helper()
	config = config.Copy()
	config.RuntimeParams["search_path"] = "public"
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// difference lists the lines that are on one side only.
func difference(want, got []string) string {
	return strings.Join(state.Difference(want, got), "\n")
}
