package plan_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"docket/internal/dbtest"
	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// online is a scenario with the policy Online. Its sections are those of TestScenarios.
type online struct {
	sections map[string]string
	policy   plan.Policy
}

func onlineScenarios(t *testing.T) map[string]online {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	all := map[string]online{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		o := online{sections: map[string]string{}}
		for _, f := range txtar.Parse(data).Files {
			o.sections[f.Name] = string(f.Data)
		}
		if text := o.sections["policy"]; text != "" {
			require.NoError(t, json.Unmarshal([]byte(text), &o.policy))
		}
		if o.policy.Online {
			all[strings.TrimSuffix(filepath.Base(file), ".txtar")] = o
		}
	}
	require.Greater(t, len(all), 5)
	return all
}

// begin builds the first schema.
func (o online) begin(t *testing.T) *sql.DB {
	t.Helper()
	have := build(t, o.sections["base.sql"]+o.sections["from.sql"])
	run(t, have, o.sections["data.sql"])
	return have
}

// target builds the second schema.
func (o online) target(t *testing.T) (to *state.State, facts []string) {
	t.Helper()
	want := build(t, o.sections["base.sql"]+o.sections["to.sql"])
	return inspect(t, want), catalog(t, want)
}

func (o online) plan(t *testing.T, have *sql.DB, to *state.State) *plan.Plan {
	t.Helper()
	planned, err := plan.Between(inspect(t, have), to, o.policy)
	require.NoError(t, err)
	return planned
}

// A plan that was stopped after any of its statements outside the transaction leads to the target when it is made again.
// A plan made after the transaction is the rest of the first plan.
func TestOnlineInterrupted(t *testing.T) {
	t.Parallel()
	for name, o := range onlineScenarios(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to, facts := o.target(t)
			planned := o.plan(t, o.begin(t), to)
			last := len(planned.Phases) - 1
			for stopped := range planned.Phases[last].Statements {
				have := o.begin(t)
				apply(t, have, &plan.Plan{Phases: planned.Phases[:last]})
				if stopped == 0 && last > 0 {
					require.Equal(t, written(planned.Phases[last:]), written(o.plan(t, have, to).Phases))
				}
				done := planned.Phases[last].Statements[:stopped]
				apply(t, have, &plan.Plan{Phases: []plan.Phase{{Statements: done}}})
				again := o.plan(t, have, to)
				apply(t, have, again)
				rest := o.plan(t, have, to)
				require.True(t, rest.Empty(), "after\n%s\nplanning again yields\n%s", again.SQL(), rest.SQL())
				require.Empty(t, state.Missing(facts, catalog(t, have)), again.SQL())
			}
		})
	}
}

func written(phases []plan.Phase) (all []string) {
	for _, phase := range phases {
		for _, s := range phase.Statements {
			all = append(all, s.SQL)
		}
	}
	return all
}

// A statement outside the transaction that reads or builds anything takes no lock for which readers or writers wait. One that
// takes such a lock says so, and reads and builds nothing.
func TestOnlineLocks(t *testing.T) {
	t.Parallel()
	for name, o := range onlineScenarios(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to, _ := o.target(t)
			have := o.begin(t)
			for _, phase := range o.plan(t, have, to).Phases {
				if phase.Transactional {
					apply(t, have, &plan.Plan{Phases: []plan.Phase{phase}})
					continue
				}
				m := measured{db: have, tables: to.Details}
				for _, s := range phase.Statements {
					m.measure(t, s)
				}
			}
		})
	}
}

// blocking are the modes of locks that conflict with ROW EXCLUSIVE, which writers take.
var blocking = map[string]plan.HazardKind{
	"ShareLock": plan.LocksWrites, "ShareRowExclusiveLock": plan.LocksWrites, "ExclusiveLock": plan.LocksWrites,
	"AccessExclusiveLock": plan.LocksReads,
}

const granted = `SELECT DISTINCT c.relname || ' ' || l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
WHERE l.pid = $1 AND l.granted AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`

type measured struct {
	db     *sql.DB
	tables []*state.Table
}

func (m measured) measure(t *testing.T, s plan.Statement) {
	t.Helper()
	var locks []string
	var notices []string
	if strings.Contains(s.SQL, " CONCURRENTLY ") {
		locks = m.whileOthersWrite(t, s.SQL)
	} else {
		locks, notices = m.inTransaction(t, s.SQL)
	}
	var found, said []plan.Hazard
	strongest := map[string]plan.HazardKind{}
	for _, lock := range locks {
		table, mode, _ := strings.Cut(lock, " ")
		if kind, blocks := blocking[mode]; blocks && strongest[table] != plan.LocksReads {
			strongest[table] = kind
		}
	}
	for table, kind := range strongest {
		found = append(found, plan.Hazard{Kind: kind, Detail: table})
	}
	reads := false
	for _, h := range s.Hazards {
		switch h.Kind {
		case plan.LocksReads, plan.LocksWrites:
			said = append(said, h)
		case plan.DependsOnRows:
			reads = true
		}
	}
	require.ElementsMatch(t, found, said, s.SQL)
	if len(found) > 0 {
		require.False(t, reads, s.SQL)
		for _, notice := range notices {
			require.NotRegexp(t, "verifying table|rewriting table|building index|validating foreign key", notice, s.SQL)
		}
	}
}

// inTransaction runs a statement and returns its locks and PostgreSQL's messages, which say what it reads and builds.
func (m measured) inTransaction(t *testing.T, statement string) (locks, notices []string) {
	t.Helper()
	conn := m.connect(t, func(n *pgconn.Notice) { notices = append(notices, n.Message) })
	dbtest.Exec(t, conn, "BEGIN")
	dbtest.Exec(t, conn, statement)
	locks = dbtest.List(t, conn, granted, conn.PgConn().PID())
	dbtest.Exec(t, conn, "COMMIT")
	return locks, notices
}

// whileOthersWrite runs a statement while another transaction has written to all tables, for which it waits. It returns the
// locks that the statement has while it waits. New readers and writers do not wait for it.
func (m measured) whileOthersWrite(t *testing.T, statement string) []string {
	t.Helper()
	writer, observer, conn := m.connect(t, nil), m.connect(t, nil), m.connect(t, nil)
	var names []string
	for _, table := range m.tables {
		names = append(names, state.Ident(table.Name))
	}
	write := "LOCK TABLE " + strings.Join(names, ", ") + " IN ROW EXCLUSIVE MODE NOWAIT"
	dbtest.Exec(t, writer, "BEGIN")
	dbtest.Exec(t, writer, write)
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), statement)
		done <- err
	}()
	for dbtest.Count(t, observer, "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted", conn.PgConn().PID()) == 0 {
		select {
		case err := <-done:
			require.NoError(t, err, statement)
			require.Fail(t, "it did not wait for the writer", statement)
		default:
		}
	}
	locks := dbtest.List(t, observer, granted, conn.PgConn().PID())
	require.NotEmpty(t, locks, statement)
	dbtest.Exec(t, observer, "BEGIN")
	dbtest.Exec(t, observer, write)
	dbtest.Exec(t, observer, "ROLLBACK")
	dbtest.Exec(t, writer, "ROLLBACK")
	require.NoError(t, <-done, statement)
	return locks
}

func (m measured) connect(t *testing.T, onNotice func(*pgconn.Notice)) *pgx.Conn {
	t.Helper()
	var config *pgx.ConnConfig
	pooled, err := m.db.Conn(t.Context())
	require.NoError(t, err)
	require.NoError(t, pooled.Raw(func(c any) error {
		config = c.(*stdlib.Conn).Conn().Config()
		return nil
	}))
	require.NoError(t, pooled.Close())
	if onNotice != nil {
		config.RuntimeParams["client_min_messages"] = "debug1"
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { onNotice(n) }
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}
