package dbtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/postgres"
)

// PlanModes are the values of plan_cache_mode that choose how a prepared statement is planned.
var PlanModes = []string{"force_generic_plan", "force_custom_plan"}

// Explain runs a statement with arguments that are written as SQL, rolls it back, and returns the lines of its plan that were
// executed.
func Explain(t testing.TB, pool *postgres.Pool, mode, statement, arguments string) string {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	for _, command := range []string{"SET LOCAL plan_cache_mode = " + mode, "DEALLOCATE ALL", "PREPARE p AS " + statement} {
		_, err := tx.Exec(t.Context(), command, pgx.QueryExecModeExec)
		require.NoError(t, err)
	}
	rows, err := tx.Query(t.Context(), fmt.Sprintf("EXPLAIN (ANALYZE, TIMING off) EXECUTE p(%s)", arguments), pgx.QueryExecModeExec)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	var executed []string
	for _, line := range lines {
		if !strings.Contains(line, "never executed") {
			executed = append(executed, line)
		}
	}
	return strings.Join(executed, "\n")
}
