package schema_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/schema"
	"docket/internal/schema/plan"
)

// declared is a database and its goal.
type declared struct {
	bundle
	target *schema.Target
	goal   schema.Goal
}

func declare(t *testing.T, have, want string, opts schema.TargetOptions) declared {
	t.Helper()
	d := declared{bundle: setup(t)}
	d.exec(t, have)
	bench := &schema.Workbench{DevURL: d.url, Advice: advice}
	t.Cleanup(func() { require.NoError(t, bench.Close()) })
	var err error
	d.goal.Target, err = schema.ReadState(t.Context(), bench, folderOf(want), nil)
	require.NoError(t, err)
	d.target, err = schema.NewTarget(d.url, opts)
	require.NoError(t, err)
	return d
}

func folderOf(text string) schema.Source {
	return schema.Folder(fstest.MapFS{"10_all.sql": {Data: []byte(text)}}, "the test's files")
}

func (d declared) plan(t *testing.T) *plan.Plan {
	t.Helper()
	have, err := schema.ReadState(t.Context(), &schema.Workbench{}, schema.Live(d.url), nil)
	require.NoError(t, err)
	p, err := d.goal.Plan(have)
	require.NoError(t, err)
	return p
}

func (d declared) apply(t *testing.T, ctx context.Context) (schema.AppliedPlan, error) {
	t.Helper()
	return d.target.Apply(ctx, d.goal, d.plan(t))
}

// finishes requires that the next run does everything that the failed one left.
func (d declared) finishes(t *testing.T) {
	t.Helper()
	_, err := d.apply(t, t.Context())
	require.NoError(t, err)
	require.True(t, d.plan(t).Empty())
}

const (
	haveA = "CREATE TABLE a (id int, name text); INSERT INTO a VALUES (1, 'x'), (2, 'x');"
	wantB = `CREATE TABLE a (id int, name text, note text);
CREATE TABLE b (id int, CONSTRAINT b_pkey PRIMARY KEY (id));
CREATE MATERIALIZED VIEW m AS SELECT id, note FROM a;
CREATE UNIQUE INDEX m_id_key ON m (id);`
	// onMatview runs a statement when the plan creates its materialized view, near its end.
	onMatview = `
CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN %s END $$;
CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('CREATE MATERIALIZED VIEW') EXECUTE FUNCTION meddle();`
)

func TestTargetApply(t *testing.T) {
	t.Parallel()
	d := declare(t, haveA, wantB, schema.TargetOptions{})
	report, err := d.apply(t, t.Context())
	require.NoError(t, err)
	require.Greater(t, report.Statements, 2)
	version, err := d.target.Version(t.Context())
	require.NoError(t, err)
	require.Empty(t, version)
	require.True(t, d.plan(t).Empty())
	require.Equal(t, []string{"1 x", "2 x"}, d.strings(t, "SELECT format('%s %s', id, name) FROM a ORDER BY id"))
	d.exec(t, "REFRESH MATERIALIZED VIEW CONCURRENTLY m")
}

// A plan in one transaction changes nothing when it is stopped, for any reason, and the next run completes.
func TestTargetInterrupted(t *testing.T) {
	t.Parallel()
	const gate = 4242
	tests := map[string]struct {
		meddle string
		stop   func(t *testing.T, d declared, cancel context.CancelFunc)
		want   []string
	}{
		"connection lost": {
			meddle: "PERFORM pg_advisory_xact_lock(4242);",
			stop: func(t *testing.T, d declared, _ context.CancelFunc) {
				d.exec(t, "SELECT pg_terminate_backend($1)", d.waiter(t))
			},
			want: []string{"nothing was kept", "the connection was lost", "run the command again"},
		},
		"interrupted": {
			meddle: "PERFORM pg_advisory_xact_lock(4242);",
			stop: func(t *testing.T, d declared, cancel context.CancelFunc) {
				d.waiter(t)
				cancel()
			},
			want: []string{"interrupted", "nothing was kept", "run the command again"},
		},
		"disk full": {
			meddle: "RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'no space left';",
			want:   []string{"CREATE MATERIALIZED VIEW", "no space left", "nothing was kept", "free some"},
		},
		"refused": {
			meddle: "RAISE EXCEPTION 'refused by a trigger';",
			want:   []string{"refused by a trigger", "fix the cause"},
		},
		"another result": {
			meddle: "CREATE TABLE b2 (id int);",
			want:   []string{"did not lead to the target schema", "b2", "nothing was kept"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := declare(t, haveA, wantB, schema.TargetOptions{})
			d.exec(t, "SELECT pg_advisory_lock($1)", gate)
			d.exec(t, fmt.Sprintf(onMatview, test.meddle))
			before := d.tables(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				_, err := d.apply(t, ctx)
				failed <- err
			}()
			if test.stop != nil {
				test.stop(t, d, cancel)
			}
			err := <-failed
			require.Error(t, err)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			d.exec(t, "SELECT pg_advisory_unlock($1)", gate)
			d.untilAlone(t)
			require.Equal(t, before, d.tables(t))
			d.exec(t, "DROP EVENT TRIGGER meddle; DROP FUNCTION meddle")
			d.finishes(t)
			require.Equal(t, []string{"1 x", "2 x"}, d.strings(t, "SELECT format('%s %s', id, name) FROM a ORDER BY id"))
		})
	}
}

func TestTargetWaitsForOthers(t *testing.T) {
	t.Parallel()
	d := declare(t, haveA, wantB, schema.TargetOptions{LockWait: time.Millisecond})
	// The number of the lock of the Atlas command: fnv-1 of atlas_migrate_execute.
	d.exec(t, "SET application_name = 'other migrator'; SELECT pg_advisory_lock(2686470616)")
	_, err := d.apply(t, t.Context())
	require.ErrorIs(t, err, schema.ErrLocked)
	require.ErrorContains(t, err, "(other migrator)")
	d.exec(t, "SELECT pg_advisory_unlock(2686470616)")

	d.exec(t, "BEGIN; SELECT * FROM a")
	_, err = d.apply(t, t.Context())
	require.ErrorContains(t, err, "another transaction has held a lock for longer than 1ms")
	require.ErrorContains(t, err, "nothing was kept")
	d.exec(t, "COMMIT")
	d.finishes(t)
}

// An object of others that blocks the plan is named, and never dropped, also when it is newer than the plan that was shown.
func TestTargetNamesBlockingObjects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ theirs, want, gone string }{
		"view elsewhere": {
			"CREATE SCHEMA theirs; CREATE VIEW theirs.v AS SELECT name FROM a",
			"the type of column name of a cannot be changed because of view theirs.v", "DROP VIEW theirs.v",
		},
		"view on a view": {
			"CREATE MATERIALIZED VIEW m AS SELECT id FROM a; CREATE SCHEMA theirs; CREATE VIEW theirs.v AS SELECT id FROM m",
			"m cannot be dropped because of view theirs.v", "DROP VIEW theirs.v",
		},
		"trigger": {
			`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER named BEFORE UPDATE OF name ON a FOR EACH ROW EXECUTE FUNCTION f()`,
			"the type of column name of a cannot be changed because of trigger named on a", "DROP TRIGGER named ON a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := declare(t, haveA, strings.Replace(wantB, "name text", "name varchar(10)", 1), schema.TargetOptions{})
			shown := d.plan(t)
			d.exec(t, test.theirs)
			before := d.tables(t)
			_, err := d.target.Apply(t.Context(), d.goal, shown)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "nothing is dropped with CASCADE")
			require.Equal(t, before, d.tables(t))
			d.exec(t, test.gone)
			d.finishes(t)
		})
	}
}

func TestTargetRefusesAStalePlan(t *testing.T) {
	t.Parallel()
	d := declare(t, haveA, wantB, schema.TargetOptions{})
	shown := d.plan(t)
	d.exec(t, "CREATE TABLE c (id int)")
	_, err := d.target.Apply(t.Context(), d.goal, shown)
	require.ErrorIs(t, err, schema.ErrStale)
	require.Equal(t, []string{"a", "c"}, d.tables(t))
	d.finishes(t)
	require.Equal(t, []string{"a", "b"}, d.tables(t))
}

// A new value of an enum cannot be used in the transaction that adds it.
func TestTargetCommitsEnumValuesFirst(t *testing.T) {
	t.Parallel()
	d := declare(t, "CREATE TYPE mood AS ENUM ('good'); CREATE TABLE a (id int, mood mood); INSERT INTO a VALUES (1, 'good');",
		"CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE a (id int, mood mood); "+
			"CREATE VIEW v AS SELECT id FROM a WHERE mood = 'bad';", schema.TargetOptions{})
	require.Len(t, d.plan(t).Phases, 2)
	d.exec(t, "CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no views'; END $$")
	d.exec(t, "CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION meddle()")
	_, err := d.apply(t, t.Context())
	require.ErrorContains(t, err, "no views")
	require.ErrorContains(t, err, "the new enum values stay, because they had to be committed first, and nothing else was kept")
	require.ErrorContains(t, err, "run the command again: it plans what remains")
	require.Equal(t, []string{"good", "bad"}, d.strings(t, "SELECT unnest(enum_range(NULL::mood))::text"))
	d.exec(t, "DROP EVENT TRIGGER meddle; DROP FUNCTION meddle")
	d.finishes(t)
}

func TestTargetBuildsIndexesConcurrently(t *testing.T) {
	t.Parallel()
	d := declare(t, haveA, "CREATE TABLE a (id int, name text, note text); CREATE UNIQUE INDEX a_name_key ON a (name);",
		schema.TargetOptions{})
	d.goal.Policy.Online = true
	p := d.plan(t)
	require.Len(t, p.Phases, 2)
	require.False(t, p.Phases[1].Transactional)
	_, err := d.apply(t, t.Context())
	require.ErrorContains(t, err, "could not create unique index")
	require.ErrorContains(t, err, "the earlier transactions and the statements before it were kept")
	require.ErrorContains(t, err, "which the next run drops: a_name_key")
	require.Equal(t, []string{"3"}, d.strings(t, "SELECT count(*)::text FROM pg_attribute WHERE attrelid = 'a'::regclass AND attnum > 0"))
	d.exec(t, "UPDATE a SET name = id::text")
	d.exec(t, "DROP INDEX CONCURRENTLY a_name_key")
	d.finishes(t)
}
