package sample

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/imports"
	"docket/internal/ranking"
)

func TestSeedWritesTheSameRowsIntoEveryDatabase(t *testing.T) {
	t.Parallel()
	one, other := dbtest.New(t), dbtest.New(t)
	opts := Options{URLs: 1500, Seed: 42}
	summary, err := Seed(t.Context(), one, opts)
	require.NoError(t, err)
	again, err := Seed(t.Context(), other, opts)
	require.NoError(t, err)
	require.Equal(t, summary, again)

	digests := dbtest.Digests(t, one)
	require.Equal(t, digests, dbtest.Digests(t, other))
	require.NoError(t, ranking.Verify(t.Context(), one, func(d ranking.Difference) { t.Errorf("queue: %+v", d) }))
	var total int64
	for table := range digests {
		if slices.Contains([]string{"annotation_queue", "user_url_done", "anonymous_url_done", "batch_progress", "followed_batches"}, table) {
			continue // computed from the others
		}
		var n int64
		require.NoError(t, one.QueryRow(t.Context(),
			"SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&n))
		total += n
	}
	require.Equal(t, total, summary.Rows)
	require.Len(t, digests, 45+5, "tables with sample data")
}

func TestSeedLeavesNothingForTheIntegrityViews(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := Seed(t.Context(), pool, Options{URLs: 2000, Seed: 3})
	require.NoError(t, err)
	for _, view := range []string{
		"integrity__incomplete_data_sources_view", "integrity__incomplete_meta_urls_view",
		"integrity__non_federal_agencies_no_location_view", "integrity__url_both_data_source_and_meta_url_view",
	} {
		var n int
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM "+view).Scan(&n))
		require.Zero(t, n, view)
	}
	var unnamed, placeless int
	require.NoError(t, pool.QueryRow(t.Context(),
		"SELECT count(*) FROM locations_expanded WHERE display_name IS NULL").Scan(&unnamed))
	require.Zero(t, unnamed)
	require.NoError(t, pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM us_states) + (SELECT count(*) FROM counties) + (SELECT count(*) FROM localities) + 1
			- (SELECT count(*) FROM locations)`).Scan(&placeless))
	require.Zero(t, placeless, "every state, county and locality is a location, and so is the nation")
}

func TestSeedSetsSequencesAfterItsIDs(t *testing.T) {
	t.Parallel()
	for _, urls := range []int{0, 300} {
		pool := dbtest.New(t)
		_, err := Seed(t.Context(), pool, Options{URLs: urls})
		require.NoError(t, err)
		rows, err := pool.Query(t.Context(), `
			SELECT table_name FROM information_schema.columns
			WHERE CASE WHEN table_schema = 'public' AND column_name = 'id' -- in this order, for tables elsewhere make it fail
				THEN pg_get_serial_sequence(quote_ident(table_name), 'id') IS NOT NULL END`)
		require.NoError(t, err)
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Greater(t, len(tables), 15)
		for _, table := range tables {
			var next, last int64
			require.NoError(t, pool.QueryRow(t.Context(), fmt.Sprintf(
				`SELECT nextval(pg_get_serial_sequence('%[1]s', 'id')), (SELECT coalesce(max(id), 0) FROM %[1]s)`, table,
			)).Scan(&next, &last))
			require.Equal(t, last+1, next, table)
		}
	}
}

func TestSeedTakesAnEmptyDatabaseOnly(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := Seed(t.Context(), pool, Options{URLs: 0})
	require.NoError(t, err)
	before := dbtest.Digests(t, pool)
	_, err = Seed(t.Context(), pool, Options{URLs: 10})
	require.ErrorIs(t, err, ErrNotEmpty)
	require.Equal(t, before, dbtest.Digests(t, pool))

	pool = dbtest.New(t)
	_, err = pool.Exec(t.Context(), "INSERT INTO agencies (name, jurisdiction_type) VALUES ('Mine', 'local')")
	require.NoError(t, err)
	_, err = Seed(t.Context(), pool, Options{URLs: 10})
	require.ErrorIs(t, err, ErrNotEmpty)
}

func TestSeedWithOneURL(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	summary, err := Seed(t.Context(), pool, Options{URLs: 1})
	require.NoError(t, err)
	require.Equal(t, 1, summary.URLs)
	require.Equal(t, 1, summary.Batches)
	var eligible int
	require.NoError(t, pool.QueryRow(t.Context(), `
		SELECT count(*) FROM urls JOIN unvalidated_url_view ON url_id = id
			AND NOT EXISTS (SELECT FROM flag_url_suspended f WHERE f.url_id = urls.id)`).Scan(&eligible))
	require.Equal(t, 1, eligible)
}

func TestSeedWritesAllOrNothing(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	var pages []int64
	_, err := Seed(ctx, pool, Options{URLs: 9000, Progress: func(done, total int64) {
		require.Equal(t, int64(9000), total)
		pages = append(pages, done)
		if len(pages) == 2 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []int64{4000, 8000}, pages)
	require.Empty(t, dbtest.Digests(t, pool))

	_, err = Seed(t.Context(), pool, Options{URLs: -1})
	require.ErrorContains(t, err, "-1")
}

func TestSeedWithTriggers(t *testing.T) {
	t.Parallel()
	plain, triggered := dbtest.New(t), dbtest.NewWithReferenceTriggers(t)
	opts := Options{URLs: 300, Seed: 7}
	want, err := Seed(t.Context(), plain, opts)
	require.NoError(t, err)
	got, err := Seed(t.Context(), triggered, opts)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, table := range []string{
		"agencies", "us_states", "counties", "localities", "locations", "link_agencies__locations",
		"urls", "annotation__url_type__user", "link_agencies__urls",
	} {
		count := "SELECT count(*) FROM " + table
		require.Equal(t, dbtest.Count(t, plain, count), dbtest.Count(t, triggered, count), table)
	}
	require.Empty(t, dbtest.List(t, triggered, `
		SELECT min(id)::text FROM locations GROUP BY type, state_id, county_id, locality_id HAVING count(*) > 1`))
	require.NoError(t, ranking.Verify(t.Context(), triggered, func(d ranking.Difference) { t.Errorf("queue: %+v", d) }))
	file := strings.NewReader(strings.Join(imports.AgencyColumns, ",") + "\nA police force,local,PA\n")
	imported, err := imports.Agencies(t.Context(), triggered, file, imports.Options{})
	require.NoError(t, err)
	require.Equal(t, int64(1), imported.Created, "the sequences continue after the ids of the sample")
}
