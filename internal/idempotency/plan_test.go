package idempotency_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// Every statement finds its rows by an index, with many keys of which many have expired.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	sweeping, _ := keysThatSweep(t, pool, 1)
	dbtest.Exec(t, pool, `INSERT INTO idempotency_keys (caller, key, request, outcome, expires_at)
		SELECT 'user ' || i % 100, i, sha256(''), '{"ID": 1}', now() + (i % 1000 - 300) * interval '1 minute'
		FROM generate_series(1, 20000) AS i`)
	recorded, recorder := dbtest.Record(t, pool)
	executed(t, recorded, sweeping[0])
	statements := slices.DeleteFunc(slices.Clone(recorder.Statements), func(s dbtest.Statement) bool {
		return !strings.Contains(s.SQL, "idempotency_keys")
	})
	require.Len(t, statements, 3)
	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, pool, target)
		for _, statement := range statements {
			for _, mode := range dbtest.PlanModes {
				plan := dbtest.Explain(t, pool, mode, statement.SQL, statement.Args...)
				require.Empty(t, plan.SeqScans(), "%s, statistics target %d: %s\n%s", mode, target, statement.SQL, plan)
			}
		}
	}
}
