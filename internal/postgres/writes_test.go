package postgres_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// TestWritesAsPlanned compares what the pool takes a statement for with the plan of each statement of the program: one that changes
// or locks rows is a writer, and no other one is.
func TestWritesAsPlanned(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	statements := generated(t)
	require.Greater(t, len(statements), 150)
	conn, err := pool.AcquireWriter(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan") // a custom plan for NULL may do nothing
	require.NoError(t, err)
	writers := 0
	for name, sql := range statements {
		prepared, err := conn.Conn().Prepare(t.Context(), "explained", sql)
		require.NoError(t, err, name)
		explain := "EXPLAIN (FORMAT JSON) EXECUTE explained"
		if n := len(prepared.ParamOIDs); n > 0 {
			explain += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
		}
		results, err := conn.Conn().PgConn().Exec(t.Context(), explain).ReadAll()
		if regexp.MustCompile(`(?m)^(ANALYZE|SET|LOCK)\b`).MatchString(sql) {
			require.True(t, postgres.Writes(sql), name) // has no plan
			require.NoError(t, conn.Conn().Deallocate(t.Context(), "explained"))
			continue
		}
		require.NoError(t, err, name)
		require.NoError(t, conn.Conn().Deallocate(t.Context(), "explained"))
		plan := results[0].Rows[0][0]
		require.True(t, json.Valid(plan), name)
		writes := regexp.MustCompile(`"Node Type": "(ModifyTable|LockRows)"`).Match(plan) ||
			regexp.MustCompile(`pg_(try_)?advisory`).MatchString(sql)
		require.Equal(t, writes, postgres.Writes(sql), name)
		if writes {
			writers++
		}
	}
	require.Greater(t, writers, 50)

	var volatile int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_proc
		WHERE pronamespace = 'public'::regnamespace AND provolatile = 'v' AND prolang <> 13`).Scan(&volatile))
	require.Zero(t, volatile, "a function that writes would not be in the plan of the statement that calls it")
}

// generated returns the texts of the statements in package db, by name.
func generated(t *testing.T) map[string]string {
	files, err := filepath.Glob("../db/*.sql.go")
	require.NoError(t, err)
	statements := map[string]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				statements[spec.Names[0].Name] = text
			}
			return true
		})
	}
	return statements
}

func TestWrites(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{
		"SELECT updated_at FROM a":                           false,
		"-- name: AUpdate :one\nSELECT 1":                    false,
		"/* DELETE */ (SELECT 1) UNION (SELECT 2)":           false,
		"SELECT set_config('plan_cache_mode', 'auto', true)": false,
		"WITH a AS (SELECT 1) SELECT * FROM a":               false,
		"SELECT 1 FROM a FOR UPDATE":                         true,
		"SELECT 1 FROM a FOR KEY SHARE":                      true,
		"SELECT pg_try_advisory_xact_lock(1)":                true,
		"WITH a AS (DELETE FROM b RETURNING 1) SELECT 1":     true,
		"with a as (insert into b values (1)) select 1":      true,
		"SELECT nextval('s')":                                true,
		"REFRESH MATERIALIZED VIEW v":                        true,
		"SET LOCAL lock_timeout = 0":                         true,
		"":                                                   true,
	} {
		require.Equal(t, want, postgres.Writes(sql), sql)
	}
}
