package schema_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/schema"
)

const outside = "-- atlas:txmode none\n\n"

func TestKilledInAFileOutsideTransactions(t *testing.T) {
	t.Parallel()
	files := map[string]string{fileA: outside + "CREATE TABLE a (id int);\n" + gated + "\nCREATE TABLE b (id int);"}
	for kill := range kills {
		t.Run(kill, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			m := b.migrator(t, hashed(t, files))
			err := b.killed(t, kill, func(ctx context.Context) error {
				_, err := m.Apply(ctx)
				return err
			})
			require.ErrorContains(t, err, "statement at line 4")
			require.ErrorContains(t, err, "the statements before it were kept")
			require.ErrorContains(t, err, "whether the statement itself took effect is not known")
			require.ErrorContains(t, err, `"docket migrate status" reports the version of the database`)
			require.Equal(t, []string{"a", "atlas_schema_revisions"}, b.tables(t))
			status, err := m.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, schema.Unfinished, status.State)
			require.Contains(t, status.Problem, "ran 1 of 3 statements")
			require.Contains(t, status.Problem, "docket migrate apply")

			_, err = m.Apply(t.Context())
			require.NoError(t, err)
			require.NoError(t, m.Check(t.Context()))
			require.Equal(t, []string{"a", "atlas_schema_revisions", "b"}, b.tables(t))
		})
	}
}

// CREATE INDEX CONCURRENTLY, interrupted while it waits for a writing transaction, leaves an invalid index that makes the
// next run fail.
func TestKilledConcurrentIndex(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, hashed(t, map[string]string{
		fileA: "CREATE TABLE a (id int);",
		fileB: outside + `CREATE INDEX CONCURRENTLY "A id" ON a (id);`,
	}))
	_, err := m.Apply(t.Context(), schema.To(versionA))
	require.NoError(t, err)

	writer := dbtest.Connect(t, b.url)
	_, err = writer.Exec(t.Context(), "BEGIN; INSERT INTO a VALUES (1)")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := m.Apply(ctx)
		failed <- err
	}()
	var pid int32
	require.Eventually(t, func() bool {
		return b.conn.QueryRow(t.Context(), `SELECT pid FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'`).Scan(&pid) == nil
	}, patience, tick)
	b.exec(t, "SELECT pg_terminate_backend($1)", pid)
	require.Error(t, <-failed)
	_, err = writer.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, writer.Close(t.Context()))
	b.untilAlone(t)

	status, err := m.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.Unfinished, status.State)
	require.Contains(t, status.Problem, `drop it by hand: DROP INDEX CONCURRENTLY "A id"`)
	_, err = m.Apply(t.Context())
	require.ErrorContains(t, err, "SQLSTATE 42P07")
	require.ErrorContains(t, err, `DROP INDEX CONCURRENTLY "A id"`)

	b.exec(t, `DROP INDEX CONCURRENTLY "A id"`)
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.Check(t.Context()))
}

// A statement is recorded after it has run, so a run can be interrupted between the two.
func TestStatementThatIsDoneButNotRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "CREATE SCHEMA aside")
	m := b.migrator(t, hashed(t, map[string]string{
		fileA: outside + "CREATE TABLE a (id int);\n" + fullDisk + "\nCREATE TABLE b (id int);",
	}))
	_, err := m.Apply(t.Context())
	require.ErrorContains(t, err, "53100")
	b.exec(t, "CREATE TABLE aside.room (); CREATE TABLE b (id int)")
	_, err = m.Apply(t.Context())
	require.ErrorContains(t, err, "SQLSTATE 42P07")
	require.ErrorContains(t, err, "an earlier run may have been interrupted directly before or after this statement")
	require.NotContains(t, err.Error(), "invalid index")
	b.exec(t, "DROP TABLE b")
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
}

// A file with fewer statements than have run is refused like a file whose executed statements were changed.
func TestHalfAppliedFileThatWasShortened(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.migrator(t, hashed(t, map[string]string{
		fileA: outside + "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\nSELECT 1 / 0;",
	})).Apply(t.Context())
	require.ErrorContains(t, err, "division by zero")
	_, err = b.migrator(t, hashed(t, map[string]string{fileA: outside + "CREATE TABLE a (id int);"})).Apply(t.Context())
	require.ErrorIs(t, err, schema.ErrEdited)
	require.ErrorContains(t, err, "statement 2 of "+fileA)
}

// When the result of a COMMIT does not arrive, the transaction may or may not be committed.
func TestConnectionLostAtCommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.migrator(t, hashed(t, map[string]string{fileA: `
CREATE TABLE a (id int);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4242); RETURN null; END $$;
CREATE CONSTRAINT TRIGGER a_wait AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
INSERT INTO a VALUES (1);`}))
	err := b.killed(t, "context", func(ctx context.Context) error {
		_, err := m.Apply(ctx)
		return err
	})
	require.ErrorContains(t, err, "whether this file was kept is not known")
	require.ErrorContains(t, err, "docket migrate status")
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.Check(t.Context()))
}
