package catalog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/catalog"
	"docket/internal/dbtest"
	"docket/internal/imports"
	"docket/internal/postgres"
)

// largeCatalog is a database with the real agencies, some 23,000, and their places, filled up to 30,000 with localities of
// plausible names.
func largeCatalog(t testing.TB) *postgres.Pool {
	t.Helper()
	dir := os.Getenv("DOCKET_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(dir, "agencies.csv"))
	require.NoError(t, err, "the real data files are needed: set DOCKET_TEST_DATA to the directory that has them")
	defer func() { _ = file.Close() }()
	pool := dbtest.New(t)
	_, err = imports.Agencies(t.Context(), pool, file, imports.Options{})
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
		"INSERT INTO urls (url, status, source) SELECT n || '.org', 'ok', 'manual' FROM generate_series(1, 20000) AS n",
		"VACUUM ANALYZE",
	} {
		_, err := pool.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	var agencies, places int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM agencies), (SELECT count(*) FROM locations)").
		Scan(&agencies, &places))
	require.Greater(t, agencies, 23_000)
	require.Greater(t, places, 30_000)
	return pool
}

// typed is what people type, and what they do not.
var typed = []string{
	"c", "s", "co", "nw", "pol", "san", "new", "north", "columb", "pittsburgh", "rapids", "police", "county", "township", "department",
	"columbus, oh", "franklin county ohio", "new york", "st. louis mo", "s, zz", "columbus police oh", "sheriff franklin", "sherrif",
	"colombus oh", "zqx xqz", "%_\\", "a b c d e f g h",
	"police department county sheriff university of the state of new york and so on", strings.Repeat("county police ", 14),
}

// No search reads a table whole, but for the few states, whichever plan it gets.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := largeCatalog(t)
	watched := watch(t, pool)
	service := catalog.New(watched.pool)
	for _, text := range typed {
		agencies, err := service.SuggestAgencies(t.Context(), text)
		require.NoError(t, err, text)
		require.LessOrEqual(t, len(agencies), 10, text)
		locations, err := service.SuggestLocations(t.Context(), text)
		require.NoError(t, err, text)
		require.LessOrEqual(t, len(locations), 10, text)
	}
	for _, search := range []catalog.Search{
		{Query: ref("columbus police"), Page: 1},
		{Query: ref("columbus police"), Page: 3, JurisdictionType: ref("local")},
		{JurisdictionType: ref("local"), Page: 2},
		{LocationID: watched.location(t, "Franklin, Ohio"), Page: 1},
		{LocationID: watched.location(t, "Franklin, Ohio"), Query: ref("police"), Page: 1},
		{LocationID: watched.location(t, "Ohio"), Query: ref("police"), Page: 2},
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

	for _, query := range watched.seen {
		for _, mode := range dbtest.PlanModes {
			requireNoWholeTable(t, pool, mode, query)
		}
	}
}

// watchedPool is a pool that remembers what it runs.
type watchedPool struct {
	pool *postgres.Pool
	seen []call
}

type call struct {
	sql  string
	args []any
}

// watch returns a pool on the same database, for one user at a time.
func watch(t *testing.T, pool *postgres.Pool) *watchedPool {
	t.Helper()
	w := &watchedPool{}
	config := pool.Config()
	config.ConnConfig.Tracer = w
	var err error
	w.pool, err = postgres.NewPool(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(w.pool.Close)
	return w
}

func (w *watchedPool) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	w.seen = append(w.seen, call{data.SQL, data.Args})
	return ctx
}

func (w *watchedPool) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// location returns the id of a location without being seen.
func (w *watchedPool) location(t *testing.T, name string) *int64 {
	t.Helper()
	before := len(w.seen)
	var id int64
	require.NoError(t, w.pool.QueryRow(t.Context(), "SELECT id FROM locations_expanded WHERE full_display_name = $1", name).Scan(&id))
	w.seen = w.seen[:before]
	return &id
}

// node is a part of what EXPLAIN (FORMAT JSON) tells.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []node  `json:"Plans"`
}

func requireNoWholeTable(t *testing.T, pool *postgres.Pool, mode string, query call) {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	literals := make([]string, len(query.args))
	for i, arg := range query.args {
		literals[i] = literal(t, arg)
	}
	for _, command := range []string{"SET LOCAL plan_cache_mode = " + mode, "PREPARE p AS " + query.sql} {
		_, err := tx.Exec(t.Context(), command)
		require.NoError(t, err)
	}
	var explained []struct{ Plan node }
	row := tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) EXECUTE p("+strings.Join(literals, ", ")+")")
	require.NoError(t, row.Scan(&explained))
	_, err = tx.Exec(t.Context(), "DEALLOCATE p")
	require.NoError(t, err)
	var look func(node)
	look = func(n node) {
		if n.Type == "Seq Scan" && n.Loops > 0 && n.Relation != "us_states" {
			t.Errorf("%s, %v: reads all of %s in\n%s", mode, query.args, n.Relation, query.sql)
		}
		for _, below := range n.Plans {
			look(below)
		}
	}
	look(explained[0].Plan)
}

// literal writes an argument as SQL, since EXPLAIN EXECUTE takes no parameters.
func literal(t *testing.T, arg any) string {
	t.Helper()
	value := reflect.ValueOf(arg)
	switch {
	case value.Kind() == reflect.Pointer && value.IsNil():
		return "NULL"
	case value.Kind() == reflect.Pointer:
		return literal(t, value.Elem().Interface())
	case value.Kind() == reflect.Slice:
		items := make([]string, value.Len())
		for i := range items {
			items[i] = literal(t, value.Index(i).Interface())
		}
		if value.Type().Elem().Kind() == reflect.String {
			return "ARRAY[" + strings.Join(items, ", ") + "]::text[]"
		}
		return "ARRAY[" + strings.Join(items, ", ") + "]::integer[]"
	case value.Kind() == reflect.String:
		return "'" + strings.ReplaceAll(value.String(), "'", "''") + "'"
	}
	return fmt.Sprint(arg)
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
