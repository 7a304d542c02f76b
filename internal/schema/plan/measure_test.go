package plan_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/schema/plan"
	"docket/internal/schema/state"
)

// Levels of pg_locks.mode.
const (
	shareUpdateExclusive = 4 // and weaker ones lock out neither readers nor writers
	accessExclusive      = 8
)

// relation is what PostgreSQL records of a relation during a transaction.
type relation struct {
	Name, Kind string
	Table      string // of an index, or that takes numbers from a sequence; otherwise the name
	File       int64  // another one after a rewrite; 0 for a view
	Scans      int64  // that this transaction has begun
	Lock       int    // the strongest one that this transaction holds
}

const relationsQuery = `
SELECT coalesce(json_object_agg(c.oid, json_build_object('Name', c.relname, 'Kind', c.relkind,
    'Table', coalesce(t.relname, s.relname, c.relname), 'File', coalesce(pg_relation_filenode(c.oid)::bigint, 0),
    'Scans', coalesce(pg_stat_get_xact_numscans(c.oid), 0)))::text, '{}'),
    (SELECT coalesce(json_object_agg(relation, level)::text, '{}') FROM (
        SELECT l.relation, max(array_position(ARRAY['AccessShareLock', 'RowShareLock', 'RowExclusiveLock',
            'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
            'AccessExclusiveLock'], l.mode)) AS level
        FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation IS NOT NULL GROUP BY l.relation) AS locks)
FROM pg_class c LEFT JOIN pg_index x ON x.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = x.indrelid
LEFT JOIN pg_class s ON c.relkind = 'S' AND s.oid = (
    SELECT a.adrelid FROM pg_depend d JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
    WHERE d.refobjid = c.oid
    UNION SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
    LIMIT 1)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm', 'v', 'i', 'S')`

// executor is a connection or a transaction.
type executor interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// relations returns the relations of the schema and the levels of all locks, by oid.
func relations(t testing.TB, db executor) (map[string]relation, map[string]int) {
	t.Helper()
	var text, lockText string
	require.NoError(t, db.QueryRowContext(t.Context(), relationsQuery).Scan(&text, &lockText))
	all, locks := map[string]relation{}, map[string]int{}
	require.NoError(t, json.Unmarshal([]byte(text), &all))
	require.NoError(t, json.Unmarshal([]byte(lockText), &locks))
	return all, locks
}

// effect is what a statement did to a table, view or materialized view.
type effect struct {
	held, taken int // levels of the strongest lock afterwards, and of the strongest one that the statement took
	rewritten   bool
	rebuilt     []string // indexes that were built again, if the table was not rewritten
	read        bool     // rows were read by a scan of the table or of an index
}

func (e effect) words() (all []string) {
	switch {
	case e.taken == accessExclusive:
		all = append(all, "locks out readers")
	case e.taken > shareUpdateExclusive:
		all = append(all, "locks out writers")
	}
	if e.rewritten {
		all = append(all, "rewritten")
	} else if e.read {
		all = append(all, "read")
	}
	for _, index := range e.rebuilt {
		all = append(all, "rebuilds "+index)
	}
	return all
}

// meter measures the statements of a transaction or session, of which each begins where the one before it ended.
type meter struct {
	existing, last map[string]relation // before the plan, and after the last statement
	locks          map[string]int      // after the last statement
}

// newMeter returns a meter for statements of a plan for a database that had the existing relations. Nil means those of now.
func newMeter(t testing.TB, db executor, existing map[string]relation) *meter {
	t.Helper()
	m := &meter{existing: existing}
	if m.last, m.locks = relations(t, db); existing == nil {
		m.existing = m.last
	}
	return m
}

// measure executes a statement and returns its effects on relations, by name. Locks and scans can only be measured in a
// transaction.
func (m *meter) measure(t testing.TB, db executor, s plan.Statement) (map[string]effect, error) {
	t.Helper()
	before, locksBefore := m.last, m.locks
	if _, err := db.ExecContext(t.Context(), s.SQL); err != nil {
		return nil, err
	}
	after, locksAfter := relations(t, db)
	m.last, m.locks = after, locksAfter
	effects, files := map[string]effect{}, map[int64]bool{}
	for _, r := range before {
		files[r.File] = true
	}
	for oid := range m.existing {
		old, exists := before[oid]
		if !exists {
			continue // an earlier statement has dropped it
		}
		now, exists := after[oid]
		if !exists && old.Kind == "i" { // a change of type gives an index another oid, but the same file if it is not built again
			for _, r := range after {
				if r.Table == old.Table && r.Name == old.Name {
					now, exists = r, true
				}
			}
		}
		e := effects[old.Table]
		if old.Kind == "S" { // who needs a number waits
			e.held = max(e.held, min(locksAfter[oid], accessExclusive-1))
			effects[old.Table] = e
			continue
		}
		e.held = max(e.held, locksAfter[oid])
		if locksAfter[oid] > locksBefore[oid] {
			e.taken = max(e.taken, locksAfter[oid])
		}
		e.read = e.read || now.Scans > old.Scans
		switch {
		case !exists || files[now.File]:
		case old.Kind == "i":
			e.rebuilt = append(e.rebuilt, old.Name)
		default:
			e.rewritten = true
		}
		effects[old.Table] = e
	}
	for name, e := range effects {
		if slices.Sort(e.rebuilt); e.rewritten {
			e.rebuilt = nil
		}
		effects[name] = e
	}
	return effects, nil
}

// announced is what the hazards of a statement say of one relation.
type announced struct {
	locksReads, locksWrites, rewrites, unlessUTC, reads bool
	text                                                string
}

func announce(s plan.Statement, name string) (a announced) {
	for _, h := range s.Hazards {
		on := h.Detail == name || strings.HasPrefix(h.Detail, name+", ")
		// "about 2 rows (24 kB) of t", "all rows of t"
		rows := strings.Contains(h.Detail, "row") && strings.Contains(h.Detail+",", " of "+name+",")
		switch h.Kind {
		case plan.LocksReads:
			a.locksReads = a.locksReads || on
			a.reads = a.reads || strings.HasPrefix(h.Detail, name+", while")
		case plan.LocksWrites:
			a.locksWrites = a.locksWrites || on || h.Detail == "inserts into "+name+" that need a number"
		case plan.RewritesData:
			a.rewrites = a.rewrites || rows
			if strings.HasSuffix(h.Detail, ", unless TimeZone is UTC") {
				a.unlessUTC = true
				continue
			}
		case plan.DependsOnRows:
			rows = rows || strings.Contains(h.Detail, ": "+name+" must be empty")
		default:
			continue
		}
		a.reads = a.reads || rows
		if on {
			a.text += h.Detail + "\n"
		}
	}
	return a
}

// lies compares what a statement did to a relation with what its hazards say, and lists the differences.
func lies(s plan.Statement, name string, e effect, transaction bool) (all []string) {
	said := announce(s, name)
	add := func(wrong bool, text string) {
		if wrong {
			all = append(all, fmt.Sprintf("%s: %s\n%s\n%v", name, text, s.SQL, s.Hazards))
		}
	}
	add(e.rewritten && !said.rewrites && !strings.HasPrefix(s.SQL, "REFRESH"), "is rewritten, and no hazard says so")
	add(!e.rewritten && said.rewrites && !said.unlessUTC, "is not rewritten, although a hazard says so")
	for _, index := range e.rebuilt {
		says := strings.Contains(said.text, index) || strings.Contains(said.text, "its index is built")
		add(!says, "builds "+index+" again, and no hazard says so")
	}
	none := len(e.rebuilt) == 0 && !e.rewritten
	add(none && strings.Contains(said.text, "built again"), "builds no index again, although a hazard says so")
	if !transaction {
		return all
	}
	add(e.taken == accessExclusive && !said.locksReads, "readers are locked out, and no hazard says so")
	add(said.locksReads && e.held < accessExclusive, "readers are not locked out, although a hazard says so")
	locked := e.taken > shareUpdateExclusive && e.taken < accessExclusive
	add(locked && !said.locksWrites, "writers are locked out, and no hazard says so")
	add(said.locksWrites && e.held <= shareUpdateExclusive, "writers are not locked out, although a hazard says so")
	add(said.reads && !e.rewritten && !e.read, "is not read, although a hazard says so")
	// A foreign key also reads the table that it refers to. Other statements lock no reader or writer out while they read.
	alters := slices.ContainsFunc([]string{"ALTER TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX"}, func(start string) bool {
		return strings.HasPrefix(s.SQL, start)
	})
	refers := (strings.Contains(s.SQL, "FOREIGN KEY") || strings.Contains(s.SQL, "VALIDATE CONSTRAINT")) &&
		!strings.HasPrefix(s.SQL, "ALTER TABLE "+state.Ident(name))
	add(e.read && !e.rewritten && alters && !said.reads && !refers, "is read, and no hazard says so")
	return all
}
