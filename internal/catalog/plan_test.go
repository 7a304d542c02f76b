package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/catalog"
	"docket/internal/convert"
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
		// A proposal of each second agency; one in twenty is pending.
		`INSERT INTO proposal__agencies (name, agency_type, jurisdiction_type, proposal_status)
			SELECT name || ' 2', agency_type, jurisdiction_type,
				CASE WHEN id % 20 = 0 THEN 'pending' WHEN id % 3 = 0 THEN 'rejected' ELSE 'approved' END::proposal_status_enum
			FROM agencies WHERE id % 2 = 0 ORDER BY id`,
		`INSERT INTO proposal__link__agencies__locations (proposal_agency_id, location_id)
			SELECT p.id, link.location_id FROM agencies a
			JOIN proposal__agencies p ON p.name = a.name || ' 2' AND p.agency_type = a.agency_type
			JOIN link_agencies__locations link ON link.agency_id = a.id ON CONFLICT DO NOTHING`,
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

	pending, err := service.PendingProposals(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(pending), 1000)
	for _, name := range []string{pending[0].Name, "Nowhere"} { // a duplicate, and none
		_, err = service.ProposeAgency(t.Context(), 7, catalog.NewAgency{
			Name: name, Type: pending[0].Type, JurisdictionType: pending[0].JurisdictionType,
			LocationIDs: convert.Each(pending[0].Locations, func(l catalog.Location) int64 { return l.ID }),
		})
		require.NoError(t, err)
	}
	_, err = service.ProposalLocations(t.Context(), pending[0].ID)
	require.NoError(t, err)
	require.NoError(t, service.AddProposalLocation(t.Context(), pending[1].ID, *location("Ohio")))
	require.NoError(t, service.RemoveProposalLocation(t.Context(), pending[1].ID, *location("Ohio")))
	require.NoError(t, service.ChangeProposal(t.Context(), pending[1].ID, catalog.AgencyChange{Name: new("Changed")}))
	statements := slices.DeleteFunc(slices.Clone(recorder.Statements), func(s dbtest.Statement) bool {
		return slices.Contains([]string{"begin", "commit", "rollback"}, s.SQL) || strings.Contains(s.SQL, "savepoint ")
	})

	for _, target := range dbtest.StatisticsTargets {
		dbtest.Analyze(t, pool, target)
		for _, statement := range statements {
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
