package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
)

// TestAdoption adopts a database of the service that Docket succeeds with the commands of docs/operations.md: show the
// difference, apply it, record the migrations, reconcile, serve; then it imports. No row and no object of the other service may
// be lost.
func TestAdoption(t *testing.T) {
	t.Setenv("DS_APP_SECRET_KEY", "0123456789abcdef0123456789abcdef")
	url := dbtest.Reference(t, dbtest.January)
	adopted := &adoption{t: t, url: url, db: dbtest.Connect(t, url), page: pageCommands(t, "Adopt a database of the reference")}
	rows, theirs := adopted.rows(), adopted.neighbours()
	require.NotEmpty(t, theirs)

	adopted.plan()
	require.Equal(t, rows, adopted.rows(), "a diff changes nothing")
	adopted.apply(adopted.next("schema", "apply"))
	adopted.noDifference(adopted.next(noDifference...))

	after := adopted.rows()
	for table := range rows {
		require.Equal(t, rows[table], after[table], table)
	}
	require.Subset(t, adopted.neighbours(), theirs, "objects that Docket does not know are kept")

	adopted.baseline()
	require.NotEmpty(t, adopted.docket(adopted.next("queue", "reconcile")...))
	require.Equal(t, "0 differences\n", adopted.docket(adopted.next("queue", "verify")...))
	adopted.noDifference(noDifference)

	require.Equal(t, []string{"serve"}, adopted.next("serve"))
	require.Empty(t, adopted.page)
	adopted.serve("queue")
	adopted.importRealFiles()
	adopted.refresh()
	adopted.serve("matview")
	require.Equal(t, "0 differences\n", adopted.docket("queue", "verify"))
}

// adoption is one database that Docket adopts from the other service.
type adoption struct {
	t    *testing.T
	url  string
	db   *pgx.Conn
	page [][]string // the commands of the page that are still to be run
}

// next returns the next command of the page, which must begin with the given words.
func (a *adoption) next(words ...string) []string {
	a.t.Helper()
	require.NotEmpty(a.t, a.page)
	command := a.page[0]
	a.page = a.page[1:]
	require.Equal(a.t, words, command[:min(len(words), len(command))])
	return command
}

func (a *adoption) docket(args ...string) string {
	a.t.Helper()
	return succeed(a.t, append(args, "--database-url", a.url)...)
}

// schema runs a command of docket schema for production, as in the root of the repository. Scratch databases are on the same
// server as the database: starting a server for each command would take longer than the rest of the test.
func (a *adoption) schema(args ...string) (status int, stdout, stderr string) {
	a.t.Helper()
	return docket(a.t, append(args, "--config", "file://../../atlas.hcl", "--to", "file://../../sql/schema",
		"--database-url", a.url, "--dev-url", a.url)...)
}

func (a *adoption) apply(command []string) {
	a.t.Helper()
	status, _, stderr := a.schema(append(command, "--auto-approve")...)
	require.Zero(a.t, status, stderr)
	require.Contains(a.t, stderr, "run docket queue reconcile")
}

// list returns the first column of a query as texts.
func (a *adoption) list(sql string, args ...any) []string {
	a.t.Helper()
	return dbtest.List(a.t, a.db, sql, args...)
}

// rows returns the number of rows of each table and a checksum of all their values, by column name.
func (a *adoption) rows() map[string]string {
	a.t.Helper()
	digests := make(map[string]string)
	for _, table := range a.list(`
SELECT relname::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'atlas_schema_revisions'`) {
		digests[table] = a.list(`SELECT concat(count(*), ' ', md5(string_agg(r, E'\n' ORDER BY r COLLATE "C")))
FROM (SELECT to_jsonb(t)::text AS r FROM ` + pgx.Identifier{table}.Sanitize() + ` t) AS rows`)[0]
	}
	return digests
}

// neighbours describes the objects that are not part of Docket's schema: functions, triggers, types, tables and views of
// others, their privileges, and the columns that they added.
func (a *adoption) neighbours() []string {
	a.t.Helper()
	return a.list(`
SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
UNION ALL SELECT 'aggregate ' || oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'a'
UNION ALL SELECT concat_ws(' ', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'domain ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'
UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ('labeler_notes'::regclass, 'alembic_version'::regclass)
UNION ALL SELECT concat_ws(' ', relname, relkind, relacl, obj_description(oid), pg_get_viewdef(oid)) FROM pg_class
    WHERE relname IN ('alembic_version', 'labeler_notes', 'labeler_workload', 'labeler_dashboard', 'batches')
UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'labeler_notes'::regclass`)
}

// plan shows the difference before anything is changed.
func (a *adoption) plan() {
	a.t.Helper()
	status, plan, stderr := a.schema(append(a.next("schema", "diff"), "--exit-code")...)
	require.Equal(a.t, 1, status, stderr)
	require.NotContains(a.t, plan, "DROP TABLE")
	require.NotContains(a.t, plan, "DROP COLUMN")
	require.NotContains(a.t, plan, "drops data")
	for _, named := range []string{
		"alembic_version", "labeler_notes", "labeler_workload", "labeler_dashboard", "ticket", "ticket_number", "locate_state()", "log_change()",
		"after_locality_insert", "any_text",
	} {
		require.Contains(a.t, plan+stderr, named, "the plan lists the objects that it leaves alone")
	}
}

var noDifference = []string{"schema", "diff", "--env", "prod", "--exit-code"}

func (a *adoption) noDifference(command []string) {
	a.t.Helper()
	status, plan, stderr := a.schema(command...)
	require.Zero(a.t, status, "%s%s", plan, stderr)
}

// baseline records that the database has what the migrations create.
func (a *adoption) baseline() {
	a.t.Helper()
	status, _, stderr := docket(a.t, "migrate", "apply", "--database-url", a.url)
	require.Equal(a.t, exitFailure, status)
	require.Contains(a.t, stderr, "--baseline", "the refusal names the next command")
	a.docket(append(a.next("migrate", "apply", "--baseline"), "--dev-url", a.url)...)
	require.Contains(a.t, a.docket("migrate", "status"), "state     ok")
}

// nextURL is the definition of the URL that a user without annotations gets.
const nextURL = `
SELECT u.id::text FROM urls u
LEFT JOIN (
    SELECT url_id FROM annotation__agency__auto__subtasks
    UNION ALL SELECT url_id FROM annotation__location__auto__subtasks
    UNION ALL SELECT url_id FROM annotation__record_type__auto
    UNION ALL SELECT url_id FROM annotation__url_type__auto
    UNION ALL SELECT url_id FROM annotation__agency__user
    UNION ALL SELECT url_id FROM annotation__location__user
    UNION ALL SELECT url_id FROM annotation__record_type__user
    UNION ALL SELECT url_id FROM annotation__url_type__user
) AS a ON a.url_id = u.id
WHERE u.status = 'ok'
    AND NOT EXISTS (SELECT FROM flag_url_validated f WHERE f.url_id = u.id)
    AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = u.id)
GROUP BY u.id
ORDER BY count(a.url_id) DESC, u.id
LIMIT 1`

// serve gets the next URL and posts an answer under one of the rankings.
func (a *adoption) serve(ranking string) {
	a.t.Helper()
	docket := serve(a.t, "--database-url", a.url, "--ranking", ranking)
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
	status, body = docket.post(a.t, fmt.Sprintf("/annotate/all/%d", next.Annotation.URL.ID), a.token(user), answer)
	require.Equal(a.t, http.StatusConflict, status, body)
}

func (a *adoption) token(user string) string {
	a.t.Helper()
	return strings.TrimSpace(a.docket("token", "--user", user))
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

// importRealFiles imports both real files, that of the agencies twice. The triggers create the locations of new places, and
// Docket creates only the missing ones.
func (a *adoption) importRealFiles() {
	a.t.Helper()
	const doubled = `SELECT full_display_name FROM locations_expanded GROUP BY type, full_display_name, state_id, county_id, locality_id
HAVING count(*) > 1`
	require.Equal(a.t, []string{"Monroeville, Allegheny, Pennsylvania"}, a.list(doubled), "from the other service")
	agencies, urls := dbtest.DataFile(a.t, "agencies.csv").Name(), dbtest.DataFile(a.t, "urls.csv").Name()
	a.docket("import", "agencies", agencies)
	require.Equal(a.t, []string{"Monroeville, Allegheny, Pennsylvania"}, a.list(doubled))
	require.Empty(a.t, a.list(`
SELECT state_iso FROM us_states s WHERE NOT EXISTS (SELECT FROM locations l WHERE l.type = 'State' AND l.state_id = s.id)
UNION ALL SELECT fips FROM counties c WHERE NOT EXISTS (SELECT FROM locations l WHERE l.type = 'County' AND l.county_id = c.id)
UNION ALL SELECT name FROM localities p WHERE NOT EXISTS (SELECT FROM locations l WHERE l.type = 'Locality' AND l.locality_id = p.id)`),
		"every place has a location")
	require.Equal(a.t, []string{"23202"}, a.list("SELECT min(id)::text FROM agencies WHERE id > 23201"), "ids continue after those of the other service")
	a.docket("import", "urls", urls, "--robo")

	before := a.rows()
	require.Contains(a.t, a.docket("import", "agencies", agencies), "nothing new")
	require.Equal(a.t, before, a.rows(), "a second import changes nothing, not even through triggers")
}

// refresh refreshes every view without blocking readers.
func (a *adoption) refresh() {
	a.t.Helper()
	views := a.list("SELECT matviewname::text FROM pg_matviews WHERE schemaname = 'public' ORDER BY 1")
	require.Len(a.t, views, 5)
	for _, view := range views {
		dbtest.Exec(a.t, a.db, "REFRESH MATERIALIZED VIEW CONCURRENTLY "+pgx.Identifier{view}.Sanitize())
	}
	var results []refreshResult
	require.NoError(a.t, json.Unmarshal([]byte(a.docket("refresh", "--json")), &results))
	refreshed := make(map[string]string)
	for _, result := range results {
		refreshed[result.View] = result.Outcome
	}
	require.Equal(a.t, views, slices.Sorted(maps.Keys(refreshed)))
	require.NotContains(a.t, slices.Collect(maps.Values(refreshed)), "failed")
}

// TestAdoptionRefused applies the schema to databases whose rows violate it: nothing changes, and the message names the rows.
func TestAdoptionRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil, mend string
		refusal     []string
	}{
		"a rule that the trigger did not enforce on updates": {
			spoil: "UPDATE annotation__agency__user SET agency_id = 23191 WHERE is_new AND id = (SELECT min(id) FROM annotation__agency__user WHERE is_new)",
			mend:  "UPDATE annotation__agency__user SET is_new = NULL WHERE agency_id IS NOT NULL",
			refusal: []string{
				"annotation__agency__user_is_new_check", "rows of annotation__agency__user that break it (1): id ",
				"SELECT * FROM",
			},
		},
		"a dropped key": {
			spoil: `ALTER TABLE annotation__location__auto__subtasks DROP CONSTRAINT uq_annotation__location__auto__subtasks_url_id_type;
				INSERT INTO annotation__location__auto__subtasks (task_id, url_id, type, locations_found) VALUES (17, 3, 'batch_link', false)`,
			mend: "DELETE FROM annotation__location__auto__subtasks WHERE id = (SELECT max(id) FROM annotation__location__auto__subtasks)",
			refusal: []string{
				"annotation__location__auto__subtasks_url_id_type_key", "rows of annotation__location__auto__subtasks that break it (2): id ", "SELECT * FROM",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.Reference(t, dbtest.January)
			refused := &adoption{t: t, url: url, db: dbtest.Connect(t, url)}
			_, err := refused.db.Exec(t.Context(), test.spoil)
			require.NoError(t, err)
			rows, theirs, catalog := refused.rows(), refused.neighbours(), refused.catalog()

			apply := []string{"schema", "apply", "--env", "prod"}
			status, _, stderr := refused.schema(append(apply, "--auto-approve")...)
			require.NotZero(t, status)
			for _, text := range test.refusal {
				require.Contains(t, stderr, text)
			}
			require.Equal(t, rows, refused.rows())
			require.Equal(t, theirs, refused.neighbours())
			require.Equal(t, catalog, refused.catalog(), "nothing changed")

			_, err = refused.db.Exec(t.Context(), test.mend)
			require.NoError(t, err)
			refused.apply(apply)
			refused.noDifference(noDifference)
		})
	}
}

// catalog lists every relation, constraint and view definition.
func (a *adoption) catalog() []string {
	a.t.Helper()
	return a.list(`
SELECT concat_ws(' ', relname, relkind, pg_get_viewdef(oid)) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'S', 'm', 'v')
UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
ORDER BY 1`)
}
