package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	sqlfiles "docket/sql"

	"docket/internal/dbtest"
)

// TestAdoption adopts databases of the service that Docket succeeds with the commands of docs/operations.md as they stand: show the
// difference, apply it, record the migrations, reconcile, serve; then it imports. No row and no object of the other service may
// be lost.
func TestAdoption(t *testing.T) {
	for _, revision := range []dbtest.Revision{dbtest.December, dbtest.January} {
		t.Run(string(revision), func(t *testing.T) {
			adopt := newAdoptee(t, revision)
			adopt.page = pageCommands(t, "Adopt a database of the reference")
			agencies, urls := someOf(t, "agencies.csv"), someOf(t, "urls.csv")
			t.Chdir(repository)
			t.Setenv("DATABASE_URL", adopt.url)
			t.Setenv("ATLAS_DEV_URL", adopt.url)
			t.Setenv("DS_APP_SECRET_KEY", "0123456789abcdef0123456789abcdef")
			rows, theirs, former := adopt.rows(), adopt.neighbours(), adopt.former()
			require.NotEmpty(t, theirs)

			adopt.plan()
			require.Equal(t, rows, adopt.rows(), "a diff changes nothing")
			adopt.apply(adopt.next("schema", "apply"))
			require.Equal(t, "-- Nothing has to be done.\n", firstLine(succeed(t, adopt.next(noDifference...)...)))

			after := adopt.rows()
			for table := range rows {
				require.Equal(t, rows[table], after[table], table)
			}
			require.Subset(t, adopt.neighbours(), theirs, "objects that Docket does not know are kept")
			require.Equal(t, former, adopt.list("SELECT concat_ws(' ', url_id, status) FROM url_former_status ORDER BY url_id"))

			require.Empty(t, adopt.constraintsOfOthers(), "rules of the other service are replaced by Docket's, unlike those of operators")
			adopt.baseline()
			require.NotEmpty(t, succeed(t, adopt.next("queue", "reconcile")...))
			require.Equal(t, "0 differences\n", succeed(t, adopt.next("queue", "verify")...))
			succeed(t, noDifference...)
			require.Empty(t, adopt.list("SELECT f.url_id::text FROM url_former_status f JOIN annotation_queue q USING (url_id) "+
				"WHERE NOT eligible AND NOT EXISTS (SELECT FROM flag_url_validated v WHERE v.url_id = f.url_id) "+
				"AND NOT EXISTS (SELECT FROM flag_url_suspended s WHERE s.url_id = f.url_id)"),
				"URLs that were broken or duplicates are offered")

			require.Equal(t, []string{"serve"}, adopt.next("serve"))
			require.Empty(t, adopt.page)
			adopt.serve("queue")
			adopt.migrateSession()
			if revision == dbtest.January { // the triggers are the same in both
				adopt.importRows(agencies, urls)
			}
			adopt.refresh()
			adopt.serve("matview", "--reserve", "0") // the order alone decides, although the user has reserved a URL above
			require.Equal(t, "0 differences\n", succeed(t, "queue", "verify"))
			if revision == dbtest.December {
				adopt.migrateEarlier()
			}
		})
	}
}

// someOf writes every tenth row of a real file and returns its path. The tests of package imports read all rows.
func someOf(t *testing.T, name string) string {
	t.Helper()
	rows, err := csv.NewReader(dbtest.DataFile(t, name)).ReadAll()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name)
	file, err := os.Create(path)
	require.NoError(t, err)
	some := csv.NewWriter(file)
	for i, row := range rows {
		if i%10 == 0 { // with the header
			require.NoError(t, some.Write(row))
		}
	}
	some.Flush()
	require.NoError(t, errors.Join(some.Error(), file.Close()))
	return path
}

// adoptee is one database that Docket adopts from the other service.
type adoptee struct {
	t        *testing.T
	revision dbtest.Revision
	url      string
	db       *pgx.Conn
	page     [][]string // the commands of the page that are still to be run
}

func newAdoptee(t *testing.T, revision dbtest.Revision) *adoptee {
	t.Helper()
	url := dbtest.Reference(t, revision)
	return &adoptee{t: t, revision: revision, url: url, db: dbtest.Connect(t, url)}
}

// next returns the next command of the page, which must begin with the given words.
func (a *adoptee) next(words ...string) []string {
	a.t.Helper()
	require.NotEmpty(a.t, a.page)
	command := a.page[0]
	a.page = a.page[1:]
	require.Equal(a.t, words, command[:min(len(words), len(command))])
	return command
}

// schema runs a command of docket schema for production, without the environment. Scratch databases are on the same server as the
// database: starting a server for each command would take longer than the rest of the test.
func (a *adoptee) schema(args ...string) (status int, stdout, stderr string) {
	a.t.Helper()
	return docket(a.t, append(args, "--config", "file://../../atlas.hcl", "--to", schemaFolder,
		"--database-url", a.url, "--dev-url", a.url)...)
}

// apply runs the command without a terminal to ask on.
func (a *adoptee) apply(command []string) {
	a.t.Helper()
	status, _, stderr := docket(a.t, append(command, "--auto-approve")...)
	require.Zero(a.t, status, stderr)
	require.Contains(a.t, stderr, "run docket queue reconcile")
	require.Contains(a.t, stderr, "Restart the reference")
	require.Contains(a.t, stderr, string(a.revision))
}

// list returns the first column of a query as texts.
func (a *adoptee) list(sql string, args ...any) []string {
	a.t.Helper()
	return dbtest.List(a.t, a.db, sql, args...)
}

// constraintsOfOthers lists the constraints and indexes that the database has and Docket's schema lacks.
func (a *adoptee) constraintsOfOthers() (only []string) {
	a.t.Helper()
	const constraints = `
SELECT conrelid::regclass || ' ' || conname FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND conrelid NOT IN (
    SELECT oid FROM pg_class WHERE relname IN ('labeler_notes', 'alembic_version', 'atlas_schema_revisions'))
UNION ALL SELECT indrelid::regclass || ' ' || indexrelid::regclass FROM pg_index
JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = 'public'::regnamespace AND relname NOT IN ('labeler_notes', 'alembic_version', 'atlas_schema_revisions')
ORDER BY 1`
	dockets := dbtest.List(a.t, dbtest.Connect(a.t, dbtest.URL(a.t)), constraints)
	return slices.DeleteFunc(a.list(constraints), func(name string) bool { return slices.Contains(dockets, name) })
}

// rows returns the number of rows of each table, under the name that Docket gives it, and a checksum of all their values by
// column name, without those of urls.status.
func (a *adoptee) rows() map[string]string {
	a.t.Helper()
	digests := make(map[string]string)
	for _, table := range a.list(`
SELECT relname::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'atlas_schema_revisions'`) {
		value := "to_jsonb(t)"
		if table == "urls" {
			value += " - 'status'"
		}
		digests[renames.Replace(table)] = a.list(`SELECT concat(count(*), ' ', md5(string_agg(r, E'\n' ORDER BY r COLLATE "C")))
FROM (SELECT (` + value + `)::text AS r FROM ` + pgx.Identifier{table}.Sanitize() + ` t) AS rows`)[0]
	}
	return digests
}

// former lists the URLs whose status is not ok.
func (a *adoptee) former() []string {
	a.t.Helper()
	if a.revision != dbtest.December {
		return []string{}
	}
	former := a.list("SELECT concat_ws(' ', id, status) FROM urls WHERE status <> 'ok' ORDER BY id")
	require.NotEmpty(a.t, former)
	return former
}

// renames replaces names of tables of December by those of January.
var renames = func() *strings.Replacer {
	text, err := fs.ReadFile(sqlfiles.Adoption, string(dbtest.December)+"/convert.sql")
	if err != nil {
		panic(err)
	}
	var pairs []string
	for _, match := range regexp.MustCompile(`ALTER TABLE (\w+) RENAME TO (\w+);`).FindAllStringSubmatch(string(text), -1) {
		pairs = append(pairs, match[1:]...)
	}
	return strings.NewReplacer(pairs...)
}()

// neighbours describes the objects that are not part of Docket's schema: functions, triggers, types, tables and views of
// others, their privileges, and the columns that they added.
func (a *adoptee) neighbours() []string {
	a.t.Helper()
	found := a.list(`
SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
UNION ALL SELECT 'aggregate ' || oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'a'
UNION ALL SELECT concat_ws(' ', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'domain ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'
UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ('labeler_notes'::regclass, 'alembic_version'::regclass)
UNION ALL SELECT concat_ws(' ', relname, relkind, relacl, obj_description(oid), pg_get_viewdef(oid)) FROM pg_class
    WHERE relname IN ('alembic_version', 'labeler_notes', 'labeler_workload', 'labeler_dashboard', 'batches')
UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'labeler_notes'::regclass`)
	for i := range found {
		found[i] = renames.Replace(found[i])
	}
	return found
}

// plan shows the difference before anything is changed.
func (a *adoptee) plan() {
	a.t.Helper()
	command := a.next("schema", "diff")
	status, plan, stderr := docket(a.t, append(command, "--exit-code")...)
	require.Equal(a.t, 1, status, stderr)
	require.Contains(a.t, stderr, string(a.revision))
	require.NotContains(a.t, plan, "DROP TABLE")
	require.NotContains(a.t, strings.Replace(plan, "ALTER TABLE urls DROP COLUMN status;", "", 1), "DROP COLUMN")
	require.NotContains(a.t, plan, "drops data")
	require.NotRegexp(a.t, "Left alone: (index|unique|primary key|check|foreign key|exclusion|comment)", plan, "a rule of the reference is not one of a DBA")
	require.Equal(a.t, a.revision == dbtest.December, strings.Contains(plan, "RENAME TO annotation__url_type__user;"))
	for _, named := range []string{
		"alembic_version", "labeler_notes", "labeler_workload", "labeler_dashboard", "ticket", "ticket_number", "locate_state()", "log_change()",
		"after_locality_insert", "any_text",
	} {
		require.Contains(a.t, plan+stderr, named, "the plan lists the objects that it leaves alone")
	}
}

var noDifference = []string{"schema", "diff", "--env", "prod", "--exit-code"}

func firstLine(text string) string { return text[:strings.Index(text, "\n")+1] }

// baseline records that the database has what the migrations create.
func (a *adoptee) baseline() {
	a.t.Helper()
	status, _, stderr := docket(a.t, "migrate", "apply")
	require.Equal(a.t, exitFailure, status)
	require.Contains(a.t, stderr, "--baseline", "the refusal names the next command")
	succeed(a.t, a.next("migrate", "apply", "--baseline")...)
	require.Contains(a.t, succeed(a.t, "migrate", "status"), "state     ok")
}

// nextURL is the definition of the URL that a user gets who has no annotations and follows nothing.
const nextURL = `
SELECT u.id::text FROM urls u
WHERE NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = u.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = u.id)
ORDER BY
    EXISTS (SELECT FROM link_batches__urls JOIN link_batches__locations USING (batch_id)
        JOIN link__locations__user_follows USING (location_id) WHERE url_id = u.id) DESC,
    u.source = 'manual' DESC,
    (SELECT count(*) FROM annotation__url_type__user a WHERE a.url_id = u.id) DESC,
    (SELECT count(*) FROM annotation__url_type__anon a WHERE a.url_id = u.id) DESC,
    (SELECT count(*) FROM annotation__url_type__auto a WHERE a.url_id = u.id) DESC,
    u.id
LIMIT 1`

// serve gets the next URL and posts an answer under one of the rankings.
func (a *adoptee) serve(ranking string, flags ...string) {
	a.t.Helper()
	docket := serve(a.t, append([]string{"--ranking", ranking}, flags...)...)
	defer docket.stop()
	docket.ready(a.t)

	var next struct {
		Annotation *struct {
			URL struct {
				ID int `json:"url_id"`
			} `json:"url_info"`
		} `json:"next_annotation"`
	}
	status, body := docket.get(a.t, "/annotate/all", a.token("1001"))
	require.Equal(a.t, http.StatusOK, status, body)
	require.NoError(a.t, json.Unmarshal([]byte(body), &next))
	require.NotNil(a.t, next.Annotation, body)
	require.Equal(a.t, a.list(nextURL), []string{fmt.Sprint(next.Annotation.URL.ID)}, ranking)

	if ranking == "queue" { // a requested URL is shown in the same form under both rankings
		// Among them one without a text, one that all users annotated, and one with two locations of the same place.
		token := a.token("1001")
		for id := range 241 {
			status, body := docket.get(a.t, fmt.Sprintf("/annotate/all?anno_url_id=%d", id+1), token)
			require.Equal(a.t, http.StatusOK, status, body)
		}
	}

	user := map[string]string{"queue": "1002", "matview": "1003"}[ranking]
	answer := fmt.Sprintf(`{"suggested_status": "data source", "record_type": "Stops", "agency_info": {"agency_ids": [23191]},
		"location_info": {"location_ids": [%s]}, "name_info": {"new_name": "A name by %s"}}`, a.list("SELECT min(id)::text FROM locations")[0], user)
	status, body = docket.post(a.t, fmt.Sprintf("/annotate/all/%d", next.Annotation.URL.ID), a.token(user), answer)
	require.Equal(a.t, http.StatusOK, status, body)
	require.NotContains(a.t, body, fmt.Sprintf(`"url_id":%d}`, next.Annotation.URL.ID), "the response has another URL")
	require.Equal(a.t, []string{"data source"}, a.list("SELECT type::text FROM annotation__url_type__user WHERE user_id = $1::text::integer", user))
	another := strings.Replace(answer, "Stops", "Other", 1)
	status, body = docket.post(a.t, fmt.Sprintf("/annotate/all/%d", next.Annotation.URL.ID), a.token(user), another)
	require.Equal(a.t, http.StatusConflict, status, body)
}

// migrateSession makes the annotations of a session of the other service those of a user, names included.
func (a *adoptee) migrateSession() {
	a.t.Helper()
	const session = "00000000-0000-4000-8000-000000000003"
	names := a.list("SELECT suggestion_id::text FROM annotation__name__anon__endorsements WHERE session_id = $1 ORDER BY suggestion_id", session)
	require.Equal(a.t, a.revision == dbtest.January, len(names) > 0)
	docket := serve(a.t)
	defer docket.stop()
	docket.ready(a.t)
	status, body := docket.post(a.t, "/annotate/migrate?session_id="+session, a.token("1004"), "")
	require.Equal(a.t, http.StatusOK, status, body)
	require.Equal(a.t, names, a.list("SELECT suggestion_id::text FROM annotation__name__user__endorsements WHERE user_id = 1004 ORDER BY suggestion_id"))
	require.Empty(a.t, a.list("SELECT url_id::text FROM annotation__url_type__anon WHERE session_id = $1", session))
	require.NotEmpty(a.t, a.list("SELECT url_id::text FROM annotation__url_type__user WHERE user_id = 1004"))
}

func (a *adoptee) token(user string) string {
	a.t.Helper()
	return strings.TrimSpace(succeed(a.t, "token", "--user", user))
}

func (s serving) post(t *testing.T, path, token, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

// importRows imports rows of both real files, those of the agencies twice. The triggers create the locations of new places, and
// Docket creates only the missing ones.
func (a *adoptee) importRows(agencies, urls string) {
	a.t.Helper()
	const doubled = `SELECT full_display_name FROM locations_expanded GROUP BY type, full_display_name, state_id, county_id, locality_id
HAVING count(*) > 1`
	require.Equal(a.t, []string{"Monroeville, Allegheny, Pennsylvania"}, a.list(doubled), "from the other service")
	succeed(a.t, "import", "agencies", agencies)
	require.Equal(a.t, []string{"Monroeville, Allegheny, Pennsylvania"}, a.list(doubled))
	require.Empty(a.t, a.list(`
SELECT state_iso FROM us_states s WHERE NOT EXISTS (SELECT FROM locations l WHERE l.type = 'State' AND l.state_id = s.id)
UNION ALL SELECT fips FROM counties c WHERE NOT EXISTS (SELECT FROM locations l WHERE l.type = 'County' AND l.county_id = c.id)
UNION ALL SELECT name FROM localities p WHERE NOT EXISTS (SELECT FROM locations l WHERE l.type = 'Locality' AND l.locality_id = p.id)`),
		"every place has a location")
	require.Equal(a.t, []string{"23202"}, a.list("SELECT min(id)::text FROM agencies WHERE id > 23201"), "ids continue after those of the other service")
	status, _, stderr := docket(a.t, "import", "urls", urls, "--robo")
	require.Equal(a.t, exitRejected, status, stderr) // a row of the real file is no URL

	before := a.rows()
	require.Contains(a.t, succeed(a.t, "import", "agencies", agencies), "nothing new")
	require.Equal(a.t, before, a.rows(), "a second import changes nothing, not even through triggers")
}

// refresh refreshes every view without blocking readers.
func (a *adoptee) refresh() {
	a.t.Helper()
	views := a.list("SELECT matviewname::text FROM pg_matviews WHERE schemaname = 'public' ORDER BY 1")
	require.Len(a.t, views, 5)
	for _, view := range views {
		dbtest.Exec(a.t, a.db, "REFRESH MATERIALIZED VIEW CONCURRENTLY "+pgx.Identifier{view}.Sanitize())
	}
	var results []refreshResult
	require.NoError(a.t, json.Unmarshal([]byte(succeed(a.t, "refresh", "--json")), &results))
	refreshed := make(map[string]string)
	for _, result := range results {
		refreshed[result.View] = result.Outcome
	}
	require.Equal(a.t, views, slices.Sorted(maps.Keys(refreshed)))
	require.NotContains(a.t, slices.Collect(maps.Values(refreshed)), "failed")
}
