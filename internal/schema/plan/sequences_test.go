package plan_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// numbered is the column id of one table, before and after.
type numbered struct {
	table          string
	from, to       string // kinds of columns
	fromType, typ  string
	usage, options string
}

var (
	columnKinds = []string{"plain", "unowned", "serial", "always", "by default"}
	usages      = []string{"never", "rows", "deleted", "emptied", "above", "wrapped"}
)

// steps are the increments of the options, and starts the first numbers.
var (
	steps = map[string]int64{
		"": 1, "INCREMENT BY 10": 10, "INCREMENT BY -1": -1, "INCREMENT BY -3 START WITH -7": -3, "MAXVALUE 7 CYCLE": 1, "CACHE 5": 1,
		"MINVALUE 100 START WITH 200 INCREMENT BY 2": 2,
	}
	starts = map[string]int64{
		"INCREMENT BY -1": -1, "INCREMENT BY -3 START WITH -7": -7, "MINVALUE 100 START WITH 200 INCREMENT BY 2": 200,
	}
)

func (n numbered) start() int64 {
	if start, ok := starts[n.options]; ok {
		return start
	}
	return 1
}

// create returns SQL that creates the table with one kind of column. Both schemas have the sequence that no column owns.
func (n numbered) create(kind, typ string) string {
	table, own := fmt.Sprintf("CREATE TABLE %s (id %s NOT NULL", n.table, typ), n.table+"_id_seq"
	set := func(text string) string {
		return strings.ReplaceAll(fmt.Sprintf("CREATE SEQUENCE %s_others AS bigint %s;\n%s;\n", n.table, n.options, text), "  ", " ")
	}
	switch kind {
	case "plain":
		return set(table + ", note text)")
	case "unowned":
		return set(table + fmt.Sprintf(" DEFAULT nextval('%s_others'), note text)", n.table))
	case "serial":
		return set(fmt.Sprintf("CREATE SEQUENCE %s AS %s %s;\n%s DEFAULT nextval('%[1]s'), note text);\n"+
			"ALTER SEQUENCE %[1]s OWNED BY %[5]s.id", own, typ, n.options, table, n.table))
	}
	start := fmt.Sprintf("START WITH %d", n.start())
	options := start + " " + strings.ReplaceAll(n.options, start, "")
	return set(fmt.Sprintf("%s GENERATED %s AS IDENTITY (%s), note text)", table, strings.ToUpper(kind), options))
}

// use inserts and deletes rows, and returns the numbers that were given.
func (n numbered) use() (script string, given []int64) {
	step, count := steps[n.options], 5
	insert := func(id int64) {
		if n.from == "plain" {
			script += fmt.Sprintf("INSERT INTO %s (id) VALUES (%d);\n", n.table, id)
		} else {
			script += fmt.Sprintf("INSERT INTO %s (note) VALUES ('x');\n", n.table)
		}
		given = append(given, id)
	}
	switch n.usage {
	case "never":
		return "", nil
	case "wrapped":
		count = 7
	}
	for i := range count {
		insert(n.start() + int64(i)*step)
	}
	last := given[len(given)-1]
	switch n.usage {
	case "deleted":
		script += fmt.Sprintf("DELETE FROM %s WHERE id = %d;\n", n.table, last)
		if n.from == "plain" {
			given = given[:len(given)-1] // nothing records it
		}
	case "emptied":
		script += fmt.Sprintf("DELETE FROM %s;\n", n.table)
		if n.from == "plain" {
			given = nil
		}
	case "above":
		above := last + 3*step + step/max(step, -step)
		script += fmt.Sprintf("INSERT INTO %s (id) OVERRIDING SYSTEM VALUE VALUES (%d);\n", n.table, above)
		given = append(given, above)
	case "wrapped":
		insert(1)
	}
	return script, given
}

// transitions lists the changes with the options. Files cannot have a sequence that no column owns.
func transitions(options string) []numbered {
	var all []numbered
	for _, types := range [][]string{{"integer", "integer"}, {"integer", "bigint"}, {"bigint", "integer"}} {
		for _, from := range columnKinds {
			for _, to := range columnKinds {
				for _, usage := range usages {
					wrapped := from != "plain" && strings.Contains(options, "CYCLE")
					if to == "unowned" && from != to || usage == "wrapped" && !wrapped || options != "" && types[0] != "integer" {
						continue
					}
					name := fmt.Sprintf("t%d", len(all))
					all = append(all, numbered{name, from, to, types[0], types[1], usage, options})
				}
			}
		}
	}
	return all
}

// TestNumbersNeverGivenTwice changes columns of every kind into every other kind. Afterwards no number is given that was given
// before, by a sequence or by a row. A column that had a sequence continues with the number that it would have given.
func TestNumbersNeverGivenTwice(t *testing.T) {
	t.Parallel()
	makeRoles(t, []string{"docket_numbers_reader", "docket_numbers_owner"})
	for options := range steps {
		for _, policy := range []plan.Policy{{}, {UnknownGrants: true}} {
			if policy.UnknownGrants && options != "" {
				continue
			}
			t.Run(fmt.Sprintf("%s %t", options, policy.UnknownGrants), func(t *testing.T) {
				t.Parallel()
				all := transitions(options)
				var before, after, use strings.Builder
				given := map[string][]int64{}
				for _, n := range all {
					before.WriteString(n.create(n.from, n.fromType))
					after.WriteString(n.create(n.to, n.typ))
					script, numbers := n.use()
					use.WriteString(script)
					given[n.table] = numbers
				}
				db, want := build(t, before.String()), build(t, after.String())
				run(t, db, `DO $$ DECLARE q regclass; BEGIN
    FOR q IN SELECT oid FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO docket_numbers_reader WITH GRANT OPTION', q);
        EXECUTE format('GRANT SELECT, UPDATE ON SEQUENCE %s TO PUBLIC', q);
    END LOOP;
END $$;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT UPDATE ON SEQUENCES TO pg_monitor;`)
				run(t, db, use.String())
				to := inspect(t, want)
				planned, err := plan.Between(inspect(t, db), to, policy)
				require.NoError(t, err)
				run(t, db, planned.SQL()) // apply measures each statement, which takes minutes with so many tables
				after2 := inspect(t, db)
				rest, err := plan.Between(after2, to, policy)
				require.NoError(t, err)
				require.True(t, rest.Empty(), rest.SQL())
				missing := slices.DeleteFunc(state.Missing(catalog(t, want), catalog(t, db)), func(fact string) bool {
					return strings.Contains(fact, "_others") // it may have become the sequence of the column
				})
				require.Empty(t, missing, "facts of the second schema that are missing")
				for _, n := range all {
					checkNumbers(t, db, n, given[n.table])
					q := after2.Sequence(n.table, "id")
					if q == nil || n.from == "plain" {
						continue
					}
					require.Equal(t, []state.Grant{
						{Privilege: "SELECT"}, {Privilege: "UPDATE"},
						{Grantee: "docket_numbers_reader", Privilege: "USAGE", WithGrantOption: true},
					}, q.Grants, "%+v", n)
				}
			})
		}
	}
}

func checkNumbers(t *testing.T, db *sql.DB, n numbered, given []int64) {
	t.Helper()
	if n.to == "plain" {
		return
	}
	var numbers []int64
	for range 2 {
		var id int64
		insert := "INSERT INTO " + n.table + " (note) VALUES ('new') RETURNING id"
		require.NoError(t, db.QueryRowContext(t.Context(), insert).Scan(&id), "%+v", n)
		numbers = append(numbers, id)
	}
	step := steps[n.options]
	next := n.start()
	switch {
	case n.usage == "wrapped":
		require.Equal(t, []int64{2, 3}, numbers, "%+v", n)
		return
	case n.usage == "above" && !strings.Contains(n.options, "CYCLE"):
		for _, id := range numbers {
			require.NotContains(t, given, id, "%+v", n)
			require.True(t, (id-n.start())%step == 0 || n.from == "plain", "%+v: %d", n, id)
		}
		return
	case len(given) > 0:
		next = given[len(given)-1] + step
		if n.usage == "above" {
			next = given[len(given)-2] + step
		}
	}
	if n.usage == "above" && n.from == "plain" {
		require.False(t, slices.Contains(given, numbers[0]), "%+v", n)
		return
	}
	require.Equal(t, []int64{next, next + step}, numbers, "%+v", n)
}

// TestSequenceMovedAside requires the name of a sequence that no column owns for an identity column. The sequence stays.
func TestSequenceMovedAside(t *testing.T) {
	t.Parallel()
	db := build(t, `CREATE SEQUENCE t_id_seq; CREATE TABLE t (id integer NOT NULL DEFAULT nextval('t_id_seq'), note text);
INSERT INTO t (note) VALUES ('1'), ('2'); DELETE FROM t`)
	to := inspect(t, build(t, "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY, note text)"))
	planned, err := plan.Between(inspect(t, db), to, plan.Policy{})
	require.NoError(t, err)
	require.Contains(t, planned.SQL(), "loses a setting: the name of sequence t_id_seq, which no column owns")
	require.Equal(t, []string{"sequence t_id_seq_old"}, planned.LeftAlone)
	apply(t, db, planned)
	rest, err := plan.Between(inspect(t, db), to, plan.Policy{})
	require.NoError(t, err)
	require.True(t, rest.Empty(), rest.SQL())
	require.Equal(t, planned.LeftAlone, rest.LeftAlone)
	var id int
	require.NoError(t, db.QueryRowContext(t.Context(), "INSERT INTO t (note) VALUES ('3') RETURNING id").Scan(&id))
	require.Equal(t, 3, id)
}

// TestNumbersWhileOthersInsert changes a serial column into an identity column and back while other sessions insert and delete
// rows. They wait, and no number is given twice.
func TestNumbersWhileOthersInsert(t *testing.T) {
	t.Parallel()
	const serial = "CREATE TABLE t (id serial, note text)"
	const identity = "CREATE TABLE t (id integer GENERATED BY DEFAULT AS IDENTITY, note text)"
	db, goals := build(t, serial), []*state.State{inspect(t, build(t, identity)), inspect(t, build(t, serial))}
	numbers, done := make(chan int, 1_000_000), make(chan struct{})
	var writers sync.WaitGroup
	for range 3 {
		writers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				var id int
				err := db.QueryRowContext(t.Context(), "INSERT INTO t (note) VALUES ('x') RETURNING id").Scan(&id)
				if err == nil {
					numbers <- id
					_, err = db.ExecContext(t.Context(), "DELETE FROM t WHERE id = $1", id)
				}
				if !assert.NoError(t, err) {
					numbers <- 0 // so that no read waits: 0 is no number, and twice it fails the test
					numbers <- 0
					return
				}
			}
		})
	}
	seen := map[int]bool{}
	insert := func() {
		for range 20 {
			id := <-numbers
			require.False(t, seen[id], "number %d is given twice", id)
			seen[id] = true
		}
	}
	for range 3 {
		for _, to := range goals {
			insert()
			planned, err := plan.Between(inspect(t, db), to, plan.Policy{})
			require.NoError(t, err)
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			for _, s := range planned.Phases[0].Statements {
				_, err := tx.ExecContext(t.Context(), s.SQL)
				require.NoError(t, err, s.SQL)
			}
			require.NoError(t, tx.Commit())
			insert()
		}
	}
	close(done)
	writers.Wait()
	for range len(numbers) {
		id := <-numbers
		require.False(t, seen[id], "number %d is given twice", id)
		seen[id] = true
	}
}
