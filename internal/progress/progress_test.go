package progress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/phase"
	"docket/internal/postgres"
	"docket/internal/progress"
)

func setup(t *testing.T, statements ...string) (*postgres.Pool, *progress.Service) {
	pool := dbtest.New(t)
	for _, statement := range statements {
		dbtest.Exec(t, pool, statement)
	}
	return pool, progress.New(pool)
}

type named struct {
	Name  string
	Count int32
}

func byName(list []named) map[string]int32 {
	counts := map[string]int32{}
	for _, n := range list {
		counts[n.Name] = n.Count
	}
	return counts
}

// The counts by status equal those of the materialized view after a refresh, for each combination of facts about a URL.
func TestStatusesAreThoseOfTheView(t *testing.T) {
	t.Parallel()
	pool, service := setup(t,
		// A URL for each combination of its validated type, or none, and seven other facts.
		`INSERT INTO urls (id, url, source) SELECT n, 'u' || n, 'manual' FROM generate_series(0, 7 * 128 - 1) AS n`,
		`INSERT INTO flag_url_validated (url_id, type)
			SELECT id, (enum_range(NULL::url_type))[id / 128] FROM urls WHERE id / 128 BETWEEN 1 AND 6`,
		`INSERT INTO ds_app_link_data_source (url_id, ds_data_source_id) SELECT id, id FROM urls WHERE id & 1 > 0`,
		`INSERT INTO ds_app_link_meta_url (url_id, ds_meta_url_id) SELECT id, id FROM urls WHERE id & 2 > 0`,
		`INSERT INTO url_compressed_html (url_id, compressed_html) SELECT id, '' FROM urls WHERE id & 4 > 0`,
		`INSERT INTO url_web_metadata (url_id, accessed) SELECT id, true FROM urls WHERE id & 8 > 0`,
		`INSERT INTO url_screenshot (url_id, content, file_size) SELECT id, '', 0 FROM urls WHERE id & 16 > 0`,
		`INSERT INTO tasks (id, task_type, task_status) VALUES (1, 'HTML', 'error')`,
		`INSERT INTO url_task_error (url_id, task_id, task_type, error)
			SELECT id, 1, failed.type, '' FROM urls, unnest('{HTML,Screenshot,URL Probe}'::task_type[]) AS failed (type) WHERE id & 32 > 0`,
		`INSERT INTO url_task_error (url_id, task_id, task_type, error) SELECT id, 1, 'Auto Name', '' FROM urls WHERE id & 64 > 0`,
		`REFRESH MATERIALIZED VIEW url_status_mat_view`,
	)
	urls, err := service.URLs(t.Context())
	require.NoError(t, err)
	ofView := byName(dbtest.Structs[named](t, pool, `SELECT status, count(*)::integer FROM url_status_mat_view GROUP BY status`))
	require.Len(t, ofView, 6, "every status occurs")
	require.Equal(t, ofView, urls.ByStatus)
	require.EqualValues(t, 7*128, urls.Total)
	require.Equal(t,
		byName(dbtest.Structs[named](t, pool, `SELECT type::text, count(*)::integer FROM flag_url_validated GROUP BY type`)), urls.ByType)
	require.Len(t, urls.ByType, 6, "every type occurs")
}

// The counts of pending URLs equal those of a statement that follows the definition URL by URL.
func TestPendingByDefinition(t *testing.T) {
	t.Parallel()
	pool, service := setup(t,
		`INSERT INTO agencies (id, name, jurisdiction_type) VALUES (1, 'A', 'local')`,
		// A URL for each combination of zero to two votes of three kinds, validation and month.
		`INSERT INTO urls (id, url, source, created_at)
			SELECT n, 'u' || n, 'manual',
				('{2024-12-31 23:59:59.999999,2025-01-01,2025-01-31 23:59:59.999999}'::timestamp[])[1 + n / 54 % 3]
			FROM generate_series(0, 27 * 2 * 3 - 1) AS n`,
		`INSERT INTO flag_url_validated (url_id, type) SELECT id, 'not found' FROM urls WHERE id / 27 % 2 = 1`,
		`INSERT INTO annotation__url_type__user (url_id, user_id, type)
			SELECT id, n, 'meta url' FROM urls, generate_series(1, 2) AS n WHERE id % 3 >= n`,
		`INSERT INTO annotation__record_type__user (url_id, user_id, record_type)
			SELECT id, n, 'Stops' FROM urls, generate_series(1, 2) AS n WHERE id / 3 % 3 >= n`,
		`INSERT INTO annotation__agency__user (url_id, user_id, agency_id)
			SELECT id, 1, NULLIF(n, 2) FROM urls, generate_series(1, 2) AS n WHERE id / 9 % 3 >= n`,
	)
	type row struct {
		Month                                                   time.Time
		All, URLType, RecordType, Agency, None, One, Two, Three int32
	}
	expected := dbtest.Structs[row](t, pool, `
		SELECT month, count(*)::integer, sum(a)::integer, sum(b)::integer, sum(c)::integer,
			sum((a + b + c = 0)::integer)::integer, sum((a + b + c = 1)::integer)::integer,
			sum((a + b + c = 2)::integer)::integer, sum((a + b + c = 3)::integer)::integer
		FROM (
			SELECT to_char(created_at, 'YYYY-MM-01')::timestamp AS month,
				(id IN (SELECT url_id FROM annotation__url_type__user))::integer AS a,
				(id IN (SELECT url_id FROM annotation__record_type__user))::integer AS b,
				(id IN (SELECT url_id FROM annotation__agency__user))::integer AS c
			FROM urls WHERE id NOT IN (SELECT url_id FROM flag_url_validated)
		) AS pending GROUP BY month ORDER BY month`)
	require.Len(t, expected, 2)

	months, err := service.PendingByMonth(t.Context())
	require.NoError(t, err)
	require.Len(t, months, 2)
	var sum progress.PendingCounts
	for i, e := range expected {
		want := progress.PendingCounts{
			All: e.All, URLType: e.URLType, RecordType: e.RecordType, Agency: e.Agency, ByKinds: [4]int32{e.None, e.One, e.Two, e.Three},
		}
		require.Equal(t, progress.PendingMonth{Month: e.Month, PendingCounts: want}, months[i])
		require.Equal(t, want.All, want.ByKinds[0]+want.ByKinds[1]+want.ByKinds[2]+want.ByKinds[3])
		sum.All += e.All
		sum.URLType += e.URLType
		sum.RecordType += e.RecordType
		sum.Agency += e.Agency
		for kinds, count := range want.ByKinds {
			sum.ByKinds[kinds] += count
		}
	}
	require.EqualValues(t, 81, sum.All)
	all, err := service.Pending(t.Context())
	require.NoError(t, err)
	require.Equal(t, sum, all)
}

func TestBatchPages(t *testing.T) {
	t.Parallel()
	_, service := setup(t,
		`INSERT INTO batches (id, strategy, status, date_generated)
			SELECT n, 'manual', 'ready to label', '2025-01-01'::timestamp - (n / 7) * interval '1 hour' FROM generate_series(1, 250) AS n`,
		`INSERT INTO urls (id, url, source) SELECT n, 'u' || n, 'manual' FROM generate_series(1, 750) AS n`,
		`INSERT INTO link_batches__urls (batch_id, url_id) SELECT 1 + id % 250, id FROM urls`,
	)
	var seen []progress.Batch
	for page, length := range map[int32]int{1: 100, 2: 100, 3: 50, 4: 0} {
		batches, err := service.Batches(t.Context(), page)
		require.NoError(t, err)
		require.Len(t, batches, length, "page %d", page)
	}
	for page := range int32(3) {
		batches, err := service.Batches(t.Context(), page+1)
		require.NoError(t, err)
		seen = append(seen, batches...)
	}
	for i, batch := range seen {
		require.Equal(t, progress.URLCounts{Total: 3, Pending: 3}, batch.URLs)
		if i > 0 {
			last := seen[i-1]
			require.True(t, last.CreatedAt.Before(batch.CreatedAt) || last.CreatedAt.Equal(batch.CreatedAt) && last.ID < batch.ID,
				"%v before %v", last, batch)
		}
	}
}

// Counting is a phase that does not include the wait for a connection.
func TestPhase(t *testing.T) {
	t.Parallel()
	_, service := setup(t)
	for name, count := range map[string]func(*phase.Recorder) error{
		"Leaderboard": func(rec *phase.Recorder) error {
			_, err := service.Leaderboard(phase.NewContext(t.Context(), rec))
			return err
		},
		"URLs": func(rec *phase.Recorder) error {
			_, err := service.URLs(phase.NewContext(t.Context(), rec))
			return err
		},
	} {
		rec := phase.NewRecorder(time.Now)
		require.NoError(t, count(rec), name)
		var names []string
		for _, timing := range rec.Timings() {
			names = append(names, timing.Name)
		}
		require.Equal(t, []string{phase.Acquire, phase.Progress}, names, name)
	}
}
