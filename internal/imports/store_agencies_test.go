package imports

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/convert"
	"docket/internal/dbtest"
	"docket/internal/postgres"
)

// placesOf lists agencies with their places.
func placesOf(t *testing.T, pool *postgres.Pool) []string {
	t.Helper()
	return dbtest.List(t, pool, `
		SELECT a.name || ': ' || string_agg(coalesce(l.full_display_name, 'nowhere'), ' and ' ORDER BY l.id)
		FROM agencies a LEFT JOIN link_agencies__locations ON agency_id = a.id LEFT JOIN locations_expanded l ON l.id = location_id
		GROUP BY a.id, a.name ORDER BY a.name, a.id`)
}

func TestImportAgenciesMovesToSmallerPlaces(t *testing.T) {
	t.Parallel()
	const known = "Known,local,CO,08001,Adams,,\n"
	tests := map[string]struct {
		first, second string
		want          []string
		moved         int64
	}{
		"state, county":         {"A,local,CO,,,,\n", "a,local,CO,08001,Adams,,\n", []string{"A: Adams, Colorado"}, 1},
		"state, locality":       {"A,local,CO,,,,\n", "A,local,CO,8001,Adams,Brighton,\n", []string{"A: Brighton, Adams, Colorado"}, 1},
		"county, locality":      {"A,local,CO,08001,Adams,,\n", "A,local,CO,08001,,Brighton,\n", []string{"A: Brighton, Adams, Colorado"}, 1},
		"two moves":             {"A,local,CO,,,,\n", "A,local,CO,08001,Adams,,\nA,local,CO,08001,Adams,Brighton,\n", []string{"A: Brighton, Adams, Colorado"}, 1},
		"new and moved":         {"", "A,local,CO,,,,\nA,local,CO,08001,Adams,Brighton,\n", []string{"A: Brighton, Adams, Colorado"}, 1},
		"locality, state":       {"A,local,CO,08001,Adams,Brighton,\n", "A,local,CO,,,,\n", []string{"A: Brighton, Adams, Colorado"}, 0},
		"other county":          {"A,local,CO,08001,Adams,,\n", "A,local,CO,08003,Alamosa,Alamosa,\n", []string{"A: Adams, Colorado"}, 0},
		"other locality":        {"A,local,CO,08001,Adams,Brighton,\n", "A,local,CO,08001,Adams,Aurora,\n", []string{"A: Brighton, Adams, Colorado"}, 0},
		"other jurisdiction":    {"A,state,CO,,,,\n", "A,county,CO,08001,Adams,,\n", []string{"A: Colorado"}, 0},
		"other state":           {"A,local,CO,,,,\n", "A,local,IN,18001,Adams,,\n", []string{"A: Colorado", "A: Adams, Indiana"}, 0},
		"nation":                {"A,federal,,,,,\n", "A,federal,CO,,,,\n", []string{"A: United States", "A: Colorado"}, 0},
		"county without a name": {known + "A,local,CO,08003,,,\n", known + "A,local,CO,08003,Alamosa,,\n", []string{"A: Alamosa, Colorado", "Known: Adams, Colorado"}, 1},
		"wrong name of county":  {known + "A,local,CO,08003,Adams,,\n", "A,local,CO,08003,Alamosa,,\n", []string{"A: Alamosa, Colorado", "Known: Adams, Colorado"}, 1},
		"named in a later row":  {"A,local,CO,08003,,,\n" + "Known,local,CO,08003,Alamosa,,\n", "", []string{"A: Alamosa, Colorado", "Known: Alamosa, Colorado"}, 0},
		"one of two names":      {known + "A,local,CO,08003,Adams,,\nB,local,CO,08003,Alamosa,,\n", "", []string{"A: Alamosa, Colorado", "B: Alamosa, Colorado", "Known: Adams, Colorado"}, 0},
		"still a wrong name":    {known + "A,local,CO,,,,\n", "A,local,CO,08003,Adams,,\n", []string{"A: Colorado", "Known: Adams, Colorado"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			importAgencies(t, pool, tt.first)
			summary := importAgencies(t, pool, tt.second)
			require.Equal(t, tt.moved, summary.Moved)
			require.Equal(t, tt.want, placesOf(t, pool))
			for _, rows := range []string{tt.first, tt.second} {
				require.Zero(t, importAgencies(t, pool, rows).Moved, "an agency does not move back and forth")
			}
			require.Equal(t, tt.want, placesOf(t, pool))
		})
	}
}

// TestImportAgenciesBetterFile checks that a correct file leads to the same places, whatever was imported before it.
func TestImportAgenciesBetterFile(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	spoil := []func(f []string){
		func([]string) {},
		func(f []string) { f[3], f[4], f[5] = "", "", "" },
		func(f []string) { f[3] = "" },
		func(f []string) { f[3], f[4] = "", "" },
		func(f []string) { f[3] = "0800" },
		func(f []string) { f[3] = "18" + f[3][2:] },
		func(f []string) { f[3] = strings.TrimPrefix(f[3], "0") },
		func(f []string) { f[4] = "" },
		func(f []string) { f[5] = "" },
		func(f []string) { f[5] = "Here, CO" },
		func(f []string) { f[0] = strings.ToUpper(strings.ReplaceAll(f[0], " ", " \u00a0 ")) },
	}
	var good, bad []string
	for i := range 200 {
		county := random.IntN(20)
		fields := []string{
			fmt.Sprintf("Police of %d", i), "local", "CO", fmt.Sprintf("080%02d", county), fmt.Sprint("County ", county), fmt.Sprint("Town ", random.IntN(5)), "",
		}
		good = append(good, strings.Join(fields, ","))
		spoil[random.IntN(len(spoil))](fields)
		bad = append(bad, `"`+strings.Join(fields, `","`)+`"`)
	}
	goodFile := strings.Join(good, "\n") + "\n"

	at := dbtest.New(t)
	importAgencies(t, at, goodFile)
	mended := dbtest.New(t)
	importAgencies(t, mended, strings.Join(bad, "\n")+"\n")
	importAgencies(t, mended, goodFile)
	require.ElementsMatch(t, convert.Each(placesOf(t, at), nameForm), convert.Each(placesOf(t, mended), nameForm))
	require.True(t, importAgencies(t, mended, goodFile).Unchanged())
}

func TestImportAgenciesGivesAPlace(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	importAgencies(t, pool, "Both,local,CO,,,,\n")
	dbtest.Exec(t, pool, `
		INSERT INTO agencies (name, jurisdiction_type)
		VALUES ('Both', 'local'), ('One  Police', 'local'), ('Federal', 'federal'), ('Other', 'state')`)
	summary := importAgencies(t, pool, ""+
		"Both,local,CO,08001,Adams,,\n"+ // the one in the state, not the one without a place
		"one police,local,CO,08001,Adams,,\n"+
		"ONE POLICE,local,IN,,,,\n"+ // another one, because the first is in Colorado now
		"Federal,federal,,,,,\n"+
		"Other,county,CO,,,,\n")
	require.Equal(t, int64(4), summary.Moved)
	require.Equal(t, int64(4), summary.Duplicate)
	require.Equal(t, []string{
		"Both: Adams, Colorado", "Both: nowhere", "Federal: United States", "ONE POLICE: Indiana", "One  Police: Adams, Colorado", "Other: Colorado",
	}, placesOf(t, pool))
	require.Equal(t, []string{"Both", "Federal", "One  Police", "Other"}, dbtest.List(t, pool,
		"SELECT name FROM agencies WHERE updated_at > created_at ORDER BY name"))
}

func TestImportAgenciesKeepsPlacesThatOthersChange(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	importAgencies(t, pool, "A,local,CO,,,,\nB,local,CO,,,,\nC,local,CO,,,,\nD,local,CO,08001,Adams,,\n")
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		d, err := loadDirectory(t.Context(), tx)
		require.NoError(t, err)
		g, err := loadGazetteer(t.Context(), tx)
		require.NoError(t, err)
		// Another transaction commits between the reading and the writing.
		dbtest.Exec(t, pool, "DELETE FROM agencies WHERE name = 'A'")
		dbtest.Exec(t, pool, `
			INSERT INTO link_agencies__locations SELECT a.id, l.id FROM agencies a, locations l WHERE a.name = 'B' AND l.type = 'County'`)
		var rows []agencyRow
		for _, name := range []string{"A", "B", "C"} {
			row := agencyRow{name: name, jurisdiction: "local", place: place{"CO", "08001", "Adams", ""}}
			row.met = d.meet(row)
			require.False(t, row.met.duplicate())
			rows = append(rows, row)
		}
		moved, err := moveAgencies(t.Context(), tx, rows, g)
		require.Equal(t, int64(1), moved)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, []string{"B: Colorado and Adams, Colorado", "C: Adams, Colorado", "D: Adams, Colorado"}, placesOf(t, pool))
}

func TestImportAgenciesComparesNamesWithoutRunsOfWhiteSpace(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	dbtest.Exec(t, pool, "INSERT INTO agencies (name, jurisdiction_type) VALUES ('Old  Police', 'local')")
	summary := importAgencies(t, pool, ""+
		"Field Pond Police,local,CT,09001,Fairfield,Field Pond,\n"+
		"Field  Pond\u00a0Police,local,CT,09001,Fair field,Field  Pond,\n"+
		"\"Field\tPond\nPolice\",local,CT,09001,Fairfield,Field Pond,\n"+
		"West Pond Police,local,CT,09001,Fairfield,field\u2003 pond,\n"+
		"Old Police,local,CT,,,,\n")
	require.Equal(t, int64(2), summary.Created)
	require.Equal(t, int64(3), summary.Duplicate)
	require.Equal(t, []string{
		"Field Pond Police: Field Pond, Fairfield, Connecticut", "Old  Police: Connecticut", "West Pond Police: Field Pond, Fairfield, Connecticut",
	}, placesOf(t, pool))

	urls := importURLs(t, pool, "x.org,,,,,Field  Pond Police|old police |WEST\u00a0POND  Police\n", URLOptions{Robots: true})
	require.Zero(t, urls.Notes.Total)
	require.Equal(t, int64(3), urls.Agencies)
}

// TestImportURLsAgainAfterABetterFile checks that what a note left out of the suggestions follows, when the same file of URLs is
// imported after what it lacked.
func TestImportURLsAgainAfterABetterFile(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	importAgencies(t, pool, "A,local,CO,,,,\n")
	o := URLOptions{Robots: true}
	first := importURLs(t, pool, "x.org,odd,odd,,,A|B\n", o)
	require.Equal(t, int64(3), first.Notes.Total)
	require.Equal(t, []int64{1, 1, 0}, []int64{first.Agencies, first.Locations, first.Relevance})

	importAgencies(t, pool, "A,local,CO,08001,Adams,,\nB,local,IN,,,,\n")
	second := importURLs(t, pool, "x.org,meta url,Stops,,,A|B\n", o)
	require.Zero(t, second.Notes.Total)
	require.Equal(t, []int64{1, 2, 1, 1}, []int64{second.Agencies, second.Locations, second.Relevance, second.RecordTypes})
	require.True(t, importURLs(t, pool, "x.org,meta url,Stops,,,A|B\n", o).Unchanged())
}

// TestNameForm checks that imports compare names as agency_identity does.
func TestNameForm(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	names := []string{"Field Pond", " field \t\n POND ", "Field\u00a0\u00a0Pond", "ÄRGER", "x\u2003y"}
	for _, name := range names {
		_, err := pool.Exec(t.Context(), "INSERT INTO agencies (name, jurisdiction_type) VALUES ($1, 'local')", name)
		require.NoError(t, err)
	}
	var want []string
	for _, name := range names {
		want = append(want, nameForm(name))
	}
	require.Equal(t, want, dbtest.List(t, pool, "SELECT name_form FROM agency_identity ORDER BY agency_id"))
}
