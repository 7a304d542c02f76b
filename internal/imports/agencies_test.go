package imports

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/csvfile"
	"docket/internal/dbtest"
	"docket/internal/postgres"
)

const agencyHeader = "agency,jurisdiction_type,state,county_fips,county,locality,homepage_url\n"

func importAgencies(t *testing.T, pool *postgres.Pool, rows string) AgencySummary {
	t.Helper()
	summary, err := Agencies(t.Context(), pool, strings.NewReader(agencyHeader+rows), Options{})
	require.NoError(t, err)
	requireBalanced(t, summary.Accounting)
	return summary
}

func requireBalanced(t *testing.T, a csvfile.Accounting) {
	t.Helper()
	require.Equal(t, a.Rows, a.Created+a.Duplicate+a.Rejected, "every row is accounted for")
	require.Equal(t, a.Rejected, a.Rejections.Total)
}

// count returns the number of rows of each table.
func count(t *testing.T, pool *postgres.Pool, tables ...string) map[string]int64 {
	t.Helper()
	counts := make(map[string]int64)
	for _, table := range tables {
		counts[table] = int64(dbtest.Count(t, pool, "SELECT count(*) FROM "+table))
	}
	return counts
}

var placeTables = []string{"agencies", "us_states", "counties", "localities", "locations", "link_agencies__locations"}

func TestImportAgenciesRealFile(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)

	summary, err := Agencies(t.Context(), pool, dbtest.DataFile(t, "agencies.csv"), Options{Strict: true})
	require.NoError(t, err)
	requireBalanced(t, summary.Accounting)
	require.Equal(t, int64(23368), summary.Rows)
	require.Equal(t, int64(23353), summary.Created)
	require.Equal(t, int64(15), summary.Duplicate, "names that differ in letter case only")
	require.Zero(t, summary.Rejected)
	require.Equal(t, []csvfile.ReasonCount{
		{Reason: reasonNoCounty, Rows: 866}, {Reason: reasonFIPSState, Rows: 540},
	}, summary.Notes.Reasons)
	require.Equal(t, int64(51), summary.States)
	require.Equal(t, int64(3098), summary.Counties)
	require.Equal(t, int64(12281), summary.Localities)
	require.Equal(t, int64(1+51+3098+12281), summary.Locations)
	require.Equal(t, summary.Created, summary.Links)
	require.False(t, summary.Unchanged())
	stored := map[string]int64{
		"agencies": 23353, "us_states": 51, "counties": 3098, "localities": 12281, "locations": 15431,
		"link_agencies__locations": 23353,
	}
	require.Equal(t, stored, count(t, pool, placeTables...))

	require.Empty(t, dbtest.List(t, pool, "SELECT agency_id::text FROM integrity__non_federal_agencies_no_location_view"))
	require.Equal(t, []string{"United States Aggregated", "United States Drug Enforcement Administration"}, dbtest.List(t, pool, `
		SELECT a.name FROM agencies a JOIN link_agencies__locations ON agency_id = a.id
		JOIN locations_expanded l ON l.id = location_id WHERE l.type = 'National' ORDER BY a.name`))
	require.Equal(t, []string{"Baltimore", "Baltimore city", "Fairfax", "Fairfax city", "Richmond", "Richmond city", "Roanoke",
		"Roanoke city", "St. Louis", "St. Louis city"}, dbtest.List(t, pool, `
		SELECT c.name FROM counties c JOIN us_states s ON s.id = c.state_id
		WHERE (s.state_iso, regexp_replace(c.name, ' city$', '')) IN
			(('MO', 'St. Louis'), ('MD', 'Baltimore'), ('VA', 'Fairfax'), ('VA', 'Richmond'), ('VA', 'Roanoke'))
		ORDER BY c.name`))
	for _, code := range dbtest.List(t, pool, `
		SELECT DISTINCT s.state_iso || left(c.fips, 2) FROM counties c JOIN us_states s ON s.id = c.state_id`) {
		state, _ := stateByISO(code[:2])
		require.Equal(t, state.FIPS, code[2:], "the counties of %s are those its codes name", state.Name)
	}

	again, err := Agencies(t.Context(), pool, dbtest.DataFile(t, "agencies.csv"), Options{})
	require.NoError(t, err)
	requireBalanced(t, again.Accounting)
	require.Equal(t, int64(23368), again.Duplicate)
	require.True(t, again.Unchanged())
	require.Equal(t, stored, count(t, pool, placeTables...))
}

func TestAgencyFromRow(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 501)
	tests := map[string]struct {
		fields string // separated by slashes
		place  place
		note   string
		defect string
	}{
		"nation":               {"A/federal////", place{}, "", ""},
		"state":                {"A/state/CO///", place{state: "CO"}, "", ""},
		"county":               {"A/county/CO/08001/Adams/", place{"CO", "08001", "Adams", ""}, "", ""},
		"locality":             {"A/local/CO/08001/Adams/Brighton", place{"CO", "08001", "Adams", "Brighton"}, "", ""},
		"federal in a state":   {"A/federal/CO///", place{state: "CO"}, "", ""},
		"letter case":          {"A/Local/co///", place{state: "CO"}, "", ""},
		"comma after locality": {"A/local/CO/08001/Adams/Brighton,", place{"CO", "08001", "Adams", "Brighton"}, "", ""},
		"comma in locality":    {"A/local/CO/08001/Adams/Brighton, CO", place{"CO", "08001", "Adams", ""}, reasonLocality, ""},
		"long locality":        {"A/local/CO/08001/Adams/" + long, place{"CO", "08001", "Adams", ""}, reasonLocality, ""},
		"locality, no county":  {"A/local/CO///Brighton", place{state: "CO"}, reasonNoCounty, ""},
		"county without code":  {"A/local/CO//Adams/Brighton", place{state: "CO"}, reasonCountyNoFIPS, ""},
		"code without zero":    {"A/local/CO/8001/Adams/Brighton", place{"CO", "08001", "Adams", "Brighton"}, "", ""},
		"code as a decimal":    {"A/local/CO/8001.0/Adams/", place{"CO", "08001", "Adams", ""}, "", ""},
		"code as decimal, OH":  {"A/local/OH/39049.0/Franklin/", place{"OH", "39049", "Franklin", ""}, "", ""},
		"no zero, other state": {"A/local/CA/8001/Adams/Brighton", place{state: "CA"}, reasonFIPS, ""},
		"code too short":       {"A/local/CO/801/Adams/Brighton", place{state: "CO"}, reasonFIPS, ""},
		"runs of white space":  {"A/local/CO/08001/El  Paso/Colorado \u00a0Springs", place{"CO", "08001", "El Paso", "Colorado Springs"}, "", ""},
		"code not a number":    {"A/local/CO/08O01/Adams/Brighton", place{state: "CO"}, reasonFIPS, ""},
		"code of other state":  {"A/county/IN/08001/Adams/Brighton", place{state: "IN"}, reasonFIPSState, ""},
		"no name":              {"/local/CO///", place{}, "", reasonNoAgency},
		"long name":            {long + "/local/CO///", place{}, "", reasonAgencyName},
		"no jurisdiction":      {"A//CO///", place{}, "", reasonJurisdiction},
		"unknown jurisdiction": {"A/galactic/CO///", place{}, "", reasonJurisdiction},
		"no state":             {"A/local////", place{}, "", reasonNoState},
		"unknown state":        {"A/local/XX///", place{}, "", reasonState},
		"unknown state, fed.":  {"A/federal/XX///", place{}, "", reasonState},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			note := ""
			row := csvfile.Row{Line: 7, Fields: strings.Split(tt.fields, "/")}
			agency, defect := agencyFromRow(row, func(line int64, d *csvfile.Defect) {
				require.Equal(t, int64(7), line)
				note += d.Reason
			})
			if tt.defect != "" {
				require.NotNil(t, defect)
				require.Equal(t, tt.defect, defect.Reason)
				return
			}
			require.Nil(t, defect)
			require.Equal(t, tt.place, agency.place)
			require.Equal(t, tt.note, note)
		})
	}
}

func TestImportAgenciesDuplicates(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := pool.Exec(t.Context(), "INSERT INTO agencies (name, jurisdiction_type) VALUES ('Old Police', 'local')")
	require.NoError(t, err)

	summary := importAgencies(t, pool, ""+
		"Adams Police,local,CO,,,,\n"+
		"ADAMS police,county,CO,08001,Adams,,\n"+ // the same, and its county is not needed
		"Adams Police,local,IN,,,,\n"+ // another state, another agency
		"Sheriff's Office,county,CO,,,,\n"+
		"Sheriff’s Office,county,CO,,,,\n"+ // another apostrophe, another agency
		"Old Police,local,CO,,,,\n") // the one without a place may be this
	require.Equal(t, int64(4), summary.Created)
	require.Equal(t, int64(2), summary.Duplicate)
	require.Equal(t, int64(1), summary.Moved)
	require.Zero(t, summary.Counties)
	require.Equal(t, []string{"Old Police CO", "Adams Police CO", "Adams Police IN", "Sheriff's Office CO", "Sheriff’s Office CO"}, dbtest.List(t, pool, `
		SELECT a.name || ' ' || l.state_iso FROM agencies a JOIN link_agencies__locations ON agency_id = a.id
		JOIN locations_expanded l ON l.id = location_id ORDER BY a.id`))
}

func TestImportAgenciesHomonymsInAnyOrder(t *testing.T) {
	t.Parallel()
	county := "County,county,VA,51159,Richmond,,\n"
	city := "City,local,VA,51760,Richmond,,\n"
	const places = "SELECT fips || ' ' || name FROM counties ORDER BY fips"
	want := []string{"51159 Richmond", "51760 Richmond city"}
	for name, rows := range map[string]string{"county first": county + city, "city first": city + county} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			importAgencies(t, pool, rows)
			require.Equal(t, want, dbtest.List(t, pool, places))
		})
	}
	t.Run("apart", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.New(t)
		importAgencies(t, pool, city)
		importAgencies(t, pool, county)
		require.Equal(t, want, dbtest.List(t, pool, places))
	})
}

func TestImportAgenciesCountyNameTaken(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	summary := importAgencies(t, pool, ""+
		"One,county,CO,08001,Adams,,\n"+
		"Two,county,CO,08003,adams,Brighton,\n"+ // a typing error in one of the two
		"Three,county,CO,08005,,,\n"+
		"Four,county,CO,08001,,Brighton,\n"+ // known by its code
		"Five,local,VA,51001,Alpha,,\n"+
		"Six,local,VA,51999,Alpha,,\n") // an independent city
	require.Equal(t, int64(6), summary.Created)
	require.Equal(t, []csvfile.Problem{
		{Line: 3, Column: "county", Value: "adams", Reason: reasonCountyName, Rows: 1},
		{Line: 4, Column: "county", Value: "", Reason: reasonCountyNoName, Rows: 1},
	}, summary.Notes.First)
	require.Equal(t, []string{"Adams, Colorado", "Colorado", "Colorado", "Brighton, Adams, Colorado", "Alpha, Virginia", "Alpha city, Virginia"}, dbtest.List(t, pool, `
		SELECT l.full_display_name FROM agencies a JOIN link_agencies__locations ON agency_id = a.id
		JOIN locations_expanded l ON l.id = location_id ORDER BY a.id`))
}

func TestImportAgenciesLocations(t *testing.T) {
	t.Parallel()
	want := []string{"Brighton, Adams, Colorado County: 1 State: 1 National: 1"}
	const sql = `
		SELECT l.full_display_name || ' County: ' || (SELECT count(*) FROM locations WHERE type = 'County')
			|| ' State: ' || (SELECT count(*) FROM locations WHERE type = 'State')
			|| ' National: ' || (SELECT count(*) FROM locations WHERE type = 'National')
		FROM locations_expanded l WHERE l.type = 'Locality'`
	const rows = "A,local,CO,08001,Adams,Brighton,\nB,federal,,,,,\n"

	t.Run("made for all places", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.New(t)
		summary := importAgencies(t, pool, rows)
		require.Equal(t, int64(4), summary.Locations)
		require.Equal(t, want, dbtest.List(t, pool, sql))
	})
	t.Run("made by triggers", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.New(t)
		_, err := pool.Exec(t.Context(), `
			CREATE FUNCTION place() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF TG_TABLE_NAME = 'us_states' THEN INSERT INTO locations (type, state_id) VALUES ('State', NEW.id);
				ELSIF TG_TABLE_NAME = 'counties' THEN INSERT INTO locations (type, state_id, county_id) VALUES ('County', NEW.state_id, NEW.id);
				ELSE INSERT INTO locations (type, state_id, county_id, locality_id)
					SELECT 'Locality', state_id, id, NEW.id FROM counties WHERE id = NEW.county_id;
				END IF;
				RETURN NEW;
			END $$;
			CREATE TRIGGER place AFTER INSERT ON us_states FOR EACH ROW EXECUTE FUNCTION place();
			CREATE TRIGGER place AFTER INSERT ON counties FOR EACH ROW EXECUTE FUNCTION place();
			CREATE TRIGGER place AFTER INSERT ON localities FOR EACH ROW EXECUTE FUNCTION place();`)
		require.NoError(t, err)
		summary := importAgencies(t, pool, rows)
		require.Equal(t, int64(1), summary.Locations, "that of the nation")
		require.Equal(t, want, dbtest.List(t, pool, sql))
	})
	t.Run("made for places that lack one", func(t *testing.T) {
		t.Parallel()
		pool := dbtest.New(t)
		_, err := pool.Exec(t.Context(), `
			INSERT INTO us_states (state_iso, state_name) VALUES ('CO', 'Colorado');
			INSERT INTO counties (fips, name, state_id) SELECT '08001', 'Adams', id FROM us_states;
			INSERT INTO localities (name, county_id) SELECT 'Brighton', id FROM counties;`)
		require.NoError(t, err)
		summary := importAgencies(t, pool, rows)
		require.Zero(t, summary.States+summary.Counties+summary.Localities)
		require.Equal(t, int64(4), summary.Locations)
		require.Equal(t, want, dbtest.List(t, pool, sql))
	})
}

func TestImportAgenciesConcurrently(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	const importers = 4
	results := make(chan AgencySummary, importers)
	failures := make(chan error, importers)
	for range importers {
		go func() {
			summary, err := Agencies(t.Context(), pool,
				strings.NewReader(agencyHeader+"A,local,CO,08001,Adams,Brighton,\nB,federal,,,,,\n"), Options{})
			results <- summary
			failures <- err
		}()
	}
	var created int64
	for range importers {
		require.NoError(t, <-failures)
		created += (<-results).Created
	}
	require.Equal(t, int64(2), created)
	require.Equal(t, map[string]int64{
		"agencies": 2, "us_states": 1, "counties": 1, "localities": 1, "locations": 4, "link_agencies__locations": 2,
	}, count(t, pool, placeTables...))
}

func TestImportAgenciesRejects(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	const file = "A,local,CO,,,,\nB,local,XX,,,,\nC,local\n"

	summary, err := Agencies(t.Context(), pool, strings.NewReader(agencyHeader+file), Options{Strict: true})
	require.ErrorIs(t, err, ErrRejected)
	require.ErrorContains(t, err, "2 of 3 rows were rejected, so nothing was imported; the first is line 3: "+reasonState)
	require.Equal(t, int64(2), summary.Rejected)
	require.Zero(t, summary.Created)
	require.Zero(t, count(t, pool, "agencies")["agencies"])
	require.Zero(t, count(t, pool, "us_states")["us_states"])

	summary = importAgencies(t, pool, file)
	require.Equal(t, int64(1), summary.Created)
	require.Equal(t, []csvfile.Problem{
		{Line: 3, Column: "state", Value: "XX", Reason: reasonState, Rows: 1},
		{Line: 4, Column: "", Value: "2 instead of 7", Reason: "the row does not have as many fields as the header; quote a field that contains a separator", Rows: 1},
	}, summary.Rejections.First)
}

func TestImportAgenciesInterrupted(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	var rows strings.Builder
	for i := range 25 {
		rows.WriteString("A" + string(rune('a'+i)) + ",local,CO,08001,Adams,Brighton,\n")
	}
	o := Options{partSize: 10, Progress: func(done, total int64) {
		require.Equal(t, []int64{10, 25}, []int64{done, total})
		cancel(enough) // after the first part
	}}
	summary, err := Agencies(ctx, pool, strings.NewReader(agencyHeader+rows.String()), o)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "10 of 25 are stored, and importing the file again stores the others")
	require.Equal(t, int64(10), summary.Created)
	require.Equal(t, map[string]int64{"agencies": 10, "link_agencies__locations": 10, "localities": 1},
		count(t, pool, "agencies", "link_agencies__locations", "localities"), "a whole part")
	again := importAgencies(t, pool, rows.String())
	require.Equal(t, []int64{15, 10}, []int64{again.Created, again.Duplicate})
}

func TestImportAgenciesNotesUnknownColumns(t *testing.T) {
	t.Parallel()
	rows, err := openSpool()
	require.NoError(t, err)
	defer rows.close()
	file := strings.NewReader("state,agency,phone,jurisdiction_type,county_fips,county,locality\nCO,A,1,local,,,\n")
	a, err := readAgencies(file, rows, &namedCounties{})
	require.NoError(t, err)
	require.Equal(t, []csvfile.Problem{{Line: 1, Column: "phone", Value: "", Reason: "the column is unknown and was ignored", Rows: 1}}, a.Notes.First)
	var stored agencyRow
	_, err = rows.reader(readAhead).read(0, stored.numbers(), stored.texts())
	require.NoError(t, err)
	require.Equal(t, agencyRow{line: 2, name: "A", jurisdiction: "local", place: place{state: "CO"}}, stored)
}

func TestStatesAndJurisdictions(t *testing.T) {
	t.Parallel()
	require.Len(t, States, 56)
	seen := make(map[string]bool)
	for _, state := range States {
		require.Regexp(t, "^[A-Z]{2}$", state.ISO)
		require.Regexp(t, "^[0-9]{2}$", state.FIPS)
		for _, value := range []string{state.ISO, state.Name, state.FIPS} {
			require.False(t, seen[value], value)
			seen[value] = true
		}
	}
	pool := dbtest.New(t)
	require.ElementsMatch(t, jurisdictionTypes, dbtest.List(t, pool, "SELECT unnest(enum_range(NULL::jurisdiction_type_enum))::text"))
}
