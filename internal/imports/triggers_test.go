package imports

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/db"
	"docket/internal/dbtest"
)

// locations counts the locations of each place.
const locations = "SELECT full_display_name || ' ' || count(*) FROM locations_expanded GROUP BY full_display_name ORDER BY 1"

func TestImportWithTriggers(t *testing.T) {
	t.Parallel()
	const agencies = "A,local,CO,08001,Adams,Brighton,\nB,county,CO,08001,Adams,,\nC,state,CO,,,,\nD,federal,,,,,\n"
	const urls = "x.org/1,data source,Stops,N,,A|B\nx.org/2,not relevant,,,,C\n"
	places := []string{"Adams, Colorado 1", "Brighton, Adams, Colorado 1", "Colorado 1", "United States 1"}

	plain, triggered := dbtest.New(t), dbtest.NewWithReferenceTriggers(t)
	summary := importAgencies(t, plain, agencies)
	require.Equal(t, int64(4), summary.Locations)
	require.Equal(t, places, dbtest.List(t, plain, locations))

	summary = importAgencies(t, triggered, agencies)
	require.Equal(t, []int64{1, 1, 1}, []int64{summary.States, summary.Counties, summary.Localities})
	require.Equal(t, int64(1), summary.Locations, "the nation has no trigger")
	require.Equal(t, places, dbtest.List(t, triggered, locations))
	require.Len(t, dbtest.List(t, triggered, "SELECT table_name FROM change_log WHERE operation_type = 'INSERT'"), 4, "the triggers work")
	const linked = `SELECT a.name || ': ' || l.full_display_name FROM agencies a JOIN link_agencies__locations k ON k.agency_id = a.id
		JOIN locations_expanded l ON l.id = k.location_id ORDER BY a.id`
	require.Equal(t, []string{"A: Brighton, Adams, Colorado", "B: Adams, Colorado", "C: Colorado", "D: United States"}, dbtest.List(t, triggered, linked))
	require.Equal(t, dbtest.List(t, plain, linked), dbtest.List(t, triggered, linked))

	require.Equal(t, importURLs(t, plain, urls, URLOptions{Robots: true}), importURLs(t, triggered, urls, URLOptions{Robots: true}))

	before := dbtest.Digests(t, triggered)
	require.True(t, importAgencies(t, triggered, agencies).Unchanged())
	again := importURLs(t, triggered, urls, URLOptions{Robots: true})
	require.True(t, again.Unchanged())
	require.Equal(t, before, dbtest.Digests(t, triggered), "updated_at does not change and nothing is logged")
}

// TestImportCompletesLocations imports into a database whose rows are older than its triggers: places without a location, or with
// two.
func TestImportCompletesLocations(t *testing.T) {
	t.Parallel()
	pool := dbtest.NewWithReferenceTriggers(t)
	importAgencies(t, pool, "A,local,CO,08001,Adams,Brighton,\n")
	for _, sql := range []string{
		"DELETE FROM locations WHERE type = 'State'",
		"INSERT INTO locations (type, state_id, county_id) SELECT type, state_id, county_id FROM locations WHERE type = 'County'",
	} {
		_, err := pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	summary := importAgencies(t, pool, "B,local,CO,08001,Adams,Brighton,\nC,county,CO,08001,Adams,,\nD,state,CO,,,,\n")
	require.Equal(t, int64(1), summary.Locations)
	require.Equal(t, []string{"Adams, Colorado 2", "Brighton, Adams, Colorado 1", "Colorado 1"}, dbtest.List(t, pool, locations))
	require.Equal(t, int64(4), count(t, pool, "link_agencies__locations")["link_agencies__locations"], "of two locations one is taken")
}

// TestImportDuringAnotherWriter stores the same places concurrently in a transaction that does not take the import lock.
func TestImportDuringAnotherWriter(t *testing.T) {
	t.Parallel()
	const agencies = "A,local,CO,08001,Adams,Brighton,\n"
	writes := map[string][]string{
		"state": {"INSERT INTO us_states (state_iso, state_name) VALUES ('CO', 'Colorado')"},
		"county": {
			"INSERT INTO us_states (state_iso, state_name) VALUES ('CO', 'Colorado')",
			"INSERT INTO counties (fips, name, state_id) VALUES ('08001', 'Adams', 1)",
		},
		"locality": {
			"INSERT INTO us_states (state_iso, state_name) VALUES ('CO', 'Colorado')",
			"INSERT INTO counties (fips, name, state_id) VALUES ('08001', 'Adams', 1)",
			"INSERT INTO localities (name, county_id) VALUES ('Brighton', 1)",
		},
	}
	for name, statements := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.NewWithReferenceTriggers(t)
			last := len(statements) - 1
			for _, sql := range statements[:last] {
				_, err := pool.Exec(t.Context(), sql)
				require.NoError(t, err)
			}
			other, err := pool.Begin(t.Context())
			require.NoError(t, err)
			_, err = other.Exec(t.Context(), statements[last])
			require.NoError(t, err)

			failed := make(chan error, 1)
			go func() {
				_, err := Agencies(t.Context(), pool, strings.NewReader(agencyHeader+agencies), Options{})
				failed <- err
			}()
			dbtest.WaitForLocks(t, pool, 1)
			require.NoError(t, other.Commit(t.Context()))
			require.NoError(t, <-failed)
			require.Equal(t, []string{"Adams, Colorado 1", "Brighton, Adams, Colorado 1", "Colorado 1"}, dbtest.List(t, pool, locations))
		})
	}
}

// TestImportTakesAnySequence imports agencies whose ids come from a sequence that belongs to no column.
func TestImportTakesAnySequence(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := pool.Exec(t.Context(), `
		CREATE SEQUENCE agencies_agency_id_seq START WITH 23191;
		ALTER TABLE agencies ALTER COLUMN id SET DEFAULT nextval('agencies_agency_id_seq');
		DROP SEQUENCE agencies_id_seq`)
	require.NoError(t, err)
	importAgencies(t, pool, "B,state,CO,,,,\nA,state,PA,,,,\nC,federal,,,,,\n")
	require.Equal(t, []string{"23191 B Colorado", "23192 A Pennsylvania", "23193 C United States"}, dbtest.List(t, pool, `
		SELECT concat_ws(' ', a.id, a.name, l.full_display_name) FROM agencies a
		JOIN link_agencies__locations k ON k.agency_id = a.id JOIN locations_expanded l ON l.id = k.location_id ORDER BY a.id`))
}

// TestGazetteerIsReadOnce counts the pages read for the gazetteer when it has thousands of rows and the statistics are those of a
// few, as during an import into a small database.
func TestGazetteerIsReadOnce(t *testing.T) {
	t.Parallel()
	pool := dbtest.NewWithReferenceTriggers(t)
	importAgencies(t, pool, "A,local,CO,08001,Adams,Brighton,\nB,local,CO,08003,Alamosa,Alamosa,\n")
	tx, err := pool.Begin(t.Context()) // autovacuum does not see the following rows
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "INSERT INTO localities (name, county_id) SELECT 'Town ' || n, 1 + n % 2 FROM generate_series(1, 3000) AS n")
	require.NoError(t, err)
	for _, statement := range []string{db.StateListAll, db.CountyListAll, db.LocalityListAll, db.LocationListAll} {
		plan := dbtest.Explain(t, tx, "force_generic_plan", statement)
		require.Less(t, plan.Buffers(), 500, "%s\n%s", statement, plan)
	}
}
