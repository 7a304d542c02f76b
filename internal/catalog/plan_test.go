package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/catalog"
	"docket/internal/dbtest"
	"docket/internal/imports"
	"docket/internal/postgres"
)

// largeCatalog is a database with the real agencies, some 23,000, and their locations, filled up to 30,000 with localities of
// plausible names.
func largeCatalog(t testing.TB) *postgres.Pool {
	t.Helper()
	pool := dbtest.New(t)
	_, err := imports.Agencies(t.Context(), pool, dbtest.DataFile(t, "agencies.csv"), imports.Options{})
	require.NoError(t, err)
	for _, statement := range []string{
		// The same names elsewhere, as in the real world, and new ones made of two.
		`INSERT INTO localities (name, county_id)
			SELECT name, 1 + (id * 7919) % (SELECT count(*) FROM counties) FROM localities ON CONFLICT DO NOTHING`,
		`INSERT INTO localities (name, county_id)
			SELECT a.name || ' ' || b.name, 1 + (a.id * 104729) % (SELECT count(*) FROM counties)
			FROM localities a JOIN localities b ON b.id = (a.id * 31) % 12000 + 1
			WHERE a.id <= 12000 AND a.id % 3 = 0 ON CONFLICT DO NOTHING`,
		`INSERT INTO locations (type, state_id, county_id, locality_id)
			SELECT 'Locality', c.state_id, c.id, p.id FROM localities p JOIN counties c ON c.id = p.county_id
			WHERE NOT EXISTS (SELECT FROM locations l WHERE l.locality_id = p.id)`,
		"INSERT INTO urls (url, source) SELECT n || '.org', 'manual' FROM generate_series(1, 20000) AS n",
		"VACUUM ANALYZE",
	} {
		dbtest.Exec(t, pool, statement)
	}
	require.Greater(t, dbtest.Count(t, pool, "SELECT count(*) FROM agencies"), 23_000)
	require.Greater(t, dbtest.Count(t, pool, "SELECT count(*) FROM locations"), 30_000)
	return pool
}

// typed are texts that people type, and texts that are hard on the statements.
var typed = []string{
	"c", "s", "co", "nw", "pol", "san", "new", "north", "columb", "pittsburgh", "rapids", "police", "county", "township", "department",
	"columbus, oh", "franklin county ohio", "new york", "st. louis mo", "s, zz", "columbus police oh", "sheriff franklin", "sherrif",
	"colombus oh", "zqx xqz", "%_\\", "a b c d e f g h",
	"police department county sheriff university of the state of new york and so on", strings.Repeat("county police ", 14),
}

// No statement reads a whole table, except the few states, with either plan and however exact the statistics are.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := largeCatalog(t)
	location := func(name string) *int64 {
		return new(int64(dbtest.Count(t, pool, "SELECT id FROM locations_expanded WHERE full_display_name = $1", name)))
	}
	recorded, recorder := dbtest.Record(t, pool)
	service := catalog.New(recorded)
	for _, text := range typed {
		agencies, err := service.SuggestAgencies(t.Context(), text)
		require.NoError(t, err, text)
		require.LessOrEqual(t, len(agencies), 10, text)
		locations, err := service.SuggestLocations(t.Context(), text)
		require.NoError(t, err, text)
		require.LessOrEqual(t, len(locations), 10, text)
	}
	for _, search := range []catalog.Search{
		{Query: new("columbus police"), Page: 1},
		{Query: new("columbus police"), Page: 3, JurisdictionType: new("local")},
		{JurisdictionType: new("local"), Page: 2},
		{LocationID: location("Franklin, Ohio"), Page: 1},
		{LocationID: location("Franklin, Ohio"), Query: new("police"), Page: 1},
		{LocationID: location("Ohio"), Query: new("police"), Page: 2},
	} {
		found, err := service.SearchAgencies(t.Context(), search)
		require.NoError(t, err)
		require.NotEmpty(t, found)
	}
	_, err := service.FindURL(t.Context(), "https://example.org")
	require.NoError(t, err)
	agencies, err := service.Agencies(t.Context(), 2)
	require.NoError(t, err)
	require.Len(t, agencies, 100)
	_, err = service.AgencyLocations(t.Context(), agencies[0].ID)
	require.NoError(t, err)

	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, pool, target)
		for _, statement := range recorder.Statements {
			for _, mode := range dbtest.PlanModes {
				plan := dbtest.Explain(t, pool, mode, statement.SQL, statement.Args...)
				for _, table := range plan.SeqScans() {
					if table != "us_states" {
						t.Errorf("%s with statistics target %d reads all of %s for %v:\n%s\n%s",
							mode, target, table, statement.Args, statement.SQL, plan)
					}
				}
			}
		}
	}
}

// BenchmarkTypeahead reports the median and the 99th percentile of each kind of text.
func BenchmarkTypeahead(b *testing.B) {
	pool := largeCatalog(b)
	generic, err := postgres.Open(b.Context(), postgres.PoolConfig{URL: pool.Config().ConnString(), GenericPlans: true})
	require.NoError(b, err)
	b.Cleanup(generic.Close)
	service := catalog.New(generic)
	for _, search := range []struct {
		name string
		find func(string) error
	}{
		{"agencies", func(text string) error { _, err := service.SuggestAgencies(b.Context(), text); return err }},
		{"locations", func(text string) error { _, err := service.SuggestLocations(b.Context(), text); return err }},
	} {
		for _, text := range typed {
			b.Run(fmt.Sprintf("%s/%.30q", search.name, text), func(b *testing.B) {
				require.NoError(b, search.find(text))
				var took []time.Duration
				for b.Loop() {
					start := time.Now()
					require.NoError(b, search.find(text))
					took = append(took, time.Since(start))
				}
				slices.Sort(took)
				b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
				b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
			})
		}
	}
}
