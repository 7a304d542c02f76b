package schema_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
)

// gate is an advisory lock for which the files of these tests wait; gated is the statement that waits.
const (
	gate  = 4242
	gated = "SELECT pg_advisory_xact_lock(4242);"
)

// kills interrupt a run in the middle of a statement. For the server, a killed program is the same as a lost connection.
var kills = map[string]func(t *testing.T, b bundle, pid int32, cancel context.CancelFunc){
	"connection": func(t *testing.T, b bundle, pid int32, _ context.CancelFunc) {
		b.exec(t, "SELECT pg_terminate_backend($1)", pid)
	},
	"context": func(_ *testing.T, _ bundle, _ int32, cancel context.CancelFunc) { cancel() },
}

// killed starts a run, interrupts it while it waits for the gate, and returns its error when no other session is left.
func (b bundle) killed(t *testing.T, kill string, run func(context.Context) error) error {
	t.Helper()
	b.exec(t, "SELECT pg_advisory_lock($1)", gate)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- run(ctx) }()
	kills[kill](t, b, b.waiter(t), cancel)
	err := <-failed
	require.Error(t, err)
	b.exec(t, "SELECT pg_advisory_unlock($1)", gate)
	b.untilAlone(t)
	return err
}

func TestKilledMidDown(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		fileA: "CREATE TABLE a (id int);", "down/" + fileA: "DROP TABLE a;\n" + gated + "\nSELECT 1;",
		fileB: "CREATE TABLE b (id int);", "down/" + fileB: "DROP TABLE b;",
	}
	for kill := range kills {
		t.Run(kill, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			m := b.migrator(t, hashed(t, files))
			_, err := m.Apply(t.Context())
			require.NoError(t, err)
			var report schema.Report
			err = b.killed(t, kill, func(ctx context.Context) (err error) {
				report, err = m.Down(ctx, down(t, m, 2))
				return err
			})
			require.ErrorContains(t, err, "undo down/"+fileA+", statement at line 2")
			require.ErrorContains(t, err, "nothing of this file was kept")
			require.ErrorContains(t, err, `"docket migrate down" continues from there`)
			require.Equal(t, versionA, report.To, "the step before is kept")
			require.Equal(t, []string{"a", "atlas_schema_revisions"}, b.tables(t))
			status, err := m.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, schema.Pending, status.State)
			require.Equal(t, versionA, status.Version)

			_, err = m.Down(t.Context(), down(t, m, 1))
			require.NoError(t, err)
			require.Equal(t, []string{"atlas_schema_revisions"}, b.tables(t))
		})
	}
}

func TestDownWaitsForAnotherMigration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := hashed(t, aToC)
	_, err := b.migrator(t, files).Apply(t.Context())
	require.NoError(t, err)
	// The lock of the Atlas command, as in TestApplyWaitsForAnotherMigration.
	b.exec(t, "SET application_name = 'other migrator'; SELECT pg_advisory_lock(2686470616)")
	impatient, err := schema.New(b.url, files, schema.Options{Advice: advice, LockWait: time.Millisecond})
	require.NoError(t, err)
	shown := down(t, impatient, 1)
	_, err = impatient.Down(t.Context(), shown)
	require.ErrorIs(t, err, schema.ErrLocked)
	require.ErrorContains(t, err, "(other migrator)")
	require.Contains(t, b.tables(t), "c")
	require.NoError(t, impatient.Check(t.Context()))

	b.exec(t, "SELECT pg_advisory_unlock(2686470616)")
	_, err = impatient.Down(t.Context(), shown)
	require.NoError(t, err)
}

func TestDownGivesUpOnALockedTable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := hashed(t, aToC)
	_, err := b.migrator(t, files).Apply(t.Context())
	require.NoError(t, err)
	b.exec(t, "BEGIN")
	b.exec(t, "LOCK TABLE c IN ACCESS SHARE MODE")
	m, err := schema.New(b.url, files, schema.Options{Advice: advice, LockWait: time.Millisecond})
	require.NoError(t, err)
	_, err = m.Down(t.Context(), down(t, m, 1))
	require.ErrorContains(t, err, "another transaction has held a lock for longer than 1ms")
	require.ErrorContains(t, err, `run "docket migrate down" again`)
	b.exec(t, "COMMIT")
	require.NoError(t, m.Check(t.Context()))
}

// fullDisk fails with the error of a full disk until the table aside.room exists.
const fullDisk = `DO $$ BEGIN
    IF to_regclass('aside.room') IS NULL THEN
        RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100';
    END IF;
END $$;`

func TestDownOnAFullDisk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "CREATE SCHEMA aside")
	m := b.migrator(t, hashed(t, map[string]string{fileA: "CREATE TABLE a ();", "down/" + fileA: "DROP TABLE a;\n" + fullDisk}))
	_, err := m.Apply(t.Context())
	require.NoError(t, err)
	_, err = m.Down(t.Context(), down(t, m, 1))
	require.ErrorContains(t, err, "SQLSTATE 53100")
	require.ErrorContains(t, err, `free some, then run "docket migrate down" again`)
	require.NoError(t, m.Check(t.Context()), "nothing was changed")
	require.Contains(t, b.tables(t), "a")

	b.exec(t, "CREATE TABLE aside.room ()")
	_, err = m.Down(t.Context(), down(t, m, 1))
	require.NoError(t, err)
	require.NotContains(t, b.tables(t), "a")
}

func TestApplyOnAFullDisk(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		head   string
		state  schema.State
		tables []string
		says   string
	}{
		"in a transaction": {"", schema.Pending, []string{"atlas_schema_revisions"}, "nothing of this file was kept"},
		"outside": {"-- atlas:txmode none\n\n", schema.Unfinished, []string{"a", "atlas_schema_revisions"},
			"the statements before it were kept"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.exec(t, "CREATE SCHEMA aside")
			m := b.migrator(t, hashed(t, map[string]string{fileA: test.head + "CREATE TABLE a ();\n" + fullDisk + "\nCREATE TABLE b ();"}))
			_, err := m.Apply(t.Context())
			require.ErrorContains(t, err, "SQLSTATE 53100")
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, `free some, then run "docket migrate apply" again`)
			require.Equal(t, test.tables, b.tables(t))
			status, err := m.Status(t.Context())
			require.NoError(t, err)
			require.Equal(t, test.state, status.State)
			if test.state == schema.Unfinished {
				require.Contains(t, status.Problem, "ran 1 of 3 statements")
				require.Contains(t, status.Problem, "No space left on device")
			}

			b.exec(t, "CREATE TABLE aside.room ()")
			_, err = m.Apply(t.Context())
			require.NoError(t, err)
			require.NoError(t, m.Check(t.Context()))
			require.Equal(t, []string{"a", "atlas_schema_revisions", "b"}, b.tables(t))
		})
	}
}
