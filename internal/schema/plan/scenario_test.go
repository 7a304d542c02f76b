package plan_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"docket/internal/dbtest"
	"docket/internal/schema/plan"
	"docket/internal/schema/state"
	sqlfiles "docket/sql"
)

// sizes differ between versions of PostgreSQL.
var sizes = regexp.MustCompile(` \([0-9.]+ kB\)`)

// exactTypes are the types whose values another type may not store exactly, or prints otherwise.
var exactTypes = regexp.MustCompile(`^(numeric|timestamp)`)

// printedBy is the major version that printed the definitions in the scenarios. Others print them differently, so the text of
// the plans is not tested there.
const printedBy = 15

var update = flag.Bool("update", false, "write the plans into the scenarios")

// TestScenarios plans the change from one schema to another, and applies the plan to a database with rows. A scenario is a
// txtar archive:
//
//	roles      names of roles that the scenario needs, one on each line
//	base.sql   the part that both schemas have; a line "\schema" means all files of sql/schema,
//	           "\schema bigint" the same with urls.id a bigint
//	from.sql   the rest of the first schema
//	data.sql   rows, and other objects that only the database has
//	to.sql     the rest of the second schema
//	check.sql  a query that must return true afterwards
//	policy     a plan.Policy as JSON, if it is not the default
//	plan.sql   the plan, compared, or written with -update
//	error      the error, if planning fails
//
// After each plan the database has the same rows, planning again yields nothing, and its facts are those of a database built
// from to.sql. Its materialized views are filled and can be refreshed concurrently if they have an index for that.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runScenario(t, file)
		})
	}
}

func runScenario(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	archive := txtar.Parse(data)
	require.NotEmpty(t, archive.Comment, "a scenario says what it shows")
	section := func(name string) string {
		i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
		if i < 0 {
			return ""
		}
		return string(archive.Files[i].Data)
	}
	roles := strings.Split(strings.TrimSpace(section("roles")), "\n")
	makeRoles(t, roles)
	policy := plan.Policy{ByHand: "docket migrate new"}
	if text := section("policy"); text != "" {
		require.NoError(t, json.Unmarshal([]byte(text), &policy))
	}

	want := build(t, section("base.sql")+section("to.sql"))
	have := build(t, section("base.sql")+section("from.sql"))
	run(t, have, section("data.sql"))
	from, to := inspect(t, have), inspect(t, want)
	before, facts := rows(t, have, from, to), catalog(t, have)

	planned, err := plan.Between(from, to, policy)
	got := ""
	if err != nil {
		got = err.Error() + "\n"
	} else {
		got = planned.SQL()
	}
	name := "plan.sql"
	if err != nil {
		name = "error"
	}
	got = strings.ReplaceAll(got, from.Database, "{database}")
	got = sizes.ReplaceAllString(got, " (… kB)")
	if *update {
		setSection(archive, name, got)
		require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
	} else if from.Major == printedBy {
		require.Equal(t, section(name), got)
	}
	if err != nil {
		return
	}

	again, err := plan.Between(from, to, policy)
	require.NoError(t, err)
	require.Equal(t, planned, again, "the same states give the same plan")
	apply(t, have, planned)
	after := inspect(t, have)
	rest, err := plan.Between(after, to, policy)
	require.NoError(t, err)
	require.True(t, rest.Empty(), "what is left to do:\n%s", rest.SQL())
	require.Equal(t, before, rows(t, have, from, to), "rows")
	target, found := catalog(t, want), catalog(t, have)
	require.Empty(t, state.Missing(target, found), "facts of the second schema that are missing")
	objects := map[string]bool{}
	for _, fact := range facts {
		objects[objectOf(fact)] = true
	}
	for _, fact := range state.Missing(found, target) {
		// Other facts must be as before. What the policy keeps of views and checks may have been written again for other types.
		same := slices.Contains(facts, fact) || (policy.KeepViews || policy.KeepChecks) && objects[objectOf(fact)] ||
			policy.KeepComments && strings.HasSuffix(fact, ": comment Theirs.") || // on an object with another name now
			strings.HasPrefix(fact, "sequence ") && strings.HasSuffix(fact, ": owned by nothing") // something else uses it
		require.True(t, same, "unexpected fact %s", fact)
	}
	for _, v := range after.Views {
		if old := from.View(v.Name); old != nil {
			kept := slices.DeleteFunc(slices.Clone(old.Grants), func(g state.Grant) bool {
				return g.Column != "" && !slices.ContainsFunc(v.Columns, func(c state.ViewColumn) bool { return c.Name == g.Column })
			})
			require.Equal(t, kept, v.Grants, v.Name)
			require.Equal(t, old.Owner, v.Owner, v.Name)
		}
	}
	if check := section("check.sql"); check != "" {
		var holds bool
		require.NoError(t, have.QueryRowContext(t.Context(), check).Scan(&holds))
		require.True(t, holds, check)
	}
	refresh(t, have, after)
}

// objectOf returns the object of a fact.
func objectOf(fact string) string {
	object, _, _ := strings.Cut(fact, ": ")
	return object
}

func setSection(archive *txtar.Archive, name, text string) {
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "plan.sql" || f.Name == "error" })
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
}

// build creates a database.
func build(t testing.TB, text string) *sql.DB {
	t.Helper()
	db := open(t, dbtest.Empty(t))
	text = strings.ReplaceAll(text, "\\schema\n", schema(t))
	wide := strings.Replace(schema(t), "CREATE TABLE urls (\n    id serial", "CREATE TABLE urls (\n    id bigserial", 1)
	text = strings.ReplaceAll(text, "\\schema bigint\n", wide)
	run(t, db, text)
	return db
}

// schema returns all files of sql/schema.
func schema(t testing.TB) string {
	t.Helper()
	names, err := fs.Glob(sqlfiles.Schema, "*.sql")
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range names {
		text, err := fs.ReadFile(sqlfiles.Schema, name)
		require.NoError(t, err)
		all.Write(append(text, '\n'))
	}
	return all.String()
}

// catalog returns all facts of the schema except owners and privileges.
func catalog(t testing.TB, db *sql.DB) []string {
	t.Helper()
	facts, err := state.Facts(t.Context(), db, state.NoAccess())
	require.NoError(t, err)
	return facts
}

func open(t testing.TB, url string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	config.RuntimeParams["search_path"] = "public"
	config.RuntimeParams["client_min_messages"] = "warning"
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func run(t testing.TB, db *sql.DB, text string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

func inspect(t testing.TB, db *sql.DB) *state.State {
	t.Helper()
	s, err := state.Inspect(t.Context(), db, nil)
	require.NoError(t, err)
	require.NoError(t, state.ReadRefreshes(t.Context(), db, s, "materialized_view_refreshes"))
	return s
}

// makeRoles creates roles and drops them after the test. Other tests use the same server concurrently.
func makeRoles(t *testing.T, roles []string) {
	t.Helper()
	if roles[0] == "" {
		return
	}
	admin := open(t, dbtest.Empty(t))
	for _, role := range roles {
		// A run that was killed leaves its roles on the server.
		run(t, admin, "DO $$ BEGIN CREATE ROLE "+role+"; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
		// Databases created after this are dropped before the role, but a killed run may have left one that needs the role.
		t.Cleanup(func() { _, _ = admin.ExecContext(context.Background(), "DROP ROLE "+role) })
	}
}

// apply executes a plan phase by phase, and compares what each statement does to the relations that the database has with what
// its hazards say.
func apply(t testing.TB, db *sql.DB, p *plan.Plan) {
	t.Helper()
	existing, _ := relations(t, db)
	for _, phase := range p.Phases {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		if phase.Transactional {
			tx, err := conn.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			execute(t, tx, p, phase, existing)
			require.NoError(t, tx.Commit())
		} else {
			execute(t, conn, p, phase, existing)
		}
		require.NoError(t, conn.Close())
	}
}

func execute(t testing.TB, db executor, p *plan.Plan, phase plan.Phase, existing map[string]relation) {
	t.Helper()
	m := newMeter(t, db, existing)
	for _, s := range phase.Statements {
		effects, err := m.measure(t, db, s)
		require.NoError(t, err, "%s\n%s", s.SQL, p.SQL())
		for name, e := range effects {
			require.Empty(t, lies(s, name, e, phase.Transactional))
		}
	}
}

// rows returns, for each table that both states have, the values of its rows in the columns that both have.
func rows(t testing.TB, db *sql.DB, from, to *state.State) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range from.Details {
		other := to.Table(table.Name)
		if other == nil {
			continue
		}
		var columns []string
		for _, c := range table.Columns {
			// Leave out columns whose values are generated differently or stored less exactly.
			if slices.ContainsFunc(other.Columns, func(w state.Column) bool {
				return w.Name == c.Name && w.Generated == c.Generated &&
					(w.Type == c.Type || !exactTypes.MatchString(c.Type) && !exactTypes.MatchString(w.Type))
			}) {
				columns = append(columns, state.Ident(c.Name)+"::text")
			}
		}
		slices.Sort(columns)
		query := fmt.Sprintf("SELECT ROW(%s)::text AS r FROM %s", strings.Join(columns, ", "), state.Ident(table.Name))
		all[table.Name] = content(t, db, query)
	}
	return all
}

// content returns all rows of a query with the single column r, sorted.
func content(t testing.TB, db *sql.DB, query string) (text string) {
	t.Helper()
	query = fmt.Sprintf(`SELECT coalesce(string_agg(r, E'\n' ORDER BY r COLLATE "C"), '') FROM (%s) AS q`, query)
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&text), query)
	return text
}

// refresh requires that a refresh does not change the materialized views, and that it can be concurrent exactly if the state
// says so.
func refresh(t testing.TB, db *sql.DB, s *state.State) {
	t.Helper()
	for _, v := range s.Views {
		if !v.Materialized {
			run(t, db, "SELECT * FROM "+state.Ident(v.Name))
			continue
		}
		if !v.Populated {
			run(t, db, "REFRESH MATERIALIZED VIEW "+state.Ident(v.Name))
		}
		query := fmt.Sprintf("SELECT v::text AS r FROM %s AS v", state.Ident(v.Name))
		before := content(t, db, query)
		_, err := db.ExecContext(t.Context(), "REFRESH MATERIALIZED VIEW CONCURRENTLY "+state.Ident(v.Name))
		if slices.ContainsFunc(v.Indexes, func(i *state.Index) bool { return i.Concurrent }) {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "cannot refresh materialized view")
		}
		require.Equal(t, before, content(t, db, query), v.Name)
	}
}
