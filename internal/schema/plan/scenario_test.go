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

// sizes differ from one version of PostgreSQL to the next.
var sizes = regexp.MustCompile(` \([0-9.]+ kB\)`)

var exact = regexp.MustCompile(`^(numeric|timestamp)`)

// printedBy is the major version that printed the definitions in the scenarios. On others, which print them otherwise, all but
// the text of the plans is tested.
const printedBy = 15

var update = flag.Bool("update", false, "write the plans that were made into the scenarios")

// TestScenarios plans the way from one schema to another, and goes it with rows in the tables. A scenario is a txtar archive:
//
//	roles      names, one a line, of roles that the rest needs
//	base.sql   what is there and wanted alike; a line "\schema" stands for all files of sql/schema,
//	           "\schema bigint" for the same with urls.id a bigint
//	from.sql   what else is there
//	data.sql   rows, and whatever else the database has that the files do not
//	to.sql     what else is wanted
//	check.sql  a query that has to give true afterwards
//	policy     a plan.Policy as JSON, if it is not the usual one
//	plan.sql   the plan, compared, or written with -update
//	error      instead of the plan, what planning says
//
// After each plan the database has all rows that it had, needs no other plan, differs in no fact from one that was built from
// to.sql, and its materialized views are filled and can be refreshed while they are read.
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
	wanted, found := catalog(t, want), catalog(t, have)
	require.Empty(t, state.Missing(wanted, found), "facts of the wanted schema that are missing")
	objects := map[string]bool{}
	for _, fact := range facts {
		objects[objectOf(fact)] = true
	}
	for _, fact := range state.Missing(found, wanted) {
		// What is left over was there before. A view that the policy keeps may have been built again with other types.
		same := slices.Contains(facts, fact) || policy.KeepViews && objects[objectOf(fact)]
		require.True(t, same, "nobody wanted %s", fact)
	}
	for _, v := range after.Views {
		if had := from.View(v.Name); had != nil {
			kept := slices.DeleteFunc(slices.Clone(had.Grants), func(g state.Grant) bool {
				return g.Column != "" && !slices.ContainsFunc(v.Columns, func(c state.ViewColumn) bool { return c.Name == g.Column })
			})
			require.Equal(t, kept, v.Grants, v.Name)
			require.Equal(t, had.Owner, v.Owner, v.Name)
		}
	}
	if check := section("check.sql"); check != "" {
		var holds bool
		require.NoError(t, have.QueryRowContext(t.Context(), check).Scan(&holds))
		require.True(t, holds, check)
	}
	refresh(t, have, after)
}

// objectOf is what a fact is about.
func objectOf(fact string) string {
	object, _, _ := strings.Cut(fact, ": ")
	return object
}

func setSection(archive *txtar.Archive, name, text string) {
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "plan.sql" || f.Name == "error" })
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text)})
}

// build makes a database.
func build(t testing.TB, text string) *sql.DB {
	t.Helper()
	db := open(t, dbtest.Empty(t))
	text = strings.ReplaceAll(text, "\\schema\n", schema(t))
	wide := strings.Replace(schema(t), "CREATE TABLE urls (\n    id serial", "CREATE TABLE urls (\n    id bigserial", 1)
	text = strings.ReplaceAll(text, "\\schema bigint\n", wide)
	run(t, db, text)
	return db
}

// schema is all of sql/schema.
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

// catalog is all that PostgreSQL knows of the schema, apart from who may do what.
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

// makeRoles makes roles that go with the test. Roles are the server's, which other tests use at the same time.
func makeRoles(t *testing.T, roles []string) {
	t.Helper()
	if roles[0] == "" {
		return
	}
	admin := open(t, dbtest.Empty(t))
	for _, role := range roles {
		// A run that was killed has left its roles on the server.
		run(t, admin, "DO $$ BEGIN CREATE ROLE "+role+"; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
		// Databases made from here on go first, and with them all that refers to the role, unless one such is left of that run.
		t.Cleanup(func() { _, _ = admin.ExecContext(context.Background(), "DROP ROLE "+role) })
	}
}

// apply executes a plan as it asks for.
func apply(t testing.TB, db *sql.DB, p *plan.Plan) {
	t.Helper()
	for _, phase := range p.Phases {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		if phase.Transactional {
			tx, err := conn.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			for _, s := range phase.Statements {
				_, err := tx.ExecContext(t.Context(), s.SQL)
				require.NoError(t, err, "%s\n%s", s.SQL, p.SQL())
			}
			require.NoError(t, tx.Commit())
		} else {
			for _, s := range phase.Statements {
				_, err := conn.ExecContext(t.Context(), s.SQL)
				require.NoError(t, err, "%s\n%s", s.SQL, p.SQL())
			}
		}
		require.NoError(t, conn.Close())
	}
}

// rows gives, for each table that both states have, what its rows hold in the columns that both have.
func rows(t testing.TB, db *sql.DB, from, to *state.State) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range from.Details {
		wanted := to.Table(table.Name)
		if wanted == nil {
			continue
		}
		var columns []string
		for _, c := range table.Columns {
			// A value that is computed otherwise, or kept less exactly, is another one.
			if slices.ContainsFunc(wanted.Columns, func(w state.Column) bool {
				return w.Name == c.Name && w.Generated == c.Generated && (w.Type == c.Type || !exact.MatchString(c.Type))
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

// content is all rows of a query whose one column is r.
func content(t testing.TB, db *sql.DB, query string) (text string) {
	t.Helper()
	query = fmt.Sprintf(`SELECT coalesce(string_agg(r, E'\n' ORDER BY r COLLATE "C"), '') FROM (%s) AS q`, query)
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&text), query)
	return text
}

// refresh requires of each materialized view that it holds what it should and can be refreshed while it is read.
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
