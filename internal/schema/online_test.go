package schema_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
	"docket/internal/schema/plan"
)

const onlineWant = `
CREATE TABLE a (id int CONSTRAINT a_id_key UNIQUE, name text NOT NULL CONSTRAINT a_name_check CHECK (name <> 'x'));
CREATE TABLE b (a int CONSTRAINT b_fkey REFERENCES a (id));`

// A plan that fails outside its transaction names the rows, says what was kept, and the next run does the rest.
func TestOnlinePlanNamesRejectedRows(t *testing.T) {
	t.Parallel()
	have := haveA + "CREATE TABLE b (a int); INSERT INTO b VALUES (4); INSERT INTO a VALUES (3, NULL);"
	d := declare(t, have, onlineWant, schema.TargetOptions{})
	d.goal.Policy.Online = true
	_, err := d.apply(t, t.Context())
	require.ErrorContains(t, err, `check constraint "a_name_check" of relation "a" is violated by some row`)
	require.ErrorContains(t, err, "because this part runs outside a transaction: 0 of 7")
	require.ErrorContains(t, err, `rows of a that break it (2): ctid (0,1); ctid (0,2)`)
	require.ErrorContains(t, err, "run the command again: it plans what remains")
	d.exec(t, "UPDATE a SET name = 'y' WHERE name = 'x'")
	_, err = d.apply(t, t.Context())
	require.ErrorContains(t, err, `"docket_not_null_name" of relation "a" is violated`)
	d.exec(t, "UPDATE a SET name = 'y' WHERE name IS NULL")
	_, err = d.apply(t, t.Context())
	require.ErrorContains(t, err, "kept, because this part runs outside a transaction: 6 of 7")
	require.ErrorContains(t, err, `rows of b that break it (1): ctid (0,1)`)
	d.exec(t, "UPDATE b SET a = 1")
	require.Len(t, d.plan(t).Phases, 1)
	d.finishes(t)
}

// A statement that would lock out readers or writers waits for its lock only for a while. One that blocks no other session waits longer.
func TestOnlineLockWait(t *testing.T) {
	t.Parallel()
	const wait = 100 * time.Millisecond
	d := declare(t, "CREATE TABLE a (id int); INSERT INTO a VALUES (1);", "CREATE TABLE a (id int CONSTRAINT a_key UNIQUE);",
		schema.TargetOptions{LockWait: wait})
	d.goal.Policy.Online = true
	d.exec(t, "BEGIN; SELECT * FROM a") // CREATE INDEX CONCURRENTLY does not wait for it
	_, err := d.apply(t, t.Context())
	require.ErrorContains(t, err, "another transaction has held a lock for longer than 100ms")
	require.ErrorContains(t, err, "ADD CONSTRAINT a_key UNIQUE USING INDEX a_key")
	require.ErrorContains(t, err, ": 1 of 2")
	d.exec(t, "COMMIT")
	d.exec(t, "DROP INDEX a_key")
	d.exec(t, "BEGIN; INSERT INTO a VALUES (2)")
	planned := d.plan(t)
	done := make(chan error, 1)
	go func() {
		_, err := d.target.Apply(t.Context(), d.goal, planned)
		done <- err
	}()
	waits := func() bool {
		d.exec(t, "SELECT pg_stat_clear_snapshot()")
		return slices.Equal([]string{"CREATE UNIQUE"}, d.strings(t, `SELECT left(query, 13) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'`))
	}
	require.Eventually(t, waits, patience, tick)
	d.exec(t, "SELECT pg_sleep($1)", (3 * wait).Seconds())
	require.True(t, waits(), "CREATE INDEX CONCURRENTLY waits for the end of the transaction")
	d.exec(t, "COMMIT")
	require.NoError(t, <-done)
	require.True(t, d.plan(t).Empty())
}

// The files of a plan with the policy Online continue where they failed.
func TestOnlineMigration(t *testing.T) {
	t.Parallel()
	k := keep(t, "CREATE TABLE a (id int, name text);\nCREATE TABLE b (a int);")
	planned, paths := k.add(t, onlineWant, plan.Policy{Online: true})
	require.Len(t, planned.Drafts, 2)
	require.Empty(t, planned.Lost)
	require.Contains(t, k.read(t, paths[0]), "docket_not_null_name CHECK ((name IS NOT NULL)) NOT VALID")
	require.True(t, strings.HasPrefix(k.read(t, paths[2]), "-- atlas:txmode none\n\n"))
	require.Contains(t, k.read(t, paths[2]), "USING INDEX a_id_key")
	m := k.migrator(t, os.DirFS(k.path))
	_, err := m.Apply(t.Context(), schema.To("20260101000000"))
	require.NoError(t, err)
	k.exec(t, "INSERT INTO a VALUES (1, 'y'), (1, 'z'); INSERT INTO b VALUES (2)")
	_, err = m.Apply(t.Context())
	require.ErrorContains(t, err, "could not create unique index")
	require.ErrorContains(t, err, "DROP INDEX CONCURRENTLY a_id_key")
	k.exec(t, "DROP INDEX CONCURRENTLY a_id_key")
	k.exec(t, "DELETE FROM a WHERE name = 'z'")
	_, err = m.Apply(t.Context())
	require.ErrorContains(t, err, `"b_fkey"`)
	require.ErrorContains(t, err, "rows of b that break it (1): ctid (0,1)")
	k.exec(t, "UPDATE b SET a = 1")
	_, err = m.Apply(t.Context())
	require.NoError(t, err)
	require.Empty(t, k.strings(t, "SELECT conname FROM pg_constraint WHERE NOT convalidated OR conname LIKE 'docket_%'"))
	preview, err := m.PreviewDown(t.Context(), 2)
	require.NoError(t, err)
	_, err = m.Down(t.Context(), preview)
	require.NoError(t, err)
	require.Empty(t, k.strings(t, "SELECT conname FROM pg_constraint WHERE conrelid IN ('a'::regclass, 'b'::regclass)"))
}
