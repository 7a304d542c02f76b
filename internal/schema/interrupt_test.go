package schema_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
)

func TestFailedFileLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bad := hashed(t, map[string]string{
		fileA: "CREATE TABLE a (id int);",
		fileB: "CREATE TABLE b (id int);\n\n-- this one fails\nINSERT INTO b VALUES ('x');\nCREATE TABLE c (id int);",
	})
	report, err := b.migrator(t, bad).Apply(t.Context())
	require.ErrorContains(t, err, fileB+", statement at line 4")
	require.ErrorContains(t, err, "nothing of this file was kept")
	require.ErrorContains(t, err, "SQLSTATE 22P02")
	require.NotContains(t, err.Error(), "25P02", "the aborted transaction is no news")
	require.Len(t, report.Files, 1)
	require.Equal(t, "20260101000000", report.To)
	require.Equal(t, []string{"a", "atlas_schema_revisions"}, b.tables(t))
	require.ErrorIs(t, b.migrator(t, bad).Check(t.Context()), schema.ErrPending)

	// Nothing of the file was kept, so it may be changed before the next run.
	_, err = b.migrator(t, hashed(t, map[string]string{
		fileA: "CREATE TABLE a (id int);", fileB: "CREATE TABLE b (id int);",
	})).Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "atlas_schema_revisions", "b"}, b.tables(t))
}

func TestKilledMidFile(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		fileA: "CREATE TABLE a (id int);",
		fileB: "CREATE TABLE b (id int);\n" + gated + "\nCREATE TABLE c (id int);",
	}
	for kill := range kills {
		t.Run(kill, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			m := b.migrator(t, hashed(t, files))
			err := b.killed(t, kill, func(ctx context.Context) error {
				_, err := m.Apply(ctx)
				return err
			})
			require.ErrorContains(t, err, "nothing of this file was kept")
			require.ErrorContains(t, err, `"docket migrate apply" continues from there`)
			require.Equal(t, []string{"a", "atlas_schema_revisions"}, b.tables(t))
			status, err := m.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, schema.Pending, status.State)

			_, err = m.Apply(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"a", "atlas_schema_revisions", "b", "c"}, b.tables(t))
			require.NoError(t, m.Check(t.Context()))
		})
	}
}

// How long, and how often, a test checks whether another session has reached a state.
const (
	patience = time.Minute
	tick     = 10 * time.Millisecond
)

// waiter returns the session that waits for an advisory lock.
func (b bundle) waiter(t *testing.T) (pid int32) {
	t.Helper()
	require.Eventually(t, func() bool {
		return b.conn.QueryRow(t.Context(), `
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'`).Scan(&pid) == nil
	}, patience, tick)
	return pid
}

func (b bundle) untilAlone(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		var others int
		err := b.conn.QueryRow(t.Context(), `
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&others)
		return err == nil && others == 0
	}, patience, tick)
}

func TestFileOutsideTransactionContinuesWhereItFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "CREATE SCHEMA aside")
	const head = "-- atlas:txmode none\n\nCREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"
	files := hashed(t, map[string]string{
		fileA: head + "INSERT INTO aside.gone VALUES (1);\nCREATE TABLE c (id int);",
	})
	m := b.migrator(t, files)
	_, err := m.Apply(t.Context())
	require.ErrorContains(t, err, "the statements before it were kept")
	require.ErrorContains(t, err, "SQLSTATE 42P01")
	status, err := m.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.Unfinished, status.State)
	require.Equal(t, 2, status.Applied[0].Statements)
	require.Equal(t, 4, status.Applied[0].Total)
	require.ErrorIs(t, m.Check(t.Context()), schema.ErrUnfinished)
	require.ErrorContains(t, m.Check(t.Context()), "ran 2 of 4 statements")

	// Statements that have run must not be changed in the file.
	_, err = b.migrator(t, hashed(t, map[string]string{
		fileA: "-- atlas:txmode none\n\nCREATE TABLE a (id bigint);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nSELECT 1;",
	})).Apply(t.Context())
	require.ErrorIs(t, err, schema.ErrEdited)
	require.ErrorContains(t, err, "statement 1 of "+fileA)

	// Statements that have not run may be.
	mended := b.migrator(t, hashed(t, map[string]string{fileA: head + "CREATE TABLE c (id int);"}))
	_, err = mended.Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "atlas_schema_revisions", "c"}, b.tables(t))
	require.NoError(t, mended.Check(t.Context()))
}

func TestApplyWaitsForAnotherMigration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// The number of the lock of the Atlas command: fnv-1 of atlas_migrate_execute.
	b.exec(t, "SET application_name = 'other migrator'; SELECT pg_advisory_lock(2686470616)")
	files := hashed(t, map[string]string{fileA: "CREATE TABLE a (id int);"})
	impatient, err := schema.New(b.url, files, schema.Options{Advice: advice, LockWait: time.Millisecond})
	require.NoError(t, err)
	_, err = impatient.Apply(t.Context())
	require.ErrorIs(t, err, schema.ErrLocked)
	require.ErrorContains(t, err, "(other migrator)")
	require.Empty(t, b.tables(t))
	require.ErrorIs(t, impatient.Check(t.Context()), schema.ErrPending, "asking needs no lock")

	b.exec(t, "SELECT pg_advisory_unlock(2686470616)")
	_, err = impatient.Apply(t.Context())
	require.NoError(t, err)
}

func TestApplyTwiceAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := hashed(t, map[string]string{fileA: "CREATE TABLE a (id int);", fileB: "CREATE TABLE b (id int);"})
	type result struct {
		files int
		err   error
	}
	results := make(chan result)
	for range 3 {
		m := b.migrator(t, files)
		go func() {
			report, err := m.Apply(t.Context())
			results <- result{len(report.Files), err}
		}()
	}
	total := 0
	for range 3 {
		r := <-results
		require.NoError(t, r.err)
		total += r.files
	}
	require.Equal(t, 2, total, "each file is applied by exactly one")
}

func TestApplyGivesUpOnALockedTable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := hashed(t, map[string]string{fileA: "CREATE TABLE a (id int);"})
	_, err := b.migrator(t, first).Apply(t.Context())
	require.NoError(t, err)
	b.exec(t, "BEGIN")
	b.exec(t, "LOCK TABLE a")
	m, err := schema.New(b.url, hashed(t, map[string]string{
		fileA: "CREATE TABLE a (id int);", fileB: "ALTER TABLE a ADD COLUMN name text;",
	}), schema.Options{Advice: advice, LockWait: time.Millisecond})
	require.NoError(t, err)
	_, err = m.Apply(t.Context())
	require.ErrorContains(t, err, "another transaction has held a lock")
	require.ErrorContains(t, err, "pg_stat_activity")
	b.exec(t, "COMMIT")
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
}
